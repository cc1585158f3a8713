"""The files a unit's output goes to: the newest segment of its log directory with its index, and `current` that points at it.

A segment is opened without O_APPEND, which splice(2) refuses; the place to write is the file's own end, asked for at each
drain, so a file that somebody cut short goes on at its new end. One that somebody removed is followed by the next segment:
what is written to a file without a name is lost to everybody.

An index entry is written before the bytes it speaks of (`client.logindex`), at most one in `_COALESCED_US` unless the run changes.
An index that cannot be written costs times, never bytes: that is no reason to lose output.

Never: moves or renames a segment, and never reads what was written but its last byte.
"""

import os
import time

from supervisor.client import logindex
from supervisor.client.logfile import CURRENT, segment_name, segments
from supervisor.client.logindex import ENTRY_BYTES, Entry

_DIRECTORY_MODE = 0o750
_FILE_MODE = 0o640
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_COALESCED_US = 95_000  # rests of the pump end at 100 ms: each gets its entry


class Segment:
    """The segment that is written now; made when the first byte is there to be written."""

    def __init__(self, directory: str, flags: int = 0) -> None:
        """`flags` are those of every entry of the index (STDERR)."""
        self.directory = directory
        self._stream_flags = flags
        self.sequence = 0  # 0: none opened yet
        self.born_us = 0
        self._fd = -1
        self._index_fd = -1
        self._last: Entry | None = None
        self._flags = 0

    def end(self) -> int:
        """Where to write now, after making sure that there is a file to write to. OSError: there cannot be one."""
        if self._fd < 0:
            self._open(self._newest())
        found = os.fstat(self._fd)
        if found.st_nlink == 0:
            self._open(max([self.sequence, *segments(self.directory)]) + 1)
            found = os.fstat(self._fd)
        return found.st_size

    def begin_next(self, *, is_in_line: bool) -> None:
        """Close this segment for good and open the next. `is_in_line`: the line goes on there. OSError: this one stays in use."""
        self._open(max([self.sequence, *segments(self.directory)]) + 1)
        self._flags = logindex.CONTINUES if is_in_line else 0

    def note(self, end: int, run: bytes) -> None:
        """Say in the index what begins at `end`, unless the last entry says it well enough."""
        now_us = time.time_ns() // 1000
        last = self._last
        if last is not None and last.offset > end:
            last = self._forget_from(end)
        if last is not None and last.run == run and 0 <= now_us - last.time_us < _COALESCED_US:
            return
        entry = Entry(end, now_us, run, self._stream_flags | self._flags)
        try:
            place = os.fstat(self._index_fd).st_size // ENTRY_BYTES * ENTRY_BYTES
            if last is not None and last.offset == end and place:
                place -= ENTRY_BYTES  # nothing was written since: the entry before speaks of no byte
            os.pwrite(self._index_fd, entry.pack(), place)
        except OSError:
            return
        self._flags = 0
        self._last = entry

    def ends_in_line(self, end: int) -> bool:
        """Whether the last line is not complete."""
        return end > 0 and os.pread(self._fd, 1, end - 1) != b"\n"

    def fileno(self) -> int:
        """The open segment; `end` must have succeeded before."""
        return self._fd

    def position(self) -> tuple[int, int]:
        """(sequence, offset) of the next byte, without making anything: (1, 0) while nothing was ever written."""
        if self._fd >= 0:
            return self.sequence, os.fstat(self._fd).st_size
        newest = max(segments(self.directory), default=0)
        if newest == 0:
            return 1, 0
        try:
            return newest, os.stat(os.path.join(self.directory, segment_name(newest))).st_size
        except FileNotFoundError:
            return newest + 1, 0

    def _newest(self) -> int:
        """The segment to go on with: the newest, or the one after it where that is closed for good (compressed)."""
        newest = max(segments(self.directory), default=1)
        is_closed = not os.path.lexists(os.path.join(self.directory, segment_name(newest))) and newest in segments(self.directory)
        return newest + 1 if is_closed else newest

    def _open(self, sequence: int) -> None:
        os.makedirs(self.directory, _DIRECTORY_MODE, exist_ok=True)
        name = segment_name(sequence)
        fd = os.open(os.path.join(self.directory, name), _FLAGS, _FILE_MODE)
        try:
            index_fd = os.open(os.path.join(self.directory, logindex.name_of(sequence)), _FLAGS, _FILE_MODE)
        except OSError:
            index_fd = -1  # lines without times
        self.close()
        self._fd, self._index_fd = fd, index_fd
        self.sequence = sequence
        self._take_up_index()
        self._point_current_at(name)

    def _take_up_index(self) -> None:
        """Go on with the index that is there; entries that are damaged or speak of bytes that are gone are dropped."""
        status = os.fstat(self._fd)
        self.born_us = time.time_ns() // 1000
        self._last = None
        try:
            self._last = self._forget_from(status.st_size + 1)
            if self._last is None and status.st_size:
                self._last = Entry(0, status.st_mtime_ns // 1000)
                os.pwrite(self._index_fd, self._last.pack(), 0)
            if (first := logindex.unpack(os.pread(self._index_fd, ENTRY_BYTES, 0))) is not None:
                self.born_us = first.time_us
        except OSError:
            pass  # no index, or none that can be written

    def _forget_from(self, end: int) -> Entry | None:
        """Cut the index before its first entry at `end` or later; the last one that is left."""
        count = os.fstat(self._index_fd).st_size // ENTRY_BYTES
        while count:
            found = logindex.unpack(os.pread(self._index_fd, ENTRY_BYTES, (count - 1) * ENTRY_BYTES))
            if found is not None and found.offset < end:
                break
            count -= 1
        else:
            found = None
        os.ftruncate(self._index_fd, count * ENTRY_BYTES)
        return found

    def _point_current_at(self, name: str) -> None:
        current = os.path.join(self.directory, CURRENT)
        new = f"{current}.new"
        try:
            if os.readlink(current) == name:
                return
        except OSError:
            pass  # not there yet, or not a symlink: replaced below
        try:
            os.unlink(new)
        except FileNotFoundError:
            pass
        os.symlink(name, new)
        os.rename(new, current)

    @property
    def last_run(self) -> bytes:
        """The run of the last entry, for a manager that goes on where another one ended."""
        return self._last.run if self._last is not None else logindex.NO_RUN

    def close(self) -> None:
        for fd in (self._fd, self._index_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._index_fd = -1
