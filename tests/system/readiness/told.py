"""A supd with services that do what a test tells them, through a FIFO each (`programs.SAID`)."""

import os
import signal
from collections.abc import Callable

from tests.system.arrival import NotInTime
from tests.system.readiness.programs import SAID
from tests.system.supd import Json, Supd

PYTHON = "python3 -S"
# A task that needs nothing of the keeper but to be run: when it is done, the keeper has done all it was told before.
TICK = "[task]\nexec_start = '/bin/true'\nstandard_output = 'null'\n"


def service(name: str, *words: str) -> str:
    """The exec_start of a service that is told."""
    return " ".join((f'exec_start = "{PYTHON} said.py', f"{name}.fifo", *words)) + '"\n'


class Told:
    """One supd, and the FIFOs of its services."""

    def __init__(self, supd: Supd) -> None:
        self.supd = supd
        supd.write("said.py", SAID)
        self._fifos: dict[str, int] = {}

    def tell(self, unit: str, order: str) -> None:
        """Have the service carry this out, also one that is only about to run."""
        os.write(self._fifo(unit), order.encode() + b"\n")

    def make(self, *units: str) -> None:
        """The FIFOs, before the services start."""
        for unit in units:
            self._fifo(unit)

    def _fifo(self, unit: str) -> int:
        if unit not in self._fifos:
            path = self.supd.path(f"{unit}.fifo")
            os.mkfifo(path)
            self._fifos[unit] = os.open(path, os.O_RDWR)
        return self._fifos[unit]

    def ask(self, unit: str, order: str, marker: str) -> str:
        """Have the service carry out something that prints, then `marker`, alone on its line; the line before that."""
        self.tell(unit, order)
        self.tell(unit, f"print {marker}")
        lines = self.supd.wait_for_line(unit, f"{marker}\n").splitlines()
        return lines[lines.index(marker) - 1]

    def stored(self, unit: str, count: int) -> Json:
        """Until so many descriptors of the unit are stored."""
        return self.until(lambda: self.supd.show(unit), lambda shown: shown["n_file_descriptor_store"] == count, unit)

    def until(self, look: Callable[[], Json], holds: Callable[[Json], object], unit: str, within_s: float = 30.0) -> Json:
        """Look whenever the unit has said one more thing: what has no event of its own is seen after one that has."""
        for number in range(1000):
            shown = look()
            if holds(shown):
                return shown
            self.tell(unit, f"notify STATUS=look-{number}")
            self.supd.wait_for(unit, "heard", lambda seen, number=number: seen["status_text"] == f"look-{number}", within_s)  # type: ignore[misc] # the default binds
        raise NotInTime(f"{unit} did not come to it; it is {shown}")

    def wait_for_why(self, unit: str, text: str) -> str:
        """Until `supctl why` says so; all it says."""
        self.supd.wait_for(unit, f"explained by {text!r}", lambda _: text in self.supd.supctl("why", unit).stdout)
        return self.supd.supctl("why", unit).stdout

    def kill_manager(self) -> None:
        """kill -9 of the manager; returns when another one answers."""
        old = self.supd.get("/v1/version")["manager_pid"]
        pidfd = os.pidfd_open(old)
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)
        assert self.supd.get("/v1/version")["manager_pid"] != old  # the socket is the keeper's: the connection waits for the next one

    def descriptors_of_the_keeper(self) -> int:
        """How many it holds, now that it has done what it was told. Needs the unit `tick` (TICK)."""
        self.supd.supctl("start", "tick")
        return len(os.listdir(f"/proc/{self.supd.keeper_pid}/fd"))

    def close(self) -> None:
        for descriptor in self._fifos.values():
            os.close(descriptor)
