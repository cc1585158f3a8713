"""What is kept between two runs, whatever is wrong with the file."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.tui.settings import Kept, Settings, keys_path, read_state, state_path

BROKEN = ["", "{", "[]", '"x"', '{"view": 3, "filter": null, "groups": [1], "has_log": "yes", "theme": ["x"]}', '{"unknown": 1}', "\x00"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_is_all_defaults(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tui.json"
    path.write_text(text)
    assert read_state(str(path)).kept == Kept()


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=300), lambda inner: st.lists(inner, max_size=40))


@settings(deadline=None)
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
