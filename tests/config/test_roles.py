"""`supd.toml`: what it means, the exact words for what is wrong with it, and who may have written it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config import check, mode
from supervisor.config.roles import read_roles
from supervisor.daemon.api.access import Right
from supervisor.model import names
from supervisor.model.roles import LEVELS, Role, decode, encode

GOLDEN = Path(__file__).parent / "golden" / "roles"
NOBODY = 65534
OTHER = 65533


def written(directory: Path, text: str) -> str:
    path = directory / "supd.toml"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.toml")), ids=lambda path: path.stem)
def test_what_is_wrong_is_told_in_these_words(tmp_path: Path, file: Path) -> None:
    found = read_roles(written(tmp_path, file.read_text()))
    told = "".join(f"{problem.text(str(tmp_path))}\n" for problem in found.problems)
    assert told == file.with_suffix(".txt").read_text()
    assert not (found.roles and found.problems)


def test_names_become_numbers_and_a_single_value_is_a_list_of_one(tmp_path: Path) -> None:
    found = read_roles(written(tmp_path, (GOLDEN / "good.toml").read_text()))
    assert found.roles == (
        Role("operate", frozenset({NOBODY, 1000}), frozenset({NOBODY, 4321}), ("web", "worker@*", "db-[0-9]")),
        Role("admin", frozenset(), frozenset({0}), None),
    )


def test_without_a_file_there_are_no_roles_and_no_problems(tmp_path: Path) -> None:
    found = read_roles(str(tmp_path / "supd.toml"))
    assert (found.roles, found.problems) == ((), ())


UNREADABLE = {
    "a directory": (lambda path: path.mkdir(), "it is not a regular file"),
    "a dangling link": (lambda path: path.symlink_to("nowhere"), "cannot read the file: No such file or directory"),
    "a pipe": (os.mkfifo, "it is not a regular file"),
    "bytes that are no text": (lambda path: path.write_bytes(b"\xff"), "it is not UTF-8"),
}


@pytest.mark.parametrize(("make", "message"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_gives_no_role(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    make(tmp_path / "supd.toml")
    found = read_roles(str(tmp_path / "supd.toml"))
    assert (found.roles, [problem.message for problem in found.problems]) == ((), [message])


# What is spoiled, its owner, group and mode, and what is said of it.
_ROLE = '[[role]]\nlevel = "view"\nusers = 1\n'
FOREIGN = {
    "a file of another user": ("supd.toml", OTHER, 0, 0o600, f"it belongs to uid {OTHER}, who could give himself a role"),
    "a file that all may write": ("supd.toml", 0, 0, 0o646, "others may write to it, and so give themselves a role"),
    "a file that another group may write": ("supd.toml", 0, OTHER, 0o660, "others may write to it, and so give themselves a role"),
    "a directory of another user": ("", OTHER, 0, 0o755, f"its directory DIR belongs to uid {OTHER}, who could give himself a role"),
    "a directory that all may write": ("", 0, 0, 0o777, "others may write to its directory DIR, and so give themselves a role"),
    "a sticky directory that all may write": ("", 0, 0, 0o1777, "others may write to its directory DIR, and so give themselves a role"),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("spoiled", "uid", "gid", "bits", "message"), FOREIGN.values(), ids=FOREIGN.keys())
def test_a_file_that_others_could_have_written_is_not_believed(
    tmp_path: Path, spoiled: str, uid: int, gid: int, bits: int, message: str
) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    path = written(directory, _ROLE)
    assert read_roles(path).roles
    os.chown(directory / spoiled, uid, gid)
    os.chmod(directory / spoiled, bits)
    found = read_roles(path)
    assert (found.roles, [problem.message.replace(str(directory), "DIR") for problem in found.problems]) == ((), [message])


PLACES = {
    "a project's lies with its state": (mode.project(["/p/units"]), "/p/.supd/supd.toml"),
    "also where the state is elsewhere": (mode.project(["/p/units"], state_directory="/s"), "/s/supd.toml"),
    "a user's lies with his configuration": (mode.user({"HOME": "/home/ann"}), "/home/ann/.config/supd/supd.toml"),
    "the system's lies in /etc": (mode.system(), "/etc/supd/supd.toml"),
}


@pytest.mark.parametrize(("setting", "path"), PLACES.values(), ids=PLACES.keys())
def test_where_the_file_is_looked_for(setting: mode.Mode, path: str) -> None:
    assert mode.roles_file(setting) == path


def test_a_check_of_the_units_is_a_check_of_the_roles_too(tmp_path: Path) -> None:
    (tmp_path / "units").mkdir()
    (tmp_path / ".supd").mkdir()
    setting = mode.project([str(tmp_path / "units")])
    assert check(setting).is_good
    path = written(tmp_path / ".supd", "[[role]]\n")
    for found in (check(setting), check(setting, [path])):
        assert [problem.message for problem in found.errors] == ["it is for nobody", "level is missing"]


_ids = st.frozensets(st.integers(0, 2**32 - 2), max_size=4)
_patterns = st.none() | st.lists(st.text(max_size=8), min_size=1, max_size=3).map(tuple)
_roles = st.lists(st.builds(Role, st.sampled_from(LEVELS), _ids, _ids, _patterns), max_size=4).map(tuple)


@given(_roles)
def test_roles_survive_being_remembered(roles: tuple[Role, ...]) -> None:
    text = encode(roles)
    assert text
    assert decode(text) == roles


_unit_names = st.text("abz019:-_.\\@", min_size=1, max_size=8).filter(names.is_valid)


@given(st.lists(_unit_names, min_size=1, max_size=3), _unit_names)
def test_a_pattern_without_glob_characters_covers_that_name_alone(patterns: list[str], unit: str) -> None:
    assert Right("view", tuple(patterns)).covers(unit) == (unit in patterns)


@given(_unit_names, _unit_names, st.integers(0, 8))
def test_a_star_covers_every_end(unit: str, other: str, length: int) -> None:
    right = Right("view", (f"{unit[:length]}*",))
    assert right.covers(unit)
    assert right.covers(other) == other.startswith(unit[:length])


@given(st.text("ab*?[]!^-@. \\\n", max_size=8))
def test_a_pattern_that_is_accepted_can_match_a_name_and_a_refused_one_says_why(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    quoted = "".join(f"\\u{ord(character):04x}" for character in text)
    path = written(tmp_path_factory.getbasetemp(), f'{_ROLE}units = "{quoted}"\n')
    found = read_roles(path)
    if found.problems:
        assert all(problem.message and problem.line == 4 for problem in found.problems)
        assert not found.roles
    else:
        assert found.roles[0].patterns == (text,)
        assert " " not in text
        assert "\n" not in text
