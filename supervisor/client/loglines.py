"""Lines of a unit's log with their time and run: for `supctl logs`, the API and every screen.

Reads the segments forward from the first place that can matter, found by binary search in the index, and keeps one block in memory,
however long a line is: a line of more than `PIECE_BYTES` comes in pieces. The time of a line is that of its first byte.

Never: writes, waits, or trusts the text. Bytes are given as they are; who shows them makes them harmless.
"""

import os

from supervisor.client.logfile import open_segment, segments, tail_offset
from supervisor.client.logindex import NO_RUN, Entry, Index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from re import Pattern

PIECE_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 18
# What lets an expression reach over a line's end, or ties it to the text's own: then every line is looked at by itself.
_NOT_IN_BLOCKS = (b"[^", b"\\s", b"\\S", b"\\W", b"\\D", b"\\n", b"\\A", b"\\Z", b"\\x", b"\\0", b"\\1", b"\n", b"(?", b"$", b"^")


class Line:
    """One line, or a piece of one: `begins` and `ends` say whether it has the line's begin and end. `text` is without the newline."""

    __slots__ = ("begins", "ends", "run", "text", "time_us", "unit")

    def __init__(self, unit: str, time_us: int, run: bytes, text: bytes, begins: bool = True, ends: bool = True) -> None:
        self.unit = unit
        self.time_us = time_us
        self.run = run
        self.text = text
        self.begins = begins
        self.ends = ends


class Query:
    """Which lines are wanted. `run`: only this run's. `last`: at most about so many from the end, as a hint where to begin."""

    __slots__ = ("last", "pattern", "run", "since_us", "until_us")

    def __init__(
        self,
        since_us: int = 0,
        until_us: int | None = None,
        run: bytes | None = None,
        pattern: "Pattern[bytes] | None" = None,
        last: int | None = None,
    ) -> None:
        self.since_us = since_us
        self.until_us = until_us
        self.run = run
        self.pattern = pattern
        self.last = last

    @property
    def is_of_end(self) -> bool:
        """Whether the wanted lines are simply the last ones."""
        return self.last is not None and not self.since_us and self.until_us is None and self.run is None and self.pattern is None


def lines(unit: str, directory: str, query: Query) -> "Iterator[Line]":
    """The wanted lines of one unit, oldest first."""
    numbers = segments(directory)
    first, offset = _last_lines_at(directory, numbers, query.last or 0) if query.is_of_end else (0, 0)
    for sequence in numbers:
        if sequence < first:
            continue
        try:
            fd = open_segment(directory, sequence)
        except OSError:
            continue  # removed since it was listed
        index = Index(directory, sequence, fd)
        try:
            if index.last_time_us() >= query.since_us:
                yield from _Segment(unit, fd, index, query).lines(offset if sequence == first else 0)
        finally:
            index.close()
            os.close(fd)


def merged(sources: "Iterable[Iterator[Line]]") -> "Iterator[Line]":
    """The lines of several units by time; the pieces of one line stay together."""
    from heapq import merge

    return merge(*sources, key=lambda line: (line.time_us, line.begins))


def runs(directory: str) -> list[bytes]:
    """Every run that the indexes of these segments name, oldest first."""
    found: dict[bytes, None] = {}
    for sequence in segments(directory):
        try:
            fd = open_segment(directory, sequence)
        except OSError:
            continue
        index = Index(directory, sequence, fd)
        found.update((entry.run, None) for entry in index.walk(0) if entry.run != NO_RUN)
        index.close()
        os.close(fd)
    return list(found)


def _last_lines_at(directory: str, numbers: list[int], count: int) -> tuple[int, int]:
    """(sequence, offset) where the last `count` lines begin."""
    place = (max(numbers, default=0) + 1, 0)
    for sequence in reversed(numbers):
        if count <= 0:
            break
        try:
            fd = open_segment(directory, sequence)
        except OSError:
            continue
        offset, found = tail_offset(fd, count, 1 << 62)
        os.close(fd)
        count -= found
        place = (sequence, offset)
    return place


