"""The index of a segment: at which place of the text which moment and which run begin.

`<seq>.idx` is a row of entries of 40 bytes: offset, wall time, run (INVOCATION_ID), flags, and a checksum over them. An entry is
written before the bytes it speaks of and says "from here on"; the time is that of the drain, to 100 ms.

Laws:
- The text is the truth. An index that is missing, cut short or damaged costs times, never a line: entries whose checksum or order
  is wrong are passed over, and what then has no entry has the time of the file.
- A look-up by time or place is a binary search of a few reads, however large the segment is; only a damaged index is read whole.
"""

import os
from binascii import crc32
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUFFIX = ".idx"
NO_RUN = bytes(16)
CONTINUES = 1  # flag: the segment begins in the middle of a line of the one before
STDERR = 2  # flag: what follows was written to a standard error that is kept apart

_CONTENT = Struct("<QQ16sI")
_CHECKSUM = Struct("<I")
_WALK_ENTRIES = 1024
ENTRY_BYTES = _CONTENT.size + _CHECKSUM.size


class Entry:
    """From `offset` on: `time_us` by the wall clock, and the run that wrote."""

    __slots__ = ("flags", "offset", "run", "time_us")

    def __init__(self, offset: int, time_us: int, run: bytes = NO_RUN, flags: int = 0) -> None:
        self.offset = offset
        self.time_us = time_us
        self.run = run
        self.flags = flags

    def pack(self) -> bytes:
        content = _CONTENT.pack(self.offset, self.time_us, self.run, self.flags)
        return content + _CHECKSUM.pack(crc32(content))


def unpack(raw: bytes) -> Entry | None:
    """The entry in these 40 bytes, or None if they hold none."""
    content = raw[: _CONTENT.size]
    if len(raw) != ENTRY_BYTES or _CHECKSUM.unpack(raw[_CONTENT.size :])[0] != crc32(content):
        return None
    return Entry(*_CONTENT.unpack(content))


def name_of(sequence: int) -> str:
    return f"{sequence:08d}{SUFFIX}"


def run_bytes(invocation_id: str) -> bytes:
    """An INVOCATION_ID as an entry holds it; NO_RUN for anything that is none."""
    try:
        raw = bytes.fromhex(invocation_id)
    except ValueError:
        return NO_RUN
    return raw if len(raw) == len(NO_RUN) else NO_RUN


class Index:
    """The entries of one segment, for a reader. `text_fd` is the segment's own descriptor, for its size and time."""

    def __init__(self, directory: str, sequence: int, text_fd: int) -> None:
        status = os.fstat(text_fd)
        self.file_time_us = status.st_mtime_ns // 1000
        self._fallback = Entry(0, self.file_time_us)
        self._size_bytes = status.st_size
        self._repaired: list[Entry] | None = None
        try:
            self._fd = os.open(os.path.join(directory, name_of(sequence)), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            self._fd = -1
            self._repaired = []
        self._count = os.fstat(self._fd).st_size // ENTRY_BYTES if self._fd >= 0 else 0

    def __len__(self) -> int:
        return self._count if self._repaired is None else len(self._repaired)

    def entry(self, number: int) -> Entry:
        """The entry of this number, 0 to len - 1. Its neighbours' order is not checked here."""
        if self._repaired is None:
            found = unpack(os.pread(self._fd, ENTRY_BYTES, number * ENTRY_BYTES))
            if found is not None:
                return found
            raise _Damaged
        return self._repaired[number]

    def at_offset(self, offset: int) -> Entry:
        """What holds at this place of the text."""
        return self._search(lambda entry: entry.offset <= offset)

    def at_time(self, time_us: int) -> Entry:
        """The last entry that is not later than this, or the first."""
        return self._search(lambda entry: entry.time_us < time_us)

    def after_time(self, time_us: int) -> int:
        """Where what is later than this begins; the end of the text when nothing is."""
        entry = self._search(lambda entry: entry.time_us <= time_us)
        if entry.time_us > time_us:
            return 0  # all of it
        number = self._number(lambda entry: entry.time_us <= time_us) + 1
        return self.entry(number).offset if number < len(self) else self._size_bytes

    def over(self, begin: int, end: int) -> list[Entry]:
        """The entries that hold over this part of the text, the one at its begin first; at least one."""
        found: list[Entry] = []
        for entry in self.walk(self.number_at(begin)):
            if found and entry.offset >= end:
                break
            found.append(entry)
        return found or [self._fallback]

    def entries(self) -> list[Entry]:
        """All of them, in order: those that are whole, and only in rising order of their offsets."""
        if self._repaired is None:
            self._repaired = self._read_all()
        return self._repaired or [self._fallback]

    def walk(self, number: int) -> "Iterator[Entry]":
        """The whole entries from this number on, in rising order of their offsets; a few at a time are in memory."""
        if self._repaired is not None:
            yield from self._repaired[number:]
            return
        last = -1
        while raw := os.pread(self._fd, _WALK_ENTRIES * ENTRY_BYTES, number * ENTRY_BYTES):
            for start in range(0, len(raw) - ENTRY_BYTES + 1, ENTRY_BYTES):
                entry = unpack(raw[start : start + ENTRY_BYTES])
                if entry is not None and entry.offset > last:
                    yield entry
                    last = entry.offset
            if len(raw) < ENTRY_BYTES:
                return
            number += len(raw) // ENTRY_BYTES

    def number_at(self, offset: int) -> int:
        """The number of the entry that holds at this place of the text, for `walk`."""
        return self._number(lambda entry: entry.offset <= offset)

    def last_time_us(self) -> int:
        """When the last bytes were written, as far as is known."""
        return self._search(lambda entry: True).time_us

    def _search(self, is_before: "Callable[[Entry], bool]") -> Entry:
        number = self._number(is_before)
        return self.entry(number) if len(self) else self._fallback

    def _number(self, is_before: "Callable[[Entry], bool]") -> int:
        try:
            number = self._bisect(is_before)
            if number < len(self):
                self.entry(number)
        except _Damaged:
            self._repaired = self._read_all()
            number = self._bisect(is_before)
        return number

    def _bisect(self, is_before: "Callable[[Entry], bool]") -> int:
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if is_before(self.entry(middle)):
                low = middle + 1
            else:
                high = middle
        return max(low - 1, 0)

    def _read_all(self) -> list[Entry]:
        found: list[Entry] = []
        for number in range(self._count):
            entry = unpack(os.pread(self._fd, ENTRY_BYTES, number * ENTRY_BYTES))
            if entry is not None and entry.offset <= self._size_bytes and (not found or entry.offset > found[-1].offset):
                found.append(entry)
        return found

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Damaged(Exception):
    """An entry is not what was written: the index has to be read whole."""
