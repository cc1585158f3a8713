"""What becomes of a run, as the manager is told it."""

import errno
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.keeper.harness import Keeper


def test_a_run_is_forked_then_execed_then_exited(keeper: Keeper) -> None:
    request = keeper.request("/bin/sh", "-c", "exit 7")
    keeper.manager.send(["spawn", request])
    forked, execed, exited = keeper.manager.wait_outcome(request.run)
    assert forked[0] == "forked" and forked[2] > 1 and forked[3] > 0
    assert execed == ["execed", request.run]
    assert exited[:4] == ["exited", request.run, "exited", 7]
    assert exited[4]["maxrss_kb"] > 0 and exited[4]["utime_us"] >= 0


def test_the_start_time_is_the_process_s_own(keeper: Keeper) -> None:
    request = keeper.request("/bin/sleep", "1000")
    keeper.manager.send(["spawn", request])
    _, _, pid, ticks = keeper.manager.wait_report("forked", request.run)
    assert ticks == int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, "killed"), (signal.SIGKILL, "killed"), (signal.SIGUSR1, "killed"), (signal.SIGINT, "killed")],
)
def test_a_signal_reaches_the_run_and_its_end_says_so(keeper: Keeper, number: int, code: str) -> None:
    request = keeper.request("/bin/sleep", "1000")
    keeper.manager.send(["spawn", request], ["signal", request.run, number])
    assert keeper.manager.wait_outcome(request.run)[-1][:4] == ["exited", request.run, code, number]


def test_a_signal_to_a_run_that_is_gone_is_ignored(keeper: Keeper) -> None:
    request = keeper.request("/bin/true")
    keeper.manager.send(["spawn", request])
    keeper.manager.wait_outcome(request.run)
    keeper.manager.send(["signal", request.run, signal.SIGKILL], ["signal", 4711, signal.SIGKILL])
    assert keeper.output_of("/bin/echo", "on") == b"on\n"


def test_a_known_run_is_answered_with_the_known_outcome_and_not_doubled(keeper: Keeper) -> None:
    marks = keeper.directory / "marks"
    request = keeper.request("/bin/sh", "-c", f"echo here >> {marks}")
    keeper.manager.send(["spawn", request])
    first = keeper.manager.wait_outcome(request.run)
    keeper.manager.send(["spawn", request])
    keeper.manager.wait(lambda: len(keeper.manager.of_run(request.run)) == 6)
    assert keeper.manager.of_run(request.run)[3:] == first
    assert marks.read_text() == "here\n"


def test_a_forgotten_run_may_be_spawned_anew(keeper: Keeper) -> None:
    request = keeper.request("/bin/true")
    keeper.manager.send(["spawn", request])
    keeper.manager.wait_outcome(request.run)
    keeper.manager.send(["forget", request.run], ["spawn", request])
    keeper.manager.wait(lambda: len(keeper.manager.of_run(request.run)) == 6)
    assert keeper.manager.of_run(request.run)[3][2] != keeper.manager.of_run(request.run)[0][2]


def test_a_run_forgotten_while_it_lives_goes_when_it_ends_and_is_not_reported(keeper: Keeper) -> None:
    request = keeper.request("/bin/sleep", "1000")
    keeper.manager.send(["spawn", request])
    keeper.manager.wait_report("execed", request.run)
    keeper.manager.send(["forget", request.run], ["signal", request.run, signal.SIGKILL])
    keeper.wait_reaped(request.run)
    assert [report[0] for report in keeper.manager.of_run(request.run)] == ["forked", "execed"]
    keeper.manager.kill()
    assert str(request.run) not in keeper.next_manager().table["runs"]
    keeper.manager.send(["spawn", request])
    assert keeper.manager.wait_report("forked", request.run)[2] != keeper.managers[0].of_run(request.run)[0][2]


def test_a_fork_that_fails_is_a_failed_spawn_without_a_process(start_keeper: Callable[..., Keeper], as_root: None) -> None:
    # A limit on processes does not bind root, and this user has no process but keeper and manager.
    keeper = start_keeper(uid=64999, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (2, 2)))
    request = keeper.request("/bin/true")
    keeper.manager.send(["spawn", request])
    assert keeper.manager.wait_outcome(request.run) == [["spawn_failed", request.run, "FORK", errno.EAGAIN, 1]]


