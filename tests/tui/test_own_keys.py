"""keys.toml: each mistake is told with file and key and costs its own line; a key that is given to one action is taken from the others."""

from itertools import combinations
from pathlib import Path

import pytest

from supervisor.tui.app import SupdApp
from supervisor.tui.bindings import key_name, places
from supervisor.tui.ownkeys import NO_KEY, read_keys

LIST = {"unit.stop": ["x"], "unit.start": ["s"], "list.down": ["j", "down"], "app.detach": ["q"]}
LOG = {"log.level": ["v"], "log.down": ["j", "down"], "app.detach": ["q"]}

KEYS = [
    ("a key", '"unit.stop" = "ctrl+x"', {"unit.stop": "ctrl+x"}, []),
    ("a list of keys", 'unit.stop = ["ctrl+x", "f2"]', {"unit.stop": "ctrl+x,f2"}, []),
    ("a section", '[keys]\nunit.stop = "f2"', {"unit.stop": "f2"}, []),
    ("a sign by itself", 'unit.stop = "!"', {"unit.stop": "exclamation_mark"}, []),
    ("a sign with a modifier", 'unit.stop = "ctrl+]"', {"unit.stop": "ctrl+right_square_bracket"}, []),
    ("its own key", 'unit.stop = "x"', {"unit.stop": "x"}, []),
    ("nothing", 'unit.stop = ""', {}, ['unit.stop needs a key or a list of keys, as in "ctrl+x"']),
    ("an empty list", "unit.stop = []", {}, ['unit.stop needs a key or a list of keys, as in "ctrl+x"']),
    ("a number", "unit.stop = 3", {}, ['unit.stop needs a key or a list of keys, as in "ctrl+x"']),
    ("no such action", 'unit.sotp = "f2"', {}, ["there is no action 'unit.sotp' (did you mean 'unit.stop'?)"]),
    ("no such key", 'unit.stop = "crtl+x"', {}, ["unit.stop: there is no key 'crtl+x' (did you mean 'ctrl+x'?)"]),
    ("one key of two", 'unit.stop = ["f99", "f2"]', {"unit.stop": "f2"}, ["unit.stop: there is no key 'f99' (did you mean 'f9'?)"]),
    ("a word", 'unit.stop = "quickly"', {}, ["unit.stop: there is no key 'quickly'"]),
    ("a key that arrives as another", 'unit.stop = "ctrl+m"', {}, ["unit.stop: there is no key 'ctrl+m' (did you mean 'enter'?)"]),
    ("a shifted letter", 'unit.stop = "shift+a"', {}, ["unit.stop: there is no key 'shift+a' (did you mean 'A'?)"]),
    ("twice", 'unit.stop = "f2"\nunit.start = "f2"', {"unit.stop": "f2", "unit.start": "f2"}, ["f2 is both unit.stop and unit.start"]),
    ("another's only key", 'unit.stop = "s"', {"unit.stop": "s", "unit.start": NO_KEY},
     ["s is unit.stop now; unit.start has no key any more"]),
    ("one of another's keys", 'unit.stop = "j"', {"unit.stop": "j", "list.down": "down"}, ["j is unit.stop now; list.down keeps down"]),
    ("the way out", 'list.down = "q"', {"list.down": "q", "app.detach": NO_KEY}, ["q is list.down now; app.detach has no key any more"]),
    ("another's, which has one of its own", 'unit.stop = "s"\nunit.start = "f2"', {"unit.stop": "s", "unit.start": "f2"}, []),
    ("a key of another place", 'unit.stop = "v"', {"unit.stop": "v"}, []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "keys", "faults"), [row[1:] for row in KEYS], ids=[row[0] for row in KEYS])
def test_keys(tmp_path: Path, text: str, keys: dict[str, str], faults: list[str]) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    assert read_keys(str(path), [LIST, LOG], key_name) == (keys, [f"{path}: {fault}" for fault in faults])


def test_no_file_is_no_mistake_and_a_broken_one_is_told(tmp_path: Path) -> None:
    assert read_keys(str(tmp_path / "none"), [LIST], key_name) == ({}, [])
    (tmp_path / "keys.toml").write_text("= 3")
    keys, faults = read_keys(str(tmp_path / "keys.toml"), [LIST], key_name)
    assert keys == {}
    assert faults[0].startswith(f"cannot read {tmp_path}/keys.toml: ")


def test_no_key_of_ours_has_two_meanings_in_one_place() -> None:
    for place in places(SupdApp):
        for (one, keys), (other, others) in combinations(place.items(), 2):
            assert not set(keys) & set(others), f"{one} and {other}"


def test_every_action_is_in_some_place_and_its_name_is_a_group_and_a_word() -> None:
    actions = {action for place in places(SupdApp) for action in place}
    assert {"unit.start", "list.down", "app.help", "view.units", "confirm.yes", "log.level", "filter.keep", "detail.next"} <= actions
    assert not [action for action in actions if action.count(".") != 1]


def test_every_key_of_ours_is_one_that_there_is() -> None:
    keys = {key for place in places(SupdApp) for bound in place.values() for key in bound}
    assert {key: key_name(key)[0] for key in keys} == {key: key for key in keys}
