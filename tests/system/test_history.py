"""History of a real supd: what ran is known afterwards, whoever was killed meanwhile and whatever became of the file."""

import os
import signal
from typing import Any

import pytest

from tests.system.arrival import Deadline, ends_in_time
from tests.system.conftest import StartSupd
from tests.system.supd import Supd

LASTING = '[service]\nexec_start = "sleep 1000"\n'
FAILING = '[service]\ntype = "oneshot"\nexec_start = "sh -c \'exit 7\'"\n[unit]\nenabled = false\n'
NAMES = {
    "run_id", "unit", "attempt", "started_time_s", "ended_time_s", "trigger", "exec_main_code", "exec_main_status", "result",
    "cpu_usage_nsec", "memory_peak_bytes",
}  # fmt: skip


def _runs(supd: Supd, *unit: str) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = supd.json("history", *unit)
    return runs


def _ends(supd: Supd, unit: str) -> list[tuple[Any, ...]]:
    return [(run["exec_main_code"], run["exec_main_status"], run["result"]) for run in _runs(supd, unit)]


def _replace_manager(supd: Supd) -> None:
    manager = supd.json("version")["manager_pid"]
    os.kill(manager, signal.SIGKILL)
    assert ends_in_time(manager, 10)
    deadline = Deadline(20)
    while supd.json("version")["manager_pid"] == manager:
        assert deadline.remaining_s(), "no new manager came"


def test_every_run_is_told_with_its_cause_and_its_end(start_supd: StartSupd) -> None:
    supd = start_supd({"lasting": LASTING, "failing": FAILING})
    supd.wait_until("lasting", "active")
    supd.supctl("start", "failing", expect=1)
    supd.supctl("restart", "lasting")
    first, second = _runs(supd, "lasting")
    assert set(first) >= NAMES
    assert (first["trigger"], first["result"], first["exec_main_code"], first["exec_main_status"]) == ("boot", "success", "killed", 15)
    assert (second["trigger"], second["result"]) == ("request", None)
    assert second["run_id"] == supd.show("lasting")["invocation_id"]
    assert _ends(supd, "failing") == [("exited", 7, "exit-code")]
    assert "exit-code (exited, status 7/NOTRUNNING)" in supd.supctl("history").stdout
    assert "Last runs: " in supd.supctl("status", "failing", expect=3).stdout
    assert supd.supctl("history", "nosuch").stdout == "No run of nosuch is recorded.\n"


def test_a_manager_killed_at_the_moment_a_run_ends_loses_none(start_supd: StartSupd) -> None:
    supd = start_supd({"failing": FAILING})
    for number in range(1, 4):
        supd.supctl("start", "failing", expect=1)
        _replace_manager(supd)  # within the time in which records are gathered
        assert _ends(supd, "failing") == [("exited", 7, "exit-code")] * number


def test_a_run_that_ended_while_there_was_no_manager_is_in_history_with_its_use(start_supd: StartSupd) -> None:
    supd = start_supd({"lasting": LASTING})
    pid = supd.wait_until("lasting", "active")["main_pid"]
    manager = supd.json("version")["manager_pid"]
    os.kill(manager, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    os.kill(manager, signal.SIGKILL)
    supd.wait_until("lasting", "failed")
    (run,) = _runs(supd)
    assert (run["exec_main_code"], run["exec_main_status"], run["result"]) == ("killed", 9, "signal")
    assert run["memory_peak_bytes"] > 0


def test_the_next_supd_knows_the_runs_and_events_of_the_one_before(start_supd: StartSupd) -> None:
    supd = start_supd({"failing": FAILING})
    supd.supctl("start", "failing", expect=1)
    supd.stop()
    supd.start()
    assert _ends(supd, "failing") == [("exited", 7, "exit-code")]
    assert any(event["unit"] == "failing" and event["kind"] == "job-finished" for event in supd.get("/v1/events/recent"))


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_damaged_history_is_kept_aside_and_supd_goes_on(start_supd: StartSupd, suffix: str) -> None:
    supd = start_supd({"failing": FAILING})
    supd.supctl("start", "failing", expect=1)
    supd.stop()
    path = supd.path(".supd", "history.db")
    with open(path, "r+b") as file:
        file.write(b"damage" * 100)
    if suffix:
        with open(path + suffix, "wb") as file:
            file.write(b"damage" * 100)
    supd.start()
    supd.supctl("start", "failing", expect=1)
    assert _ends(supd, "failing") == [("exited", 7, "exit-code")]
    assert "history was damaged" in supd.supctl("status", expect=None).stdout
    with open(f"{path}.damaged", "rb") as file:
        assert file.read(6) == b"damage"


def test_a_history_that_cannot_be_written_stops_nothing_and_is_told(start_supd: StartSupd) -> None:
    supd = start_supd({"failing": FAILING})
    supd.supctl("start", "failing", expect=1)
    supd.stop()
    path = supd.path(".supd", "history.db")
    os.unlink(path)
    os.mkdir(path)
    supd.start()
    supd.supctl("start", "failing", expect=1)
    said = supd.supctl("history", expect=1).stderr
    assert f"cannot open {path}: Is a directory" in said
    assert f"cannot open {path}: Is a directory" in supd.supctl("status", expect=None).stdout
    os.rmdir(path)
    supd.supctl("start", "failing", expect=1)
    assert _ends(supd, "failing") == [("exited", 7, "exit-code")] * 2


def test_of_each_run_history_knows_where_it_lies_in_the_log(start_supd: StartSupd) -> None:
    supd = start_supd({"says": '[unit]\nenabled = false\n[service]\ntype = "oneshot"\nexec_start = "sh -c \'echo I am $$; exit 3\'"\n'})
    for _ in range(2):
        ran = supd.supctl("start", "says", expect=1)
        assert "last output of says:\n    I am " in ran.stderr, "a failed start shows what it said"
        _replace_manager(supd)
    with open(supd.path(".supd", "logs", "says", "00000001.log"), encoding="ascii") as file:
        first, second = file.read().splitlines(keepends=True)
    assert [(run["log_begin"], run["log_end"]) for run in _runs(supd, "says")] == [
        ("1:0", f"1:{len(first)}"), (f"1:{len(first)}", f"1:{len(first + second)}"),
    ]  # fmt: skip
    jobs = supd.json("history", "says", "--jobs")
    assert [(job["type"], job["result"]) for job in jobs] == [("start", "failed")] * 2
