"""The bytes of a unit's log, for clients that may not open the files themselves.

Reads only segments in the directory that the manager named, never a path from a request. A *cursor* `<sequence>:<offset>` says where
the reader stands. A segment is left for the next one only after it was read to its end when the next one was there, so that no
rotation loses a byte. Called in a worker thread.
"""

import os

from supervisor.client.logfile import begins_anew, last_lines_raw, open_segment, segments

ANSWER_LIMIT_BYTES = 1024 * 1024


def last(directory: str, lines: int) -> tuple[bytes, str]:
    """The last `lines` lines of all segments (at most 1 MiB of them) as they are, and the cursor of the end."""
    newest = max(segments(directory), default=0)
    if not newest:
        return b"", "0:0"
    size = _size(directory, newest)
    return last_lines_raw(directory, lines, ANSWER_LIMIT_BYTES, (newest, size)), f"{newest}:{size}"


def after(directory: str, cursor: str) -> tuple[bytes, str]:
    """What was written since `cursor`, at most 1 MiB, and the new cursor. A cursor that cannot be read stands for the beginning."""
    sequence, offset = _read(cursor)
    while True:
        numbers = segments(directory)
        following = min([number for number in numbers if number > sequence], default=0)  # looked for first: then the old one is whole
        if sequence in numbers:
            content, offset = _content(directory, sequence, offset)
            if content or not following:
                return content, f"{sequence}:{offset}"
        elif not following:
            # Nothing was written yet; or the newest segment was removed, or the whole log was, and begins anew.
            if numbers and not begins_anew(directory, sequence):
                return b"", f"{sequence}:{offset}"
            sequence, following = 0, min(numbers, default=0)
            if not following:
                return b"", "0:0"
        sequence, offset = following, 0


def _read(cursor: str) -> tuple[int, int]:
    sequence, _, offset = cursor.partition(":")
    is_good = all(part.isascii() and part.isdigit() and len(part) < 19 for part in (sequence, offset))
    return (int(sequence), int(offset)) if is_good else (0, 0)


def _size(directory: str, sequence: int) -> int:
    try:
        fd = open_segment(directory, sequence)
    except OSError:
        return 0
    try:
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


def _content(directory: str, sequence: int, offset: int) -> tuple[bytes, int]:
    try:
        fd = open_segment(directory, sequence)
    except OSError:
        return b"", offset  # removed since it was listed
    try:
        if os.fstat(fd).st_size < offset:
            offset = 0  # cut short: what is in it now is new
        content = os.pread(fd, ANSWER_LIMIT_BYTES, offset)
        return content, offset + len(content)
    finally:
        os.close(fd)
