"""What is kept between two runs, whatever is wrong with the file; and the keys of one's own."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.tui.settings import Kept, Settings, keys_path, read_keys, read_state, state_path

BROKEN = ["", "{", "[]", '"x"', '{"view": 3, "filter": null, "groups": [1], "has_log": "yes", "theme": ["x"]}', '{"unknown": 1}', "\x00"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_is_all_defaults(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tui.json"
    path.write_text(text)
    assert read_state(str(path)).kept == Kept()


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=300), lambda inner: st.lists(inner, max_size=40))


@given(st.dictionaries(st.sampled_from([*Kept.__dataclass_fields__, "x"]), json_values))
def test_no_file_can_do_harm(tmp_path_factory: pytest.TempPathFactory, found: dict[str, object]) -> None:
    path = tmp_path_factory.getbasetemp() / "harm.json"
    path.write_text(json.dumps(found))
    kept = read_state(str(path)).kept
    for name, default in ((name, getattr(Kept(), name)) for name in Kept.__dataclass_fields__):
        assert type(getattr(kept, name)) is type(default)


def test_what_is_changed_is_there_the_next_time_and_private(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "tui.json"
    settings = Settings(str(path))
    settings.change(view="logs", groups=("failed", "off"), faults_only=True)
    assert read_state(str(path)).kept == Kept(view="logs", groups=("failed", "off"), faults_only=True)
    assert path.parent.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["tui.json"]


def test_a_place_that_cannot_be_written_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(str(tmp_path / "file" / "tui.json"))
    settings.change(view="logs")
    assert settings.kept.view == "logs"


def test_where_they_are() -> None:
    assert state_path({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == "/s/supd/tui.json"
    assert state_path({"XDG_STATE_HOME": "relative", "HOME": "/h"}) == "/h/.local/state/supd/tui.json"
    assert keys_path({"HOME": "/h"}) == "/h/.config/supd/keys.toml"


KNOWN = ["unit.stop", "unit.start", "list.mark"]
KEYS = [
    ('"unit.stop" = "ctrl+x"', {"unit.stop": "ctrl+x"}, []),
    ('unit.stop = ["ctrl+x", "f2"]', {"unit.stop": "ctrl+x,f2"}, []),
    ('[keys]\nunit.stop = "f2"', {"unit.stop": "f2"}, []),
    ('unit.stop = ""', {}, ['KEYS: unit.stop needs a key or a list of keys, as in "ctrl+x"']),
    ("unit.stop = []", {}, ['KEYS: unit.stop needs a key or a list of keys, as in "ctrl+x"']),
    ('unit.sotp = "f2"', {}, ["KEYS: there is no action 'unit.sotp' (did you mean 'unit.stop'?)"]),
    ('unit.stop = "f2"\nunit.start = "f2"', {"unit.stop": "f2", "unit.start": "f2"}, ["KEYS: f2 is both unit.stop and unit.start"]),
    ('unit.stop = "f2"\nlist.mark = "f2"', {"unit.stop": "f2", "list.mark": "f2"}, []),
]


@pytest.mark.parametrize(("text", "keys", "faults"), KEYS, ids=[row[0] for row in KEYS])
def test_keys(tmp_path: Path, text: str, keys: dict[str, str], faults: list[str]) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    assert read_keys(str(path), KNOWN) == (keys, [fault.replace("KEYS", str(path)) for fault in faults])


def test_no_file_is_no_mistake_and_a_broken_one_is_told(tmp_path: Path) -> None:
    assert read_keys(str(tmp_path / "none"), KNOWN) == ({}, [])
    (tmp_path / "keys.toml").write_text("= 3")
    keys, faults = read_keys(str(tmp_path / "keys.toml"), KNOWN)
    assert keys == {}
    assert faults[0].startswith(f"cannot read {tmp_path}/keys.toml: ")
