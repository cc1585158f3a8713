"""From the engine's wish for a process to the keeper's op, and back from the keeper's reports to events.

It keeps the book of runs: which unit, which invocation, which pid. It decides nothing about units. Invariants: what a process
needs (notify socket, log pipe, cgroup) exists and is the keeper's before the op that spawns it; before an exit is handed on,
the unit's notify socket is drained and its log pipe is moved (DESIGN, "Exit comes last").
"""

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from supervisor.daemon import stdio
from supervisor.daemon.aliens import Aliens
from supervisor.daemon.passing import Passing
from supervisor.daemon.prepare_error import PrepareError
from supervisor.keeper.messages import SpawnRequest
from supervisor.model import effects as fx
from supervisor.model import events as ev
from supervisor.model.specification import Execution, Unit
from supervisor.model.states import ExitCode, Phase

if TYPE_CHECKING:
    from supervisor.daemon.execprobes import ExecProbes
    from supervisor.daemon.shell import Shell

MARK_PREFIX = "mark:"  # remembered with the keeper: where the output of a unit's last start begins in its log
EMPTIED_WAIT_S = 5.0  # the keeper always reads
FORK_REPORT_WAIT_MS = 1_000  # the keeper reports a fork within milliseconds


@dataclass(slots=True)
class RunBook:
    """One run as the manager knows it."""

    unit: str
    invocation_id: str
    pid: int = 0
    request: SpawnRequest | None = None  # kept until the program runs, to say what could not be done
    usage: dict[str, int] | None = None
    end: tuple[str, int] | None = None  # code and status, once it has ended


