"""supctl's verbs against the fake world: exit statuses, what is printed, and what is asked of the manager."""

import json
import os
import subprocess
import sys

import pytest

from supervisor.cli.main import main
from tests.system.api.fake_world import RunningServer
from tests.system.api.supctl import Going, run

STATUSES = [
    ("status web", 0),
    ("status db", 3),
    ("status flop", 3),
    ("status nosuch", 4),
    ("status web nosuch", 4),
    ("status", 0),
    ("is-active web", 0),
    ("is-active db", 3),
    ("is-active db web", 0),
    ("is-active nosuch", 4),
    ("is-failed flop", 0),
    ("is-failed web", 1),
    ("is-failed", 0),
    ("is-enabled web", 0),
    ("is-enabled nosuch", 4),
    ("start db", 0),
    ("start web bad", 1),
    ("start nosuch", 5),
    ("start broken", 6),
    ("start nosuch*", 1),
    ("reload db", 3),
    ("try-restart db", 0),
    ("stop web", 0),
    ("isolate web", 4),
    ("kill -s HUP web", 0),
    ("kill -s NOPE web", 2),
    ("reset-failed", 0),
    ("enable web db", 0),
    ("mask nosuch", 5),
    ("scale worker 3", 0),
    ("scale worker many", 2),
    ("list", 0),
    ("list nothing*", 0),
    ("tree", 0),
    ("tree nosuch", 4),
    ("why flop", 0),
    ("why nosuch", 4),
    ("show web", 0),
    ("cat web", 0),
    ("cat nosuch", 1),
    ("logs nosuch", 4),
    ("events", 0),
    ("version", 0),
    ("list-jobs", 0),
    ("cancel 99", 1),
    ("reload-units", 1),
    ("shutdown --no-block", 0),
    ("verify --timespan 1min", 0),
    ("verify --timespan nonsense", 1),
    ("verify --calendar daily", 2),
    ("wait web", 0),
    ("wait flop", 1),
    ("wait db --for inactive", 0),
    ("wait db --timeout 10ms", 124),
    ("wait nosuch", 4),
    ("sttaus", 2),
    ("", 0),
    ("help start", 0),
    ("start --help", 0),
]


@pytest.mark.parametrize(("line", "status"), STATUSES, ids=[row[0] or "supctl alone" for row in STATUSES])
def test_exit_statuses_are_systemctls(server: RunningServer, line: str, status: int) -> None:
    assert main(["--socket", server.path, *line.split()]) == status


def said(server: RunningServer, capfd: pytest.CaptureFixture[str], line: str) -> tuple[str, str]:
    main(["--socket", server.path, *line.split()])
    sys.stdout.flush()
    return capfd.readouterr()


def test_status_reads_like_systemctls(server: RunningServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    out, _ = said(server, capfd, "status web")
    lines = out.splitlines()
    assert lines[:2] == ["● web - The web", "      Loaded: loaded (/etc/supd/units/web.toml; enabled)"]
    assert lines[2].startswith("      Active: active (running) since Tue 2023-11-14 22:13:20")
    assert lines[3:] == [
        "    Main PID: 4242",
        '      Status: "serving 3 clients"',
        "         Why: the main process exited with status 3",
        "",
        "hello",
        "world",
    ]


def test_status_alone_shows_supd_itself(server: RunningServer, capfd: pytest.CaptureFixture[str]) -> None:
    out, _ = said(server, capfd, "status")
    assert out.splitlines()[0] == "× supd 0.0.test - project instance"
    assert "      Failed: flop  exit-code\n" in out
    assert "    Tracking: scan\n" in out


def test_a_failed_start_says_what_why_and_what_next(server: RunningServer, capfd: pytest.CaptureFixture[str]) -> None:
    out, err = said(server, capfd, "start bad")
    assert out == ""
    assert err.splitlines() == [
        "supctl: cannot start bad: start: the main process exited with status 7",
        "  result: exit-code (exited, status 7/NOTRUNNING)",
        "  because: the main process exited with status 3",
        "  last output of bad:",
        *[f"    line {number}" for number in range(3, 13)],
        "  next: supctl why bad, supctl logs bad",
    ]


def test_the_list_is_a_table(server: RunningServer, capfd: pytest.CaptureFixture[str]) -> None:
    out, _ = said(server, capfd, "list w* flop")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["UNIT", "STATE", "SUB", "PID", "RESTARTS", "SINCE", "DESCRIPTION"]
    assert lines[1][:6] == ["●", "web", "active", "running", "4242", "0"]
    assert lines[2] == ["×", "flop", "failed", "failed", "-", "0", "-", "The", "flop"]


def test_the_tree_goes_both_ways(server: RunningServer, capfd: pytest.CaptureFixture[str]) -> None:
    out, _ = said(server, capfd, "tree all")
    assert out.splitlines() == [
        "● all  active (active)",
        "├─ ● web  active (running)  wants",
        "│  └─ ○ db  inactive (dead)  requires",
        "└─ ○ db  inactive (dead)  wants",
    ]
    out, _ = said(server, capfd, "tree --reverse db")
    assert out.splitlines() == ["○ db  inactive (dead)", "└─ ● web  active (running)  required_by"]


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("show web --json", {"id", "kind", "load_state", "active_state", "sub_state", "result", "main_pid", "control_pid", "n_restarts"}),
        ("show web --json", {"exec_main_code", "exec_main_status", "invocation_id", "status_text", "enabled", "needs_restart", "intent"}),
        ("version --json", {"version", "keeper_pid", "manager_pid", "started_time_s"}),
        ("why web --json", {"unit", "active_state", "sub_state", "because", "next"}),
        ("verify --timespan 5s --json", {"usec"}),
        ("status web --json", {"id", "active_state"}),
        ("status --json", {"tracking", "load_errors"}),
        ("cat web --json", {"unit", "files", "origins"}),
        ("scale worker 2 --json", {"started", "stopped", "jobs"}),
    ],
)
def test_json_has_the_designs_names(server: RunningServer, capfd: pytest.CaptureFixture[str], line: str, keys: set[str]) -> None:
    out, _ = said(server, capfd, line)
    assert keys <= set(json.loads(out))


