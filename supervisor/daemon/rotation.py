"""Where a segment ends: at the end of a line, found without taking a byte out of the pipe.

tee(2) copies what the pipe holds into a scratch pipe; the copy is looked at, and splice then moves exactly as many bytes as belong to
the old segment. A kill in between loses nothing: what was looked at is still in the pipe.

Rules: a segment takes whole lines up to its size; the line that crosses the size belongs to the next segment, unless the segment
already holds a part of it; a line that is still open 1 MiB beyond the size is cut there.

Imported when the first segment is full: ctypes is not for the boot.
"""

import ctypes
import os

OVERRUN_BYTES = 1 << 20
_SCRATCH_BYTES = 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)
_libc.tee.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint)
_libc.tee.restype = ctypes.c_ssize_t


def peek(fd: int, limit_bytes: int) -> bytes:
    """What the pipe holds, from its beginning, at most `limit_bytes`; it stays there. OSError: tee(2) is refused."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        count = _libc.tee(fd, writer, min(limit_bytes, _SCRATCH_BYTES), os.SPLICE_F_NONBLOCK)
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        pieces = []
        while count > 0 and (piece := os.read(reader, count)):
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(reader)
        os.close(writer)


def split(waiting: bytes, room_bytes: int, *, is_in_line: bool) -> tuple[int, bool]:
    """How many of the waiting bytes the segment still takes, and whether it is full after them.

    `room_bytes`: up to its size, negative beyond. `is_in_line`: its last line is open, so it takes that line's end.
    """
    last = waiting.rfind(b"\n", 0, max(room_bytes, 0)) + 1
    if last or not is_in_line:
        return last, True
    first = waiting.find(b"\n") + 1
    if 0 < first <= room_bytes + OVERRUN_BYTES:
        return first, True
    taken = min(len(waiting), max(room_bytes + OVERRUN_BYTES, 0))
    return taken, taken < len(waiting)