class Spawning:
    def __init__(self, shell: "Shell") -> None:
        self._shell = shell
        self.runs: dict[int, RunBook] = {}
        self._prepared: dict[int, SpawnRequest] = {}
        self._stored: set[str] = set()
        self.aliens = Aliens(shell, self.drain)
        self.passing = Passing(shell)
        self._exec_probes: ExecProbes | None = None

    def attach_probes(self, exec_probes: "ExecProbes") -> None:
        """Whose runs are not the engine's, once there is a loop."""
        self._exec_probes = exec_probes

    # -- before the spawn ------------------------------------------------------------------------------------------

    def prepare(self, effect: fx.Prepare) -> None:
        """Do what blocks, in a thread unless nothing does; answered by Prepared or PrepareFailed."""
        shell = self._shell
        unit = shell.engine.core.specs[effect.unit]
        self.runs[effect.run] = RunBook(effect.unit, effect.invocation_id)
        assert unit.service is not None and unit.execution is not None
        try:
            if not self._is_known(unit, unit.execution) and not shell.link.has_room_here():
                raise OSError(errno.EMFILE, f"{os.strerror(errno.EMFILE)} in the manager; raise supd's limit (ulimit -n)")
            if unit.service.notify_access != "none" and shell.notify is not None:
                shell.notify.open(unit.id)
            self._open_logs(unit, unit.execution, effect.invocation_id)
            if effect.phase == Phase.START and any(probe.kind == "log" for probe in unit.service.probes):
                self._mark(unit.id)
        except OSError as error:
            shell.post(ev.PrepareFailed(unit.id, effect.run, "fork", 1, f"cannot open its notify socket or log pipe: {error}"))
            return
        descriptors = self.passing.lend(effect)
        if shell.preparer.is_immediate(unit):
            result: SpawnRequest | None = None
            raised: BaseException | None = None
            try:
                result = shell.preparer.prepare(effect, unit, descriptors)
            except (PrepareError, OSError, ValueError) as error:
                raised = error
            self._on_prepared(effect, result, raised)
        else:
            shell.workers.submit(
                lambda: shell.preparer.prepare(effect, unit, descriptors), lambda result, error: self._on_prepared(effect, result, error)
            )

    def _open_logs(self, unit: Unit, execution: Execution, invocation_id: str) -> None:
        for stream in stdio.streams(unit.id, execution):
            self._configure(stream)
            self._shell.pump.open_pipe(stream)
        self._shell.pump.begin_run(unit.id, invocation_id)

    def _is_known(self, unit: Unit, execution: Execution) -> bool:
        """Whether a run before this one has opened what this one needs."""
        return all(self._shell.pump.has_pipe(stream) for stream in stdio.streams(unit.id, execution))

    def _configure(self, stream: str) -> None:
        """The stream is kept as [log] of the unit whose it is says."""
        owner = stream.partition("/")[0]
        if (spec := self._shell.engine.core.specs.get(owner)) is not None:
            self._shell.pump.configure(owner, spec.log)

    def _streams(self, unit: str) -> list[str]:
        """The streams that the unit's processes write to, as far as is known."""
        spec = self._shell.engine.core.specs.get(unit)
        return stdio.streams(unit, spec.execution) if spec is not None and spec.execution is not None else [unit]

    def _mark(self, unit: str) -> None:
        """Lines from here on are of the new run; remembered, so that a log probe of another manager begins there too."""
        for stream in (unit, unit + stdio.STDERR):
            if (position := self._shell.pump.mark(stream)) is not None:
                self._shell.link.send({MARK_PREFIX + stream: f"{position[0]} {position[1]}"}, [])

    def _on_prepared(self, effect: fx.Prepare, result: SpawnRequest | None, error: BaseException | None) -> None:
        if isinstance(error, PrepareError):
            self._shell.post(ev.PrepareFailed(effect.unit, effect.run, error.step.lower(), error.exit_status, str(error)))
        elif error is not None:
            text = f"cannot prepare its {effect.phase} command: {error}"
            self._shell.post(ev.PrepareFailed(effect.unit, effect.run, "environment", 1, text))
        elif effect.run in self.runs and result is not None:
            self._prepared[effect.run] = result
            self._shell.post(ev.Prepared(effect.unit, effect.run))

    def add_spawn(self, effect: fx.Spawn, ops: list[Any], descriptors: list[int]) -> None:
        """Add the ops that spawn a prepared run to a batch."""
        shell = self._shell
        request = self._prepared.pop(effect.run)
        needed = self._needed(effect.unit)
        if needed and not shell.link.has_room_for(len(descriptors) + len(needed)):
            text = f"its log and notify socket cannot be kept: {os.strerror(errno.EMFILE)} in the keeper; raise supd's limit (ulimit -n)"
            shell.post(ev.SpawnFailed(effect.unit, effect.run, "fork", errno.EMFILE, 1, text))
            return
        try:
            request.cgroup = shell.processes.cgroup_of(effect.unit)
            request.is_born_in_cgroup = shell.processes.may_be_born_into(effect.unit)
            if request.phase == Phase.START:
                request.placed = self.passing.place(effect.unit, ops, descriptors)
        except OSError as error:
            text = f"cannot make its cgroup or its ready pipe: {error}"
            shell.post(ev.SpawnFailed(effect.unit, effect.run, "CGROUP", error.errno or 0, 219, text))
            return
        for name, descriptor in needed:
            ops.append(["store", name, False])
            descriptors.append(descriptor)
            self._stored.add(name)
        if (book := self.runs.get(effect.run)) is not None:
            book.request = request
        ops.append(["spawn", request])
        ops += self.passing.store.give_back(effect.run)

    def _needed(self, unit: str) -> list[tuple[str, int]]:
        """Descriptors of the unit that the keeper does not hold yet."""
        found = []
        pump, notify = self._shell.pump, self._shell.notify
        for stream in self._streams(unit):
            if (name := f"log:{stream}") not in self._stored and pump.has_pipe(stream):
                found.append((name, pump.open_pipe(stream)))
        if (name := f"notify:{unit}") not in self._stored and notify is not None and notify.path_of(unit) is not None:
            found.append((name, notify.open(unit)))
        return found

    def store_now(self, unit: str) -> None:
        """Hand over what the keeper does not hold yet, without a spawn."""
        for name, descriptor in self._needed(unit):
            self._shell.link.send({}, [["store", name, False]], [descriptor])
            self._stored.add(name)

    def adopt(self, stored: dict[str, int]) -> None:
        """Take over what the keeper held while there was no manager."""
        for name, descriptor in stored.items():
            kind, _, unit = name.partition(":")
            if kind == "log":
                self._configure(unit)  # which names a stream here
                self._shell.pump.adopt(unit, descriptor, self._marked(unit))
            elif kind == "notify" and self._shell.notify is not None:
                self._shell.notify.adopt(unit, descriptor)
            else:
                self.passing.adopt(name, descriptor)
                continue
            self._stored.add(name)
        # Asked before what the pipes hold is moved, for that came later.
        emptied = self._shell.link.ask(["pumping"], "emptied", EMPTIED_WAIT_S)
        if emptied is not None and emptied[1]:
            self._on_emptied(emptied[1])
        self.passing.settle_all()

    def _marked(self, unit: str) -> tuple[int, int] | None:
        text: str = self._shell.link.table["remembered"].get(MARK_PREFIX + unit, "")
        sequence, _, offset = text.partition(" ")
        return (int(sequence), int(offset)) if offset else None

    def forget(self, effect: fx.Forget, ops: list[Any]) -> None:
        """The books of a run are closed. One that is given up while it lives is its unit's process like any other from now on."""
        self._shell.processes.note_exited(effect.unit, effect.run)
        self._prepared.pop(effect.run, None)
        self.runs.pop(effect.run, None)
        ops += self.passing.store.give_back(effect.run)
        ops.append(["forget", effect.run])

    # -- the keeper's reports --------------------------------------------------------------------------------------

    def on_report(self, report: list[Any]) -> None:
        """Turn one report into an event."""
        kind = report[0]
        if kind == "signaled":
            self._on_signal(report[1])
        elif kind == "echo":
            self._shell.on_echo(report[1])
        elif kind == "reexec_failed":
            self._shell.on_reexec_failed(report[1])
        elif kind == "emptied":
            self._on_emptied(report[1])
        elif kind == "reaped":
            self.aliens.on_reaped(*report[1:])
        elif (book := self.runs.get(report[1])) is not None:
            self._on_run(kind, report, book)
        elif self._exec_probes is None or not self._exec_probes.on_report(report):
            self._shell.link.send({}, [["forget", report[1]]])

    def _on_emptied(self, counts: dict[str, int]) -> None:
        """Nobody pumped for so long that the keeper had to make room: told in the logs, then the keeper may forget it."""
        for name, count in counts.items():
            self._shell.pump.note_lost(name.removeprefix("log:"), count, "no manager could be started, and the pipe was full")
        self._shell.link.send({}, [["told_emptied", counts]])

    def _on_run(self, kind: str, report: list[Any], book: RunBook) -> None:
        shell, run, unit = self._shell, report[1], book.unit
        if kind == "forked":
            book.pid = report[2]
            shell.processes.note_started(unit, run, book.pid, report[3], book.invocation_id)
            shell.post(ev.Forked(unit, run, book.pid))
        elif kind == "execed":
            book.request = None
            shell.post(ev.Execed(unit, run))
        elif kind == "spawn_failed":
            step, number, exit_status = report[2], report[3], report[4]
            book.end = (ExitCode.EXITED, exit_status)
            shell.post(ev.SpawnFailed(unit, run, step.lower(), number, exit_status, _spawn_text(step, number, exit_status, book.request)))
            shell.processes.note_exited(unit, run)
        elif kind == "exited":
            if not self.drain(unit):
                # Read while one of its datagrams is being handled (`learn_forks`): what that says comes before this end.
                shell.reactor.call_later_us(0, lambda: self.on_report(report))
                return
            book.usage, book.end = report[4], (report[2], report[3])
            shell.post(ev.Exited(unit, run, ExitCode(report[2]), report[3]))
            shell.processes.note_exited(unit, run)

    def drain(self, unit: str) -> bool:
        """Everything a process said before it ended is heard before its end is; False while that cannot be (`NotifySockets.drain`)."""
        if self._shell.notify is not None and not self._shell.notify.drain(unit):
            return False
        for name in dict.fromkeys((unit, *(stream.partition("/")[0] for stream in self._streams(unit)))):
            self._shell.pump.drain(name)
        return True

    def _on_signal(self, number: int) -> None:
        if number == 1:
            self._shell.on_hangup()
        else:
            self._shell.post(ev.ShutdownRequested(by="SIGTERM" if number == 15 else "SIGINT"))

    # -- notifications ---------------------------------------------------------------------------------------------

    def on_notified(self, event: ev.Notified, descriptors: list[int]) -> None:
        """A datagram that belongs to the unit: handled, committed, and only then consumed."""
        # First, for NOTIFYACCESS= in the same datagram is about those that follow; a replay finds duplicates and stores nothing.
        self.passing.on_notified(event, descriptors)
        self._shell.take(event)
        self._shell.finish()
        self.aliens.watch(event.unit)

    def learn_forks(self, unit: str) -> None:
        """A child may speak before the report of its fork was read: read that first, or nobody would know who speaks."""
        import select

        self._shell.finish()
        state = self._shell.engine.core.states.get(unit)
        while state is not None and any(p is not None and p.stage == "spawning" for p in (state.main, state.control)):
            poll = select.poll()
            poll.register(self._shell.link.fileno(), select.POLLIN)
            if not poll.poll(FORK_REPORT_WAIT_MS):
                return
            self._shell.read_link()
            self._shell.finish()

    # -- questions of the engine -----------------------------------------------------------------------------------

    def check_conditions(self, effect: fx.CheckConditions) -> None:
        unit = self._shell.engine.core.specs[effect.unit]
        self._shell.workers.submit(
            lambda: self._shell.preparer.check_conditions(unit),
            lambda result, error: self._shell.post(
                ev.ConditionsChecked(effect.unit, effect.check, *result)
                if error is None
                else ev.ConditionsChecked(effect.unit, effect.check, False, True, f"(cannot be evaluated: {error})")
            ),
        )

    def read_pid_file(self, effect: fx.ReadPidFile) -> None:
        """Find the main process of a forking service; with `waits`, look again whenever the file's directory changes."""
        from supervisor.daemon.pidfiles import find

        find(self._shell, effect, self._on_pid_file)

    def _on_pid_file(self, event: ev.PidFileRead) -> None:
        self._shell.take(event)
        self.aliens.watch(event.unit)

    # -- after -----------------------------------------------------------------------------------------------------

    def only_forgets(self, effect: fx.Release) -> bool:
        """Whether `release` changes nothing outside this process: the unit comes back at once, and its last run left nothing to clear."""
        unit = self._shell.engine.core.specs.get(effect.unit)
        is_clear = unit is None or not self._shell.preparer.has_leftovers(unit)
        return effect.will_restart and is_clear and not self.passing.holds_any(effect.unit)

    def release(self, effect: fx.Release) -> None:
        """The unit is down: what was made for its processes goes."""
        shell, name = self._shell, effect.unit
        shell.processes.release(name, effect.will_restart)
        self.passing.release(name)
        unit = shell.engine.core.specs.get(name)
        if unit is not None and shell.preparer.has_leftovers(unit):
            # Begun here, so that a start that follows at once waits for the end of it and keeps its new directories.
            work = shell.preparer.begin_release(unit, effect.will_restart)
            shell.workers.submit(work, lambda found, error: self._tell(name, found, error))
        if not effect.will_restart and shell.notify is not None and shell.notify.path_of(name) is not None:
            shell.notify.close(name)
            if f"notify:{name}" in self._stored:
                self._stored.discard(f"notify:{name}")
                shell.link.send({}, [["drop", f"notify:{name}"]])

    def _tell(self, unit: str, troubles: list[str] | None, error: BaseException | None) -> None:
        for text in [*(troubles or ()), *([f"cannot clear away after {unit}: {error}"] if error else ())]:
            self._shell.on_record(fx.Record(unit, "definition", text))


