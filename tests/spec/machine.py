"""The machine under the engine, faked: processes, the keeper's table, notify sockets. It outlives every crash of the manager.

Laws:
- Nothing here asks the engine anything; a process acts by its script (`behaviour.Process`) and by the signals it gets, alone.
- A run is spawned once: a second spawn of a run raises `AssertionError`.
- Two living processes never share a pid, and pids are never used again.
"""

from dataclasses import dataclass, field

from supervisor.model.states import ExitCode, Phase
from tests.spec.behaviour import HARMLESS, SIGKILL, Process


@dataclass(slots=True)
class Living:
    """One process that exists. `run` is None for a process that the unit's own processes left behind."""

    pid: int
    unit: str
    run: int | None
    phase: Phase
    script: Process
    is_doomed: bool = False  # a death is already on its way


@dataclass(slots=True)
class Run:
    """One entry of the keeper's table."""

    unit: str
    phase: Phase
    pid: int = 0
    has_execed: bool = False
    spawn_failed: tuple[str, int, int] | None = None
    exited: tuple[ExitCode, int, bool] | None = None
    is_forgotten: bool = False


@dataclass(slots=True)
class Datagram:
    pid: int
    fields: dict[str, str]
    sequence: int = 0


@dataclass(slots=True)
class Machine:
    """Everything that a kill -9 of the manager leaves untouched."""

    living: dict[int, Living] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    remembered: dict[str, str] = field(default_factory=dict)
    sockets: dict[str, list[Datagram]] = field(default_factory=dict)
    reaped: list[tuple[str, int, ExitCode, int]] = field(default_factory=list)
    spawned_runs: set[int] = field(default_factory=set)
    made: list[str] = field(default_factory=list)  # the unit of every run that was spawned, in order
    next_pid: int = 1000

    def fork(self, unit: str, run: int | None, phase: Phase, script: Process) -> Living:
        process = Living(self.next_pid, unit, run, phase, script)
        self.next_pid += 1
        self.living[process.pid] = process
        return process

    def of_unit(self, unit: str) -> list[Living]:
        return [p for p in self.living.values() if p.unit == unit]

    def is_empty(self, unit: str) -> bool:
        return not any(p.unit == unit for p in self.living.values())

    def open_run(self, run: int, unit: str, phase: Phase) -> Run:
        assert run not in self.spawned_runs, f"run {run} of {unit} was spawned twice"
        self.spawned_runs.add(run)
        self.made.append(unit)
        self.runs[run] = Run(unit, phase)
        return self.runs[run]

    def forget(self, run: int) -> None:
        """Drop the run's entry, or as soon as its process is gone: nothing more is reported of it."""
        entry = self.runs.get(run)
        if entry is None:
            return
        entry.is_forgotten = True
        if entry.exited is not None or entry.pid not in self.living:
            del self.runs[run]

    def bury(self, process: Living, code: ExitCode, status: int) -> bool:
        """The process is gone; whether there is anybody to tell."""
        del self.living[process.pid]
        if process.run is None:
            self.reaped.append((process.unit, process.pid, code, status))
            return True
        entry = self.runs[process.run]
        entry.exited = (code, status, process.script.oom_killed)
        if entry.is_forgotten:
            del self.runs[process.run]
        return not entry.is_forgotten

    def remember(self, changed: dict[str, str]) -> None:
        """Store serialised states; an empty text forgets its key."""
        for key, text in changed.items():
            if text:
                self.remembered[key] = text
            else:
                self.remembered.pop(key, None)


def answer_to_signal(script: Process, signal: int) -> tuple[ExitCode, int] | None:
    """How a process of this script ends by `signal`, or None when it goes on."""
    if script.is_unkillable:
        return None
    if signal == SIGKILL:
        return ExitCode.KILLED, SIGKILL
    if signal in script.handles:
        return ExitCode.EXITED, script.handles[signal]
    if signal in script.survives or signal in HARMLESS or signal in script.says_on_signal:
        return None
    return ExitCode.KILLED, signal
