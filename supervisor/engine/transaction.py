"""Transactions: from one wish to the set of jobs it needs, all or nothing (SEMANTICS 5.1; systemd's transaction.c).

Built in steps, each of which only removes or merges: pull in what is needed, mark what matters to the anchor, lessen the
impact (mode fail), drop what is redundant, drop what nothing needs any more, break order cycles by giving up a job that
does not matter, merge the jobs of one unit, refuse to reverse queued jobs where the mode says so. Nothing is installed here
and no unit is touched: the result is a list of planned jobs, or a `TransactionError` that names the contradiction.

Invariants: a planned job that is removed takes with it every job to which it matters; the anchor goes last, with an error.
Loops are iterative: a chain of ten thousand units must not meet the interpreter's recursion limit.
"""

from collections.abc import Iterable

from supervisor.engine import cycles, jobtypes
from supervisor.engine.core import Core
from supervisor.engine.planned import Planned, link
from supervisor.model.errors import TransactionError
from supervisor.model.states import ActiveState, JobMode, JobType

START, VERIFY, STOP, RELOAD, RESTART = JobType.START, JobType.VERIFY_ACTIVE, JobType.STOP, JobType.RELOAD, JobType.RESTART


class Transaction:
    """One wish under construction. Use `plan_job` or `plan_boot`."""

    def __init__(self, core: Core, mode: JobMode, *, is_automatic: bool) -> None:
        self._core = core
        self._mode = mode
        self._is_automatic = is_automatic
        self._jobs: dict[str, list[Planned]] = {}
        self._anchor: Planned | None = None

    # -- pulling in ------------------------------------------------------------------------------------------------

    def pull_in(self, type_: JobType, unit: str, *, is_anchor: bool) -> None:
        """Add a job with everything it needs. Raises if the anchor cannot be had; another root is then simply left out."""
        root, _ = self._find_or_add(type_, unit)
        if is_anchor:
            self._anchor = root
        root.is_wanted_by_root = True
        try:
            self._check_applicable(type_, unit)
        except TransactionError:
            self._remove(root)
            raise
        self._pull_in_what_it_needs(root)

    def _pull_in_what_it_needs(self, root: Planned) -> None:
        queue = [root]
        while queue:
            job = queue.pop()
            if job not in self._jobs.get(job.unit, ()):
                continue  # removed since
            for kind, other, matters in self._wishes_of(job, is_root=job is root):
                try:
                    self._check_applicable(kind, other)
                except TransactionError as error:
                    if not matters or error.code == "not-applicable":
                        continue
                    if self._remove(job):
                        raise
                    self._core.note(job.unit, "transaction", f"not started: {error}")
                    break
                dependency, is_new = self._find_or_add(kind, other)
                link(job, dependency, matters=matters)
                if is_new:
                    queue.append(dependency)

    def _wishes_of(self, job: Planned, *, is_root: bool) -> Iterable[tuple[JobType, str, bool]]:
        """(type, unit, matters) for each neighbour that this job concerns. One that is not loaded needs no stop."""
        if self._mode == JobMode.IGNORE_DEPENDENCIES or (is_root and self._mode == JobMode.IGNORE_REQUIREMENTS):
            return
        graph = self._core.graph
        name = job.unit
        if job.type in (START, RESTART):
            for other in graph.concerned(name, "pull_in_start"):
                yield START, other, True
            for other in graph.concerned(name, "pull_in_start_ignored"):
                if not (self._is_automatic and self._core.is_kept_down(other)):
                    yield START, other, False
            for other in graph.concerned(name, "pull_in_verify"):
                yield VERIFY, other, True
            for other in graph.concerned(name, "pull_in_stop"):
                if other in self._core.specs:
                    yield STOP, other, True
            for other in graph.concerned(name, "pull_in_stop_ignored"):
                yield STOP, other, False
        if job.type == STOP:
            for other in graph.concerned(name, "propagate_stop"):
                if other in self._core.specs:
                    yield STOP, other, True
        if job.type == RESTART or (is_root and job.type == START and self._mode == JobMode.RESTART_DEPENDENCIES):
            for other in graph.concerned(name, "propagate_restart"):
                if other in self._core.specs and jobtypes.collapse(JobType.TRY_RESTART, self._core.active(other)):
                    yield RESTART, other, True
        if job.type == RELOAD:
            for other in graph.concerned(name, "propagate_reload"):
                if other in self._core.specs and jobtypes.collapse(JobType.TRY_RELOAD, self._core.active(other)):
                    yield RELOAD, other, False

    def _check_applicable(self, type_: JobType, unit: str) -> None:
        """Raise unless a job of this type may exist for this unit (`unit_job_is_applicable`, `bus_unit_validate_load_state`)."""
        spec = self._core.specs.get(unit)
        if spec is None:
            raise TransactionError("no-such-unit", f"cannot {type_} {unit}: there is no such unit", unit)
        if type_ == STOP:
            return
        if unit in self._core.vanished and (type_ == RESTART or (type_ == START and not self._core.active(unit).is_up)):
            raise TransactionError("no-such-unit", f"cannot {type_} {unit}: its unit file is gone", unit)
        if spec.is_masked:
            raise TransactionError("masked", f"cannot {type_} {unit}: it is masked; `supctl unmask {unit}` lifts that", unit)
        if spec.load_error:
            raise TransactionError("bad-setting", f"cannot {type_} {unit}: its unit file has errors: {spec.load_error}", unit)
        if type_ == RELOAD and not self._core.can_reload(unit):
            text = f"cannot reload {unit}: it has neither exec_reload nor type notify-reload; `supctl restart {unit}` works"
            raise TransactionError("not-applicable", text, unit)

    def _find_or_add(self, type_: JobType, unit: str) -> tuple[Planned, bool]:
        jobs = self._jobs.setdefault(unit, [])
        for job in jobs:
            if job.type == type_:
                return job, False
        job = Planned(type_, unit)
        jobs.append(job)
        return job, True

    def stop_all_others(self, names: Iterable[str]) -> None:
        """Isolate: a stop, with all that goes down along, for every unit that is up or queued and not part of this transaction."""
        assert self._anchor is not None
        for name in names:
            spec = self._core.specs.get(name)
            if (spec and spec.ignore_on_isolate) or self._jobs.get(name):
                continue
            state = self._core.states.get(name)
            if state is None or (state.active.is_down and state.job is None):
                continue
            job, _ = self._find_or_add(STOP, name)
            link(self._anchor, job, matters=True)
            self._pull_in_what_it_needs(job)

    # -- removing --------------------------------------------------------------------------------------------------

    def _remove(self, job: Planned) -> bool:
        """Remove a job and all to which it matters; whether the anchor went with them."""
        lost_anchor = False
        stack = [job]
        while stack:
            job = stack.pop()
            jobs = self._jobs.get(job.unit)
            if not jobs or job not in jobs:
                continue
            jobs.remove(job)
            if not jobs:
                del self._jobs[job.unit]
            lost_anchor = lost_anchor or job is self._anchor
            stack += [other for other in job.needed_by if other.needs.pop(job)]
            for other in job.needs:
                del other.needed_by[job]
        return lost_anchor

    # -- the steps -------------------------------------------------------------------------------------------------

    def finish(self) -> list[Planned]:
        """Carry out the remaining steps; the planned jobs, one a unit."""
        self._mark_what_matters()
        if self._mode == JobMode.FAIL:
            for job in [job for jobs in self._jobs.values() for job in jobs if self._has_unwanted_impact(job)]:
                self._remove(job)
        self._drop_redundant()
        while True:
            self._collect_garbage()
            if self._break_one_cycle():
                continue
            break
        while self._drop_one_contradiction():
            self._collect_garbage()
        self._merge()
        while self._break_one_cycle():  # a unit that had two jobs counted by one of them, perhaps by the one that was given up
            self._collect_garbage()
        self._drop_redundant()
        self._refuse_destruction()
        return [job for jobs in self._jobs.values() for job in jobs]

    def _mark_what_matters(self) -> None:
        stack = [self._anchor] if self._anchor else []
        while stack:
            job = stack.pop()
            if job.matters:
                continue
            job.matters = True
            stack.extend(other for other, matters in job.needs.items() if matters)

    def _has_unwanted_impact(self, job: Planned) -> bool:
        """Mode fail: what does not matter must neither stop a running unit nor reverse a queued job."""
        if job.matters:
            return False
        active = self._core.active(job.unit)
        stops_running = job.type == STOP and (active.is_up or active == ActiveState.ACTIVATING)
        queued = self._core.job_of(job.unit)
        return stops_running or (queued is not None and jobtypes.is_conflicting(job.type, queued.type))

    def _drop_redundant(self) -> None:
        """Drop the jobs of units that are already where all their jobs would bring them."""
        for unit in tuple(self._jobs):
            jobs = self._jobs.get(unit)
            if not jobs:
                continue
            active = self._core.active(unit)
            queued = self._core.job_of(unit)
            if all(
                job is not self._anchor
                and jobtypes.is_redundant(job.type, active)
                and not (queued is not None and jobtypes.is_conflicting(job.type, queued.type))
                for job in jobs
            ):
                for job in tuple(jobs):
                    # Not `_remove`: a requirement that is met already is no reason to give up who requires it.
                    self._unlink(job)

    def _unlink(self, job: Planned) -> None:
        for other in job.needed_by:
            del other.needs[job]
        for other in job.needs:
            del other.needed_by[job]
        jobs = self._jobs[job.unit]
        jobs.remove(job)
        if not jobs:
            del self._jobs[job.unit]

    def _collect_garbage(self) -> None:
        """Remove what nothing needs any more. What an isolate stops is needed by its anchor, so it stays."""
        stack = [job for jobs in self._jobs.values() for job in jobs]
        while stack:
            job = stack.pop()
            if job.needed_by or job is self._anchor or job.is_wanted_by_root or job not in self._jobs.get(job.unit, ()):
                continue
            needs = tuple(job.needs)
            self._unlink(job)
            stack.extend(needs)

    def _break_one_cycle(self) -> bool:
        """Give up one wait, or one job that does not matter, of an order cycle; False when there is none."""
        cycle = cycles.find(self._core, self._jobs)
        if cycle:
            self._give_up_one(cycle)
        return bool(cycle)

    def _give_up_one(self, cycle: list[str]) -> None:
        for index in reversed(range(len(cycle))):
            jobs = self._jobs.get(cycle[index])
            if jobs and jobs[0].type == STOP:
                # What shall go down goes down: it does not wait for the next on the circle, and goes on waiting for all others.
                jobs[0].waived.append(cycle[(index + 1) % len(cycle)])
                return
        for unit in reversed(cycle):
            jobs = self._jobs.get(unit)
            if jobs and not any(job.matters for job in jobs):
                for job in tuple(jobs):
                    self._remove(job)
                text = f"the start order is cyclic ({' after '.join([*cycle, cycle[0]])}); the job of {unit} was given up to break it"
                self._core.note(unit, "cycle", text)
                return
        text = " after ".join([*cycle, cycle[0]])
        raise TransactionError("cyclic", f"cannot order the jobs: {text}; remove one of these orderings", cycle[0])

    def _drop_one_contradiction(self) -> bool:
        """Find two jobs of one unit that do not merge and give up the one that does not matter; False when all merge."""
        for unit, jobs in self._jobs.items():
            merged: JobType | None = jobs[0].type
            for job in jobs[1:]:
                merged = jobtypes.merge_and_collapse(merged, job.type, self._core.active(unit)) if merged else None
            if merged is not None:
                continue
            for index, one in enumerate(jobs):
                for other in jobs[index + 1 :]:
                    if jobtypes.is_conflicting(one.type, other.type):
                        self._remove(self._lesser(one, other))
                        return True
        return False

    def _lesser(self, one: Planned, other: Planned) -> Planned:
        """Which of two contradicting jobs to give up: rather a stop than a start, unless a conflict asks for the stop."""
        if one.matters and other.matters:
            raise TransactionError(
                "contradictory",
                f"cannot {one.type} and {other.type} {one.unit} in one go: its requirements and conflicts contradict each other",
                one.unit,
            )
        if one.matters or other.matters:
            return other if one.matters else one
        stop, rest = (one, other) if one.type == STOP else (other, one)
        return rest if _is_asked_for_by_a_conflict(stop) else stop

    def _merge(self) -> None:
        for unit, jobs in self._jobs.items():
            first = jobs[0]
            active = self._core.active(unit)
            for job in jobs[1:]:
                merged = jobtypes.merge_and_collapse(first.type, job.type, active)
                assert merged is not None
                first.type = merged
                first.matters = first.matters or job.matters
                if job is self._anchor:
                    self._anchor = first
                for other in job.needed_by:
                    matters = other.needs.pop(job)
                    if other is not first:
                        link(other, first, matters=matters)
                for other, matters in job.needs.items():
                    del other.needed_by[job]
                    if other is not first:
                        link(first, other, matters=matters)
            del jobs[1:]

    def _refuse_destruction(self) -> None:
        for unit, jobs in self._jobs.items():
            queued = self._core.job_of(unit)
            if queued is None or not jobtypes.is_conflicting(queued.type, jobs[0].type):
                continue
            if self._mode == JobMode.FAIL or queued.is_irreversible:
                text = f"cannot {jobs[0].type} {unit}: a {queued.type} job is queued for it, which this would reverse"
                raise TransactionError("destructive", f"{text}; wait for it or `supctl cancel {queued.id}`", unit)

    @property
    def anchor(self) -> Planned | None:
        return self._anchor


def _is_asked_for_by_a_conflict(stop: Planned) -> bool:
    """Whether a start is to have it stopped that names it in conflicts=; the reverse, being named there, counts for nothing."""
    return any(job.needs[stop] and job.type != STOP for job in stop.needed_by)


def plan_job(core: Core, type_: JobType, unit: str, mode: JobMode, *, is_automatic: bool) -> tuple[list[Planned], Planned | None]:
    """The jobs for one wish and the anchor among them (None: it was redundant). Raises TransactionError."""
    transaction = Transaction(core, mode, is_automatic=is_automatic)
    transaction.pull_in(type_, unit, is_anchor=True)
    if mode == JobMode.ISOLATE:
        transaction.stop_all_others(sorted(core.states))
    return transaction.finish(), transaction.anchor


def plan_many(core: Core, type_: JobType, units: Iterable[str]) -> list[Planned]:
    """One transaction of many roots, none of which matters more than the others (boot, shutdown): what cannot be had is left out."""
    transaction = Transaction(core, JobMode.REPLACE, is_automatic=True)
    for unit in units:
        try:
            transaction.pull_in(type_, unit, is_anchor=False)
        except TransactionError as error:
            core.note(unit, "transaction", str(error))
    return transaction.finish()
