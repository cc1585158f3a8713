"""Main processes that never had a run: named by a PID file or by MAINPID=. How their ends become known.

A child of the keeper (an orphan that came to it) is reaped by the keeper, which tells each stranger's end until it is acknowledged; the
last ones are remembered, for a main process that is learned of only after its end. Of any other the pidfd tells that it ended, and /proc
how, while its parent has not reaped it; else nobody can say.

Never: decides what an end means. That is the engine's.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from supervisor.daemon.proctable import end_of
from supervisor.model import events as ev
from supervisor.model.states import ExitCode

if TYPE_CHECKING:
    from supervisor.daemon.shell import Shell

REAPED_MAX = 1024  # strangers' ends kept for a main process that is learned late


class Aliens:
    """One per manager. `drain(unit)` takes in what the unit's processes said before they ended."""

    def __init__(self, shell: "Shell", drain: Callable[[str], bool]) -> None:
        self._shell = shell
        self._drain = drain
        self._reaped: OrderedDict[int, tuple[ExitCode, int]] = OrderedDict()
        self._watched: dict[int, tuple[str, int]] = {}  # pidfd -> unit, pid

    def on_reaped(self, seq: int, pid: int, start_time_ticks: int, code: str, status: int) -> None:
        """The keeper reaped a stranger."""
        self._reaped[pid] = (ExitCode(code), status)
        if len(self._reaped) > REAPED_MAX:
            self._reaped.popitem(last=False)
        self._shell.link.send({}, [["ack", seq]])
        for state in self._shell.engine.core.states.values():
            if state.main is not None and state.main.is_alien and state.main.pid == pid:
                self._tell(state.name, pid, ExitCode(code), status)

    def watch(self, unit: str) -> None:
        """Look whether the unit has such a main process now; from now on its end is told."""
        state = self._shell.engine.core.states.get(unit)
        if state is None or state.main is None or not state.main.is_alien:
            return
        pid = state.main.pid
        if pid in self._reaped:
            code, status = self._reaped.pop(pid)
            self._tell(unit, pid, code, status)
        elif not any(known == (unit, pid) for known in self._watched.values()):
            if self._shell.processes.is_child_of_keeper(pid):
                return
            try:
                pidfd = os.pidfd_open(pid)
            except OSError:
                self._tell(unit, pid, ExitCode.UNKNOWN, 0)
                return
            self._watched[pidfd] = (unit, pid)
            self._shell.reactor.add_reader(pidfd, lambda: self._on_ended(pidfd))

    def _on_ended(self, pidfd: int) -> None:
        unit, pid = self._watched.pop(pidfd)
        self._shell.reactor.remove_reader(pidfd)
        os.close(pidfd)
        status = end_of(pid)
        if status is not None and not self._shell.processes.is_child_of_keeper(pid):
            self._tell(unit, pid, *_decoded(status))
        else:  # orphaned meanwhile, so that the keeper tells how it ended; or taken note of by its parent alone
            self._shell.after_keeper(lambda: self._on_unseen(unit, pid))

    def _on_unseen(self, unit: str, pid: int) -> None:
        """The keeper has said all it knew when the process was gone: if it did not reap it, nobody can tell how it ended."""
        if pid not in self._reaped and not self._shell.processes.is_child_of_keeper(pid):
            self._tell(unit, pid, ExitCode.UNKNOWN, 0)

    def _tell(self, unit: str, pid: int, code: ExitCode, status: int) -> None:
        self._drain(unit)
        self._shell.post(ev.AlienExited(unit, pid, code, status))


def _decoded(status: int) -> tuple[ExitCode, int]:
    """A status of wait(2) in the words of the keeper's reports."""
    if os.WIFEXITED(status):
        return ExitCode.EXITED, os.WEXITSTATUS(status)
    return ExitCode.DUMPED if os.WCOREDUMP(status) else ExitCode.KILLED, os.WTERMSIG(status)
