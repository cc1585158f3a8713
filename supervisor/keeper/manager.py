"""The manager's process: started, and started again. It decides how long to wait before, never whether.

Back-off: the first death is answered at once, then 0.1 s doubling to 5 s; two seconds of life make it forget. This module
is imported before the first manager exists, so it imports nothing that manager would have to wait for: `_socket` and
not `socket`, which (with selectors and enum) would delay every boot by milliseconds; the same goes for typing.
"""

import _signal  # type: ignore[import-not-found]  # as in main: signal.py costs too much here
import _socket
import os
import resource
import sys
import time

PACKAGE = "supervisor.daemon"
ENVIRONMENT_VARIABLE = "SUPD_KEEPER_FDS"  # as in messages, which is not loaded yet when the first manager starts
FIRST_TABLE = b'{"remembered":{},"runs":{},"stored":[],"reaped":[],"starts":1,"keeper_pid":%d,"nofile_soft":%d}'

DELAY_FIRST_S = 0.1
DELAY_MAX_S = 5.0
GOOD_LIFE_S = 2.0
RESERVED = 3  # what a start opens: the table and both ends of the link


def command(arguments: list[str]) -> list[str]:
    """The manager's command line: this interpreter, and the very package this keeper was loaded from.

    -P keeps a directory `supervisor` in the working directory from being taken for ours; it is left out only when this
    keeper itself was found through the working directory (`python -m supervisor.keeper` in a checkout).
    """
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    flags = ["-I"] if sys.flags.isolated else []
    if not flags and not (sys.path and sys.path[0] == root == os.getcwd()):
        flags = ["-P"]
    return [sys.executable or "/proc/self/exe", *flags, "-m", PACKAGE, *arguments]


class Manager:
    """The one manager: its pid and the keeper's end of its link while it lives, and how it fared before."""

    def __init__(self, argv: list[str], nofile: tuple[int, int] | None = None, starts: int = 0) -> None:
        self._argv = argv
        self.pid = 0  # 0: there is none
        self.link: _socket.socket | None = None
        self.nofile = nofile or resource.getrlimit(resource.RLIMIT_NOFILE)  # as supd was started with
        self.starts = starts
        self._started_s = 0.0
        self._quick_deaths = 0
        self._reserve: list[int] = []  # descriptors given up for a moment: a keeper that has no other can still start a manager
        self._fill_reserve()

    def _fill_reserve(self) -> None:
        try:
            while len(self._reserve) < RESERVED:
                self._reserve.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            pass  # there are none: the next start tries with what it has

    def start_first(self) -> None:
        """Start with the empty table, before anything else is even imported."""
        self.start(FIRST_TABLE % (os.getpid(), self.nofile[0]), [])

    def start(self, table: bytes, inherited: list[int]) -> None:
        """Fork and exec a manager that inherits the link, the table and these descriptors. Raises OSError when that cannot be."""
        while self._reserve:
            os.close(self._reserve.pop())
        try:
            self._start(table, inherited)
        finally:
            self._fill_reserve()

    def _start(self, table: bytes, inherited: list[int]) -> None:
        table_fd = os.memfd_create("supd-table")
        try:
            view = memoryview(table)
            while view:
                view = view[os.write(table_fd, view) :]
            ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
            try:
                ours.setblocking(False)
                pid = os.fork()
                if pid == 0:
                    self._become(theirs.fileno(), table_fd, inherited)
            except BaseException:
                ours.close()
                raise
            finally:
                theirs.close()
        finally:
            os.close(table_fd)
        self.pid, self.link = pid, ours
        self.starts += 1
        self._started_s = time.monotonic()

    def _become(self, link_fd: int, table_fd: int, inherited: list[int]) -> None:
        try:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
            os.setsid()
            for descriptor in (link_fd, table_fd, *inherited):
                os.set_inheritable(descriptor, True)
            resource.setrlimit(resource.RLIMIT_NOFILE, self.nofile)
            os.execve(self._argv[0], self._argv, os.environ | {ENVIRONMENT_VARIABLE: f"{link_fd},{table_fd}"})
        except BaseException as error:
            os.write(2, f"supd: cannot run the manager {self._argv[0]}: {error}\n".encode("utf-8", "replace"))
        finally:
            os._exit(127)

    def delay_after_death_s(self) -> float:
        """Count a death and say how long to wait before the next start."""
        if time.monotonic() - self._started_s >= GOOD_LIFE_S:
            self._quick_deaths = 0
        self._quick_deaths += 1
        if self._quick_deaths == 1:
            return 0.0
        return min(DELAY_FIRST_S * 2.0 ** min(self._quick_deaths - 2, 16), DELAY_MAX_S)
