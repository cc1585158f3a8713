"""Lines as a unit writes them, for those in the manager who wait for one (log probes).

The pump moves bytes without seeing them; who wants to see lines reads them back from the segment. The pump's thread only
says that a unit's log has grown, and only for units that are followed; everything else happens on the loop's thread.

Lines come as a person would see them (`client.terminal.neutralise`): colour is no part of what a pattern is held against.

Never: loses a line because it was written before somebody asked (a follower begins at the unit's start), and never holds
more of a line than `_LINE_MAX_BYTES`.
"""

import os
from collections.abc import Callable

from supervisor.client.logfile import open_segment, segments, text_lines
from supervisor.daemon.logs import LogPump
from supervisor.daemon.reactor import Reactor
from supervisor.daemon.stdio import STDERR

_LINE_MAX_BYTES = 8 * 1024
_PER_TURN_BYTES = 256 * 1024

OnLines = Callable[[list[str]], object]


class _Stream:
    """A place in one stream's segments, and what of a line was read there."""

    def __init__(self, directory: str, position: tuple[int, int]) -> None:
        self._directory = directory
        self._sequence, self._offset = position
        self._rest = b""

    def read(self, on_lines: OnLines) -> bool:
        """Tell the lines that have come; True when there was more than one turn may take."""
        data = self._read_segment()
        while not data and (newer := [n for n in segments(self._directory) if n > self._sequence]):
            self._sequence, self._offset = newer[0], 0
            data = self._read_segment()
        if not data:
            return False
        whole, newline, rest = (self._rest + data).rpartition(b"\n")
        if newline or len(rest) >= _LINE_MAX_BYTES:
            # A line that never ends is told in pieces.
            self._rest = b"" if len(rest) >= _LINE_MAX_BYTES else rest
            told = whole + newline + (rest if len(rest) >= _LINE_MAX_BYTES else b"")
            on_lines([line[:_LINE_MAX_BYTES] for line in text_lines(told)])
        else:
            self._rest = rest
        return len(data) == _PER_TURN_BYTES

    def _read_segment(self) -> bytes:
        try:
            fd = open_segment(self._directory, self._sequence)
        except OSError:
            return b""
        try:
            if os.fstat(fd).st_size < self._offset:
                self._offset = os.fstat(fd).st_size  # somebody cut it short: it goes on at its new end
            data = os.pread(fd, _PER_TURN_BYTES, self._offset)
        finally:
            os.close(fd)
        self._offset += len(data)
        return data


class Follower:
    """One reader's place in one unit's log. `cancel` ends it; no line is told after that."""

    def __init__(self, streams: list[_Stream], on_lines: OnLines) -> None:
        self.is_cancelled = False
        self._streams = streams
        self._on_lines = on_lines

    def cancel(self) -> None:
        self.is_cancelled = True

    def read(self) -> bool:
        """Tell the lines that have come; True when there was more than one turn may take."""
        has_more = False
        for stream in self._streams:
            has_more |= not self.is_cancelled and stream.read(self._on_lines)
        return has_more


class LogFollowers:
    """Every follower of the manager; one descriptor wakes the loop for all of them."""

    def __init__(self, pump: LogPump, reactor: Reactor) -> None:
        self._pump = pump
        self._reactor = reactor
        self._followers: dict[str, list[Follower]] = {}
        self._grown: set[str] = set()
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        reactor.add_reader(self._wake_fd, self._on_wake)
        pump.listeners.append(self._on_grown)

    def follow(self, unit: str, on_lines: OnLines) -> Follower:
        """Tell each line the unit has written since its last start, from now on as they come. The first come in the next turn."""
        names = (unit, unit + STDERR)
        streams = [_Stream(self._pump.directory_of(name), self._pump.position_of_start(name)) for name in names]
        follower = Follower(streams, on_lines)
        self._followers.setdefault(unit, []).append(follower)
        self._on_grown(unit)
        return follower

    def close(self) -> None:
        self._pump.listeners.remove(self._on_grown)
        self._followers.clear()
        self._reactor.remove_reader(self._wake_fd)
        os.close(self._wake_fd)

    def _on_grown(self, unit: str) -> None:
        # Called on the pump's thread too: a dictionary look-up, a set insertion and a write are each atomic.
        if unit in self._followers:
            self._grown.add(unit)
            os.eventfd_write(self._wake_fd, 1)

    def _on_wake(self) -> None:
        os.eventfd_read(self._wake_fd)
        # One round over those known now: a unit that grows meanwhile wakes us again, after others had their turn.
        for unit in list(self._grown):
            self._grown.discard(unit)
            self._tell(unit)

    def _tell(self, unit: str) -> None:
        has_more = False
        for follower in list(self._followers.get(unit, ())):
            has_more |= not follower.is_cancelled and follower.read()
        left = [follower for follower in self._followers.get(unit, ()) if not follower.is_cancelled]
        if left:
            self._followers[unit] = left
        else:
            self._followers.pop(unit, None)
        if has_more:
            self._reactor.call_later_us(0, lambda: self._on_grown(unit))
