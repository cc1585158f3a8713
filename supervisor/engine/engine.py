"""The engine: one entrance for all that happens, one exit for all that shall be done.

`handle(event, now)` is a function of the records, the event and the moment; its result is the list of effects, to be
carried out in order after `take_changed()` is in the keeper's hands. It does no I/O, reads no clock, raises on no input.
Every (state, event) is handled or ignored by rule; what only a faulty keeper could produce is counted and dropped
(`strict=True`, used by the tests, raises `ImpossibleEvent` instead).
"""

import json
from collections.abc import Callable
from typing import Any

from supervisor.engine import explain, reloading, requests, resume, show, spawned, timeouts, verbs
from supervisor.engine import lifecycle as life
from supervisor.engine.core import Core
from supervisor.engine.jobs import Jobs
from supervisor.engine.phases import S
from supervisor.engine.reactions import Reactions
from supervisor.engine.record import UnitState, dump_state, load_state
from supervisor.engine.timeouts import Deadlines
from supervisor.model import events as ev
from supervisor.model.codec import decode_unit, encode_unit
from supervisor.model.effects import Effect, Leave
from supervisor.model.errors import TransactionError
from supervisor.model.names import is_instance
from supervisor.model.specification import Execution, Service, Unit
from supervisor.model.states import JobMode, JobResult, JobState, JobType, Result

GLOBAL_KEY = "engine"
UNIT_PREFIX = "unit:"
SPEC_PREFIX = "spec:"  # definitions in force that no file holds any more


