"""When a unit file that is gone is believed to be gone (DESIGN, Hot reload). The clock is an argument; the files are real."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.config.mode import project
from supervisor.config.result import LoadResult
from supervisor.daemon.vanished import BELIEVED_AFTER_S, Vanished
from supervisor.model.specification import Execution, Service, Unit


def _set(directory: Path, *names: str) -> LoadResult:
    """A loaded set of these units; their files are whatever is in the directory."""
    return LoadResult(project([str(directory)]), {name: _unit(name, f"{directory}/{name}.toml") for name in names})


def _unit(name: str, path: str) -> Unit:
    return Unit(name, "service", service=Service(), execution=Execution(), fragment_path=path)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    directory = tmp_path / "units"
    directory.mkdir()
    for name in "abcdef":
        (directory / f"{name}.toml").write_text("")
    return directory


def _judged(units: Path, gone: str, *at_s: float) -> tuple[list[str], float | None, bool]:
    """The last verdict: what is kept, when to look again, and whether it waits for `apply`."""
    vanished, before = Vanished(), _set(units, *"abcdef")
    vanished.remember(before)
    for name in gone:
        (units / f"{name}.toml").unlink()
    for moment_s in at_s:
        verdict = vanished.judge(before, _set(units, *(set("abcdef") - set(gone))), moment_s)
    return verdict.kept, verdict.again_in_s, bool(verdict.text)


CASES: dict[str, tuple[str, tuple[float, ...], tuple[list[str], float | None, bool]]] = {
    "nothing is gone": ("", (0,), ([], None, False)),
    "one is gone just now": ("a", (0,), (["a"], BELIEVED_AFTER_S, False)),
    "one is gone for a while": ("a", (0, 2), (["a"], 3, False)),
    "one is gone for long enough": ("a", (0, 5), ([], None, False)),
    "a third is gone for long enough": ("ab", (0, 5), ([], None, False)),
    "more than a third is gone, however long": ("abc", (0, 5000), (["a", "b", "c"], None, True)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_is_gone_is_believed_after_a_while_unless_many_are(units: Path, case: str) -> None:
    gone, at_s, verdict = CASES[case]
    assert _judged(units, gone, *at_s) == verdict


def _stamped(units: Path, *names: str) -> LoadResult:
    result = _set(units, *names)
    for name in names:
        info = (units / f"{name}.toml").stat()
        result.files[f"{units}/{name}.toml"] = (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    return result


def _rename(units: Path, name: str, new: str) -> None:
    (units / f"{name}.toml").rename(units / f"{new}.toml")


def _copy_and_remove(units: Path, name: str, new: str) -> None:
    shutil.copy2(units / f"{name}.toml", units / f"{new}.toml")
    (units / f"{name}.toml").unlink()


def _rename_and_write(units: Path, name: str, new: str) -> None:
    _rename(units, name, new)
    (units / f"{new}.toml").write_text("other")


MOVES = [
    ("a renamed file's old name is gone at once", _rename, "abc", ([], 3)),
    ("a copy is another file, and the first may come back", _copy_and_remove, "a", (["a"], 0)),
    ("what was written since is another file", _rename_and_write, "a", (["a"], 0)),
]


@pytest.mark.parametrize(("name", "move", "moved", "expected"), MOVES, ids=[row[0] for row in MOVES])
def test_what_has_another_name_now_is_not_missing(
    units: Path, name: str, move: Callable[[Path, str, str], None], moved: str, expected: tuple[list[str], int]
) -> None:
    before = _stamped(units, *"abcdef")
    for each in moved:
        move(units, each, each.upper())
    verdict = Vanished().judge(before, _stamped(units, *(set("abcdef") - set(moved)), *moved.upper()), 0)
    assert (verdict.kept, len(verdict.renamed), verdict.noticed) == (*expected, verdict.kept)


def test_another_name_that_was_there_before_is_no_rename(units: Path) -> None:
    (units / "g.toml").hardlink_to(units / "a.toml")
    before = _stamped(units, *"abcdefg")
    (units / "a.toml").unlink()
    assert Vanished().judge(before, _stamped(units, *"bcdefg"), 0).kept == ["a"]


def test_one_that_is_back_in_between_is_not_gone(units: Path) -> None:
    vanished, before = Vanished(), _set(units, *"abcdef")
    path = units / "a.toml"
    path.unlink()
    vanished.judge(before, _set(units, *"bcdef"), 0)
    path.write_text("")
    vanished.judge(before, before, 3)
    path.unlink()
    assert vanished.judge(before, _set(units, *"bcdef"), 6).kept == ["a"]


def test_a_directory_that_is_gone_stops_nothing(units: Path) -> None:
    vanished, before = Vanished(), _set(units, *"abcdef")
    vanished.remember(before)
    shutil.rmtree(units)
    verdict = vanished.judge(before, _set(units), 0)
    assert (verdict.kept, verdict.again_in_s) == (list("abcdef"), None)
    assert str(units) in verdict.text
    assert "`supctl apply` if it is meant so" in verdict.text


def test_a_directory_on_another_file_system_is_not_the_one_that_was_there(units: Path) -> None:
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(units).st_dev:
        pytest.skip("there is no second file system to try it with")
    elsewhere = Path("/dev/shm") / f"supd-test-{os.getpid()}"
    elsewhere.mkdir()
    try:
        vanished, before = Vanished(), _set(units, *"abcdef")
        vanished.remember(before)
        shutil.rmtree(units)
        units.symlink_to(elsewhere)
        for name in "bcdef":
            (units / f"{name}.toml").write_text("")
        verdict = vanished.judge(before, _set(units, *"bcdef"), 0)
        assert (verdict.kept, bool(verdict.text)) == (["a"], True)
    finally:
        shutil.rmtree(elsewhere)


def test_what_a_person_means_is_believed(units: Path) -> None:
    vanished, before = Vanished(), _set(units, *"abcdef")
    for name in "abc":
        (units / f"{name}.toml").unlink()
    vanished.judge(before, _set(units, *"def"), 0)
    vanished.believe_all()
    assert vanished.text == ""


def test_an_instance_that_its_template_no_longer_lists_is_gone_at_once(units: Path) -> None:
    before = _set(units, *"abcdef")
    before.units["a@1"] = _unit("a@1", f"{units}/a.toml")
    assert Vanished().judge(before, _set(units, *"abcdef"), 0).kept == []
