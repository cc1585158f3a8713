"""`supctl history` and the last runs of `supctl status`, asked through a real socket."""

import json

import pytest

from supervisor.daemon.api.access import Grant, Right
from supervisor.daemon.api.limited import Limited
from supervisor.daemon.api.service import Refusal
from tests.system.api.fake_world import RunningServer
from tests.system.api.test_cli_verbs import said


def test_history_is_a_table_oldest_first(server: RunningServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    out, _ = said(server, capfd, "history")
    assert out.splitlines() == [
        "STARTED                      UNIT  TRY  TRIGGER  RAN  RESULT                                       CPU  MEMORY  RUN",
        "Tue 2023-11-14 22:13:21 UTC  flop    1  request   2s  exit-code (exited, status 3/NOTIMPLEMENTED)   1s    3.0M  000000000000",
        "Tue 2023-11-14 22:13:22 UTC  web     1  boot       -  (goes on)                                     1s    3.0M  000000000000",
        "Tue 2023-11-14 22:13:23 UTC  flop    1  request   2s  exit-code (exited, status 3/NOTIMPLEMENTED)   1s    3.0M  000000000000",
    ]


def test_history_of_one_unit_has_its_newest_runs_as_the_api_gives_them(server: RunningServer, capfd: pytest.CaptureFixture[str]) -> None:
    out, _ = said(server, capfd, "history flop -n 1 --json")
    assert json.loads(out) == [server.world.runs[2]]
    assert said(server, capfd, "history db")[0] == "No run of db is recorded.\n"
    assert [said(server, capfd, f"history {line} -n 0")[0] for line in ("flop", "db --jobs", "flop --json")] == ["", "", "[]\n"]


def test_history_knows_the_jobs_that_ended(
    server: RunningServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    assert said(server, capfd, "history --jobs")[0].splitlines() == [
        "ENDED                        UNIT  JOB     TOOK  RESULT",
        "Tue 2023-11-14 22:13:21 UTC  web   start  250ms  done",
        "Tue 2023-11-14 22:13:22 UTC  flop  start  250ms  failed: it left",
    ]
    assert json.loads(said(server, capfd, "history flop --jobs --json")[0]) == [server.world.ended_jobs[1]]
    limited = Limited(server.world, Grant((Right("view", ("w*",)),)))
    assert [job["unit"] for job in server.call(lambda: limited.past_jobs(None, 10))] == ["web"]


def test_status_shows_the_last_runs_that_are_over(
    server: RunningServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    out, _ = said(server, capfd, "status flop")
    assert "   Last runs: Tue 2023-11-14 22:13:23 UTC: exit-code (exited, status 3/NOTIMPLEMENTED) after 2s\n" in out
    assert "              Tue 2023-11-14 22:13:21 UTC: exit-code (exited, status 3/NOTIMPLEMENTED) after 2s\n" in out
    assert "Last runs" not in said(server, capfd, "status web")[0], "its only run goes on"


def test_a_peer_is_told_the_runs_of_the_units_that_his_roles_reach(server: RunningServer) -> None:
    limited = Limited(server.world, Grant((Right("view", ("w*",)),)))
    assert [run["unit"] for run in server.call(lambda: limited.history(None, 10))] == ["web"]
    assert [run["unit"] for run in server.call(lambda: limited.history("web", 10))] == ["web"]
    with pytest.raises(Refusal, match="your roles do not reach flop"):
        server.call(lambda: limited.history("flop", 10))
