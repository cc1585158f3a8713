"""Waiting for a thing to happen, with a deadline and without polling: a socket that listens, a process that ends, a text that is written.

It decides nothing about supd. Every wait takes the seconds it may last and raises `NotInTime` with a sentence when they are over.
"""

import ctypes
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from tests.system.descent import Process

_IN_ATTRIB, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE, _IN_CLOSE_WRITE = 0x4, 0x80, 0x100, 0x200, 0x8
_IN_MODIFY = 0x2
_IN_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
# Between bind(2), which a watch sees, and listen(2), which nothing announces, a connection is refused: look again after this.
_LISTEN_RETRY_S = 0.02


class NotInTime(AssertionError):
    """What was waited for did not happen before the deadline."""


class Deadline:
    """A moment on the monotonic clock, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at_s = time.monotonic() + seconds

    def remaining_s(self) -> float:
        return max(0.0, self._at_s - time.monotonic())


@contextmanager
def _watch(directory: str, more: int = 0) -> Iterator[int]:
    """An inotify descriptor on one directory. `more` are further events to be told of."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(_IN_NONBLOCK_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    try:
        mask = _IN_ATTRIB | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE | _IN_CLOSE_WRITE | more
        if libc.inotify_add_watch(fd, os.fsencode(directory), mask) < 0:
            raise OSError(ctypes.get_errno(), f"inotify_add_watch: {os.strerror(ctypes.get_errno())}", directory)
        yield fd
    finally:
        os.close(fd)


@contextmanager
def changes(directory: str) -> Iterator[Callable[[float], bool]]:
    """A function that waits, for so many seconds at most, until a file of the directory is written to or an entry comes or goes.

    It says whether that was so. What happened since the last call, or since the beginning, is not missed.
    """
    with _watch(directory, _IN_MODIFY) as fd:

        def wait(within_s: float) -> bool:
            if not within_s or not select.select([fd], [], [], within_s)[0]:
                return False
            os.read(fd, 1 << 16)
            return True

        yield wait


def wait_for_socket(path: str, alive: int, within_s: float) -> None:
    """Until something accepts connections at `path`, in a directory that may not exist yet.

    `alive` is a pidfd: when that process ends first, there is nothing to wait for.
    """
    deadline = Deadline(within_s)
    directory = os.path.dirname(path)
    while True:
        watched = directory if os.path.isdir(directory) else os.path.dirname(directory)
        with _watch(watched) as fd:
            # Looked at only with the watch in place: what happened before is seen here, what happens later wakes us.
            if watched != directory and os.path.isdir(directory):
                continue
            refused = False
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                try:
                    sock.connect(path)
                    return
                except ConnectionRefusedError:
                    refused = True
                except FileNotFoundError:
                    pass
            wait_s = min(_LISTEN_RETRY_S, deadline.remaining_s()) if refused else deadline.remaining_s()
            ready = select.select([fd, alive], [], [], wait_s)[0]
            if alive in ready:
                raise NotInTime(f"the process that should listen at {path} has ended")
            if not deadline.remaining_s():
                raise NotInTime(f"nothing listened at {path} within {within_s:g} s")


def ends_in_time(pid: int, within_s: float) -> bool:
    """Whether the process, if it still is there, ends before the deadline."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], within_s)[0])
    finally:
        os.close(pidfd)


def wait_for_end(process: Process, within_s: float) -> None:
    """Until the process is gone; one whose pid belongs to another by now is."""
    if process.is_alive() and not ends_in_time(process.pid, within_s):
        raise NotInTime(f"process {process.pid} ({process.command}) did not end within {within_s:g} s")


def wait_for_text(pipe: IO[bytes], text: str, within_s: float) -> str:
    """Read from `pipe` until `text` has come by; everything read so far. The pipe is left for its owner to close."""
    deadline = Deadline(within_s)
    read = b""
    while text.encode() not in read:
        if not select.select([pipe], [], [], deadline.remaining_s())[0]:
            raise NotInTime(f"{text!r} was not seen within {within_s:g} s, but:\n{read.decode(errors='replace')}")
        part = os.read(pipe.fileno(), 65536)
        if not part:
            raise NotInTime(f"the output ended without {text!r}:\n{read.decode(errors='replace')}")
        read += part
    return read.decode(errors="replace")
