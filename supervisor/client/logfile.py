"""The segments of one unit's log, read from their end.

A unit's log is a directory of segments `<seq>.log`, the sequence number in eight digits or more, and a symlink `current` to
the newest. An old one may be compressed (`<seq>.log.gz`); it is opened as if it were not.

This module finds the segments and the bytes of the last lines in them; it never writes, and never trusts the contents: a line
for a person is decoded with replacement and neutralised.
"""

import errno
import os
import stat

from supervisor.client.terminal import neutralise

CURRENT = "current"
COMPRESSED_SUFFIX = ".gz"
_SUFFIX = ".log"
_CHUNK_BYTES = 16 * 1024
# A person asked for lines, not for a gigabyte without a newline: what is read backwards ends here.
TAIL_LIMIT_BYTES = 4 * 1024 * 1024


def segment_name(sequence: int) -> str:
    return f"{sequence:08d}{_SUFFIX}"


def segments(directory: str) -> list[int]:
    """The sequence numbers of the segments in `directory`, plain or compressed, oldest first; empty while the unit has written nothing."""
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    plain = [name.removesuffix(COMPRESSED_SUFFIX) for name in names]
    found = {int(stem) for name in plain if name.endswith(_SUFFIX) and (stem := name[: -len(_SUFFIX)]).isascii() and stem.isdigit()}
    return sorted(found)


def begins_anew(directory: str, sequence: int) -> bool:
    """Whether a log was removed and began anew, asked by who stood in segment `sequence` and finds neither it nor a later one.

    Where `current` still leads as far, somebody removed the newest segment alone: what is left was read before, and the next one is
    born with the next byte.
    """
    try:
        stem = os.readlink(os.path.join(directory, CURRENT)).removesuffix(_SUFFIX)
    except OSError:
        return True
    return not (stem.isascii() and stem.isdigit() and len(stem) < 19 and int(stem) >= sequence)


def open_segment(directory: str, sequence: int) -> int:
    """A descriptor of the segment's text, to be read at any place; a compressed one is unpacked into a file without a name.

    Raises OSError: FileNotFoundError when it was removed since it was listed, or is no file: nothing of it can be read.
    """
    path = os.path.join(directory, segment_name(sequence))
    # Nobody who can write there may make a reader wait (a FIFO), or lead him elsewhere (a symlink).
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return _file(os.open(path, flags))
    except FileNotFoundError:
        compressed = _file(os.open(path + COMPRESSED_SUFFIX, flags))
    return _unpacked(compressed)


def _file(descriptor: int) -> int:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise FileNotFoundError(errno.ENOENT, "not a file")


def _unpacked(compressed: int) -> int:
    import gzip
    from tempfile import TemporaryFile
    from zlib import error as ZlibError

    with open(compressed, "rb") as raw, gzip.GzipFile(fileobj=raw) as source, TemporaryFile(buffering=0) as target:
        try:
            while piece := source.read(1 << 20):
                target.write(piece)
        except (EOFError, gzip.BadGzipFile, ZlibError):
            pass  # damaged: what could be read is shown
        os.utime(target.fileno(), ns=(0, os.fstat(raw.fileno()).st_mtime_ns))
        target.seek(0)
        return os.dup(target.fileno())


def tail_offset(descriptor: int, count: int, limit_bytes: int = TAIL_LIMIT_BYTES, size: int | None = None) -> tuple[int, int]:
    """Where the last `count` lines of an open file begin, and how many there are. `size`: the file ends there (else at its end now).

    A last line without its newline counts as one. Not more than `limit_bytes` are looked at: a line that begins before is cut.
    """
    size = os.fstat(descriptor).st_size if size is None else size
    if size == 0 or count <= 0:
        return size, 0
    found = 0
    position = size
    floor = max(0, size - limit_bytes)
    is_first = True
    while position > floor:
        start = max(floor, position - _CHUNK_BYTES)
        block = os.pread(descriptor, position - start, start)
        end = len(block)
        if is_first:
            # The newline that ends the last line does not begin another one.
            end -= block.endswith(b"\n")
            is_first = False
        while (newline := block.rfind(b"\n", 0, end)) >= 0:
            found += 1
            if found == count:
                return start + newline + 1, found
            end = newline
        position = start
    return floor, found + 1


def last_lines_raw(directory: str, count: int, limit_bytes: int = TAIL_LIMIT_BYTES, end: tuple[int, int] | None = None) -> bytes:
    """The last `count` lines over all segments, byte for byte; up to this (sequence, offset), or as far as there is text now."""
    pieces: list[bytes] = []
    wanted = count
    for sequence in reversed(segments(directory)):
        if wanted <= 0 or limit_bytes <= 0:
            break
        if end is not None and sequence > end[0]:
            continue
        try:
            descriptor = open_segment(directory, sequence)
        except OSError:
            continue  # removed since the directory was read
        try:
            size = end[1] if end is not None and sequence == end[0] else os.fstat(descriptor).st_size
            offset, found = tail_offset(descriptor, wanted, limit_bytes, size)
            piece = _read_from(descriptor, offset, min(limit_bytes, size - offset))
        finally:
            os.close(descriptor)
        pieces.append(piece)
        wanted -= found
        limit_bytes -= len(piece)
    return b"".join(reversed(pieces))


def _read_from(descriptor: int, offset: int, limit_bytes: int) -> bytes:
    pieces = []
    while limit_bytes > 0 and (piece := os.pread(descriptor, min(limit_bytes, 1 << 20), offset)):
        pieces.append(piece)
        offset += len(piece)
        limit_bytes -= len(piece)
    return b"".join(pieces)


def text_lines(raw: bytes) -> list[str]:
    """Raw log bytes as lines for a person. Only a newline ends a line; a carriage return before it goes with it."""
    if not raw:
        return []
    lines = raw.removesuffix(b"\n").split(b"\n")
    return [neutralise(line.removesuffix(b"\r").decode("utf-8", "replace")) for line in lines]