def _spawn_text(step: str, number: int, exit_status: int, request: SpawnRequest | None) -> str:
    """What could not be done on the way to the program, by name, why, and systemd's name for it."""
    stdin, stdout, stderr = (request.stdin, request.stdout, request.stderr) if request else (None, None, None)
    verb = {
        "EXEC": f"cannot execute {request.path}" if request else "cannot execute its program",
        "CHDIR": f"cannot enter its working directory {request.working_directory}" if request else "cannot enter its working directory",
        "USER": f"cannot become uid {request.uid}" if request else "cannot become its user",
        "GROUP": f"cannot set gid {request.gid} and its groups" if request else "cannot set its groups",
        "CGROUP": f"cannot join its cgroup {request.cgroup}" if request else "cannot join its cgroup",
        "LIMITS": "cannot set its limits",
        "STDIN": f"cannot open its standard input{_file_named(stdin)}",
        "STDOUT": f"cannot open its standard output{_file_named(stdout)}",
        "STDERR": f"cannot open its standard error{_file_named(stderr)}",
        "FORK": "cannot fork a process for it",
    }.get(step.upper(), f"cannot do the step {step}")
    return f"{verb}: {os.strerror(number)} (step {step.upper()}, status {exit_status}/{step.upper()})"


def _file_named(standard: list[Any] | None) -> str:
    """The file that a standard descriptor was to be, if it was one."""
    return f" {standard[1]}" if standard and standard[0] == "open" else ""
