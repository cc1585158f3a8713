"""inotify(7) by ctypes: wake up when a file grows or a directory gets an entry. Only what following a log needs."""

import ctypes
import os
import select
import signal
from struct import Struct

_IN_MODIFY = 0x00000002
_IN_ATTRIB = 0x00000004
_IN_MOVED_TO = 0x00000080
_IN_CREATE = 0x00000100
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC

WATCHED = _IN_MODIFY | _IN_ATTRIB | _IN_MOVED_TO | _IN_CREATE

# Before Linux 6.5 a splice(2) into a file, which is how supd writes logs, raised no event.
_SILENT_SPLICE_S = 0.25


_EVENT = Struct("iIII")  # descriptor of the watch, mask, cookie, length of the name behind it
_Q_OVERFLOW = 0x00004000
_READ_BYTES = 65536


class Notifier:
    """Which of the watched paths changed. For an event loop: `fileno` becomes readable.

    Where the kernel does not tell of every change, `limit_s` says after how long one should look without being told.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self._descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot watch the log: inotify_init1: {os.strerror(number)}")
        self._paths: dict[int, str] = {}
        self.limit_s = None if _kernel() >= (6, 5) else _SILENT_SPLICE_S

    def fileno(self) -> int:
        return int(self._descriptor)

    def add(self, path: str) -> bool:
        """Watch a path (again: no harm); False when it is not there or may not be watched."""
        watch = self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), WATCHED)
        if watch < 0:
            return False
        self._paths[watch] = path
        return True

    def changed(self) -> set[str] | None:
        """The watched paths that changed since the last call, never waiting; None: perhaps any."""
        found: set[str] = set()
        is_sure = self.limit_s is None
        while True:
            try:
                raw = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                return found if is_sure else None
            place = 0
            while place < len(raw):
                watch, mask, _, length = _EVENT.unpack_from(raw, place)
                place += _EVENT.size + length
                is_sure = is_sure and not mask & _Q_OVERFLOW
                if watch in self._paths:
                    found.add(self._paths[watch])

    def close(self) -> None:
        os.close(self._descriptor)


class Watch(Notifier):
    """Wakes on any change of the watched paths. `wait` may return early or for nothing; the caller looks for himself."""

    def __init__(self) -> None:
        super().__init__()
        # A signal that comes between Python's last look and select(2) would else be noticed at the next change only: Ctrl-C must end us.
        self._signalled, self._waker = os.pipe2(_IN_NONBLOCK | _IN_CLOEXEC)
        try:
            self._former_waker = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        except ValueError:
            self._former_waker = -2  # not the main thread, to which signals go: nothing to be woken for

    def wait(self, limit_s: float | None = None) -> None:
        """Until something changed, at most `limit_s`."""
        limits = [limit for limit in (limit_s, self.limit_s) if limit is not None]
        readable, _, _ = select.select([self._descriptor, self._signalled], [], [], min(limits) if limits else None)
        if self._signalled in readable:
            os.read(self._signalled, 512)  # the handler itself runs, and raises, as soon as we are back in Python
        self.changed()

    def close(self) -> None:
        if self._former_waker != -2:
            signal.set_wakeup_fd(self._former_waker)
        for descriptor in (self._signalled, self._waker):
            os.close(descriptor)
        super().close()


def _kernel() -> tuple[int, int]:
    major, minor, *_ = (*os.uname().release.split("."), "0", "0")
    digits = "".join(character for character in minor if character.isdigit())
    return int(major), int(digits or 0)
