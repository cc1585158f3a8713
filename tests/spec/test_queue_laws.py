"""What holds of the queue of jobs whatever is asked, ends or changes: who waits for whom, and that nobody waits for nothing.

Queues are drawn by number: units in an order of their own, wishes of every kind and mode, ends of jobs, changes of units, other
definitions. After each of these the queue must be what the rules say of the jobs that are in it (job_compare and job_is_runnable of
systemd's job.c; SEMANTICS 5.2: starts go in the order that is written, stops the other way round, a stop goes before a start).
"""

from collections.abc import Iterator
from itertools import combinations
from random import Random

import pytest

from supervisor.engine.record import Job
from supervisor.model import events as ev
from supervisor.model.errors import TransactionError
from supervisor.model.specification import Unit
from supervisor.model.states import ActiveState, JobMode, JobResult, JobState, JobType, SubState
from tests.spec.bench import TYPES, Bench
from tests.spec.build import unit

NAMES = "abcdef"
QUEUES, STEPS = 200, 16
SUBS = (
    *(SubState.DEAD, SubState.FAILED, SubState.START, SubState.RUNNING, SubState.RELOAD, SubState.STOP_SIGTERM),
    *(SubState.AUTO_RESTART, SubState.AUTO_RESTART_QUEUED),
)
MODES = (*[JobMode.REPLACE] * 4, JobMode.FAIL, JobMode.IGNORE_DEPENDENCIES, JobMode.ISOLATE, JobMode.FLUSH)
GOES_DOWN = (JobType.STOP, JobType.RESTART)


def _units(random: Random) -> list[Unit]:
    """Units with an order between some pairs, written at either end; a pair has one order or none, a circle takes three."""
    is_acyclic = random.random() < 0.6
    after: dict[str, list[str]] = {name: [] for name in NAMES}
    before: dict[str, list[str]] = {name: [] for name in NAMES}
    for earlier, later in combinations(NAMES, 2):
        if not is_acyclic and random.random() < 0.5:
            earlier, later = later, earlier
        if random.random() < 0.45:
            if random.random() < 0.5:
                after[later].append(earlier)
            else:
                before[earlier].append(later)
    wants = {name: [other for other in NAMES if other != name and random.random() < 0.15] for name in NAMES}
    return [unit(name, exec_reload="again", after=after[name], before=before[name], wants=wants[name]) for name in NAMES]


def _must_wait(bench: Bench, name: str, job: Job) -> Iterator[str]:
    """The units whose job this one has to let go first."""
    for other in NAMES:
        theirs = bench.core.job_of(other)
        if other == name or theirs is None or job.ignores_order or theirs.ignores_order or other in job.waived:
            continue
        mine = bench.core.specs[name].dependencies
        of_other = bench.core.specs[other].dependencies
        is_after = other in mine.after or name in of_other.before
        is_before = other in mine.before or name in of_other.after
        if (is_after and job.type not in GOES_DOWN) or (is_before and theirs.type in GOES_DOWN):
            yield other


def _may_wait_for_itself(bench: Bench, name: str, job: Job) -> bool:
    """Whether the unit's own state keeps the job from being carried out."""
    state = bench.core.states[name]
    if job.type == JobType.START:
        return state.active == ActiveState.DEACTIVATING or state.sub == SubState.AUTO_RESTART
    if job.type == JobType.VERIFY_ACTIVE:
        return state.active == ActiveState.ACTIVATING
    return job.type == JobType.RELOAD and state.active == ActiveState.RELOADING


def _check(bench: Bench) -> None:
    queued = {name: job for name in NAMES if (job := bench.core.job_of(name)) is not None}
    for name, job in queued.items():
        assert job.blocked_by == set(_must_wait(bench, name, job)), f"the {job.type} of {name}"
        is_waiting = job.state == JobState.WAITING
        assert not is_waiting or job.blocked_by or _may_wait_for_itself(bench, name, job), f"the {job.type} of {name} waits for nothing"
    waits = {name: set(job.blocked_by) for name, job in queued.items()}
    while free := [name for name, others in waits.items() if not others & waits.keys()]:
        for name in free:
            del waits[name]
    assert not waits, f"{sorted(waits)} wait for each other"
    assert bench.core.job_count == len(queued)


def _step(random: Random, bench: Bench) -> None:
    name = random.choice(NAMES)
    state = bench.core.state_of(name)
    match random.choices(("ask", "finish", "change", "load"), (6, 2, 2, 0.5))[0]:
        case "ask":
            try:
                bench.ask(random.choice(TYPES), name, random.choice(MODES))
            except TransactionError:
                pass  # refused: nothing is queued
        case "finish" if state.job is not None:
            bench.finish(name, random.choice(tuple(JobResult)))
        case "change":
            bench.change(name, random.choice(SUBS))
        case "load":
            bench.engine.handle(ev.UnitsLoaded({each.id: each for each in _units(random)}), bench.core.now)
    bench.engine.jobs.run_ready()


@pytest.mark.parametrize("part", range(5))
def test_the_queue_is_what_its_jobs_make_of_it(part: int) -> None:
    waited = 0
    for number in range(part * QUEUES // 5, (part + 1) * QUEUES // 5):
        random = Random(number)
        bench = Bench(*_units(random))
        for name in NAMES:
            bench.put(name, random.choice(tuple(ActiveState)))
        for _ in range(STEPS):
            _step(random, bench)
            _check(bench)
            waited += sum(bool(state.job.blocked_by) for state in bench.core.states.values() if state.job is not None)
    assert waited > 300
