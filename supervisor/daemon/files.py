"""Reads small files whose names come from unit files, so that neither a huge one nor a pipe without writer can hold supd up."""

import errno
import os

CHUNK_BYTES = 64 * 1024


def read_whole(path: str, limit_bytes: int, dir_fd: int | None = None) -> bytes:
    """The content of a file.

    Raises `OSError`: EFBIG beyond the limit, EAGAIN for a pipe that would make us wait, and what open and read raise.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK, dir_fd=dir_fd)
    try:
        chunks = []
        size_bytes = 0
        while chunk := os.read(fd, CHUNK_BYTES):
            chunks.append(chunk)
            size_bytes += len(chunk)
            if size_bytes > limit_bytes:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return b"".join(chunks)
    finally:
        os.close(fd)
