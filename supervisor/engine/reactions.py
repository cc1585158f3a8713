"""What a change of one unit's state means for its job and for other units (systemd's unit_notify; SEMANTICS 5.1, 5.2, 5.7).

Jobs are finished or contradicted, dependencies of an unexpected start are started, those bound to an unexpected end are
stopped, on_failure and on_success fire, upheld units come back, unneeded ones go, dependents that failed for this unit's
sake are started once it recovers. How a unit gets from state to state is not known here.

Wishes of the engine's own go through `enqueue`, which never raises: what cannot be done is noted on the unit.
"""

from supervisor.engine import environment, lifecycle, reloading
from supervisor.engine.core import Core
from supervisor.engine.jobs import Jobs
from supervisor.engine.record import UnitState
from supervisor.model.effects import Leave
from supervisor.model.errors import TransactionError
from supervisor.model.states import ACTIVE_OF, ActiveState, ExitCode, JobMode, JobResult, JobState, JobType, Result, SubState

A = ActiveState
# How often an upholding unit, or a start that failed before it began, may ask for another start: such wishes cost no process and
# no time, so that two units which ask for each other would do so for ever within one event.
AUTOMATIC_INTERVAL_US = 10_000_000
AUTOMATIC_BURST = 16
START, STOP = JobType.START, JobType.STOP
_RUNS = frozenset({A.ACTIVE, A.RELOADING, A.ACTIVATING})
_GOES = frozenset({A.INACTIVE, A.FAILED, A.DEACTIVATING})
_BEFORE_RESTART = frozenset({SubState.DEAD_BEFORE_AUTO_RESTART, SubState.FAILED_BEFORE_AUTO_RESTART})


