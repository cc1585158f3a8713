"""What must hold in every world, after every event: checked from outside, against the machine and not against the engine's own word.

Each check is a function of the world around one event; a breach raises `AssertionError` with the names of all concerned.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.specification import Dependencies, Unit
from supervisor.model.states import JobResult, JobType, Phase
from tests.spec.build import MINUTE
from tests.spec.shell import Shell

JOB_AGE_MAX_US = 12 * MINUTE  # in a calm world: seven units in a chain, each through all its time-outs
GO_BY_START_TIMEOUT = frozenset({"condition", "start-pre", "start", "start-post", "reload", "reload-signal", "reload-notify"})
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
    jobs_before: dict[str, dict[str, Any]] = field(default_factory=dict)
    job_ages: dict[int, int] = field(default_factory=dict)
    invocations: dict[str, str] = field(default_factory=dict)
    windows: dict[str, StartWindow] = field(default_factory=dict)
    by_hand: set[int] = field(default_factory=set)  # jobs that a person asked for
    asked_now: set[int] = field(default_factory=set)  # those of this very event
    unheld: set[tuple[str, str]] = field(default_factory=set)  # (unit, what it is bound to) that a reload of definitions let stand
    entangled: set[tuple[str, str]] = field(default_factory=set)  # pairs on one cycle of the order
    last_traffic_us: int = 0
    known: set[str] = field(default_factory=set)  # every unit there ever was
    in_force: dict[str, Unit] = field(default_factory=dict)
    held_back: set[str] = field(default_factory=set)  # type idle: the start has begun, the process has not
    restarting: set[str] = field(default_factory=set)  # units that wait for an automatic restart
    awaited: dict[str, Unit | None] = field(default_factory=dict)  # definitions that take force once their unit is down

    def learn(self, units: dict[str, Unit], remembered: dict[str, str] | None = None) -> None:
        """New definitions were loaded. A unit that is not at rest goes on by its old one if the new one is of another kind or gone.

        Where a crash has lost that step (`remembered` does not tell of it), only one that is up does.
        """
        self.known |= set(units)
        for name, spec in units.items():
            service = spec.service
            if service and (service.kill_mode in ("process", "none") or not service.send_sigkill):
                self.lenient.add(name)
        self.windows.clear()
        held = {name: old for name, old in self.in_force.items() if not self._is_at_rest(name) and _is_other(old, units.get(name))}
        if remembered is not None:
            # Its definition is lost with that step: what remains is enough to stop it by.
            bare = {name: replace(old, dependencies=Dependencies()) for name, old in held.items() if not self._is_down(name)}
            held = {name: old for name, old in held.items() if f"spec:{name}" in remembered}
            held = bare | held
        self.awaited = {name: units.get(name) for name in held}
        self.in_force = dict(units) | held
        self._learn_order()
        shown = {name: self.world.engine.show(name)["active_state"] for name in self.in_force}
        # Nothing is stopped by new definitions alone (events.UnitsLoaded), even where they bind what is up to what is down.
        self.unheld = {
            (name, other)
            for name, unit in self.in_force.items()
            for other in unit.dependencies.binds_to
            if shown[name] != "inactive" and shown.get(other) in ("inactive", "failed")
        }

    def _is_down(self, name: str) -> bool:
        return self.world.engine.show(name)["active_state"] in ("inactive", "failed")

    def _is_at_rest(self, name: str) -> bool:
        shown = self.world.engine.show(name)
        return shown["active_state"] in ("inactive", "failed") and shown["job"] is None

    def _believe_what_was_awaited(self) -> None:
        for name in [name for name in self.awaited if self._is_at_rest(name)]:
            spec = self.awaited.pop(name)
            if spec is None:
                del self.in_force[name]
            else:
                self.in_force[name] = spec
            self._learn_order()

    def _learn_order(self) -> None:
        self.entangled = entangled(self.in_force)

    def before(self) -> None:
        self.restarting = {name for name, state in self.world.engine.core.states.items() if str(state.sub).startswith("auto-restart")}
        self.held_back = {name for name, state in self.world.engine.core.states.items() if state.main and state.main.stage == "idle"}
        self.jobs_before = {str(job["unit"]): job for job in self.world.engine.list_jobs()}

    def after(self, event: ev.Event, effects: list[do.Effect]) -> None:
        jobs = self.world.engine.list_jobs()
        jobs_now = {str(job["unit"]): job for job in jobs}
        assert len(jobs) == len(jobs_now), f"two jobs for one unit: {jobs}"
        if isinstance(event, ev.FailureReset):
            self.windows.pop(event.unit, None)
        is_request = isinstance(event, ev.JobRequested)
        self.asked_now = {effect.job for effect in effects if is_request and isinstance(effect, do.Answer)}
        self.by_hand |= self.asked_now
        if isinstance(event, ev.UnitsLoaded):
            self.learn(event.units)
        self._believe_what_was_awaited()
        for effect in effects:
            if isinstance(effect, do.Spawn):
                self._one_main_process(effect)
            if self._begins_a_start(effect):
                self._starts_are_ordered(getattr(effect, "unit", ""), jobs_now)
            if isinstance(effect, do.Prepare):
                self._start_limit(effect, jobs_now)
            if isinstance(effect, do.FinishJob):
                self._failure_propagates(effect, effects, jobs_now)
        self._stops_are_ordered(jobs_now)
        self._what_is_down_is_empty()
        self._every_job_ends(jobs_now)

    def _begins_a_start(self, effect: do.Effect) -> bool:
        """Whether a job's turn has come: its conditions are looked at first, if it has any."""
        if isinstance(effect, do.CheckConditions):
            return True
        spec = self.in_force.get(effect.unit) if isinstance(effect, do.Prepare) else None
        return isinstance(effect, do.Prepare) and spec is not None and not (spec.conditions or spec.asserts) and self._is_first_step(effect)

    def _is_first_step(self, effect: do.Prepare) -> bool:
        return effect.phase in START_PHASES and self.invocations.get(effect.unit) != effect.invocation_id

    def _one_main_process(self, effect: do.Spawn) -> None:
        if effect.unit in self.lenient or self.world.phase_of(effect.run) is not Phase.START:
            return
        mains = [
            p
            for p in self.world.machine.of_unit(effect.unit)
            if p.phase is Phase.START and p.run is not None and not p.script.is_unkillable
        ]
        assert not mains, f"{effect.unit}: run {effect.run} is spawned while {mains} lives"

    def _starts_are_ordered(self, name: str, jobs_now: dict[str, dict[str, Any]]) -> None:
        for other, spec in self.in_force.items():
            mine = self.in_force.get(name)
            if other == name or mine is None or name in self.held_back:
                continue  # what an idle service starts with comes when it may, long after its job had its turn
            own = mine.dependencies
            was, still = self.jobs_before.get(other), jobs_now.get(other)
            if was is None or still is None or was["id"] != still["id"] or (name, other) in self.entangled:
                continue
            is_after = other in own.after or name in spec.dependencies.before
            is_before = other in own.before or name in spec.dependencies.after
            assert not is_after, f"{name} starts while {other}, ordered before it, still has its job {still}"
            if is_before and still["type"] in STOPS:
                raise AssertionError(f"{name} starts while {other}, ordered after it, still has to stop: {still}")

    def _stops_are_ordered(self, jobs_now: dict[str, dict[str, Any]]) -> None:
        """A stop waits for the stops of the units that come after its own (systemd.unit(5), After=)."""
        for name, job in jobs_now.items():
            was = self.jobs_before.get(name)
            is_begun = job["state"] == "running" and (was is None or was["id"] != job["id"] or was["state"] == "waiting")
            if job["type"] not in STOPS or not is_begun or name not in self.in_force:
                continue
            for other, theirs in jobs_now.items():
                spec = self.in_force.get(other)
                is_later = spec is not None and (name in spec.dependencies.after or other in self.in_force[name].dependencies.before)
                if other == name or not is_later or theirs["type"] not in STOPS or (name, other) in self.entangled:
                    continue
                before = self.jobs_before.get(other)
                # A stop that this one has brought about came too late to be waited for.
                is_earlier = before is not None and before["id"] == theirs["id"] and before["type"] in STOPS
                assert not is_earlier, f"{name} stops while {other}, ordered after it, still has to: {theirs}"

    def _start_limit(self, effect: do.Prepare, jobs_now: dict[str, dict[str, Any]]) -> None:
        if not self._is_first_step(effect):
            return
        self.invocations[effect.unit] = effect.invocation_id
        spec = self.in_force.get(effect.unit)
        if spec is None or not spec.start_limit_burst or spec.start_limit_interval_us == 0:
            return
        window = self.windows.get(effect.unit)
        interval_us = spec.start_limit_interval_us
        # A limit that only delays does not hold up a person (verbs.start_checked): the window begins anew.
        job = jobs_now.get(effect.unit) or self.jobs_before.get(effect.unit)
        # Nor is a restart automatic that a person asks for while the unit waits for its automatic one.
        is_automatic = job is None or (effect.unit in self.restarting and job["id"] not in self.asked_now)
        is_manual = job is not None and job["id"] in self.by_hand and not is_automatic
        is_passed = spec.start_limit_policy == "delay" and is_manual
        if window is None or is_passed or (interval_us is not None and self.world.now_us - window.begin_us > interval_us):
            self.windows[effect.unit] = StartWindow(self.world.now_us, 1)
            return
        window.count += 1
        # The engine's window may have begun later than ours (after a reload of definitions); never does it allow more than two of them.
        assert window.count <= 2 * spec.start_limit_burst, f"{effect.unit} started {window.count} times within its interval"

    def _failure_propagates(self, effect: do.FinishJob, effects: list[do.Effect], jobs_now: dict[str, dict[str, Any]]) -> None:
        if effect.type not in (JobType.START, JobType.VERIFY_ACTIVE) or effect.result in (
            JobResult.DONE,
            JobResult.SKIPPED,
            JobResult.CANCELED,
        ):
            return
        ended = {e.unit: e.result for e in effects if isinstance(e, do.FinishJob)}
        for name, spec in self.in_force.items():
            needs = spec.dependencies.requires + spec.dependencies.requisite + spec.dependencies.binds_to
            was = self.jobs_before.get(name)
            if effect.unit not in needs or name == effect.unit or was is None or was["type"] not in ("start", "verify-active"):
                continue
            if name not in ended and jobs_now[name]["type"] == "restart":
                continue  # asked for in this event; a restart job does not fail with what it requires (job_fail_dependencies)
            if any(isinstance(e, do.Record) and e.unit == effect.unit and e.text.startswith("auto-restart ->") for e in effects):
                continue  # its automatic restart restarts whoever needs it, and a restart job does not fail with it (job_fail_dependencies)
            if name not in ended and self._needs_only_its_fork(name, spec):
                continue
            assert name in ended, f"{name} needs {effect.unit}, whose start ended as {effect.result}, and still has its job {was}"

    def _needs_only_its_fork(self, name: str, spec: Unit) -> bool:
        """For systemd, where a fork takes no time, a start of type simple was over before what it requires could fail."""
        service = spec.service
        is_simple = service is not None and service.type == "simple" and not service.exec_start_post
        return is_simple and self.world.engine.show(name)["sub_state"] == "start"

    def _what_is_down_is_empty(self) -> None:
        for process in self.world.machine.living.values():
            if process.unit in self.lenient or process.unit not in self.in_force or process.script.is_unkillable:
                continue  # systemd leaves an unkillable process behind too, in the end (service_dispatch_timer, final-sigkill)
            sub = str(self.world.engine.show(process.unit)["sub_state"])
            assert sub not in DOWN, f"{process.unit} is {sub} and has a process: {process}"

    def _every_job_ends(self, jobs: dict[str, dict[str, Any]]) -> None:
        now_us = self.world.now_us
        self.job_ages = {int(job["id"]): self.job_ages.get(int(job["id"]), now_us) for job in jobs.values()}
        for job in jobs.values():
            age_us = now_us - max(self.job_ages[int(job["id"])], self.last_traffic_us)
            assert age_us <= JOB_AGE_MAX_US or self._may_go_on(job, jobs, set()), f"job {job} does not end"

    def _may_go_on(self, job: dict[str, Any], jobs: dict[str, dict[str, Any]], seen: set[str]) -> bool:
        """Whether the job, or one that it waits for in the end, has by its unit's definition no time limit."""
        name = str(job["unit"])
        is_blocker = bool(seen)
        seen.add(name)
        if any(other not in seen and self._may_go_on(jobs[other], jobs, seen) for other in job["waits_for"]):
            return True
        spec = self.in_force.get(name)
        # Whoever follows a unit that is restarted for ever (part_of and the like) is so with it, perhaps before its own start is over.
        own = spec.dependencies if spec else Dependencies()
        leaders = own.requires + own.requisite + own.binds_to + own.part_of
        is_following = any(self.world.engine.show(other)["n_restarts"] > 0 for other in leaders if other in self.in_force)
        if is_following and job["type"] != "stop":
            return True
        service = spec.service if spec else None
        if service is None:
            return False
        shown = self.world.engine.show(name)
        is_hanging = shown["sub_state"] in GO_BY_START_TIMEOUT and service.timeout_start_us is None
        # With restart_mode = direct the unit never fails between its lives, so its start job goes on; and whoever waits for an
        # activating unit to be up waits for the next life in any mode (unit_process_job of systemd's unit.c).
        is_looping = shown["n_restarts"] > 0 and (
            is_blocker or service.restart_mode == "direct" or (job["type"] in ("verify-active", "reload") and job["state"] == "waiting")
        )
        return (is_hanging and not self.world.machine.is_empty(name)) or (is_looping and job["type"] not in STOPS)


def _is_other(old: Unit, new: Unit | None) -> bool:
    return new is None or (new.service is None) != (old.service is None)


def entangled(units: dict[str, Unit]) -> set[tuple[str, str]]:
    """The pairs of units that are each, by some way, ordered after the other: no order can hold between them."""
    after: dict[str, set[str]] = {name: set() for name in units}
    for name, unit in units.items():
        own = unit.dependencies
        after[name].update(own.after)
        if unit.kind == "target":
            after[name].update(set(own.requires + own.wants) - set(own.before))
        for other in own.before:
            after.setdefault(other, set()).add(name)
    reach: dict[str, set[str]] = {}
    for name in after:
        found: set[str] = set()
        queue = [name]
        while queue:
            for other in after.get(queue.pop(), set()) - found:
                found.add(other)
                queue.append(other)
        reach[name] = found
    return {(one, other) for one in reach for other in reach[one] if one in reach.get(other, ())}
