"""One unit's output on its way from pipe to file.

No byte leaves the pipe except by splice(2) into the segment: a byte that was read and not yet written is one that a kill
loses. Where the file system refuses splice, read and write are used instead, and `is_spliced` says so. When nothing can be
written (full disk), what the pipe holds is dropped and counted, so that the child never waits; the gap is told in the log as
soon as something can be written again.

Calls are serialised by the stream's lock: the pump's thread drains, and so does the manager before it handles an exit.
"""

import errno
import fcntl
import os
import termios
import time
from _thread import allocate_lock
from array import array
from collections.abc import Callable

from supervisor.client import logindex
from supervisor.daemon.segments import Segment
from supervisor.model.specification import Log

DEFAULTS = Log()
_NOT_WRITTEN = "the log could not be written"
_CHUNK_BYTES = 1 << 20
PIPE_BYTES = 64 * 1024
_LARGE_PIPE_BYTES = 1 << 20
# The file system cannot take splice; everything else that fails is a file that cannot be written.
_SPLICE_REFUSED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class Rate:
    """How much of a unit's limit is left: bytes in a fixed window that begins with the first of them."""

    def __init__(self) -> None:
        self._until_ns = 0
        self._counted_bytes = 0

    def allowed_bytes(self, log: Log) -> int:
        """How many may be kept now; 0 until the window ends."""
        if not log.rate_limit_bytes or not log.rate_limit_interval_us:
            return _CHUNK_BYTES
        now_ns = time.monotonic_ns()
        if now_ns >= self._until_ns:
            self._until_ns = now_ns + log.rate_limit_interval_us * 1000
            self._counted_bytes = 0
        return log.rate_limit_bytes - self._counted_bytes

    def count(self, count: int) -> None:
        self._counted_bytes += count


