"""Conditions and asserts: every kind, the logic of `!` and `|`, and the sentences for `why`.

Rows that ask the machine are built from what it is; the answers to versions and operators were asked of systemd 252
(`systemd-analyze condition`).
"""

import itertools
import os
from pathlib import Path

import pytest

from supervisor.daemon import conditions, versions, virtualization
from supervisor.model.conditions import KINDS, PATH_KINDS
from supervisor.model.specification import Condition, Unit

RELEASE = os.uname().release
MAJOR = RELEASE.split(".")[0]
CPUS = len(os.sched_getaffinity(0))


def holds(kind: str, argument: str, directory: Path | str = "/", environment: dict[str, str] | None = None) -> bool:
    plain = conditions.holds(Condition(kind, argument), environment or {}, str(directory))
    negated = conditions.holds(Condition(kind, argument, is_negated=True), environment or {}, str(directory))
    assert plain != negated
    return plain


def test_each_known_kind_has_a_test_and_no_other() -> None:
    assert tuple(conditions.TESTS) == KINDS


def test_an_unknown_kind_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        conditions.holds(Condition("first_boot", "yes"), {})


# ---- paths


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, mode in {"file": 0o644, "empty": 0o644, "tool": 0o755}.items():
        (tmp_path / name).write_text("" if name == "empty" else "x")
        (tmp_path / name).chmod(mode)
    for name, content in {"full": "x", "bare": "", "hidden": ".x", "backup": "x~", "saved": "x.dpkg-old"}.items():
        (tmp_path / name).mkdir()
        if content:
            (tmp_path / name / content).write_text("")
    for name, target in {"to-file": "file", "to-full": "full", "to-nothing": "nothing"}.items():
        (tmp_path / name).symlink_to(target)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("path_exists", "file empty full to-file to-full .", "nothing to-nothing"),
        ("path_exists_glob", "file f* ??ll to-*", "nothing x* to-nothing/*"),
        ("path_is_directory", "full bare to-full .", "file to-file nothing to-nothing"),
        ("path_is_symbolic_link", "to-file to-full to-nothing", "file full nothing"),
        ("directory_not_empty", "full to-full .", "bare hidden backup saved file nothing to-nothing to-file"),
        ("file_not_empty", "file tool to-file", "empty full nothing to-nothing"),
        ("file_is_executable", "tool", "file empty full nothing"),
        ("path_is_read_write", "file full", "nothing"),
        ("path_is_mount_point", "/proc / /proc/.", "file full nothing /etc"),
    ],
)
def test_paths(tree: Path, kind: str, good: str, bad: str) -> None:
    assert {name for name in good.split() if not holds(kind, name, tree)} == set()
    assert {name for name in bad.split() if holds(kind, name, tree)} == set()


def test_a_relative_path_is_taken_from_the_modes_directory_and_an_absolute_one_is_not(tree: Path) -> None:
    assert holds("path_exists", "file", tree)
    assert holds("path_exists", str(tree / "file"), "/nowhere")
    assert not holds("path_exists", "file", "/nowhere")
    assert set(PATH_KINDS) <= set(KINDS)


# ---- who and where


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("A", True), ("A=1", True), ("A=", False), ("B", False), ("A=11", False), ("E", True), ("E=", True), ("C=x=y", True)],
)
def test_environment(argument: str, expected: bool) -> None:
    assert holds("environment", argument, environment={"A": "1", "E": "", "C": "x=y"}) == expected


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (os.uname().nodename, True),
        (os.uname().nodename.upper(), True),
        (os.uname().nodename[0] + "*", True),
        ("*", True),
        ("no-such-host.example", False),
        ("", False),
    ],
)
def test_host(argument: str, expected: bool) -> None:
    assert holds("host", argument) == expected


@pytest.mark.parametrize(
    ("kind", "argument", "expected"),
    [
        ("user", str(os.getuid()), True),
        ("user", "54321", False),
        ("user", "no-such", False),
        ("user", "root", os.getuid() == 0),
        ("user", "@system", os.getuid() < 1000),
        ("group", str(os.getgid()), True),
        ("group", "54321", False),
        ("group", "no-such", False),
        ("group", "root", 0 in (os.getgid(), *os.getgroups())),
    ],
)
def test_user_and_group(kind: str, argument: str, expected: bool) -> None:
    assert holds(kind, argument) == expected


# ---- machine


