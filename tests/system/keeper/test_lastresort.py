"""While nobody pumps, a service waits ten seconds at most for room in its log's pipe; what that costs is counted and told."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from supervisor.keeper.lastresort import PAUSE_S, UNPUMPED_LIMIT_S, LastResort
from supervisor.keeper.store import Store
from tests.system.keeper.harness import DEADLINE_S, Keeper

ROUNDS = 4


class Pipe:
    """A log's pipe as the manager makes it."""

    def __init__(self) -> None:
        reader, writer = os.pipe2(os.O_NONBLOCK)
        self.fd = os.open(f"/proc/self/fd/{reader}", os.O_RDWR | os.O_NONBLOCK)
        os.close(reader)
        os.close(writer)

    def fill(self, piece: bytes) -> int:
        """Write until it is full, in pieces of one size; how much went in."""
        written = 0
        while True:
            try:
                written += os.write(self.fd, piece)
            except BlockingIOError:
                return written


@pytest.fixture
def stored() -> Iterator[tuple[LastResort, dict[str, Pipe]]]:
    store = Store()
    pipes = {name: Pipe() for name in ("log:full", "log:roomy", "log:empty", "notify:full")}
    for name, pipe in pipes.items():
        store.put(name, pipe.fd, is_withheld=False)
    yield LastResort(store), pipes
    for name in pipes:
        store.drop(name)


@pytest.mark.parametrize("size", [1, 100, 2100, 4096, 65536])
def test_after_ten_seconds_full_log_pipes_are_emptied_and_counted_and_nothing_else(
    stored: tuple[LastResort, dict[str, Pipe]], size: int
) -> None:
    resort, pipes = stored
    count = pipes["log:full"].fill(b"x" * size)  # writes of 2100 bytes fill the pages of a pipe by half
    pipes["notify:full"].fill(b"x" * size)
    os.write(pipes["log:roomy"].fd, b"stays\n")
    resort.tend(1000.0)
    assert not resort.at_s, "with a manager there is nothing to wake up for"
    resort.arm(1000.0)
    resort.arm(1005.0)
    assert resort.at_s == 1000.0 + UNPUMPED_LIMIT_S
    resort.tend(1009.9)
    assert resort.counts == {}
    resort.tend(1010.0)
    assert (resort.counts, resort.at_s) == ({"log:full": count}, 1010.0 + PAUSE_S)
    more = pipes["log:full"].fill(b"y" * size)
    resort.tend(1010.2)
    assert resort.counts == {"log:full": count + more}
    assert os.read(pipes["log:roomy"].fd, 100) == b"stays\n"
    resort.disarm()
    assert resort.at_s is None


def test_what_was_told_is_counted_no_more_and_what_came_since_is() -> None:
    resort = LastResort(Store())
    resort.counts = {"log:a": 10, "log:b": 7}
    resort.note_told({"log:a": 10, "log:b": 5})
    assert resort.counts == {"log:b": 2}


def told_emptied(keeper: Keeper) -> dict[str, int]:
    """What the keeper answers to a manager that begins to pump."""
    manager = keeper.next_manager()
    manager.send(["pumping"])
    manager.wait(lambda: any(report[0] == "emptied" for report in manager.reports))
    counts: dict[str, int] = next(report[1] for report in manager.reports if report[0] == "emptied")
    return counts


def test_a_writer_is_not_held_for_ever_by_managers_that_never_get_ready(keeper: Keeper) -> None:
    pipe = Pipe()
    keeper.manager.send(["ready"], ["store", "log:web", False], descriptors=[pipe.fd])
    keeper.manager.kill()
    keeper.next_manager()  # which does not say that it pumps
    program = f"import os\nfor _ in range({ROUNDS}): os.write(1, b'x' * 65536)"
    with open(f"/proc/self/fd/{pipe.fd}", "r+b", buffering=0) as output:
        subprocess.run(["python3", "-I", "-S", "-c", program], stdout=output, check=True, timeout=DEADLINE_S)
    keeper.manager.kill()
    told = told_emptied(keeper)
    assert (ROUNDS - 1) * 65536 <= told["log:web"] <= ROUNDS * 65536
    keeper.manager.kill()  # before it could tell anybody: the next one is told again
    assert told_emptied(keeper) == told
    keeper.manager.send(["told_emptied", told])
    keeper.manager.kill()
    assert told_emptied(keeper) == {}
    os.close(pipe.fd)
