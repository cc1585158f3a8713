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
from _thread import allocate_lock
from array import array

from supervisor.daemon.segments import Segment

_CHUNK_BYTES = 1 << 20
PIPE_BYTES = 64 * 1024
_LARGE_PIPE_BYTES = 1 << 20
# The file system cannot take splice; everything else that fails is a file that cannot be written.
_SPLICE_REFUSED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class LogStream:
    """Owns the pipe's descriptor and the segment."""

    def __init__(self, unit: str, fd: int, directory: str) -> None:
        self.unit = unit
        self.fd = fd
        self.segment = Segment(directory)
        self.is_spliced = True
        self.lost_bytes = 0  # ever
        self.first_position: tuple[int, int] | None = None  # where the first byte that came through here stands
        self.trouble = ""  # why nothing can be written at this moment
        self._gap_bytes = 0  # lost and not told yet
        self._lock = allocate_lock()
        self._is_closed = False

    def drain(self, limit_bytes: int) -> int:
        """Move what the pipe holds to the segment, about `limit_bytes` at most; how much was moved or dropped. Never waits."""
        with self._lock:
            moved = 0
            while not self._is_closed and moved < limit_bytes and (count := self._move()):
                moved += count
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

    def _move(self) -> int:
        # Asked before the file is touched: no directory, no segment and no look at the disk for a unit that is silent.
        if not self._waiting_bytes():
            return 0
        try:
            end = self.segment.end()
            if self.first_position is None:
                self.first_position = self.segment.sequence, end
            if self._gap_bytes:
                end += self._tell_gap(end)
            count = self._splice(end) if self.is_spliced else self._copy(end)
        except BlockingIOError:
            return 0
        except OSError as error:
            return self._drop(error)
        self.trouble = ""
        return count

    def _waiting_bytes(self) -> int:
        count = array("i", [0])
        fcntl.ioctl(self.fd, termios.FIONREAD, count)
        return count[0]

    def _splice(self, end: int) -> int:
        try:
            return os.splice(self.fd, self.segment.fileno(), _CHUNK_BYTES, offset_dst=end, flags=os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE)
        except OSError as error:
            if error.errno not in _SPLICE_REFUSED:
                raise
            self.is_spliced = False
            return self._copy(end)

    def _copy(self, end: int) -> int:
        # Only a pipe's worth at a time: this much a kill of the manager can lose, where splice is refused.
        data = os.read(self.fd, PIPE_BYTES)
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self.segment.fileno(), data[written:], end + written)
        except OSError:
            self._count_lost(len(data) - written)
            raise
        return written

    def _drop(self, error: OSError) -> int:
        """Nothing can be written: empty the pipe all the same."""
        self.trouble = f"cannot write the log of {self.unit}: {os.strerror(error.errno or 0)}"
        try:
            dropped = len(os.read(self.fd, _CHUNK_BYTES))
        except BlockingIOError:
            return 0
        self._count_lost(dropped)
        return dropped

    def _count_lost(self, count: int) -> None:
        self.lost_bytes += count
        self._gap_bytes += count

    def _tell_gap(self, end: int) -> int:
        """Write that something is missing here; how many bytes that took. The gap stays untold if even this cannot be written."""
        note = f"\n-- supd: {self._gap_bytes} bytes of output are missing here; the log could not be written --\n".encode()
        if os.pwrite(self.segment.fileno(), note, end) < len(note):
            os.ftruncate(self.segment.fileno(), end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._gap_bytes = 0
        return len(note)
