"""The manager dies and comes back; nothing else does."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.keeper.manager import Manager as ManagerProcess
from tests.system.keeper.harness import DEADLINE_S, REPOSITORY, Keeper

SLEEP = ("/bin/sleep", "1000")


def spawned(keeper: Keeper, *argv: str, **fields: Any) -> tuple[int, int]:
    """Run and pid of a program that was execed."""
    request = keeper.request(*argv, **fields)
    keeper.manager.send(["spawn", request])
    keeper.manager.wait_report("execed", request.run)
    return request.run, keeper.manager.wait_report("forked", request.run)[2]


def test_the_first_manager_is_given_an_empty_table(keeper: Keeper) -> None:
    table = keeper.manager.table
    assert table == {
        "remembered": {},
        "runs": {},
        "stored": [],
        "reaped": [],
        "starts": 1,
        "keeper_pid": keeper.process.pid,
        "nofile_soft": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }
    # A session of its own, a variable that is not passed on, and no descriptor but 0-2, link and the two of its own.
    hello = keeper.manager.hello
    assert (hello["session"], hello["variables"], hello["descriptors"]) == (hello["pid"], [], 6)


def test_a_killed_manager_is_started_again_and_finds_everything(keeper: Keeper) -> None:
    read_end, write_end = os.pipe()
    keeper.manager.send(
        ["store", "log:web", False],
        ["store", "lock", True],
        remember={"web": "state of web \udcff", "gone": "x"},
        descriptors=[read_end, write_end],
    )
    inode = os.fstat(read_end).st_ino
    lives, pid = spawned(keeper, *SLEEP)
    ends, ends_pid = spawned(keeper, *SLEEP)
    failed = keeper.request("/nonexistent")
    keeper.manager.send(["spawn", failed], remember={"gone": ""})
    keeper.manager.wait_outcome(failed.run)
    keeper.manager.kill()
    table = keeper.next_manager().table
    assert table["remembered"] == {"web": "state of web \udcff"}
    assert table["starts"] == 2
    assert [name for name, _ in table["stored"]] == ["log:web", "lock"]
    assert table["stored"][1] == ["lock", -1]
    assert keeper.manager.hello["stored"] == {"log:web": [f"pipe:[{inode}]", False, inode]}
    runs = table["runs"]
    assert set(runs) == {str(lives), str(ends), str(failed.run)}
    assert runs[str(lives)]["pid"] == pid and runs[str(lives)]["unit"] == f"unit{lives}" and runs[str(lives)]["phase"] == "main"
    assert [report[0] for report in runs[str(lives)]["reports"]] == ["forked", "execed"]
    assert runs[str(failed.run)]["reports"][1][2:] == ["EXEC", 2, 203]
    # What it was given is not told again; what happens from here on is.
    os.kill(ends_pid, signal.SIGKILL)
    keeper.manager.wait_outcome(ends)
    assert [report[0] for report in keeper.manager.reports] == ["exited"]
    os.close(read_end)
    os.close(write_end)


def test_what_ended_while_there_was_no_manager_is_in_the_table(keeper: Keeper) -> None:
    run, pid = spawned(keeper, *SLEEP)
    os.kill(keeper.process.pid, signal.SIGSTOP)  # so that both happen before it can start another
    os.kill(keeper.manager.pid, signal.SIGKILL)
    os.kill(pid, signal.SIGTERM)
    os.kill(keeper.process.pid, signal.SIGCONT)
    keeper.manager.wait_closed()
    table = keeper.next_manager().table
    told = [report[:4] for report in table["runs"][str(run)]["reports"]] + [report[:4] for report in keeper.manager.reports]
    if len(told) < 3:  # its end was seen after the table was made
        told.append(keeper.manager.wait_report("exited", run)[:4])
    assert told[2] == ["exited", run, "killed", signal.SIGTERM]


def test_reports_a_dead_manager_left_unread_are_covered_by_the_table(keeper: Keeper) -> None:
    keeper.manager.command({"pause": True})
    requests = [keeper.request("/bin/true") for _ in range(300)]
    keeper.manager.send(*(["spawn", request] for request in requests), ["spawn", keeper.request("/bin/sleep", "1000")])
    keeper.manager.kill()
    manager = keeper.next_manager()
    last = requests[-1].run

    def story(run: int) -> list[str]:
        return [report[0] for report in manager.table["runs"].get(str(run), {"reports": []})["reports"] + manager.of_run(run)]

    # The batch was in the keeper's hands, so it was carried out, the kill notwithstanding.
    manager.wait(lambda: all(len(story(request.run)) == 3 for request in requests))
    assert story(last) == ["forked", "execed", "exited"]


def test_a_manager_that_does_not_read_for_long_is_told_everything_later_in_bounded_memory(keeper: Keeper) -> None:
    keeper.manager.command({"pause": True})
    requests = [keeper.request("/bin/true") for _ in range(1200)]
    for first in range(0, 1200, 100):
        keeper.manager.send(*(["spawn", request] for request in requests[first : first + 100]))
    keeper.manager.command({"pause": False})
    keeper.manager.wait(lambda: sum(report[0] == "exited" for report in keeper.manager.reports) == 1200)
    for request in requests:
        assert [report[0] for report in keeper.manager.of_run(request.run)] == ["forked", "execed", "exited"]


def test_state_and_effect_of_a_batch_are_one_atom_however_soon_the_manager_dies(keeper: Keeper) -> None:
    for number in range(10):
        request = keeper.request(*SLEEP)
        keeper.manager.send(["spawn", request], remember={"web": f"run {request.run}"})
        keeper.manager.kill()
        table = keeper.next_manager().table
        assert table["remembered"] == {"web": f"run {request.run}"}
        assert len(table["runs"]) == number + 1
        if number == 1:
            break  # a third quick death costs the back-off's time and shows no more


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        '{"remember": {"a": "b"}}',
        '{"remember": {"a": "b"}, "ops": [["explode"]]}',
        '{"remember": {"a": "b"}, "ops": [["leave", 0], ["signal", 1]]}',
        '{"remember": {"a": "b"}, "ops": [["leave", "0"]]}',
        '{"remember": {"a": 1}, "ops": []}',
        '{"remember": {"a": "b"}, "ops": [["store", "x", false]]}',
        '{"remember": {"a": "b"}, "ops": [["spawn", {"run": 1}]]}',
        '{"remember": {"a": "b"}, "ops": [["__init__", 1]]}',
        "\0memfd",
    ],
)
def test_a_bad_batch_changes_nothing_and_costs_the_manager_its_life(keeper: Keeper, body: str) -> None:
    run, pid = spawned(keeper, *SLEEP)
    keeper.manager.command({"raw": body})
    keeper.manager.wait_closed()
    table = keeper.next_manager().table
    assert table["remembered"] == {} and table["stored"] == []
    assert list(table["runs"]) == [str(run)]
    assert Path(f"/proc/{pid}").exists()
    assert "cannot carry out what the manager asked" in keeper.said()


def test_an_operation_that_fails_does_not_take_its_batch_along(keeper: Keeper) -> None:
    run, _ = spawned(keeper, *SLEEP)
    keeper.manager.send(["signal", run, 1 << 40], ["signal", run, 4711], ["signal", run, signal.SIGKILL])
    assert keeper.manager.wait_outcome(run)[-1][3] == signal.SIGKILL


def test_a_body_of_five_megabytes_arrives(keeper: Keeper) -> None:
    text = "x\udc80é" * (5 << 18)
    keeper.manager.send(remember={"big": text, "small": "y"})
    keeper.manager.kill()
    assert keeper.next_manager().table["remembered"] == {"big": text, "small": "y"}


def test_a_stored_descriptor_is_replaced_by_a_later_one_of_its_name_and_dropped(keeper: Keeper) -> None:
    ends = [os.pipe() for _ in range(2)]
    for _, write_end in ends:
        keeper.manager.send(["store", "x", False], descriptors=[write_end])
        os.close(write_end)
    assert os.read(ends[0][0], 1) == b""  # the keeper's was the last: end of file
    keeper.manager.send(["drop", "x"], ["drop", "never stored"])
    assert os.read(ends[1][0], 1) == b""
    for read_end, _ in ends:
        os.close(read_end)


def test_descriptors_sent_ahead_of_a_batch_that_never_came_are_closed(keeper: Keeper) -> None:
    read_end, write_end = os.pipe()
    keeper.manager.command({"ahead": True}, [write_end])
    keeper.manager.wait(lambda: keeper.manager.sent == [True])
    os.close(write_end)
    keeper.manager.kill()
    assert os.read(read_end, 1) == b""
    os.close(read_end)
    assert keeper.next_manager().table["stored"] == []


def test_the_keeper_leaves_with_the_status_the_manager_said(keeper: Keeper) -> None:
    assert keeper.leave(42) == 42


def test_a_start_up_error_ends_supd_and_is_not_repeated(keeper: Keeper) -> None:
    keeper.manager.command({"exit": 78})
    assert keeper.process.wait(DEADLINE_S) == 1
    assert keeper.said() == ""


def test_once_a_manager_was_ready_its_status_78_is_a_death_like_any_other(keeper: Keeper) -> None:
    keeper.manager.send(["ready"])
    keeper.manager.command({"exit": 78})
    assert keeper.next_manager().table["starts"] == 2
    assert "ended with exit status 78; every service runs on, a new manager starts at once" in keeper.said()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_request_to_stop_or_reload_is_passed_to_the_manager(keeper: Keeper, number: int) -> None:
    keeper.process.send_signal(number)
    keeper.manager.wait(lambda: ["signaled", number] in keeper.manager.reports)
    assert keeper.process.poll() is None


def test_a_request_to_stop_that_a_dead_manager_did_not_read_goes_to_the_next(keeper: Keeper) -> None:
    keeper.manager.command({"pause": True})
    keeper.manager.send(remember={"a": "b"})  # the pause is in force: commands are carried out in order
    keeper.process.send_signal(signal.SIGTERM)
    keeper.manager.send(["spawn", keeper.request("/bin/true")])
    os.kill(keeper.manager.pid, signal.SIGKILL)
    manager = keeper.next_manager()
    manager.wait(lambda: ["signaled", signal.SIGTERM] in manager.reports)


def test_asked_twice_while_there_is_no_manager_the_keeper_ends_every_run_and_leaves(keeper: Keeper) -> None:
    _, pid = spawned(keeper, *SLEEP)
    os.kill(keeper.process.pid, signal.SIGSTOP)
    keeper.manager.kill_only()
    os.kill(keeper.process.pid, signal.SIGCONT)
    keeper.next_manager().kill_only()
    # Every manager from here on dies at once, until the back-off is long enough to ask twice in it.
    end_s = time.monotonic() + DEADLINE_S
    while keeper.process.poll() is None and time.monotonic() < end_s:
        keeper.process.send_signal(signal.SIGTERM)
        keeper.try_kill_next_manager(0.05)
    assert keeper.process.wait(DEADLINE_S) == 128 + signal.SIGTERM
    assert not Path(f"/proc/{pid}").exists()


def test_ignored_signals_stay_ignored_as_nohup_wants(start_keeper: Callable[..., Keeper]) -> None:
    keeper = start_keeper(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    keeper.process.send_signal(signal.SIGHUP)
    keeper.process.send_signal(signal.SIGUSR1)
    assert keeper.output_of("/bin/echo", "on") == b"on\n"
    assert ["signaled", signal.SIGHUP] not in keeper.manager.reports


def test_when_the_keeper_dies_the_manager_learns_and_the_services_run_on(keeper: Keeper) -> None:
    _, pid = spawned(keeper, *SLEEP)
    keeper.process.kill()
    keeper.manager.wait(lambda: keeper.manager.is_closed)
    assert Path(f"/proc/{pid}").exists()


def test_a_supd_without_standard_descriptors_does_not_hand_out_its_own(start_keeper: Callable[..., Keeper]) -> None:
    keeper = start_keeper(preexec_fn=lambda: os.closerange(0, 3))
    run, pid = spawned(keeper, *SLEEP, stdin=["inherit"], stdout=["inherit"], stderr=["inherit"])
    assert run and {os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)} == {"/dev/null"}


@pytest.mark.parametrize(("deaths", "delay_s"), [(1, 0.0), (2, 0.1), (3, 0.2), (4, 0.4), (7, 3.2), (8, 5.0), (1000, 5.0)])
def test_the_back_off_doubles_from_a_tenth_of_a_second_to_five(deaths: int, delay_s: float) -> None:
    process = ManagerProcess(["/nonexistent"])
    process._started_s = time.monotonic()
    for _ in range(deaths):
        told = process.delay_after_death_s()
    assert told == pytest.approx(delay_s)


def test_two_seconds_of_life_make_the_back_off_forget() -> None:
    process = ManagerProcess(["/nonexistent"])
    process._started_s = time.monotonic()
    for _ in range(5):
        process.delay_after_death_s()
    process._started_s -= 2.0
    assert process.delay_after_death_s() == 0.0


LIGHT = """
import sys
sys.path.insert(0, {root!r})
import supervisor.keeper.main
early = set(sys.modules)
import supervisor.keeper.loop
print(*sorted(early & set({early!r})), "|", *sorted(set(sys.modules) & set({late!r})))
"""


def test_little_is_imported_before_the_first_manager_and_nothing_heavy_ever() -> None:
    never = ["asyncio", "dataclasses", "inspect", "logging", "pathlib", "pydantic", "selectors", "socket", "subprocess", "supervisor.model"]
    script = LIGHT.format(root=str(REPOSITORY), early=[*never, "ctypes", "enum", "json", "re", "signal", "typing"], late=never)
    done = subprocess.run([sys.executable, "-S", "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["|"]


@pytest.mark.parametrize(("before", "after"), [("default_int_handler", "SIG_DFL"), ("SIG_IGN", "SIG_IGN")])
def test_ctrl_c_before_anything_was_started_ends_it_without_a_traceback(before: str, after: str) -> None:
    """And what whoever started supd had ignored (nohup, a background job) stays ignored."""
    program = f"""import signal
signal.signal(signal.SIGINT, signal.{before})
from supervisor.keeper import main
main.run_keeper = lambda argv: print(signal.getsignal(signal.SIGINT).name)
main.main()
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{after}\n"
