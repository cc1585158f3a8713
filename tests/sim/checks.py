"""What must hold in every world, after every event: checked from outside, against the machine and not against the engine's own word.

Each check is a function of the world around one event; a breach raises `AssertionError` with the names of all concerned.
"""

from dataclasses import dataclass, field
from typing import Any

from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.specification import Unit
from supervisor.model.states import JobResult, JobType, Phase
from tests.spec.build import MINUTE
from tests.spec.shell import Shell

JOB_AGE_MAX_US = 12 * MINUTE  # in a calm world: seven units in a chain, each through all its time-outs
DOWN = frozenset({"dead", "failed", "auto-restart", "auto-restart-queued"})
STOPS = frozenset({"stop", "restart"})
START_PHASES = frozenset({Phase.CONDITION, Phase.START_PRE, Phase.START})


@dataclass(slots=True)
class StartWindow:
    """The start limit, counted once more."""

    begin_us: int
    count: int


@dataclass(slots=True)
class Checks:
    """The memory the checks need; `before` and `after` are called around each event."""

    world: Shell
    lenient: set[str] = field(default_factory=set)  # units that were ever allowed to leave processes behind
    unordered: set[str] = field(default_factory=set)  # units that were asked for with ignore-dependencies
    jobs_before: dict[str, dict[str, Any]] = field(default_factory=dict)
    job_ages: dict[int, int] = field(default_factory=dict)
    invocations: dict[str, str] = field(default_factory=dict)
    windows: dict[str, StartWindow] = field(default_factory=dict)
    last_traffic_us: int = 0
    known: set[str] = field(default_factory=set)  # every unit there ever was

    def learn(self, units: dict[str, Unit]) -> None:
        """New definitions are in force."""
        self.known |= set(units)
        for name, spec in units.items():
            service = spec.service
            if service and (service.kill_mode in ("process", "none") or not service.send_sigkill):
                self.lenient.add(name)
        self.windows.clear()

    def before(self) -> None:
        self.jobs_before = {str(job["unit"]): job for job in self.world.engine.list_jobs()}

    def after(self, event: ev.Event, effects: list[do.Effect]) -> None:
        jobs = self.world.engine.list_jobs()
        jobs_now = {str(job["unit"]): job for job in jobs}
        assert len(jobs) == len(jobs_now), f"two jobs for one unit: {jobs}"
        if isinstance(event, ev.FailureReset):
            self.windows.pop(event.unit, None)
        if isinstance(event, ev.UnitsLoaded):
            self.learn(event.units)
        for effect in effects:
            if isinstance(effect, do.Spawn):
                self._one_main_process(effect)
            if self._begins_a_start(effect):
                self._starts_are_ordered(getattr(effect, "unit", ""), jobs_now)
            if isinstance(effect, do.Prepare):
                self._start_limit(effect)
            if isinstance(effect, do.FinishJob):
                self._failure_propagates(effect, effects)
        self._what_is_down_is_empty()
        self._every_job_ends(jobs)

    def _begins_a_start(self, effect: do.Effect) -> bool:
        """Whether a job's turn has come: its conditions are looked at first, if it has any."""
        if isinstance(effect, do.CheckConditions):
            return True
        spec = self.world.units.get(effect.unit) if isinstance(effect, do.Prepare) else None
        return isinstance(effect, do.Prepare) and spec is not None and not (spec.conditions or spec.asserts) and self._is_first_step(effect)

    def _is_first_step(self, effect: do.Prepare) -> bool:
        return effect.phase in START_PHASES and self.invocations.get(effect.unit) != effect.invocation_id

    def _one_main_process(self, effect: do.Spawn) -> None:
        if effect.unit in self.lenient or self.world.phase_of(effect.run) is not Phase.START:
            return
        mains = [p for p in self.world.machine.of_unit(effect.unit) if p.phase is Phase.START and p.run is not None]
        assert not mains, f"{effect.unit}: run {effect.run} is spawned while {mains} lives"

    def _starts_are_ordered(self, name: str, jobs_now: dict[str, dict[str, Any]]) -> None:
        if name in self.unordered:
            return
        for other, spec in self.world.units.items():
            mine = self.world.units.get(name)
            if other == name or mine is None or (mine.service and mine.service.type == "idle"):
                continue  # what an idle service starts with comes when it may, long after its job had its turn
            own = mine.dependencies
            was, still = self.jobs_before.get(other), jobs_now.get(other)
            if was is None or still is None or was["id"] != still["id"] or other in self.unordered:
                continue
            is_after = other in own.after or name in spec.dependencies.before
            is_before = other in own.before or name in spec.dependencies.after
            assert not is_after, f"{name} starts while {other}, ordered before it, still has its job {still}"
            if is_before and still["type"] in STOPS:
                raise AssertionError(f"{name} starts while {other}, ordered after it, still has to stop: {still}")

    def _start_limit(self, effect: do.Prepare) -> None:
        if not self._is_first_step(effect):
            return
        self.invocations[effect.unit] = effect.invocation_id
        spec = self.world.units.get(effect.unit)
        if spec is None or not spec.start_limit_burst or spec.start_limit_interval_us == 0:
            return
        window = self.windows.get(effect.unit)
        interval_us = spec.start_limit_interval_us
        if window is None or (interval_us is not None and self.world.now_us - window.begin_us > interval_us):
            self.windows[effect.unit] = StartWindow(self.world.now_us, 1)
            return
        window.count += 1
        # The engine's window may have begun later than ours (after a reload of definitions); never does it allow more than two of them.
        assert window.count <= 2 * spec.start_limit_burst, f"{effect.unit} started {window.count} times within its interval"

    def _failure_propagates(self, effect: do.FinishJob, effects: list[do.Effect]) -> None:
        if effect.type not in (JobType.START, JobType.VERIFY_ACTIVE) or effect.result in (
            JobResult.DONE,
            JobResult.SKIPPED,
            JobResult.CANCELED,
        ):
            return
        ended = {e.unit: e.result for e in effects if isinstance(e, do.FinishJob)}
        for name, spec in self.world.units.items():
            needs = spec.dependencies.requires + spec.dependencies.requisite + spec.dependencies.binds_to
            was = self.jobs_before.get(name)
            if effect.unit not in needs or name == effect.unit or was is None or was["type"] not in ("start", "verify-active"):
                continue
            assert name in ended, f"{name} needs {effect.unit}, whose start ended as {effect.result}, and still has its job {was}"

    def _what_is_down_is_empty(self) -> None:
        for process in self.world.machine.living.values():
            if process.unit in self.lenient or process.unit not in self.world.units:
                continue
            sub = str(self.world.engine.show(process.unit)["sub_state"])
            assert sub not in DOWN, f"{process.unit} is {sub} and has a process: {process}"

    def _every_job_ends(self, jobs: list[dict[str, Any]]) -> None:
        now_us = self.world.now_us
        ages = {int(job["id"]): self.job_ages.get(int(job["id"]), now_us) for job in jobs}
        self.job_ages = ages
        for job, since_us in ages.items():
            age_us = now_us - max(since_us, self.last_traffic_us)
            assert age_us <= JOB_AGE_MAX_US, f"job {job} does not end: {[j for j in jobs if j['id'] == job]}"
