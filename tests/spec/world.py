"""A world in virtual time for the engine, with the words a test uses.

    world = World(unit("a", restart="always"))
    world.behave("a", exits(1, after_us=5 * SECOND))
    world.start("a")
    world.advance(5 * SECOND)
    assert world.sub("a") == "auto-restart"

Time moves only in `advance` and `quiesce`. Every verb lets happen what needs no time, so that a test reads as a sequence of statements.
"""

from typing import Any

from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.specification import Unit
from supervisor.model.states import ExitCode, JobMode, JobType, Phase
from tests.spec.behaviour import Process
from tests.spec.machine import Living
from tests.spec.shell import BOOT_MONO_US, Shell

EVENTS_AT_ONE_INSTANT_MAX = 20_000  # beyond this a world is turning in circles


class World(Shell):
    """A shell that a test drives by hand."""

    _requests = 0

    # What a test does ------------------------------------------------------------------------------------------------

    def behave(self, unit: str, *scripts: Process, phase: Phase = Phase.START) -> None:
        """The next spawns of this phase follow these scripts; the last one stays in force."""
        self.scripts[unit, phase] = list(scripts)

    def request(self, type_: JobType | str, unit: str, mode: JobMode | str = JobMode.REPLACE, is_manual: bool = True) -> do.Answer:
        """Ask for a job and let everything happen that needs no time."""
        self._requests += 1
        request = self._requests
        self.step(ev.JobRequested(request, JobType(type_), unit, JobMode(mode), by="a test", is_manual=is_manual))
        self.settle()
        return self.answers[request]

    def start(self, unit: str, **keys: Any) -> do.Answer:
        return self.request(JobType.START, unit, **keys)

    def stop(self, unit: str, **keys: Any) -> do.Answer:
        return self.request(JobType.STOP, unit, **keys)

    def restart(self, unit: str, **keys: Any) -> do.Answer:
        return self.request(JobType.RESTART, unit, **keys)

    def reload(self, unit: str, **keys: Any) -> do.Answer:
        return self.request(JobType.RELOAD, unit, **keys)

    def reset_failed(self, unit: str) -> None:
        self._requests += 1
        self.step(ev.FailureReset(self._requests, unit))
        self.settle()

    def kill(self, unit: str, signal: int, whom: str = "all") -> do.Answer:
        """`supctl kill`."""
        self._requests += 1
        request = self._requests
        self.step(ev.KillRequested(request, unit, signal, whom, by="a test"))
        self.settle()
        return self.answers[request]

    def cancel(self, job: int) -> do.Answer:
        """`supctl cancel`."""
        self._requests += 1
        request = self._requests
        self.step(ev.JobCancelRequested(request, job, by="a test"))
        self.settle()
        return self.answers[request]

    def boot(self, target: str = "") -> None:
        self.step(ev.Booted(target))
        self.settle()

    def shutdown(self, exit_status: int = 0) -> None:
        self.step(ev.ShutdownRequested(by="a test", exit_status=exit_status))
        self.settle()

    def load(self, *units: Unit) -> None:
        """Replace the whole set of definitions (daemon-reload)."""
        self.units = {u.id: u for u in units}
        self.step(ev.UnitsLoaded(dict(self.units)))
        self.settle()

    def notify(self, unit: str, pid: int | None = None, **fields: str) -> None:
        """A datagram from the unit's main process, or from `pid`."""
        self._send(unit, self.show(unit)["main_pid"] if pid is None else pid, fields)
        self.settle()

    def signal(self, unit: str, signal: int) -> None:
        """A signal from outside to the main process (kill(1))."""
        self._strike(self.machine.living[self.show(unit)["main_pid"]], signal)
        self.settle()

    def pid_file_comes(self, unit: str) -> None:
        """The PID file that was not there (`main_pid_is_unknown`) is written."""
        self.main_pid_is_unknown.discard(unit)
        if (asked := self._pid_files_awaited.pop(unit, None)) is not None:
            self._read_pid_file(asked)
        self.settle()

    def end(self, pid: int, code: ExitCode, status: int) -> None:
        """A process ends in this way by itself."""
        self._die(self.machine.living[pid], code, status)
        self.settle()

    def advance(self, span_us: int) -> None:
        """Let time pass: everything due in the span happens at its own moment."""
        end_us = self.now_us + span_us
        while True:
            self.settle()
            upcoming_us = self.next_moment()
            if upcoming_us is None or upcoming_us > end_us:
                break
            self.now_us = max(self.now_us, upcoming_us)
        self.now_us = end_us

    def settle(self) -> None:
        """Let everything happen that is due now."""
        for _ in range(EVENTS_AT_ONE_INSTANT_MAX):
            if self.run_one_due():
                continue
            deadline_us = self.engine.next_deadline()
            if deadline_us is None or deadline_us > self.now_us:
                return
            self.step(ev.DeadlineReached())
        raise AssertionError(f"the world does not come to rest at {self.now_us} us; the last events: {self.history[-8:]}")

    def quiesce(self, limit_us: int) -> None:
        """Advance until nothing is due any more, or for `limit_us`."""
        end_us = self.now_us + limit_us
        while (upcoming_us := self.next_moment()) is not None and upcoming_us <= end_us:
            self.advance(max(upcoming_us - self.now_us, 0))

    # What may go unanswered when the manager dies on the way ----------------------------------------------------------

    def ask(self, type_: JobType, unit: str, mode: JobMode) -> None:
        """As `request`, for a client that does not insist on an answer."""
        self._requests += 1
        self.step(ev.JobRequested(self._requests, type_, unit, mode, by="a test"))
        self.settle()

    def ask_to_cancel(self, job: int) -> None:
        self._requests += 1
        self.step(ev.JobCancelRequested(self._requests, job, by="a test"))
        self.settle()

    def ask_to_kill(self, unit: str, signal: int, whom: str) -> None:
        self._requests += 1
        self.step(ev.KillRequested(self._requests, unit, signal, whom, by="a test"))
        self.settle()

    def send(self, unit: str, pid: int, fields: dict[str, str]) -> None:
        """A datagram from any process."""
        self._send(unit, pid, fields)
        self.settle()

    def strike(self, pid: int, signal: int) -> None:
        """A signal from outside to any process."""
        self._strike(self.machine.living[pid], signal)
        self.settle()

    # What a test sees ------------------------------------------------------------------------------------------------

    def show(self, unit: str) -> dict[str, Any]:
        return dict(self.engine.show(unit))

    def active(self, unit: str) -> str:
        return str(self.show(unit)["active_state"])

    def sub(self, unit: str) -> str:
        return str(self.show(unit)["sub_state"])

    def result(self, unit: str) -> str:
        return str(self.show(unit)["result"])

    def state(self, unit: str) -> tuple[str, str, str]:
        """(active state, sub state, result)"""
        return self.active(unit), self.sub(unit), self.result(unit)

    def job_result(self, answer: do.Answer) -> str | None:
        """How the job of an answer ended; None while it runs."""
        finished = self.finished.get(answer.job)
        return str(finished.result) if finished else None

    def job(self, unit: str) -> str | None:
        """The type of the job that is queued for the unit, or None."""
        found = [str(job["type"]) for job in self.engine.list_jobs() if job["unit"] == unit]
        return found[0] if found else None

    def starts(self, unit: str) -> int:
        """How many main processes (or oneshot commands) were prepared for the unit."""
        return self.spawns(unit).count("start")

    def machine_starts(self, unit: str) -> int:
        """How many processes the keeper has really made for the unit."""
        return self.machine.made.count(unit)

    def spawns(self, unit: str) -> list[str]:
        """The phases of all processes made for the unit so far, in order."""
        return [str(effect.phase) for _, effect in self.history if isinstance(effect, do.Prepare) and effect.unit == unit]

    def programs(self, *units: str) -> list[str]:
        """argv[0] of all processes prepared so far, in order, of these units (of all if none)."""
        return [e.command.argv[0] for _, e in self.history if isinstance(e, do.Prepare) and (not units or e.unit in units)]

    def environment(self, unit: str, phase: Phase) -> dict[str, str]:
        """The engine's variables of the last preparation of this phase."""
        found = [e for _, e in self.history if isinstance(e, do.Prepare) and e.unit == unit and e.phase == phase]
        return dict(found[-1].environment)

    def kills(self, unit: str) -> list[tuple[int, str]]:
        """(signal, whom) of all signals ordered so far."""
        return [(effect.signal, effect.whom) for _, effect in self.history if isinstance(effect, do.Kill) and effect.unit == unit]

    @property
    def has_left(self) -> bool:
        """Whether supd was told to leave."""
        return self.left is not None

    def processes(self, unit: str) -> list[Living]:
        return self.machine.of_unit(unit)

    def moments(self, kind: type, unit: str) -> list[int]:
        """When events or effects of this kind befell the unit, in microseconds since the world began."""
        return [when - BOOT_MONO_US for when, thing in self.history if isinstance(thing, kind) and getattr(thing, "unit", "") == unit]
