"""The pipes of `fd` probes: a service says that it is ready with a newline on a descriptor (s6's way).

Each run gets a new pipe, so that a word of the last run cannot be taken for one of this. The descriptor is opened for reading
and writing, so that the keeper can hold it for a manager that was started again and the service never meets a broken pipe; the
service gets a writing end of it, opened anew (keeper, `placed`). What is read is read through another opening
of the same pipe, which never blocks whatever the child does with its end.
"""

import os
from collections.abc import Callable

from supervisor.daemon.reactor import Reactor


class ReadyPipes:
    """One per manager; a pipe is known by its unit and the probe's index."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._pipes: dict[tuple[str, int], int] = {}
        self._readers: dict[tuple[str, int], int] = {}

    def renew(self, unit: str, index: int) -> int:
        """A new pipe for the unit's next run; its descriptor is to be stored with the keeper and passed to the child."""
        self.close(unit, index)
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            fd = os.open(f"/proc/self/fd/{reader}", os.O_RDWR | os.O_CLOEXEC)
        finally:
            os.close(reader)
            os.close(writer)
        self._pipes[unit, index] = fd
        return fd

    def adopt(self, unit: str, index: int, fd: int) -> None:
        """Take over a pipe that the keeper held while there was no manager. Owns `fd` from now on."""
        self.close(unit, index)
        self._pipes[unit, index] = fd

    def listen(self, unit: str, index: int, on_newline: Callable[[], object]) -> bool:
        """Call `on_newline` at each chunk that holds a newline, until `ignore`; False when there is no pipe."""
        fd = self._pipes.get((unit, index))
        if fd is None:
            return False
        self.ignore(unit, index)
        reader = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._readers[unit, index] = reader
        self._reactor.add_reader(reader, lambda: self._on_readable(reader, on_newline))
        return True

    def ignore(self, unit: str, index: int) -> None:
        reader = self._readers.pop((unit, index), None)
        if reader is not None:
            self._reactor.remove_reader(reader)
            os.close(reader)

    def close(self, unit: str, index: int) -> None:
        self.ignore(unit, index)
        fd = self._pipes.pop((unit, index), None)
        if fd is not None:
            os.close(fd)

    def units(self) -> set[str]:
        """The units that have a pipe."""
        return {unit for unit, _ in self._pipes}

    def close_all(self, unit: str) -> list[int]:
        """The unit is down: its pipes go; their indexes."""
        indexes = [index for name, index in self._pipes if name == unit]
        for index in indexes:
            self.close(unit, index)
        return indexes

    def _on_readable(self, reader: int, on_newline: Callable[[], object]) -> None:
        try:
            data = os.read(reader, 4096)
        except BlockingIOError:
            return  # the child read it back itself
        if b"\n" in data:
            on_newline()