def test_json_of_several_units_is_a_list(server: RunningServer, capfd: pytest.CaptureFixture[str]) -> None:
    out, _ = said(server, capfd, "show web db --json")
    assert [unit["id"] for unit in json.loads(out)] == ["web", "db"]
    out, _ = said(server, capfd, "list --state=failed --json")
    assert [unit["id"] for unit in json.loads(out)] == ["flop"]


def test_several_units_are_enqueued_before_the_first_is_waited_for(server: RunningServer) -> None:
    going = Going(server.path, "start slow db")
    server.call(lambda: server.world.until_waiting(1))
    assert [call[:2] for call in server.world.calls] == [("start", "slow"), ("start", "db")]
    server.call(server.world.release)
    assert going.end() == 0


def test_no_block_does_not_wait(server: RunningServer, capfd: pytest.CaptureFixture[str]) -> None:
    out, _ = said(server, capfd, "start --no-block --json slow")
    assert json.loads(out) == [{"unit": "slow", "job": 1}]
    out, _ = said(server, capfd, "list-jobs")
    assert out.splitlines()[1].split() == ["1", "slow", "start", "running"]


def test_progress_is_one_line_on_a_terminal(server: RunningServer) -> None:
    going = Going(server.path, "start slow", on_terminal=True)
    assert b"\r\x1b[Kslow: dead (" in going.until(b" s)")
    server.call(server.world.release)
    assert going.end() == 0
    assert b"\n" not in going.said
    assert going.said.endswith(b"\r\x1b[K")


def test_interrupting_leaves_the_job_and_says_so(server: RunningServer) -> None:
    going = Going(server.path, "start slow")
    server.call(lambda: server.world.until_waiting(1))
    going.interrupt()
    assert going.end() == 130
    assert going.said == b"supctl: no longer waiting; the job goes on for slow (supctl cancel 1 would end it)\n"
    assert [job["unit"] for job in server.call(server.world.jobs)] == ["slow"]


def test_waiting_outlives_the_manager(server: RunningServer) -> None:
    going = Going(server.path, "start slow")
    server.call(lambda: server.world.until_waiting(1))
    server.call(server.replace)
    server.call(lambda: server.world.until_waiting(1))
    server.call(server.world.release)
    assert (going.end(), going.said) == (0, b"")
    assert [call[:2] for call in server.world.calls] == [("start", "slow")]


def test_following_events_outlives_the_manager(server: RunningServer) -> None:
    going = Going(server.path, "events -f --json")
    server.call(lambda: server.world.ring.publish({"unit": "web", "kind": "state", "text": "one", "time_s": 1.0}))
    going.until(b"one")
    server.call(server.replace)
    server.call(lambda: server.world.ring.publish({"unit": "web", "kind": "state", "text": "two", "time_s": 2.0}))
    lines = going.until(b"two").splitlines()
    going.interrupt()
    assert going.end() == 130
    assert [json.loads(line)["text"] for line in lines] == ["one", "two"]


def test_wait_ends_when_the_unit_arrives(server: RunningServer) -> None:
    going = Going(server.path, "wait slow --timeout 1min")
    server.call(lambda: server.world.request_job("start", "slow", "replace", "test"))
    server.call(server.world.release)
    assert going.end() == 0


def test_start_wait_lasts_until_the_unit_has_ended(server: RunningServer) -> None:
    going = Going(server.path, "start --wait slow")
    server.call(lambda: server.world.until_waiting(1))
    server.call(server.world.release)
    server.call(lambda: server.world.request_job("stop", "slow", "replace", "test"))
    server.call(server.world.release)
    assert going.end() == 0


def test_events_follow_without_a_gap_or_a_repeat(server: RunningServer) -> None:
    events = [{"unit": "web", "kind": "state", "text": text, "time_s": 1.0} for text in ("one", "two")]
    server.call(lambda: [server.world.ring.publish(event) for event in events])
    going = Going(server.path, "events -f --json")
    going.until(b"two")
    server.call(lambda: server.world.ring.publish({"unit": "web", "kind": "state", "text": "three", "time_s": 2.0}))
    lines = going.until(b"three").splitlines()
    going.interrupt()
    assert going.end() == 130
    assert [json.loads(line)["text"] for line in lines] == ["one", "two", "three"]


def test_no_daemon_says_what_was_tried_and_what_to_type() -> None:
    ran = run("/nonexistent/supd.sock", "status")
    assert (ran.status, ran.out) == (69, b"")
    assert ran.err.startswith("supctl: cannot connect to /nonexistent/supd.sock (--socket): there is no such socket\nStart one with `supd`")


def test_output_into_a_closed_pipe_is_no_error(server: RunningServer) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "supervisor.cli.main", "--socket", server.path, "list"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=20, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


HOSTILE = "\x1b]0;owned\x07\x1b[2J"


def test_foreign_text_cannot_act_on_the_terminal(server: RunningServer, capfd: pytest.CaptureFixture[str]) -> None:
    server.world.units["web"] |= {"description": HOSTILE, "status_text": HOSTILE}
    for line in ("status web", "list", "show web"):
        out, _ = said(server, capfd, line)
        assert "\x1b" not in out
        assert "\x07" not in out
