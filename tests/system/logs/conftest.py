"""The log tests' world: a pump in a directory of its own."""

import os
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.daemon.logs import LogPump

DEADLINE_S = 20


class Pumping:
    """A pump with its thread, and the word that a log has grown."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pump = LogPump(str(directory))
        self._grown = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.pump.listeners.append(lambda unit: os.eventfd_write(self._grown, 1))

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds; looked at whenever a log has grown."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not holds():
            left_s = deadline_s - time.monotonic()
            assert left_s > 0 and select.select([self._grown], [], [], left_s)[0], "the log did not grow to that in time"
            os.eventfd_read(self._grown)

    def writer(self, unit: str) -> int:
        """A blocking descriptor as the unit's process has it: the pipe opened anew."""
        return os.open(f"/proc/self/fd/{self.pump.open_pipe(unit)}", os.O_RDWR | os.O_CLOEXEC)

    def text(self, unit: str) -> bytes:
        try:
            return (self.directory / unit / "current").read_bytes()
        except FileNotFoundError:
            return b""

    def close(self) -> None:
        self.pump.stop()
        os.close(self._grown)


@pytest.fixture
def pumping(tmp_path: Path) -> Iterator[Pumping]:
    made = Pumping(tmp_path / "logs")
    yield made
    made.close()
