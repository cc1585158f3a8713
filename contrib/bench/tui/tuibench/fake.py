"""A process that answers as a busy supd does: the API's own server over a world in memory, so that a load can be as exact as it is heavy.

    python -m tuibench.fake DIRECTORY UNITS CHANGES_A_SECOND LINES_A_SECOND

Serves DIRECTORY/supd.sock; the log of the first unit, `svc-0000`, lies below DIRECTORY/logs. Changes come in tenths of a second, each
to the next of the units in turn; lines come twenty times a second, as drains do. SIGTERM ends it.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from supervisor.daemon.api.access import Access
from supervisor.daemon.api.server import ApiServer
from supervisor.daemon.api.stream import EventRing
from tests.system.api.fake_world import FakeWorld, unit
from tests.tui.logfiles import UnitLog

CHANGES_EVERY_S = 0.1
DRAIN_EVERY_S = 0.05


class BusyWorld(FakeWorld):
    """`count` running units, each with figures that move."""

    def __init__(self, directory: str, count: int) -> None:
        super().__init__(os.path.join(directory, "logs"))
        self.units = {
            f"svc-{number:04d}": unit(
                f"svc-{number:04d}", "active", "running", main_pid=1000 + number, description=f"D{number:04d}", status_text="serving",
                job=None, state_change_time_s=time.time(), active_enter_time_s=time.time(), rolled_back="",
            )
            for number in range(count)
        }  # fmt: skip
        self.ring = EventRing("e1", lambda: [self.brief(name) for name in self.units])
        self.aliases = {}
        self._names = list(self.units)
        self._turn = 0

    def figures(self, unit: str) -> dict[str, Any]:
        number = int(unit.removeprefix("svc-"))
        return {
            "memory_current_bytes": (number % 97 + 3) << 20,
            "cpu_usage_nsec": int(time.monotonic() * (number % 13) * 1e7),
            "log_lost_bytes": 0,
        }

    def change(self, count: int) -> None:
        """The next `count` units tell something new."""
        for _ in range(count):
            self._turn += 1
            name = self._names[self._turn * 7 % len(self._names)]
            self.units[name] = {**self.units[name], "status_text": f"serving {self._turn} clients", "n_restarts": self._turn % 9}
            self.ring.publish({"time_s": time.time(), "unit": name, "kind": "status", "text": f"serving {self._turn} clients"})


async def _every(seconds: float, work: Callable[[], None]) -> None:
    due_s = time.monotonic()
    while True:
        work()
        due_s += seconds
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))


async def main(directory: str, count: int, changes_s: int, lines_s: int) -> None:
    world, numbers = BusyWorld(directory, count), iter(range(1 << 40))
    log = UnitLog(os.path.join(directory, "logs", "svc-0000"))

    def write() -> None:
        time_us = int(time.time() * 1e6)
        lines = [
            f"INFO request handled n={next(numbers)} path=/api/v1/items status=200 dur=12ms agent=curl/8.1 id=9f1c"
            for _ in range(int(lines_s * DRAIN_EVERY_S))
        ]
        log.say(*lines, time_us=time_us)

    listening = socket.socket(socket.AF_UNIX)
    listening.bind(os.path.join(directory, "supd.sock"))
    listening.listen(64)
    server = ApiServer(world, Access(os.getuid()), lambda _: None)
    await server.start(listening.fileno())
    work: list[Awaitable[None]] = []
    if changes_s:
        work.append(_every(CHANGES_EVERY_S, lambda: world.change(int(changes_s * CHANGES_EVERY_S))))
    if lines_s:
        work.append(_every(DRAIN_EVERY_S, write))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    tasks = [asyncio.ensure_future(one) for one in work]
    print("ready", flush=True)
    await ended.wait()
    for task in tasks:
        task.cancel()
    await server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:5])))
