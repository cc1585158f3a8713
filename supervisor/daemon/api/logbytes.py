"""The bytes of a unit's `current` segment, for clients that may not open the file themselves.

Reads only `<directory>/current`, whose directory the manager named, never a path from a request. A *cursor* `<inode>:<offset>` says where
the reader stands; when the segment was replaced the answer begins at the start of the new one. Called in a worker thread.
"""

import os
from typing import BinaryIO

from supervisor.client.logfile import last_lines_raw

ANSWER_LIMIT_BYTES = 1024 * 1024


def last(directory: str, lines: int) -> tuple[bytes, str]:
    """The last `lines` lines of all segments (at most 1 MiB of them) as they are, and the cursor of the end of `current`."""
    opened = _open(directory)
    if opened is None:
        return b"", ""
    with opened as file:
        status = os.fstat(file.fileno())
    return last_lines_raw(directory, lines, ANSWER_LIMIT_BYTES), f"{status.st_ino}:{status.st_size}"


def after(directory: str, cursor: str) -> tuple[bytes, str]:
    """What was written since `cursor`, at most 1 MiB, and the new cursor. A cursor that cannot be read stands for the beginning."""
    opened = _open(directory)
    if opened is None:
        return b"", cursor
    with opened as file:
        status = os.fstat(file.fileno())
        inode, _, offset = cursor.partition(":")
        is_known = inode == str(status.st_ino) and offset.isascii() and offset.isdigit() and int(offset) <= status.st_size
        file.seek(int(offset) if is_known else 0)
        content = file.read(ANSWER_LIMIT_BYTES)
        return content, f"{status.st_ino}:{file.tell()}"


def _open(directory: str) -> BinaryIO | None:
    try:
        return open(os.path.join(directory, "current"), "rb")
    except OSError:
        return None  # nothing written yet, or moved at this moment: both are "no bytes"
