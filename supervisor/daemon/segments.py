"""The file a unit's output goes to: the newest segment of its log directory, and `current` that points at it.

A segment is opened without O_APPEND, which splice(2) refuses; the place to write is the file's own end, asked for at each
drain, so a file that somebody cut short goes on at its new end. One that somebody removed is followed by the next segment:
what is written to a file without a name is lost to everybody.

Never: moves or renames a segment, and never reads what was written.
"""

import os

from supervisor.client.logfile import CURRENT, segment_name, segments

_DIRECTORY_MODE = 0o750
_FILE_MODE = 0o640
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Segment:
    """The segment that is written now; made when the first byte is there to be written."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.sequence = 0  # 0: none opened yet
        self._fd = -1

    def end(self) -> int:
        """Where to write now, after making sure that there is a file to write to. OSError: there cannot be one."""
        if self._fd < 0:
            self._open(max(segments(self.directory), default=1))
        found = os.fstat(self._fd)
        if found.st_nlink == 0:
            self._open(max([self.sequence, *segments(self.directory)]) + 1)
            found = os.fstat(self._fd)
        return found.st_size

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

    def _open(self, sequence: int) -> None:
        os.makedirs(self.directory, _DIRECTORY_MODE, exist_ok=True)
        name = segment_name(sequence)
        fd = os.open(os.path.join(self.directory, name), _FLAGS, _FILE_MODE)
        self.close()
        self._fd = fd
        self.sequence = sequence
        self._point_current_at(name)

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

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