@pytest.mark.parametrize(
    ("kind", "argument", "expected"),
    [
        ("memory", "1", True),
        ("memory", ">=1K", True),
        ("memory", " > 1K", True),
        ("memory", "<1K", False),
        ("memory", "==1", False),
        ("memory", "<>1", True),
        ("memory", "8E", False),
        ("memory", "<=8E", True),
        ("cpus", str(CPUS), True),
        ("cpus", f"={CPUS}", True),
        ("cpus", f"== {CPUS}", True),
        ("cpus", f"!={CPUS}", False),
        ("cpus", f">{CPUS}", False),
        ("cpus", f"<{CPUS + 1}", True),
        ("cpus", str(CPUS + 1), False),
        ("kernel_version", f"={RELEASE}", True),
        ("kernel_version", RELEASE, True),
        ("kernel_version", f"=={MAJOR}", False),
        ("kernel_version", f">={RELEASE}", True),
        ("kernel_version", f">{RELEASE}", False),
        ("kernel_version", ">2 <99", True),
        ("kernel_version", "> 2 <99", True),
        ("kernel_version", '">2" "< 99"', True),
        ("kernel_version", ">2 <3", False),
        ("kernel_version", f"$={MAJOR}.*", True),
        ("kernel_version", f"{MAJOR}.*", True),
        ("kernel_version", f"={MAJOR}.*", False),
        ("kernel_version", "!$=99.*", True),
        ("kernel_version", "bogus", False),
        ("kernel_version", "<>2", True),
        ("kernel_command_line", "no-such-word", False),
        ("architecture", "native", True),
        ("architecture", virtualization.architecture(), True),
        ("architecture", "bogus", False),
        ("virtualization", "bogus", False),
        ("virtualization", "yes", any(virtualization.detect())),
        ("virtualization", "no", not any(virtualization.detect())),
        ("virtualization", "container", bool(virtualization.detect()[1])),
        ("virtualization", "vm", virtualization.detect()[0] != "" and virtualization.detect()[1] == ""),
    ],
)
def test_machine(kind: str, argument: str, expected: bool) -> None:
    assert holds(kind, argument) == expected


def test_the_machine_is_on_mains_or_it_is_not() -> None:
    assert holds("ac_power", "yes") != holds("ac_power", "no")


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        ("memory", "x"),
        ("memory", "$=1"),
        ("cpus", "eq 2"),
        ("cpus", ""),
        ("kernel_version", ">="),
        ("kernel_version", ">2 < 99"),
        ("ac_power", "maybe"),
    ],
)
@pytest.mark.parametrize("is_negated", [False, True])
def test_what_cannot_be_understood_fails_even_negated(kind: str, argument: str, is_negated: bool) -> None:
    assert not conditions.holds(Condition(kind, argument, is_negated=is_negated), {})


# Oldest first, as the version format specification and systemd order them.
VERSIONS = [
    *("~1", "", "ab", "abb", "abc", "0001", "002", "12", "122", "122.9", "123~rc1", "123"),
    *("123-a", "123-a.1", "123-3", "123-3.1", "123^patched", "123.a-1", "123.1-1", "123a-1", "124-1"),
]


@pytest.mark.parametrize(("left", "right"), itertools.combinations(VERSIONS, 2))
def test_versions_are_ordered_as_systemd_orders_them(left: str, right: str) -> None:
    assert (versions.compare(left, right), versions.compare(right, left)) == (-1, 1)


@pytest.mark.parametrize(("left", "right"), [("1.2", "1.2"), ("001.2", "1.02"), ("1_2", "1+2"), ("", ""), ("a!b", "a b")])
def test_versions_that_only_look_different_are_equal(left: str, right: str) -> None:
    assert versions.compare(left, right) == versions.compare(right, left) == 0


# ---- the whole

TRUE, FALSE = "A", "B"  # variables that are set and not set
PAIRS = [(), *itertools.product([True, False], repeat=2)]


@pytest.mark.parametrize("plain", PAIRS)
@pytest.mark.parametrize("triggers", PAIRS)
def test_all_plain_ones_and_one_trigger_if_there_is_any_must_hold(plain: tuple[bool, ...], triggers: tuple[bool, ...]) -> None:
    listed = tuple(Condition("environment", TRUE if good else FALSE) for good in plain) + tuple(
        Condition("environment", TRUE if good else FALSE, is_trigger=True) for good in triggers
    )
    expected = all(plain) and (any(triggers) or not triggers)
    for order in (listed, listed[::-1]):
        as_conditions = conditions.check(Unit("u", "target", conditions=order), {TRUE: "1"})
        as_asserts = conditions.check(Unit("u", "target", asserts=order), {TRUE: "1"})
        assert as_conditions[:2] == (expected, True)
        assert as_asserts[:2] == (True, expected)
        assert (as_conditions[2] == "") == (as_asserts[2] == "") == expected


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        ([Condition("path_exists", "/nothing")], '{}_path_exists = "/nothing"'),
        ([Condition("path_exists", "/", is_negated=True)], '{}_path_exists = "!/"'),
        ([Condition("path_exists", "/"), Condition("user", "no-such"), Condition("path_exists", "/nothing")], '{}_user = "no-such"'),
        (
            [Condition("path_exists", "/nothing", is_trigger=True), Condition("path_exists", "/", is_trigger=True, is_negated=True)],
            '{}_path_exists = "|/nothing" or {}_path_exists = "|!/"',
        ),
    ],
)
def test_the_line_that_did_not_hold_is_told_as_it_stands_in_the_file(listed: list[Condition], text: str) -> None:
    assert conditions.check(Unit("u", "target", conditions=tuple(listed)), {})[2] == text.replace("{}", "condition")
    assert conditions.check(Unit("u", "target", asserts=tuple(listed)), {})[2] == text.replace("{}", "assert")


def test_asserts_are_not_looked_at_when_a_condition_fails() -> None:
    unit = Unit("u", "target", conditions=(Condition("user", "no-such"),), asserts=(Condition("user", "no-such"),))
    assert conditions.check(unit, {}) == (False, True, 'condition_user = "no-such"')