class LogStream:
    """Owns the pipe's descriptor and the segment. `on_closed` is told of each segment that is closed for good."""

    def __init__(
        self,
        unit: str,
        fd: int,
        directory: str,
        log: Log = DEFAULTS,
        on_closed: Callable[[], object] = lambda: None,
        *,
        is_stderr: bool = False,
    ) -> None:
        self.unit = unit
        self.fd = fd
        self.log = log
        self._on_closed = on_closed
        self._run: bytes | None = None  # None: as the last entry of the index has it
        self._is_full = False
        self._will_be_full = False
        self._rate = Rate()
        self.segment = Segment(directory, logindex.STDERR if is_stderr else 0)
        self.is_spliced = True
        self.kept_bytes = 0  # ever
        self.lost_bytes = 0  # ever
        self.first_position: tuple[int, int] | None = None  # where the first byte that came through here stands
        self.loss = ""  # why bytes were lost the last time
        self.trouble = ""  # why nothing can be written at this moment
        self._gap_bytes = 0  # lost and not told yet
        self._lock = allocate_lock()
        self._is_closed = False

    def begin_run(self, run: bytes) -> None:
        """What comes from here on was written by this run."""
        with self._lock:
            self._run = run

    def drain(self, limit_bytes: int) -> int:
        """Move what the pipe holds to the segment, about `limit_bytes` at most; how much was moved or dropped. Never waits."""
        with self._lock:
            moved = 0
            # Asked before the file is touched: no directory, no segment and no look at the disk for a unit that is silent.
            while not self._is_closed and moved < limit_bytes and (waiting := self._waiting_bytes()):
                count = self._move(waiting)
                moved += count
                if count == 0 or count == waiting < PIPE_BYTES // 4:
                    break  # that little was all; who writes much goes on
            return moved

    def waiting_bytes(self) -> int:
        """How much the pipe holds at this moment (FIONREAD)."""
        with self._lock:
            return 0 if self._is_closed else self._waiting_bytes()

    def start_position(self) -> tuple[int, int]:
        """(sequence, offset) of the first byte that came through here, or of the next one if there was none."""
        with self._lock:
            return self.first_position or self.segment.position()

    def position(self) -> tuple[int, int]:
        """(sequence, offset) where the next byte will stand."""
        with self._lock:
            return self.segment.position()

    def note_lost(self, count: int, reason: str) -> None:
        """So many bytes were lost before what the pipe holds now."""
        with self._lock:
            self._count_lost(count, reason)

    def enlarge(self) -> bool:
        """Give the pipe 1 MiB; False where the kernel does not allow it (a user's pipes share one budget)."""
        with self._lock:
            if self._is_closed:
                return False
            try:
                fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, _LARGE_PIPE_BYTES)
            except OSError:
                return False
            return True

    def close(self) -> None:
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                os.close(self.fd)
                self.segment.close()

    def _move(self, waiting: int) -> int:
        if (limit := self._rate.allowed_bytes(self.log)) <= 0:
            return self._discard(f"more than rate_limit_bytes = {self.log.rate_limit_bytes} were written in one interval")
        try:
            end, limit = self._place(waiting, min(limit, _CHUNK_BYTES))
            if self.first_position is None:
                self.first_position = self.segment.sequence, end
            if self._gap_bytes:
                end += self._tell_gap(end)
            self.segment.note(end, self._run or self.segment.last_run)
            count = self._splice(end, limit) if self.is_spliced else self._copy(end, limit)
        except BlockingIOError:
            return 0
        except OSError as error:
            return self._drop(error)
        self.trouble = ""
        self._is_full = self._will_be_full and count == limit
        self._rate.count(count)
        self.kept_bytes += count
        return count

    def _place(self, waiting: int, limit: int) -> tuple[int, int]:
        """Where the next bytes go, and how many at most: the rest belongs to the next segment."""
        end = self.segment.end()
        if self._run is None:
            self._run = self.segment.last_run  # kept over the next rotation
        self._will_be_full = False
        if self._is_full and end:
            end = self._begin_next(is_in_line=self.segment.ends_in_line(end))
        age_us = time.time_ns() // 1000 - self.segment.born_us
        is_old = self.log.max_age_us is not None and end > 0 and age_us > self.log.max_age_us
        room = 0 if is_old else self.log.max_size_bytes - end
        if waiting <= room:
            return end, min(limit, room)
        from supervisor.daemon import rotation  # with the first segment that is full

        is_in_line = self.segment.ends_in_line(end)
        if room <= 0 and not is_in_line:
            end = self._begin_next(is_in_line=False)
            room = self.log.max_size_bytes
        head = rotation.peek(self.fd, min(waiting, limit))
        taken, is_full = rotation.split(head, room, is_in_line=is_in_line or end == 0)
        if not taken:
            end = self._begin_next(is_in_line=is_in_line)
            taken, is_full = rotation.split(head, self.log.max_size_bytes, is_in_line=True)
        self._will_be_full = is_full and (taken < len(head) or taken >= room)
        return end, min(limit, taken)

    def _begin_next(self, *, is_in_line: bool) -> int:
        self.segment.begin_next(is_in_line=is_in_line)
        self._is_full = False
        self._on_closed()
        return self.segment.end()

    def _waiting_bytes(self) -> int:
        count = array("i", [0])
        fcntl.ioctl(self.fd, termios.FIONREAD, count)
        return count[0]

    def _splice(self, end: int, limit: int) -> int:
        try:
            return os.splice(self.fd, self.segment.fileno(), limit, offset_dst=end, flags=os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE)
        except OSError as error:
            if error.errno not in _SPLICE_REFUSED:
                raise
            self.is_spliced = False
            return self._copy(end, limit)

    def _copy(self, end: int, limit: int) -> int:
        # Only a pipe's worth at a time: this much a kill of the manager can lose, where splice is refused.
        data = os.read(self.fd, min(limit, PIPE_BYTES))
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self.segment.fileno(), data[written:], end + written)
        except OSError:
            self._count_lost(len(data) - written, _NOT_WRITTEN)
            raise
        return written

    def _drop(self, error: OSError) -> int:
        """Nothing can be written: empty the pipe all the same."""
        self.trouble = f"cannot write the log of {self.unit}: {os.strerror(error.errno or 0)}"
        return self._discard(_NOT_WRITTEN)

    def _discard(self, reason: str) -> int:
        try:
            dropped = len(os.read(self.fd, _CHUNK_BYTES))
        except BlockingIOError:
            return 0
        self._count_lost(dropped, reason)
        return dropped

    def _count_lost(self, count: int, reason: str) -> None:
        self.lost_bytes += count
        self._gap_bytes += count
        self.loss = reason

    def _tell_gap(self, end: int) -> int:
        """Write that something is missing here; how many bytes that took. The gap stays untold if even this cannot be written."""
        note = f"\n-- supd: {self._gap_bytes} bytes of output are missing here; {self.loss} --\n".encode()
        if os.pwrite(self.segment.fileno(), note, end) < len(note):
            os.ftruncate(self.segment.fileno(), end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._gap_bytes = 0
        return len(note)