class _Segment:
    """One pass over one segment."""

    def __init__(self, unit: str, fd: int, index: Index, query: Query) -> None:
        self._unit = unit
        self._fd = fd
        self._index = index
        self._query = query
        self._is_for_blocks = query.pattern is not None and not any(mark in query.pattern.pattern for mark in _NOT_IN_BLOCKS)
        self._lowered = _lowered(query.pattern) if query.pattern is not None and self._is_for_blocks else None

    def lines(self, offset: int) -> "Iterator[Line]":
        if self._query.since_us:
            offset = self._index.at_time(self._query.since_us).offset
            if offset and os.pread(self._fd, 1, offset - 1) != b"\n":
                offset = self._next_line(offset)  # its first byte is older
        self._walk = self._index.walk(self._index.number_at(offset))
        self._entry = next(self._walk, Entry(0, self._index.file_time_us))
        self._next = next(self._walk, None)
        for start, text, begins, ends in self._wanted(offset):
            if begins:
                self._go_to(start)
            entry, query = self._entry, self._query
            if query.until_us is not None and entry.time_us > query.until_us:
                return
            if entry.time_us >= query.since_us and (query.run is None or query.run == entry.run):
                yield Line(self._unit, entry.time_us, entry.run, text, begins, ends)

    def _go_to(self, offset: int) -> None:
        while self._next is not None and self._next.offset <= offset:
            self._entry, self._next = self._next, next(self._walk, None)

    def _next_line(self, offset: int) -> int:
        while block := os.pread(self._fd, _BLOCK_BYTES, offset):
            if (newline := block.find(b"\n")) >= 0:
                return offset + newline + 1
            offset += len(block)
        return offset

    def _wanted(self, offset: int) -> "Iterator[tuple[int, bytes, bool, bool]]":
        """(offset, text, begins, ends) of each line or piece that the pattern finds."""
        pattern = self._query.pattern
        for start, block, begins, ends in self._blocks(offset):
            if pattern is not None and self._is_for_blocks and begins and ends:
                haystack = block if self._lowered is None else block.lower()
                for at, end in _matches(self._lowered or pattern, haystack):
                    yield start + at, block[at:end], True, True
                continue
            for text in block.split(b"\n"):
                if pattern is None or pattern.search(text):
                    yield start, text, begins, ends
                start += len(text) + 1

    def _blocks(self, offset: int) -> "Iterator[tuple[int, bytes, bool, bool]]":
        """Whole lines joined by newlines, without the last one's; or, of a line too long for that, a piece."""
        begins, rest = True, b""
        while block := os.pread(self._fd, _BLOCK_BYTES, offset + len(rest)):
            rest += block
            end = rest.rfind(b"\n")
            if not begins and end >= 0:
                end = rest.find(b"\n")
            if end >= 0:
                yield offset, rest[:end], begins, True
                offset, rest, begins = offset + end + 1, rest[end + 1 :], True
            elif len(rest) >= PIECE_BYTES:
                yield offset, rest, begins, False
                offset, rest, begins = offset + len(rest), b"", False
        while rest:
            text, newline, left = rest.partition(b"\n")
            yield offset, text, begins, True
            offset, rest, begins = offset + len(text) + len(newline), left, True


def _lowered(pattern: "Pattern[bytes]") -> "Pattern[bytes] | None":
    """The same for text in lower case, where case does not matter: ten times as fast. None where it would not be the same."""
    import re

    text = pattern.pattern
    return re.compile(text) if pattern.flags == re.IGNORECASE and text == text.lower() and b"[" not in text else None


def _matches(pattern: "Pattern[bytes]", block: bytes) -> "Iterator[tuple[int, int]]":
    """(begin, end) of each line of the block that the pattern finds; it cannot reach over a line's end."""
    position = 0
    while (found := pattern.search(block, position)) is not None:
        start = block.rfind(b"\n", 0, found.start()) + 1
        end = block.find(b"\n", found.start())
        if end < 0:
            yield start, len(block)
            return
        yield start, end
        position = end + 1
