"""The main process of a forking service: by its PID file as far as it may be believed, or by guess (systemd.service(5), PIDFile=).

While somebody waits for the file it is read again ten times a second: a unit that is starting is not idle, and the file may lie
where nothing can be watched. The guess is systemd's: the one process of
the unit that the keeper has inherited; with several, or none, nobody can tell.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from supervisor.daemon import pidfile
from supervisor.model.effects import ReadPidFile
from supervisor.model.events import PidFileRead

if TYPE_CHECKING:
    from supervisor.daemon.shell import Shell

_RETRY_US = 100_000  # a file that is there but not yet believable (empty, being written): asked again while its unit starts

Answer = Callable[[PidFileRead], object]


def find(shell: "Shell", effect: ReadPidFile, answer: Answer) -> None:
    """Answer with PidFileRead, now or (with `waits`) once the file can be believed."""
    if effect.path:
        _Search(shell, effect, answer).look()
    else:
        answer(guess(shell, effect))


def guess(shell: "Shell", effect: ReadPidFile) -> PidFileRead:
    """The unit's only process that is a child of the keeper."""
    heirs = [p.pid for p in shell.processes.members(effect.unit) if shell.processes.is_child_of_keeper(p.pid)]
    if len(heirs) == 1:
        return PidFileRead(effect.unit, effect.token, heirs[0])
    text = "its main process cannot be guessed: " + (f"{len(heirs)} processes are left" if heirs else "no process is left")
    return PidFileRead(effect.unit, effect.token, 0, text=text)


class _Search:
    """One question about one PID file."""

    def __init__(self, shell: "Shell", effect: ReadPidFile, answer: Answer) -> None:
        self._shell = shell
        self._effect = effect
        self._answer = answer

    def look(self) -> None:
        shell, effect = self._shell, self._effect
        state, spec = shell.engine.core.states.get(effect.unit), shell.engine.core.specs.get(effect.unit)
        if state is None or spec is None or spec.service is None or state.pid_file_token != effect.token:
            return  # nobody waits for the answer any more
        path = shell.preparer.pid_file_path(spec.service)
        try:
            pid = pidfile.read(
                path,
                lambda pid: shell.processes.owner_of(pid) == effect.unit,
                (os.getpid(), shell.link.table["keeper_pid"]),
                os.geteuid(),
            )
        except pidfile.PidFileError as error:
            if effect.waits:
                shell.reactor.call_later_us(_RETRY_US, self.look)
            else:
                self._answer(PidFileRead(effect.unit, effect.token, 0, text=str(error)))
            return
        is_child = shell.processes.is_child_of_keeper(pid)
        self._answer(PidFileRead(effect.unit, effect.token, pid, is_child))
