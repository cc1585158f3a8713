"""supctl edit and verify: nothing that would not load ever replaces a unit file."""

import json
import os
import stat
from pathlib import Path

import pytest

from supervisor.cli.main import main
from supervisor.daemon.api.service import Json
from tests.system.api.fake_world import RunningServer

GOOD = '[service]\nexec_start = "/bin/true"\n'
BETTER = '[service]\nexec_start = "/bin/false"\n'
BAD = '[service]\nexec_start = "/bin/true"\nrestart = "allways"\n'


@pytest.fixture
def unit_file(server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """web's file; the fake world says that web is made of it."""
    path = tmp_path / "units" / "web.toml"
    path.parent.mkdir()
    path.write_text(GOOD)
    path.chmod(0o640)

    def definition(unit: str) -> Json:
        return {"unit": unit, "files": [{"path": str(path), "text": path.read_text()}], "origins": {}}

    server.world.definition = definition  # type: ignore[method-assign]  # this world's web lies in a real file
    return path


def editor(tmp_path: Path, text: str) -> str:
    """A program that leaves this text in the file it is given."""
    (tmp_path / "text").write_text(text)
    program = tmp_path / "an editor"
    program.write_text(f"#!/bin/sh\ncat '{tmp_path}/text' > \"$2\"\n")
    program.chmod(0o755)
    return f"'{program}' --wait"


@pytest.mark.parametrize(
    ("written", "status", "kept"),
    [(BETTER, 1, BETTER), (GOOD, 0, GOOD), (BAD, 1, GOOD), ("not toml", 1, GOOD)],
    ids=["a good text is kept", "an unchanged one is left", "a bad value is refused", "what is not TOML is refused"],
)
def test_edit_keeps_only_what_would_load(
    server: RunningServer, unit_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, status: int, kept: str
) -> None:
    monkeypatch.setenv("VISUAL", editor(tmp_path, written))
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    assert main(["--socket", server.path, "edit", "web"]) == status  # the fake world's reload-units always reports an error
    assert unit_file.read_text() == kept
    assert stat.S_IMODE(unit_file.stat().st_mode) == 0o640
    assert os.listdir(unit_file.parent) == ["web.toml"]
    asked = [line for line in server.log_lines if line.endswith("POST /v1/reload-units")]
    assert len(asked) == (1 if kept == BETTER else 0)


def test_a_failing_editor_changes_nothing(server: RunningServer, unit_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "/nonexistent/editor")
    assert main(["--socket", server.path, "edit", "web"]) == 1
    assert unit_file.read_text() == GOOD


def test_verify_names_file_line_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "web.toml"
    path.write_text(BAD)
    assert main(["verify", "--json", str(path)]) == 1
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert (error["file"], error["line"], error["key"]) == (str(path), 3, "service.restart")
    assert main(["verify", str(path)]) == 1
    assert "web.toml:3: service.restart: expected one of" in capsys.readouterr().out
    path.write_text(GOOD)
    assert main(["verify", str(path)]) == 0


def test_an_edit_that_waits_for_a_restart_says_so(
    server: RunningServer, unit_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def reload_units(by: str) -> Json:
        server.world.units["web"]["needs_restart"] = True
        return {"units": 7, "errors": []}

    server.world.reload_units = reload_units  # type: ignore[method-assign]  # this world takes the new set
    monkeypatch.setenv("VISUAL", editor(tmp_path, BETTER))
    assert main(["--socket", server.path, "edit", "web"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "7 units are loaded.",
        "web goes on as it was started; supctl restart web makes the change effective.",
    ]