class Engine:
    """All units, their jobs and their lives. `seed` makes invocation ids and jitter; the same seed gives the same world."""

    def __init__(self, units: dict[str, Unit], *, seed: str, strict: bool = False) -> None:
        self.core = core = Core(units, seed)
        self.jobs = jobs = Jobs(core)
        self.reactions = reactions = Reactions(core, jobs)
        core.on_change = reactions.on_change
        jobs.on_failure = reactions.on_job_failure
        jobs.on_end = reactions.on_job_end
        jobs.start = lambda state: verbs.start(core, state)
        jobs.stop = lambda state: verbs.stop(core, state)
        jobs.reload = lambda state: verbs.reload(core, state)
        jobs.is_up_once_forked = lambda state: life.is_up_once_forked(core, state)
        self._strict = strict
        self._deadlines = Deadlines()
        self._uncommitted: set[str] = set()
        self._stirred: set[str] = set()
        self._committed: dict[str, str] = {}
        self._deferred: dict[str, Unit] = {}  # new definitions of another kind, for when the unit is down
        self._old_definitions: set[str] = set()
        self._handlers: dict[type, Callable[[Any], None]] = {
            ev.JobRequested: lambda e: requests.on_job_requested(core, jobs, e),
            ev.JobCancelRequested: lambda e: requests.on_cancel_requested(core, jobs, e),
            ev.FailureReset: lambda e: requests.on_failure_reset(core, e),
            ev.KillRequested: lambda e: requests.on_kill_requested(core, e),
            ev.IntentLoaded: lambda e: requests.on_intent_loaded(core, e),
            ev.Booted: lambda e: requests.on_booted(core, jobs, e),
            ev.ShutdownRequested: self._on_shutdown,
            ev.UnitsLoaded: self._on_units_loaded,
            ev.UnitsApplied: lambda e: reloading.on_units_applied(core, jobs, e, self._on_units_loaded),
            ev.ConditionsChecked: self._on_conditions_checked,
            ev.Prepared: lambda e: spawned.on_prepared(core, e),
            ev.PrepareFailed: lambda e: spawned.on_prepare_failed(core, e),
            ev.Forked: lambda e: spawned.on_forked(core, e),
            ev.Execed: lambda e: spawned.on_execed(core, e),
            ev.SpawnFailed: lambda e: spawned.on_spawn_failed(core, e),
            ev.Exited: lambda e: spawned.on_exited(core, e),
            ev.AlienExited: lambda e: spawned.on_alien_exited(core, e),
            ev.PidFileRead: lambda e: spawned.on_pid_file_read(core, e),
            ev.Emptied: lambda e: spawned.on_emptied(core, e),
            ev.Notified: lambda e: spawned.on_notified(core, e),
            ev.ProbeReported: lambda e: spawned.on_probe_reported(core, e),
            ev.DeadlineReached: self._on_deadline,
        }

    # -- in and out ------------------------------------------------------------------------------------------------

    def handle(self, event: ev.Event, now: ev.Instant) -> list[Effect]:
        """Take one event; the effects it has. `now.mono_us` must not go back."""
        core = self.core
        core.now = now
        core.out = []
        self.jobs.run_ready()  # after a restore: what new definitions set free does not mix with what this event asks for
        self._handlers[type(event)](event)
        self._pump()
        for name in core.changed:
            self._deadlines.update(core, name)
        self._uncommitted |= core.changed
        self._stirred |= core.changed
        core.changed = set()
        if self._strict and core.impossible_count:
            raise AssertionError(f"impossible event: {event}")
        return core.out

    def _pump(self) -> None:
        """Let everything that follows from this event happen, until nothing more does.

        A restart without a delay comes before the jobs that are queued, as systemd's timers do: what is to stop with the unit that went is
        restarted with it instead.
        """
        core = self.core
        due, core.restarts_due = core.restarts_due, {}
        for name in due:
            if (state := core.states[name]).sub == S.AUTO_RESTART:  # else something decided otherwise within this event
                self._unit_is_due(state, core.now.mono_us)
        while True:
            self.jobs.run_ready()
            if self.reactions.settle():
                continue
            if core.idle_pending and core.job_count == 0:
                for name in sorted(core.idle_pending):
                    life.launch_idle(core, core.state_of(name))
                continue
            break
        core.restarts_due.clear()  # what failed only just now waits for its deadline, so that this comes to an end
        if core.vanished or self._deferred:
            self._drop_vanished()
        if core.leaving is not None and not core.left and not core.not_down and core.job_count == 0:
            core.left = True
            core.emit(Leave(*core.leaving))

    def next_deadline(self) -> int | None:
        """The moment (monotonic microseconds) at which `DeadlineReached` must be sent; None: no need to wake."""
        return self._deadlines.next()

    def take_changed(self) -> dict[str, str]:
        """The records that differ from what was taken before, as text to be remembered; "" forgets the key."""
        out: dict[str, str] = {}
        for name in sorted(self._uncommitted):
            state = self.core.states.get(name)
            self._take(out, UNIT_PREFIX + name, dump_state(state) if state else "")
        self._uncommitted.clear()
        self._take_old_definitions(out)
        for key, text in reloading.dump_changed(self.core).items():
            self._take(out, key, text)
        self._take(out, GLOBAL_KEY, self._dump_global())
        return out

    def take_stirred(self) -> set[str]:
        """All units whose brief object may be another than when this was last asked, but for what new definitions alone changed."""
        stirred = self._stirred | self.core.waiting_changed
        self._stirred = set()
        self.core.waiting_changed = set()
        return stirred

    def _take(self, out: dict[str, str], key: str, text: str) -> None:
        if self._committed.get(key, "") != text:
            out[key] = text
            if text:
                self._committed[key] = text
            else:
                del self._committed[key]

    def _take_old_definitions(self, out: dict[str, str]) -> None:
        """What runs by a definition that is gone or replaced must find it again after a crash."""
        old = self.core.vanished | self._deferred.keys()
        if old == self._old_definitions:
            return
        for name in sorted(old | self._old_definitions):
            spec = self.core.specs.get(name)
            text = json.dumps(encode_unit(spec), separators=(",", ":")) if name in old and spec is not None else ""
            self._take(out, SPEC_PREFIX + name, text)
        self._old_definitions = set(old)

    def _dump_global(self) -> str:
        core = self.core
        return json.dumps([core.seed, core.counter, core.leaving, core.left], separators=(",", ":"))

    # -- crash and recovery ----------------------------------------------------------------------------------------

    @classmethod
    def restore(cls, units: dict[str, Unit], remembered: dict[str, str], *, seed: str, strict: bool = False) -> "Engine":
        """The engine whose records were taken before the manager died. `seed` serves only if nothing was remembered."""
        engine = cls(units, seed=seed, strict=strict)
        core = engine.core
        if text := remembered.get(GLOBAL_KEY):
            core.seed, core.counter, leaving, core.left = json.loads(text)
            core.leaving = tuple(leaving) if leaving else None
        for key, text in remembered.items():
            if key.startswith(UNIT_PREFIX):
                name = key.removeprefix(UNIT_PREFIX)
                core.states[name] = load_state(name, text)
        engine._committed = dict(remembered)
        engine._restore_definitions(remembered)
        reloading.restore(core, remembered)
        resume.rebuild(core)
        engine.jobs.reorder_all()
        for name in core.states:
            engine._deadlines.update(core, name)
        return engine

    def _restore_definitions(self, remembered: dict[str, str]) -> None:
        """Units that are not down keep the definition they run by, whatever has become of their file."""
        core = self.core
        for key, text in remembered.items():
            name = key.removeprefix(SPEC_PREFIX)
            if not key.startswith(SPEC_PREFIX) or name not in core.states:
                continue
            new = core.specs.get(name)
            core.specs[name] = decode_unit(json.loads(text))
            self._old_definitions.add(name)
            if new is None:
                core.vanished.add(name)
            else:
                self._deferred[name] = new
        for name, state in sorted(core.states.items()):
            if state.active.is_down and state.job is None:
                continue
            # Where not even that was remembered (the files changed while there was no manager): enough of a definition to stop it by.
            if name not in core.specs:
                core.specs[name] = _makeshift(name, state)
                core.vanished.add(name)
            elif not state.active.is_down and (core.specs[name].service is None) != (state.sub == S.TARGET_ACTIVE):
                self._deferred[name] = core.specs[name]
                core.specs[name] = _makeshift(name, state)
        requests.rebuild_graph(core)

    def resume(self, now: ev.Instant) -> list[Effect]:
        """After `restore` and before any event: ask again for everything that was under way outside the keeper."""
        core = self.core
        core.now = now
        core.out = []
        resume.ask_again(core)
        reloading.ask_again(core)
        self._uncommitted |= core.changed
        core.changed = set()
        return core.out

    # -- events that concern the engine as a whole -----------------------------------------------------------------

    def _on_shutdown(self, event: ev.ShutdownRequested) -> None:
        if self.core.leaving is None:
            self.reactions.begin_leaving(event.exit_status, f"shutdown asked for by {event.by}" if event.by else "shutdown")
        else:
            verbs.kill_everything(self.core)

    def _on_conditions_checked(self, event: ev.ConditionsChecked) -> None:
        core = self.core
        state = core.states.get(event.unit)
        if state is None or not event.check or state.check != event.check:
            return
        core.touch(state)
        job = state.job
        if job is None or job.type != JobType.START or event.unit not in core.specs:
            state.check = 0
            return
        outcome = verbs.conditions_checked(
            core, state, conditions_hold=event.conditions_hold, asserts_hold=event.asserts_hold, failed=event.failed
        )
        if state.job is job and isinstance(outcome, JobResult):
            self.jobs.finish(state, outcome, event.failed)
            if state.sub == S.AUTO_RESTART_QUEUED and not (event.conditions_hold and event.asserts_hold):
                life.leave_auto_restart(core, state)
            self.reactions.on_not_started(state, job.began_us)
        elif state.job is job and outcome == "again":
            self.jobs.wait_again(state)

    def _on_deadline(self, event: ev.DeadlineReached) -> None:
        core = self.core
        now_us = core.now.mono_us
        for name in self._deadlines.due(now_us):
            state = core.state_of(name)
            self._unit_is_due(state, now_us)

    def _unit_is_due(self, state: UnitState, now_us: int) -> None:
        core = self.core
        spec = core.specs.get(state.name)
        if state.check and state.job is not None and state.job.began_us + timeouts.CHECK_TIMEOUT_US <= now_us:
            state.check = 0
            self.jobs.finish(state, JobResult.TIMEOUT, "its conditions could not be evaluated in time")
            return
        if state.upheld_retry_us and state.upheld_retry_us <= now_us:
            self.reactions.look_at_upheld(state.name)
        if spec is None or spec.service is None:
            return
        at = timeouts.state_deadline_of(spec.service, state)
        watchdog_at = timeouts.watchdog_deadline_of(core, state)
        if at is not None and at <= now_us:
            if state.sub == S.AUTO_RESTART:
                self._restart(state)
            else:
                timeouts.on_state_timeout(core, state)
        elif watchdog_at is not None and watchdog_at <= now_us:
            timeouts.on_watchdog(core, state, "no WATCHDOG=1 in time")
        elif state.name in core.idle_pending and state.entered_us + timeouts.IDLE_WAIT_US <= now_us:
            life.launch_idle(core, state)

    def _restart(self, state: UnitState) -> None:
        """The wait before an automatic restart is over (service_enter_restart)."""
        state.restart_at_us = 0
        state.n_restarts += 1
        state.backoff_step += 1
        life.set_state(self.core, state, S.AUTO_RESTART_QUEUED)
        try:
            self.jobs.enqueue(JobType.START, state.name, JobMode.RESTART_DEPENDENCIES, by="automatic restart")
            if state.job is not None and state.job.state == JobState.RUNNING:
                self.jobs.wait_again(state)  # restart_mode = direct: the job that started it is still there, and starts it again
        except TransactionError as error:
            self.core.note(state.name, "restart", f"cannot restart: {error}")
            state.failed_text = str(error)
            life.fail_with(state, Result.RESOURCES)
            state.flushes_restarts = True
            life.set_state(self.core, state, S.FAILED)

    # -- definitions -----------------------------------------------------------------------------------------------

    def _on_units_loaded(self, event: ev.UnitsLoaded) -> None:
        core = self.core
        units = dict(event.units)
        core.vanished = set()
        self._deferred = {}
        for name, state in sorted(core.states.items()):
            old = core.specs.get(name)
            new = units.get(name)
            if state.active.is_down and state.job is None:
                reloading.on_definition_changed_while_down(core, state, old, new)
                if new is None:
                    del core.states[name]
                    core.changed.add(name)
                continue
            if old is None:
                continue
            if new is None:
                units[name] = old
                core.vanished.add(name)
                why = "it is no instance of its template any more" if is_instance(name) else "its unit file is gone"
                core.note(name, "definition", f"{why}; it stays as it is until it is stopped")
            elif (new.service is None) != (old.service is None):
                units[name] = old
                self._deferred[name] = new
                core.note(name, "definition", f"it became a {new.kind}; that is believed once it is stopped")
            else:
                reloading.on_definition_changed(core, state, old, new)
        before, core.specs = core.specs, units
        requests.rebuild_graph(core)
        self.jobs.reorder_all()
        for name in list(core.states):
            core.changed.add(name)
            if name in before and name in units:
                reloading.restart_probes(core, core.states[name], before[name])
        self._drop_vanished()

    def _drop_vanished(self) -> None:
        """What is down and gone from the unit files is forgotten."""
        core = self.core
        for name in sorted(core.vanished):
            if core.active(name).is_down and core.job_of(name) is None:
                core.vanished.discard(name)
                del core.specs[name]
                core.states.pop(name, None)
                core.changed.add(name)
        for name in sorted(self._deferred):
            if core.active(name).is_down and core.job_of(name) is None:
                core.specs[name] = self._deferred.pop(name)
                requests.rebuild_graph(core)

    # -- looking ---------------------------------------------------------------------------------------------------

    def show(self, name: str) -> dict[str, Any]:
        """Every property of one unit."""
        return show.full(self.core, name)

    def brief(self, name: str) -> dict[str, Any]:
        """The properties that lists show."""
        return show.brief(self.core, name)

    def knows(self, name: str) -> bool:
        """Whether there is such a unit, be it only because it is up and its file is gone."""
        return name in self.core.specs or (name in self.core.states and name in self.core.vanished)

    def why(self, name: str, now: ev.Instant) -> dict[str, Any]:
        """The chain of recorded decisions of one unit, and what comes next."""
        self.core.now = now
        return explain.why(self.core, name)

    def list_jobs(self) -> list[dict[str, Any]]:
        """Every queued job, oldest first."""
        queued = [state.job for state in self.core.states.values() if state.job is not None]
        return [show.job_of(self.core, job) for job in sorted(queued, key=lambda job: job.id)]

    def check_invariants(self) -> None:
        """Raise AssertionError if a law of the engine is broken (for tests and the simulator; costs a full scan)."""
        core = self.core
        for name, state in core.states.items():
            assert state.name == name
            if state.active.is_down:
                assert state.main is None and state.control is None, f"{name} is {state.sub} and has a process"
            assert (name in core.not_down) == (not state.active.is_down), f"not_down is wrong about {name}"
            if state.job is not None:
                assert name not in state.job.blocked_by, f"the job of {name} waits for itself"
                for other in state.job.blocked_by:
                    assert core.job_of(other) is not None, f"the job of {name} waits for {other}, which has none"
        assert core.job_count == sum(state.job is not None for state in core.states.values()), "job_count is wrong"
        scan = [at for state in core.states.values() if (at := timeouts.deadline_of(core, state)) is not None]
        assert self.next_deadline() == (min(scan) if scan else None), "next_deadline disagrees with a full scan"


def _makeshift(name: str, state: UnitState) -> Unit:
    """A definition for a unit that is up and whose own is lost."""
    if state.sub == S.TARGET_ACTIVE:
        return Unit(name, "target", is_enabled=False)
    return Unit(name, "service", service=Service(), execution=Execution(), is_enabled=False)