def test_a_child_that_hangs_before_exec_holds_up_nobody(keeper: Keeper) -> None:
    fifo = keeper.directory / "nobody-writes"
    os.mkfifo(fifo)
    hung = keeper.request("/bin/true", stdin=["open", str(fifo), os.O_RDONLY, 0])
    keeper.manager.send(["spawn", hung])
    assert keeper.output_of("/bin/echo", "on") == b"on\n"
    assert [report[0] for report in keeper.manager.of_run(hung.run)] == ["forked"]
    with fifo.open("wb"):
        assert [report[0] for report in keeper.manager.wait_outcome(hung.run)] == ["forked", "execed", "exited"]


def test_a_child_that_hangs_before_exec_holds_no_descriptor_of_the_keeper(keeper: Keeper) -> None:
    fifo = keeper.directory / "nobody-writes"
    os.mkfifo(fifo)
    read_end, write_end = os.pipe()
    hung = keeper.request("/bin/true", stdin=["open", str(fifo), os.O_RDONLY, 0])
    keeper.manager.send(["store", "log:web", False], ["spawn", hung], descriptors=[read_end])
    keeper.output_of("/bin/true")
    pid = keeper.manager.wait_report("forked", hung.run)[2]
    # 0-2 and its own status pipe, and nothing else
    held = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    assert len(held) == 4 and not any(link.startswith("socket:") for link in held)
    os.close(read_end)
    os.close(write_end)


def test_a_child_killed_before_exec_was_never_execed(keeper: Keeper) -> None:
    fifo = keeper.directory / "nobody-writes"
    os.mkfifo(fifo)
    hung = keeper.request("/bin/true", stdin=["open", str(fifo), os.O_RDONLY, 0])
    keeper.manager.send(["spawn", hung])
    keeper.manager.wait_report("forked", hung.run)
    keeper.manager.send(["signal", hung.run, signal.SIGTERM])
    forked, exited = keeper.manager.wait_outcome(hung.run)
    assert (forked[0], exited[:4]) == ("forked", ["exited", hung.run, "killed", signal.SIGTERM])


def test_strangers_are_reaped_and_told_until_acknowledged(keeper: Keeper) -> None:
    script = "for code in 3 4 5; do (sh -c 'sleep 0.02; exit '$code &) ; done; (sh -c 'kill -9 $$' &)"
    keeper.manager.send(["spawn", keeper.request("/bin/sh", "-c", script)])

    def strangers() -> list[tuple[str, int]]:
        return sorted((report[4], report[5]) for report in keeper.manager.reports if report[0] == "reaped")

    expected = [("exited", 3), ("exited", 4), ("exited", 5), ("killed", 9)]
    # A shell in between may end as a stranger too, with status 0.
    keeper.manager.wait(lambda: [end for end in strangers() if end != ("exited", 0)] == expected)
    assert all(report[2] > 1 and report[3] > 0 for report in keeper.manager.reports if report[0] == "reaped")
    keeper.manager.kill()
    known = keeper.next_manager().table["reaped"]
    assert sorted((end[4], end[5]) for end in known if end[5]) == expected
    keeper.manager.send(["ack", known[1][1]])
    keeper.manager.kill()
    assert keeper.next_manager().table["reaped"] == known[2:]


def test_two_thousand_runs_each_have_their_whole_story(keeper: Keeper) -> None:
    requests = [keeper.request("/bin/true") for _ in range(2000)]
    for first in range(0, 2000, 100):
        keeper.manager.send(*(["spawn", request] for request in requests[first : first + 100]))
    ended: set[int] = set()
    keeper.manager.wait(lambda: len([report for report in keeper.manager.reports if report[0] == "exited"]) == 2000)
    stories: dict[int, list[str]] = {}
    for report in keeper.manager.reports:
        stories.setdefault(report[1], []).append(report[0])
        ended.add(report[1])
    assert stories == {request.run: ["forked", "execed", "exited"] for request in requests}
