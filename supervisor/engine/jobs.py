"""The job queue: installing planned jobs, running those whose turn has come, finishing them and telling who waited.

One job a unit at most. A job that waits knows exactly for whom (`Job.blocked_by`): the set is kept pairwise as jobs come,
change and go, so that finishing a job costs its unit's edges and no scan of the queue. How a unit is started or stopped is
not decided here (life cycle), nor which jobs a wish needs (transaction). Rules: SEMANTICS 5.1; systemd's job.c.
"""

from collections import deque
from collections.abc import Callable

from supervisor.engine import jobtypes
from supervisor.engine.core import Core
from supervisor.engine.planned import Planned
from supervisor.engine.record import Job, UnitState
from supervisor.engine.transaction import plan_job, plan_many
from supervisor.model.effects import FinishJob, SaveIntent
from supervisor.model.states import ActiveState, JobMode, JobResult, JobState, JobType

START, VERIFY, STOP, RELOAD, RESTART = JobType.START, JobType.VERIFY_ACTIVE, JobType.STOP, JobType.RELOAD, JobType.RESTART

# What running a job came to: None means "under way", "again" means "not now; try when the unit changes".
Outcome = JobResult | str | None


class Jobs:
    """The queue. The engine gives the verbs start, stop and reload, (state) -> Outcome, and `is_up_once_forked` of the life cycle."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._ready: deque[str] = deque()  # units whose job may have its turn: whether it has is looked at when it is taken out
        self._failures: deque[tuple[str, str, JobResult]] = deque()  # (unit, atom, result) whose dependents have still to be told
        self.start: Callable[[UnitState], Outcome]
        self.stop: Callable[[UnitState], Outcome]
        self.reload: Callable[[UnitState], Outcome]
        self.on_failure: Callable[[UnitState], None]
        self.on_end: Callable[[UnitState], None]
        self.is_up_once_forked: Callable[[UnitState], bool]

    # -- wishes ----------------------------------------------------------------------------------------------------

    def enqueue(
        self,
        type_: JobType,
        unit: str,
        mode: JobMode,
        *,
        by: str,
        is_manual: bool = False,
    ) -> int:
        """Plan a wish and install its jobs; the anchor's id, 0 if there was nothing to do. Raises TransactionError."""
        planned, anchor = plan_job(self._core, type_, unit, mode, is_automatic=not is_manual)
        if mode in (JobMode.ISOLATE, JobMode.FLUSH):
            self._cancel_all_but({job.unit for job in planned})
        anchor_id = 0
        for job in planned:
            id_ = self._install(job, mode, by=by, is_manual=is_manual and job is anchor)
            if job is anchor:
                anchor_id = id_
            else:
                self._note_propagated(job, type_, unit, by=by, is_manual=is_manual)
        return anchor_id

    def _note_propagated(self, job: Planned, type_: JobType, cause: str, *, by: str, is_manual: bool) -> None:
        """A unit is started or stopped for another's sake: `why` must be able to tell for whose, and by whom."""
        core = self._core
        asked = f", asked for by {by}" if by else ""
        core.note(job.unit, "propagated", f"a {job.type} job comes with the {type_} of {cause}{asked}", cause)
        state = core.state_of(job.unit)
        if is_manual and job.type in (START, RESTART) and core.is_kept_down(job.unit):
            # Who starts what needs it wants it up: the older wish to have it down is over.
            state.intent = None
            core.emit(SaveIntent(job.unit, None, "", by, core.now.wall_us))

    def enqueue_many(self, type_: JobType, units: list[str], *, by: str, mode: JobMode = JobMode.REPLACE) -> list[Planned]:
        """Ask for jobs of one kind, as at boot; the whole transaction, with what goes along."""
        planned = plan_many(self._core, type_, units)
        for job in planned:
            self._install(job, mode, by=by, is_manual=False)
        return planned

    def _cancel_all_but(self, kept: set[str]) -> None:
        for _, state in sorted(self._core.states.items()):
            if state.job is not None and state.name not in kept:
                self.finish(state, JobResult.CANCELED, "an isolate replaced it", is_recursive=False)

    # -- installing ------------------------------------------------------------------------------------------------

    def _install(self, planned: Planned, mode: JobMode, *, by: str, is_manual: bool) -> int:
        core = self._core
        state = core.state_of(planned.unit)
        old = state.job
        if old is not None:
            if jobtypes.is_conflicting(old.type, planned.type):
                self.finish(state, JobResult.CANCELED, f"a {planned.type} job replaced it", is_recursive=False)
            else:
                return self._merge_into(state, old, planned, is_manual=is_manual)
        job = Job(
            core.mint(),
            planned.type,
            planned.unit,
            is_irreversible=mode == JobMode.REPLACE_IRREVERSIBLY,
            ignores_order=mode == JobMode.IGNORE_DEPENDENCIES,
            is_manual=is_manual,
            by=by,
            created_us=core.now.mono_us,
            waived=planned.waived,
        )
        state.job = job
        core.job_count += 1
        self._order(state)
        self._ready.append(job.unit)
        return job.id

    def _merge_into(self, state: UnitState, old: Job, planned: Planned, *, is_manual: bool) -> int:
        """Merge a wish into the job that is there; a running one that does not cover it begins again (job_install)."""
        type_ = planned.type
        merged = jobtypes.merge_and_collapse(old.type, type_, self._core.active(state.name))
        assert merged is not None
        covers = old.state == JobState.WAITING or (type_ != RELOAD and jobtypes.is_superset(old.type, type_))
        old.is_manual = old.is_manual or is_manual
        if not covers:
            old.state = JobState.WAITING
        if merged != old.type or planned.waived:
            old.type = merged
            old.waived += [name for name in planned.waived if name not in old.waived]
            self._order(state)
        self._ready.append(state.name)
        return old.id

    def _order(self, state: UnitState) -> None:
        """Work out anew who waits for whom between this unit's job and its neighbours'."""
        core, name, mine = self._core, state.name, state.job
        if mine is not None:
            core.waiting_changed.add(name)
            mine.blocked_by.clear()
        for kind, is_mine_after in (("after", True), ("before", False)):
            for other_name in core.graph.of(name, kind):
                theirs = core.job_of(other_name)
                if theirs is None:
                    continue
                if mine is None or mine.ignores_order or theirs.ignores_order:
                    waits = they_wait = False
                else:
                    waits = jobtypes.waits_for(mine.type, theirs.type, is_mine_after=is_mine_after)
                    they_wait = not waits and name not in theirs.waived
                    waits = waits and other_name not in mine.waived
                if waits and mine is not None:
                    mine.blocked_by.add(other_name)
                if they_wait:
                    core.waiting_changed.add(other_name)
                    theirs.blocked_by.add(name)
                elif name in theirs.blocked_by:
                    core.waiting_changed.add(other_name)
                    theirs.blocked_by.discard(name)
                    self._ready.append(other_name)

    def reorder_all(self) -> None:
        """After the graph changed (units reloaded) or the records were read back: derive every `blocked_by` again."""
        waiting = [state for _, state in sorted(self._core.states.items()) if state.job is not None]
        for state in waiting:
            if state.job is not None:
                state.job.blocked_by.clear()
        for state in waiting:
            self._order(state)
        self._break_cycles([state.name for state in waiting])
        self._ready.extend(state.name for state in waiting)

    def _break_cycles(self, names: list[str]) -> None:
        """New definitions, or the start half of a restart, may order queued jobs in a circle: nobody waits for the one that closes it."""
        finished: set[str] = set()
        for start in names:
            path: list[str] = [] if start in finished else [start]
            branches = [iter(self._blockers(name)) for name in path]
            while branches:
                other = next(branches[-1], None)
                if other is None:
                    branches.pop()
                    finished.add(path.pop())
                elif other in path:
                    job = self._core.job_of(path[-1])
                    assert job is not None
                    job.blocked_by.discard(other)
                    job.waived.append(other)
                    self._core.note(path[-1], "cycle", f"its job would wait in a circle: it does not wait for {other}")
                    self._ready.append(path[-1])
                elif other not in finished:
                    path.append(other)
                    branches.append(iter(self._blockers(other)))

    def _blockers(self, name: str) -> list[str]:
        job = self._core.job_of(name)
        return sorted(job.blocked_by) if job is not None else []

    # -- running ---------------------------------------------------------------------------------------------------

    def wake(self, name: str) -> None:
        """The unit changed: a job of it that could not run may now."""
        self._ready.append(name)

    def run_ready(self) -> None:
        """Run every job whose turn has come, until none is left."""
        self.tell_failures()
        while self._ready:
            state = self._core.states.get(self._ready.popleft())
            if state is None or state.job is None:
                continue
            job = state.job
            if job.state == JobState.WAITING and not job.blocked_by:
                self._run(state, job)
                self.tell_failures()

    def _run(self, state: UnitState, job: Job) -> None:
        self._core.touch(state)
        job.state = JobState.RUNNING
        if not job.began_us:
            job.began_us = self._core.now.mono_us
        if job.type == VERIFY:
            outcome = self._verify(state)
        elif job.type == START:
            outcome = self.start(state)
        elif job.type in (STOP, RESTART):
            outcome = self.stop(state)
        else:
            outcome = self.reload(state)
        if state.job is not job:
            return  # the verb itself finished it
        if outcome == "again":
            job.state = JobState.WAITING
        elif isinstance(outcome, JobResult):
            self.finish(state, outcome)

    def wait_again(self, state: UnitState) -> None:
        """The verb found, later than at once, that it cannot run now, or has to be carried out once more: the job waits for its turn."""
        assert state.job is not None
        state.job.state = JobState.WAITING

    def _verify(self, state: UnitState) -> Outcome:
        if state.active.is_up:
            return JobResult.DONE
        return "again" if state.active == ActiveState.ACTIVATING else JobResult.SKIPPED

    # -- finishing -------------------------------------------------------------------------------------------------

    def finish(self, state: UnitState, result: JobResult, text: str = "", *, is_recursive: bool = True) -> None:
        """End a unit's job: tell who waits, fail who required it, let the next ones go."""
        core, job = self._core, state.job
        assert job is not None
        core.touch(state)
        if result == JobResult.DONE and job.type == RESTART:
            # The stop half is over; the same job goes on as a start.
            job.type, job.state = START, JobState.WAITING
            self._order(state)
            self._break_cycles([state.name])  # planned as a stop, it now waits as a start
            self._ready.append(state.name)
            return
        state.job = None
        core.job_count -= 1
        state.last_job = [job.id, job.type, result, text]
        core.emit(FinishJob(job.id, state.name, job.type, result, text, core.now.mono_us - job.created_us))
        if result not in (JobResult.DONE, JobResult.CANCELED):
            core.note(state.name, "job", f"the {job.type} job ended: {result}{': ' + text if text else ''}", job=job.id, result=result)
        self.on_end(state)
        if result in (JobResult.TIMEOUT, JobResult.DEPENDENCY):
            self.on_failure(state)
        self._order(state)
        if result != JobResult.DONE and is_recursive and job.type in (START, VERIFY, STOP):
            self._failures.append((state.name, "stop_failure" if job.type == STOP else "start_failure", result))
        elif job.type in (START, RELOAD) and result == JobResult.DONE and not state.active.is_up:
            # Requisite=: done, but not active (a oneshot, or a condition that did not hold).
            self._failures.append((state.name, "inactive_start_as_failure", result))

    def tell_failures(self) -> None:
        """Fail the jobs of those that required what failed, and of those that required them, one after the other."""
        while self._failures:
            self._fail_dependents(*self._failures.popleft())

    def _fail_dependents(self, name: str, atom: str, result: JobResult) -> None:
        for other in self._core.graph.concerned(name, atom):
            state = self._core.states.get(other)
            if state is None or state.job is None or state.job.type not in (START, VERIFY):
                continue
            if state.job.state == JobState.RUNNING and self.is_up_once_forked(state):
                continue  # without an order between them its start was first, and for systemd, whose forks take no time, over
            state.blocked_on = name
            self._core.note(other, "dependency", f"cannot start: {name}, which it requires, did not start ({result})", name)
            self.finish(state, JobResult.DEPENDENCY, f"{name} did not start")
