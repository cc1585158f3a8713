"""A program in a pseudo-terminal, watched from outside: what it paints, how fast it answers a key, what it costs.

CPU is the process's own, as percent of one core. A key's time is from the bytes written until the awaited text came out.
"""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence

_SCHEDULED = 2  # the low bits of a process's CPU clock, as clock_getcpuclockid(3) makes them
_READ_BYTES = 1 << 16
_INSTALLED = {"PYTHONDONTWRITEBYTECODE": ""}  # an installed program has its bytecode; the first of several starts makes it


class Terminal:
    """`argv` in a pty of this size. `limit_bytes_s`: the line takes no more than so many bytes a second. A context."""

    def __init__(
        self,
        argv: Sequence[str],
        columns: int = 160,
        rows: int = 48,
        environ: Mapping[str, str] | None = None,
        limit_bytes_s: float | None = None,
    ) -> None:
        self.total_bytes = 0
        self._limit_bytes_s = limit_bytes_s
        self._recent = b""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            settings = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", **_INSTALLED, **(environ or {})}
            os.execvpe(argv[0], list(argv), {**os.environ, **settings})
        self.started_s = time.monotonic()
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        os.close(self._fd)
        os.waitpid(self.pid, 0)

    def read(self, seconds: float) -> int:
        """Take what comes for so long; how many bytes that was."""
        before = self.total_bytes
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._take(left_s)
        return self.total_bytes - before

    def until(self, text: str, limit_s: float = 30.0, since: int | None = None) -> float:
        """Take what comes until this text was in it (after byte `since` of all); the seconds that took. Raises TimeoutError."""
        wanted, begin_s = text.encode(), time.monotonic()
        if since is None:
            since = self.total_bytes
        while wanted not in self._recent[max(0, len(self._recent) - (self.total_bytes - since)) :]:
            if time.monotonic() - begin_s > limit_s:
                raise TimeoutError(f"{text!r} never came; last: {self._recent[-300:]!r}")
            self._take(0.01)
        return time.monotonic() - begin_s

    def key(self, keys: str, text: str, limit_s: float = 30.0) -> float:
        """Press keys; the seconds until this text was painted."""
        since = self.total_bytes
        os.write(self._fd, keys.encode())
        return self.until(text, limit_s, since)

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def cpu_s(self) -> float:
        """CPU seconds of the process until now, all threads, to the nanosecond (/proc counts in ticks of ten milliseconds)."""
        return time.clock_gettime(~self.pid << 3 | _SCHEDULED)

    def rss_mb(self) -> float:
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def _take(self, limit_s: float) -> None:
        if not select.select([self._fd], [], [], limit_s)[0]:
            return
        size = _READ_BYTES if self._limit_bytes_s is None else max(1, int(self._limit_bytes_s / 100))
        try:
            piece = os.read(self._fd, size)
        except OSError:  # the program ended
            raise TimeoutError(f"the program ended; last: {self._recent[-2000:]!r}") from None
        self.total_bytes += len(piece)
        self._recent = (self._recent + piece)[-1_000_000:]
        if self._limit_bytes_s is not None:
            time.sleep(len(piece) / self._limit_bytes_s)
