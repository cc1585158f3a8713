"""supctl for daily life: completion of units, values with their origin, a list that goes on, hints, text no terminal can obey."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli.completion import SCRIPTS
from supervisor.cli.main import main
from supervisor.daemon.api.service import Json, Refusal
from tests.system.api.fake_world import RunningServer
from tests.system.api.supctl import Going

ROOT = Path(__file__).resolve().parents[3]


def offered(server: RunningServer, capsys: pytest.CaptureFixture[str], line: str) -> list[str]:
    assert main(["__complete", "--socket", server.path, *line.split(" ")]) == 0
    return [row.partition("\t")[0] for row in capsys.readouterr().out.splitlines()]


UNITS = [
    ("start ", ["db", "slow", "bad", "broken", "flop"], "start is offered what is down"),
    ("stop ", ["web", "all"], "stop is offered what is up"),
    ("status w", ["web"], "status is offered every unit that begins so"),
    ("status web ", ["db", "slow", "bad", "broken", "flop", "all"], "a unit is offered once"),
    ("logs -u fl", ["flop"], "an option's unit"),
    ("stop web -- al", ["all"], "a unit after --"),
]


@pytest.mark.parametrize(("line", "units", "what"), UNITS, ids=[row[2] for row in UNITS])
def test_units_are_completed(server: RunningServer, capsys: pytest.CaptureFixture[str], line: str, units: list[str], what: str) -> None:
    assert offered(server, capsys, line) == units


def test_a_description_cannot_add_a_candidate(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.world.units["web"]["description"] = "one\nrm\ttwo\x1b[31m"
    assert main(["__complete", "--socket", server.path, "stop", "we"]) == 0
    assert capsys.readouterr().out == "web\tactive  one rm two\n"


def test_completion_is_silent_without_supd(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["__complete", "--socket", "/nonexistent/supd.sock", "start", ""]) == 0
    assert capfd.readouterr() == ("", "")


def test_completion_gives_up_on_a_supd_that_does_not_answer(short_directory: str) -> None:
    path = os.path.join(short_directory, "mute.sock")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(path)
        mute.listen()
        argv = [sys.executable, "-m", "supervisor.cli.main", "__complete", "--socket", path, "start", ""]
        done = subprocess.run(argv, capture_output=True, timeout=20, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


BASH_ROWS = [
    ("supctl stat", "status"),
    ("supctl stop al", "all"),
    ("supctl wait --for=act", "active"),  # readline replaces what follows the =
    ("supctl status worker@", "1 2"),  # and what follows the @
    (r"supctl status a\\x2", r"a\\x2db"),
    ("supctl 'stat", ""),
]


@pytest.mark.parametrize(("line", "reply"), BASH_ROWS, ids=[row[0] for row in BASH_ROWS])
def test_bash_completes_with_the_script(server: RunningServer, tmp_path: Path, line: str, reply: str) -> None:
    db = server.world.units["db"]
    server.world.units.update({name: {**db, "id": name} for name in ("worker@1", "worker@2", r"a\x2db")})
    program = tmp_path / "supctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m supervisor.cli.main "$@"\n')
    program.chmod(0o755)
    script = f'{SCRIPTS["bash"]}\nCOMP_LINE=$1 COMP_POINT=${{#1}}\n_supctl\nprintf "%s" "${{COMPREPLY[*]}}"\n'
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SUPD_SOCKET": server.path}
    argv = ["bash", "--norc", "-c", script, "bash", line]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True, cwd=ROOT, env=environment)
    assert (done.stdout, done.stderr) == (reply, "")


@pytest.fixture
def defined(server: RunningServer) -> RunningServer:
    """web, made of a file and a drop-in; supd has more in force than they say."""
    main_text = '[unit]\ndescription = "a \\u001b[31mweb"\n[service]\nexec_start = "x"\n\nenvironment = { PORT = "80" }\n'
    drop_in = "[service]\nrestart_sec = 2\n"

    def definition(unit: str) -> Json:
        file, extra = "/u/web.toml", "/u/web.toml.d/10.toml"
        return {
            "unit": unit,
            "files": [{"path": file, "text": main_text}, {"path": extra, "text": drop_in}],
            "origins": {
                "unit.description": f"{file}:2", "service.exec_start": f"{file}:4", "service.restart_sec": f"{extra}:2",
                "service.environment": f"{file}:6", "service.environment.PORT": f"{file}:6", "service.nice": "/u/base.toml:3",
            },
            "specification": {
                "id": "web", "kind": "service", "on_change": "restart",
                "service": {"kill_signal": 2, "restart_us": 2_000_000, "timeout_start_us": 5_000_000},
                "execution": {"nice": 3, "umask": 63},
            },
        }  # fmt: skip

    server.world.definition = definition  # type: ignore[method-assign]  # this world's web is made of more than one file
    return server


def test_every_value_is_shown_with_its_origin(defined: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--socket", defined.path, "cat", "--json", "web"]) == 0
    values: dict[str, Any] = json.loads(capsys.readouterr().out)["values"]
    assert list(values)[:2] == ["service.nice", "unit.description"]  # by file and line
    rows = {key: (one["value"], one["origin"]) for key, one in values.items()}
    assert rows["service.exec_start"] == ("x", "/u/web.toml:4")
    assert rows["service.environment.PORT"] == ("80", "/u/web.toml:6")
    assert rows["service.restart_sec"] == (2, "/u/web.toml.d/10.toml:2")
    assert rows["service.nice"] == (3, "/u/base.toml:3")  # the file is not among those sent; supd knows the value
    assert rows["service.kill_signal"] == ("SIGINT", "implied")
    assert rows["service.timeout_start_sec"] == ("5s", "implied")
    assert rows["service.umask"] == ("0077", "implied")
    assert rows["unit.on_change"] == ("restart", "implied")
    assert rows["service.type"] == ("exec", "default")
    assert not [key for key in rows if key.startswith(("task.", "log.", "service.environment_file", "service.private_tmp"))]


def test_origins_are_a_table_of_values_as_they_are_written(defined: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--socket", defined.path, "cat", "--origins", "web"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "KEY VALUE FROM"
    assert 'unit.description "a web" /u/web.toml:2' in lines
    assert "service.send_sigkill true default" in lines


def test_a_watched_list_is_shown_again_when_something_happens(server: RunningServer) -> None:
    going = Going(server.path, "list --watch db")
    going.until(b"inactive")
    server.call(lambda: server.world.request_job("start", "db", "replace", "a test"))
    going.until(b"active  running")
    going.interrupt()
    assert going.end() == 130


def test_a_watched_list_on_a_terminal_stays_in_place(server: RunningServer) -> None:
    going = Going(server.path, "list -w db", on_terminal=True)
    shown = going.until(b"inactive")
    assert shown.startswith(b"\x1b[H\x1b[2J")
    going.interrupt()
    assert going.end() == 130


HINTS = [
    ("status wbe", "supctl: there is no unit 'wbe'\n  next: did you mean web?\n"),
    ("start zzzzz", "supctl: cannot start zzzzz: there is no unit 'zzzzz'\n  next: supctl list shows every unit\n"),
]


@pytest.mark.parametrize(("line", "text"), HINTS, ids=[row[0] for row in HINTS])
def test_an_unknown_unit_brings_the_nearest_name(server: RunningServer, capsys: pytest.CaptureFixture[str], line: str, text: str) -> None:
    main(["--socket", server.path, *line.split()])
    assert capsys.readouterr().err == text


def with_errors(server: RunningServer, *errors: Json) -> None:
    plain = server.world.status
    server.world.status = lambda: {**plain(), "load_errors": list(errors)}  # type: ignore[method-assign]  # this world has a bad file


BAD = {"file": "/p/units/app.toml", "line": 3, "key": "unit.wnats", "message": "unknown key in [unit]", "hint": 'did you mean "wants"?'}
BAD_LINE = '/p/units/app.toml:3: unit.wnats: unknown key in [unit] (did you mean "wants"?)'


@pytest.mark.parametrize("file", ["/p/units/app.toml", "/p/units/app.toml.d/10.toml"], ids=["its file", "a drop-in of it"])
def test_a_unit_whose_file_was_not_taken_is_explained(server: RunningServer, capsys: pytest.CaptureFixture[str], file: str) -> None:
    with_errors(server, {**BAD, "file": file})
    assert main(["--socket", server.path, "start", "app"]) == 5
    line = BAD_LINE.replace("/p/units/app.toml", file)
    expected = f"supctl: cannot start app: there is no unit 'app'\n  because: {line}\n  next: correct the file, then supctl reload-units\n"
    assert capsys.readouterr().err == expected


def test_a_unit_with_a_bad_new_file_says_so(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    with_errors(server, {**BAD, "file": "/etc/supd/units/web.toml"})
    assert main(["--socket", server.path, "status", "web"]) == 0
    assert "    Bad file: /etc/supd/units/web.toml:3: unit.wnats: unknown key" in capsys.readouterr().out


def test_load_errors_stand_below_the_overview(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    with_errors(server, BAD)
    assert main(["--socket", server.path, "status"]) == 0
    text = capsys.readouterr().out
    assert text.endswith(f"\nThe unit files have errors; the last good definitions, if there are any, stay in force:\n  {BAD_LINE}\n")


def test_a_signal_for_nobody_fails_as_systemctls_does(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    async def kill(unit: str, signal: int, whom: str, by: str) -> None:
        raise Refusal("refused", f"cannot kill {unit}: it has no process", unit)

    server.world.kill = kill  # type: ignore[method-assign]  # nothing runs in this world
    assert main(["--socket", server.path, "kill", "db"]) == 1
    assert capsys.readouterr().err == "supctl: cannot kill db: it has no process\n"


QUOTED = {
    "a unit": ["start", "a\x1b]0;x\x07"],
    "a pattern": ["status", "a\x1b]0;x\x07*"],
    "a unit with a C1 control": ["why", "\x9b31m"],
    "an option": ["--\x1b[2J"],
    "a verb's option": ["start", "--\x1b[2J"],
    "a job": ["cancel", "\x1bc"],
}


@pytest.mark.parametrize("words", QUOTED.values(), ids=QUOTED)
def test_what_a_message_quotes_cannot_act(server: RunningServer, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    main(["--socket", server.path, *words])
    error = capsys.readouterr().err
    assert error.startswith("supctl: ")
    assert not set(error) & {"\x1b", "\x9b", "\x07"}


REASONS = [
    ("job", "the start job ended: failed: it left with status 3", 50),
    ("failed", "it failed: exit-code: it left with status 3", 50),
    ("restart", "restart in 1 s", 40),
    ("exit", "it left with status 3", 40),
    ("restart", "restart in 1 s", 30),
]


def test_why_tells_each_reason_once(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    because = [{"what": what, "unit": "flop", "time_s": 1_700_000_000.0 + at, "text": text} for what, text, at in REASONS]
    answer = {"unit": "flop", "active_state": "failed", "sub_state": "failed", "because": because, "next": None}
    server.world.why = lambda unit: answer  # type: ignore[method-assign]  # this world remembers more
    assert main(["--socket", server.path, "why", "flop"]) == 0
    lines = [line.rpartition("  ")[0].strip() for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines == [
        "because the start job ended: failed: it left with status 3",
        "because it failed: exit-code: it left with status 3",
        "because restart in 1 s (2 times)",
    ]


def test_a_start_that_a_dependency_prevented_names_its_reason(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    async def wait_job(job: int) -> Json:
        return {"id": job, "unit": "web", "type": "start", "result": "dependency", "text": "flop did not start"}

    because = [{"what": "dependency", "unit": "flop", "time_s": None, "text": "web waits for flop, which did not start"}]
    answer = {"unit": "web", "active_state": "inactive", "sub_state": "dead", "because": because, "next": None}
    server.world.wait_job = wait_job  # type: ignore[method-assign]  # in this world web needs flop
    server.world.why = lambda unit: answer  # type: ignore[method-assign]  # as above
    server.world.units["flop"]["failed_text"] = "exec_start (/bin/flop) left with status 3"
    assert main(["--socket", server.path, "start", "web"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "supctl: cannot start web: flop did not start",
        "  because: flop: exec_start (/bin/flop) left with status 3",
        "  flop has written nothing",
        "  next: supctl why flop, supctl logs flop",
    ]


WHY = [
    ("flop", {"failed_text": "exec_start left with status 3"}, "it failed: exit-code: ...", "exec_start left with status 3"),
    ("db", {}, "wanted up by uid 0", None),
    ("web", {}, "wanted up by uid 0", "wanted up by uid 0"),
    ("db", {}, "it was stopped by uid 0 and stays down until it is started", "it was stopped by uid 0 and stays down until it is started"),
]


WHY_NAMES = ["a failure", "an end by itself", "a unit that is up", "a stop on request"]


@pytest.mark.parametrize(("unit", "more", "text", "told"), WHY, ids=WHY_NAMES)
def test_status_gives_the_reason_that_explains_the_state(
    server: RunningServer, capsys: pytest.CaptureFixture[str], unit: str, more: Json, text: str, told: str | None
) -> None:
    server.world.units[unit] |= more
    state = {key: server.world.units[unit][key] for key in ("active_state", "sub_state")}
    answer = {"unit": unit, **state, "because": [{"what": "any", "unit": unit, "time_s": None, "text": text}], "next": None}
    server.world.why = lambda unit: answer  # type: ignore[method-assign]  # this world remembers one reason
    main(["--socket", server.path, "status", unit])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if "Why:" in line]
    assert lines == ([] if told is None else [f"Why: {told}"])