class Reactions:
    """The consequences of changes; those that need a quiet moment wait in queues until `settle`."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs
        self._upheld: dict[str, None] = {}
        self._unneeded: dict[str, None] = {}
        self._bound: dict[str, None] = {}
        self._recovered: dict[str, None] = {}
        self._left_waiting: dict[str, None] = {}

    def enqueue(self, type_: JobType, name: str, mode: JobMode, by: str) -> bool:
        try:
            self._jobs.enqueue(type_, name, mode, by=by)
        except TransactionError as error:
            self._core.note(name, "transaction", f"{by}: {error}")
            return False
        return True

    # -- one change ------------------------------------------------------------------------------------------------

    def on_change(self, state: UnitState, old_sub: SubState) -> None:
        core = self._core
        before, after = ACTIVE_OF[old_sub], state.active
        name = state.name
        (core.not_down.discard if after.is_down else core.not_down.add)(name)
        unexpected = self._settle_job(state, after) if state.job is not None else True
        self._jobs.tell_failures()  # before anything that follows from the change itself (unit_notify)
        if unexpected and core.leaving is None:
            if before.is_down and after in _RUNS:
                self._start_dependencies(name)
            elif before in _RUNS and after in _GOES:
                self._stop_bound(name)
        if after != before:
            self._on_new_active_state(state, before, after)
        if after == A.ACTIVE and before == A.ACTIVATING:
            self._recovered[name] = None
        self._queue_neighbours(name, before, after)

    def _settle_job(self, state: UnitState, after: ActiveState) -> bool:
        """Finish the unit's job if this state ends it; whether the change was not what the job asked for."""
        job, jobs = state.job, self._jobs
        assert job is not None
        if job.state == JobState.WAITING:
            jobs.wake(state.name)
        is_running = job.state == JobState.RUNNING
        if job.type in (START, JobType.VERIFY_ACTIVE):
            if after.is_up:
                jobs.finish(state, JobResult.DONE)
            elif is_running and after != A.ACTIVATING:
                if after.is_down:
                    jobs.finish(state, JobResult.FAILED if after == A.FAILED else JobResult.DONE, state.failed_text)
                return True
        elif job.type == JobType.RELOAD:
            if is_running and after == A.ACTIVE:
                failed = state.reload_result != Result.SUCCESS
                jobs.finish(state, JobResult.FAILED if failed else JobResult.DONE, f"reload: {state.reload_result}" if failed else "")
            elif is_running and after not in (A.ACTIVATING, A.RELOADING):
                if after.is_down:
                    jobs.finish(state, JobResult.FAILED if after == A.FAILED else JobResult.DONE)
                return True
        elif after.is_down:
            jobs.finish(state, JobResult.DONE)
        elif is_running and after != A.DEACTIVATING:
            jobs.finish(state, JobResult.FAILED)
            return True
        return False

    def _start_dependencies(self, name: str) -> None:
        """A unit came up without being asked for: what it needs comes up too (retroactively_start_dependencies)."""
        graph = self._core.graph
        for atom, mode in (("retroactive_start", JobMode.REPLACE), ("retroactive_start_ignored", JobMode.FAIL)):
            for other in graph.concerned(name, atom):
                kept_down = mode == JobMode.FAIL and self._core.is_kept_down(other)
                if other not in graph.of(name, "after") and self._core.active(other) not in _RUNS and not kept_down:
                    self.enqueue(START, other, mode, f"{name} came up and needs it")
        for other in graph.concerned(name, "retroactive_stop_on_start"):
            if self._core.active(other) not in _GOES:
                self.enqueue(STOP, other, JobMode.REPLACE, f"{name} came up and conflicts with it")

    def on_not_started(self, state: UnitState, turn_us: int) -> None:
        """Its conditions kept it down: who is bound to it and came up no sooner than it had its turn is looked at once more.

        systemd, whose conditions take no time, looks at who is bound when that comes up: then this one was down and without a job.
        """
        core = self._core
        for other in core.graph.of(state.name, "bound_by"):
            if not core.active(other).is_up:
                continue
            up_us, service = core.states[other].up_since_us, core.specs[other].service
            if up_us > turn_us or (up_us == turn_us and service is not None and lifecycle.is_up_with_its_turn(service)):
                self._bound[other] = None

    def _stop_bound(self, name: str) -> None:
        for other in self._core.graph.concerned(name, "retroactive_stop_on_stop"):
            if self._core.active(other) not in _GOES:
                self.enqueue(STOP, other, JobMode.REPLACE, f"{name}, with which it is to go, went down")

    # -- actions ---------------------------------------------------------------------------------------------------

    def _on_new_active_state(self, state: UnitState, before: ActiveState, after: ActiveState) -> None:
        core = self._core
        spec = core.specs[state.name]
        will_restart = state.sub in _BEFORE_RESTART
        is_rolled_back = after.is_down and reloading.on_down(core, state)
        if after == A.FAILED:
            core.note(state.name, "failed", f"it failed: {state.result}{': ' + state.failed_text if state.failed_text else ''}")
            self.on_failure(state)
            if not will_restart and not is_rolled_back:
                self._act(state, spec.failure_action, spec.failure_action_exit_status, "failed")
        elif after == A.INACTIVE and before != A.FAILED:
            for other in spec.dependencies.on_success if not will_restart else ():
                self._trigger(state, other, JobMode(spec.on_success_job_mode), "on_success")
            if not will_restart:
                self._act(state, spec.success_action, spec.success_action_exit_status, "ended")
        if after.is_down and not will_restart:
            state.monitor = {}

    def on_job_end(self, state: UnitState) -> None:
        """A job is over. Of one that waits for the start of its automatic restart it was that, unless another takes its place at once."""
        if state.sub == SubState.AUTO_RESTART_QUEUED:
            self._left_waiting[state.name] = None

    def on_job_failure(self, state: UnitState) -> None:
        """A start job ended with `timeout` or `dependency`: on_failure fires though the unit never left its state."""
        now_us = self._core.now.mono_us
        if not state.trigger_from_us or now_us - state.trigger_from_us > AUTOMATIC_INTERVAL_US:
            state.trigger_from_us, state.trigger_count = now_us, 0
        state.trigger_count += 1
        if state.trigger_count <= AUTOMATIC_BURST:
            self.on_failure(state)
        elif state.trigger_count == AUTOMATIC_BURST + 1:
            self._core.note(state.name, "on-failure", "its jobs fail too often: on_failure is not heeded for up to 10 s")

    def on_failure(self, state: UnitState) -> None:
        """Start what on_failure names."""
        spec = self._core.specs.get(state.name)
        if spec is None or self._core.leaving is not None:
            return
        for other in spec.dependencies.on_failure:
            self._trigger(state, other, JobMode(spec.on_failure_job_mode), "on_failure")

    def _trigger(self, state: UnitState, other: str, mode: JobMode, key: str) -> None:
        if self._core.leaving is None and self.enqueue(START, other, mode, f"{key} of {state.name}"):
            self._core.state_of(other).monitor = environment.monitor_variables(state)

    def _act(self, state: UnitState, action: str, status: int | None, verb: str) -> None:
        """failure_action and success_action: end supd with the unit's status (containers)."""
        if action == "none" or self._core.leaving is not None:
            return
        if status is None:
            is_exit = state.main_code == ExitCode.EXITED
            status = state.main_status if is_exit else (0 if verb == "ended" else 255)
        text = f"{state.name} {verb} and its {'failure' if verb == 'failed' else 'success'}_action is {action}"
        self._core.note(state.name, "action", text)
        if action == "exit-force":
            self._core.leaving, self._core.left = (status, text), True
            self._core.emit(Leave(status, text, is_forced=True))
        else:
            self.begin_leaving(status, text)

    def begin_leaving(self, exit_status: int, text: str) -> None:
        """Stop everything that is up, in reverse order, irreversibly; the engine leaves when nothing is left."""
        core = self._core
        core.leaving = (exit_status, text)
        up = sorted(state.name for state in core.states.values() if state.name in core.not_down or state.job is not None)
        self._jobs.enqueue_many(STOP, up, by=text, mode=JobMode.REPLACE_IRREVERSIBLY)

    # -- queues ----------------------------------------------------------------------------------------------------

    def _queue_neighbours(self, name: str, before: ActiveState, after: ActiveState) -> None:
        graph = self._core.graph
        if after.is_down or after == A.ACTIVE:
            for other in graph.concerned(name, "may_be_unneeded") if after.is_down else (name,):
                self._unneeded[other] = None
        if after.is_down:
            if graph.of(name, "upheld_by"):
                self._upheld[name] = None
            for other in graph.of(name, "bound_by"):
                self._bound[other] = None
        if after.is_up and not before.is_up:
            for other in graph.of(name, "upholds"):
                self._upheld[other] = None
            if graph.of(name, "binds_to"):
                self._bound[name] = None

    def settle(self) -> bool:
        """Look at every queued unit now that no job of this step is left to run; whether anything was asked for."""
        if self._core.leaving is not None:
            return False  # for good: nothing is asked for any more
        asked = False
        for queue, look in (
            (self._left_waiting, self._give_up_restart),
            (self._unneeded, self._stop_if_unneeded),
            (self._bound, self._stop_if_bound_to_nothing),
            (self._upheld, self._start_if_upheld),
            (self._recovered, self._start_dependents_of),
        ):
            names = tuple(queue)
            queue.clear()
            for name in names:
                asked = look(name) or asked
        return asked

    def _give_up_restart(self, name: str) -> bool:
        state = self._core.states.get(name)
        if state is None or state.sub != SubState.AUTO_RESTART_QUEUED or state.job is not None:
            return False
        lifecycle.give_up_restart(self._core, state)
        return True

    def _stop_if_unneeded(self, name: str) -> bool:
        spec = self._core.specs.get(name)
        state = self._core.states.get(name)
        if spec is None or not spec.stop_when_unneeded or state is None or state.active != A.ACTIVE or state.job is not None:
            return False
        for other in self._core.graph.concerned(name, "pinned_by"):
            pin = self._core.states.get(other)
            if pin is not None and (pin.job is not None or not pin.active.is_down):
                return False
        return self.enqueue(STOP, name, JobMode.FAIL, "no unit needs it any more")

    def _stop_if_bound_to_nothing(self, name: str) -> bool:
        state = self._core.states.get(name)
        if state is None or state.active not in _RUNS or state.job is not None:
            return False
        for other in self._core.graph.concerned(name, "cannot_be_active_without"):
            if self._core.job_of(other) is None and self._core.active(other).is_down:
                return self.enqueue(STOP, name, JobMode.REPLACE, f"it is bound to {other}, which is not up")
        return False

    def _start_if_upheld(self, name: str) -> bool:
        state = self._core.states.get(name)
        if self._core.is_kept_down(name) or (state is not None and (state.job is not None or not state.active.is_down)):
            return False
        if state is not None and state.failed_step == "start-limit":
            return False  # given up: only a person, or another unit's start, tries again
        for other in self._core.graph.concerned(name, "upheld_by"):
            if self._core.job_of(other) is None and self._core.active(other).is_up:
                return self._take_upheld_start(name) and self.enqueue(START, name, JobMode.FAIL, f"{other} upholds it")
        return False

    def _take_upheld_start(self, name: str) -> bool:
        """Upholding has a limit of its own, for units without a start limit (auto_start_stop_ratelimit of systemd)."""
        state, now_us = self._core.state_of(name), self._core.now.mono_us
        state.upheld_retry_us = 0
        if not state.upheld_from_us or now_us - state.upheld_from_us > AUTOMATIC_INTERVAL_US:
            state.upheld_from_us, state.upheld_count = now_us, 0
        state.upheld_count += 1
        if state.upheld_count <= AUTOMATIC_BURST:
            return True
        state.upheld_retry_us = state.upheld_from_us + AUTOMATIC_INTERVAL_US + 1
        return False

    def look_at_upheld(self, name: str) -> None:
        """The wait before another upheld start is over."""
        self._core.state_of(name).upheld_retry_us = 0
        self._upheld[name] = None

    def _start_dependents_of(self, name: str) -> bool:
        """Units whose start failed because of this one come up now that it has (recover_dependents)."""
        asked = False
        for other in self._core.graph.concerned(name, "start_failure"):
            state = self._core.states.get(other)
            if state is None or state.blocked_on != name or not self._core.active(name).is_up:
                continue
            self._core.touch(state)
            state.blocked_on = ""
            spec = self._core.specs.get(other)
            if spec is None or not spec.recover_dependents or self._core.is_kept_down(other) or not state.active.is_down or state.job:
                continue
            self._core.note(other, "recovered", f"{name} is up again: starting it", name)
            asked = self.enqueue(START, other, JobMode.FAIL, f"{name}, for which it waited, is up again") or asked
        return asked
