"""Supd is killed again and again while fifty services are worked on at random; then what it kept is held to what the services recorded.

`--full` is the long version; `--chaos-seed N` makes the same decisions again. 0 lost, 0 doubled, 0 restarted, or it fails.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from random import Random

import pytest

from tests.conftest import figure
from tests.system.arrival import Deadline, NotInTime, ends_in_time
from tests.system.conftest import StartSupd
from tests.system.supd import Supd
from tests.system.survival import fleet
from tests.system.survival.books import Books
from tests.system.survival.judge import judge

SHORT_GAP_MAX_S = 0.4  # of a manager that gets up
GAP_MAX_S = 3.5  # of a supd that works

MANAGER_WAIT_S = 30.0
UNPUMPED_MAX_S = 2.0  # then the next manager is let live until it answers: after 10 s the keeper empties full pipes (DESIGN, Logs)
_LOOK_EVERY_S = 0.02  # the kernel does not tell of another process's children


class Siege:
    """A supd with people at work on it, and what befalls it. `unseen` are the lives whose end no supd can see truly any more."""

    def __init__(self, supd: Supd, books: Books, seed: int) -> None:
        self.supd = supd
        self._books = books
        self._random = Random(seed)
        self._has_failed = threading.Event()
        self.lanes = [fleet.Lane(supd, books, number, seed, self._has_failed) for number in range(fleet.LANES)]
        self.unseen: set[str] = set()
        self._answered_s = time.monotonic()

    def gap(self) -> None:
        """Some time passes."""
        self._wait(self._random.uniform(0, GAP_MAX_S))

    def _wait(self, seconds: float) -> None:
        self._has_failed.wait(seconds)
        for lane in self.lanes:
            if lane.failure is not None:
                raise lane.failure

    def kill_manager(self) -> None:
        """Every fourth while it gets up, the others while it works; and one must come to work in time, to pump the logs at least."""
        pid = self._manager()
        if self._random.random() < 0.25 and time.monotonic() - self._answered_s < UNPUMPED_MAX_S:
            self._wait(self._random.uniform(0, SHORT_GAP_MAX_S))
        else:
            self.supd.get("/v1/version")
            self.gap()
            self._answered_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        assert ends_in_time(pid, 10)

    def _manager(self) -> int:
        """Of the kernel's children of the keeper the one that is no unit's: a manager that starts answers nobody."""
        deadline = Deadline(MANAGER_WAIT_S)
        while (pid := self.supd.manager_pid()) is None:
            if not deadline.remaining_s():
                raise NotInTime(f"the keeper has not started a manager within {MANAGER_WAIT_S:g} s")
            self._wait(_LOOK_EVERY_S)
        return pid

    def reexec(self) -> None:
        self.gap()
        ran = self.supd.supctl("reexec", expect=None)
        assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}"
        assert f"in the same process {self.supd.keeper_pid}" in ran.stdout

    def kill_keeper(self) -> None:
        """With nobody about to end a service: what dies while there is no keeper takes what is in its pipe along."""
        self.gap()
        with contextlib.ExitStack() as stack:
            for lane in self.lanes:
                stack.enter_context(lane.pause)
            self.unseen |= {lives[-1].invocation_id for name in self._books.names() if (lives := self._books.lives(name))}
            manager = self._manager()
            os.kill(self.supd.keeper_pid, signal.SIGKILL)
            self.supd.wait_for_end()
            assert ends_in_time(manager, 10)  # else it may still be it who listens
            self.supd.start()
            self.supd.get("/v1/version")  # it answers: whatever lives is its own now


# What befalls it, how often in the daily run, and how often with --full.
FAULTS: dict[str, tuple[Callable[[Siege], None], int, int]] = {
    "kill of the manager": (Siege.kill_manager, 20, 500),
    "reexec": (Siege.reexec, 4, 50),
    "kill of the keeper": (Siege.kill_keeper, 3, 50),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_doubled_or_restarted_by_a(fault: str, make_supd: StartSupd, request: pytest.FixtureRequest) -> None:
    strike, daily, full = FAULTS[fault]
    count = full if request.config.getoption("--full") else daily
    seed = request.config.getoption("--chaos-seed")
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little")
    supd = make_supd({})
    books = Books(supd.path("books"))
    os.mkdir(books.directory)
    for name, text in fleet.fleet(books.directory).items():
        supd.write(f"units/{name}.toml", text)
    supd.start()
    siege = Siege(supd, books, seed)

    def strike_again_and_again() -> None:
        for _ in range(count):
            strike(siege)

    try:
        fleet.run_lanes(siege.lanes, strike_again_and_again)
        supd.stop(within_s=60)
        expected = {name: lives for lane in siege.lanes for name, lives in lane.expected.items()}
        lives, volume = judge(books, supd.path(".supd"), expected, frozenset(siege.unseen))
    except BaseException as error:
        error.add_note(f"again: pytest {__file__} -k {fault.rpartition(' ')[2]} --chaos-seed {seed}")
        raise
    deeds = sum(len(lane.deeds) for lane in siege.lanes)
    figure(
        request.config,
        f"chaos: {count} x {fault}, {deeds} deeds on {len(expected)} services, {lives} lives and {volume} bytes: "
        f"0 lost, 0 doubled, 0 restarted (seed {seed})",
    )
