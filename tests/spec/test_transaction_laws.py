"""What holds of every transaction, whatever its units are like: the laws of systemd's transaction.c (SEMANTICS 5.1 and 5.2).

Small worlds are drawn by number: units with edges of every kind, in every active state, with jobs queued or none, some of them masked,
broken, not loaded or gone from their files. One wish is planned in each. What the plan must be like is said here anew, from the rules
and not from the code: who needs whom, what merges, what is redundant, who waits for whom.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

import pytest

from supervisor.engine.core import Core
from supervisor.engine.planned import Planned
from supervisor.engine.record import Intent, Job
from supervisor.engine.transaction import plan_job, plan_many
from supervisor.model.errors import TransactionError
from supervisor.model.specification import Unit
from supervisor.model.states import ActiveState, JobMode, JobState, JobType, SubState, Wanted
from tests.spec.build import target, unit

START, VERIFY, STOP, RELOAD, RESTART = JobType.START, JobType.VERIFY_ACTIVE, JobType.STOP, JobType.RELOAD, JobType.RESTART
TYPES = (START, VERIFY, STOP, RELOAD, RESTART)
NAMES = "abcde"
KINDS = ("requires", "wants", "requisite", "binds_to", "part_of", "upholds", "conflicts", "propagates_stop_to", "propagates_reload_to")
OFTEN = (*KINDS, "requires", "wants", "wants", "upholds", "conflicts")
MODES = (*[JobMode.REPLACE] * 3, *[JobMode.FAIL] * 2, JobMode.ISOLATE, JobMode.RESTART_DEPENDENCIES, JobMode.IGNORE_REQUIREMENTS)
MODES += (JobMode.IGNORE_DEPENDENCIES,)
SUBS = (SubState.DEAD, SubState.DEAD, SubState.RUNNING, SubState.RUNNING, SubState.FAILED, SubState.START, SubState.STOP, SubState.RELOAD)
FRIENDLY = ("requires", "wants", "upholds", "binds_to")
WORLDS = 1500
# Modes that do not ask for what the unit that is named needs.
IGNORANT = frozenset({JobMode.IGNORE_REQUIREMENTS, JobMode.IGNORE_DEPENDENCIES})

Wish = tuple[JobType, str]


@dataclass
class Drawn:
    """One world, what is asked of it, and what came of that."""

    core: Core
    edges: list[tuple[str, str, str]]
    orders: list[tuple[str, str]]  # (who is after, whom)
    roots: list[Wish]
    mode: JobMode
    is_automatic: bool
    has_anchor: bool
    plan: dict[str, Planned]
    error: TransactionError | None
    notes: list[str]

    def active(self, name: str) -> ActiveState:
        return self.core.active(name)

    def queued(self, name: str) -> JobType | None:
        job = self.core.job_of(name)
        return None if job is None else job.type

    def others(self, name: str, *kinds: str, reverse: bool = False) -> Iterator[str]:
        """Whom a unit names in edges of these kinds; with `reverse`, who names it."""
        for one, kind, other in self.edges:
            if kind in kinds and (other if reverse else one) == name:
                yield one if reverse else other

    # -- the rules, said anew --------------------------------------------------------------------------------------

    def needs(self, wish: Wish) -> Iterator[Wish]:
        """What a job cannot do without: if that cannot be had, neither can the job."""
        type_, name = wish
        if self.mode == JobMode.IGNORE_DEPENDENCIES or (self.mode == JobMode.IGNORE_REQUIREMENTS and wish in self.roots):
            return
        if type_ in (START, RESTART):
            yield from ((START, other) for other in self.others(name, "requires", "binds_to"))
            yield from ((VERIFY, other) for other in self.others(name, "requisite"))
            yield from ((STOP, other) for other in self.others(name, "conflicts") if other in self.core.specs)
        dependents = [*self.others(name, "requires", "requisite", "binds_to", "part_of", reverse=True)]
        if type_ == STOP:
            for other in (*dependents, *self.others(name, "propagates_stop_to")):
                if other in self.core.specs:
                    yield STOP, other
        if type_ == RESTART or (self.mode == JobMode.RESTART_DEPENDENCIES and wish in self.roots and type_ == START):
            for other in dependents:
                if not self.active(other).is_down and self.active(other) != ActiveState.DEACTIVATING:
                    yield RESTART, other

    def likes(self, wish: Wish) -> Iterator[Wish]:
        """What a job asks for and does without where it cannot be had."""
        type_, name = wish
        if self.mode == JobMode.IGNORE_DEPENDENCIES or (self.mode == JobMode.IGNORE_REQUIREMENTS and wish in self.roots):
            return
        if type_ in (START, RESTART):
            for other in self.others(name, "wants", "upholds"):
                if not (self.is_automatic and self.core.is_kept_down(other)):
                    yield START, other
            yield from ((STOP, other) for other in self.others(name, "conflicts", reverse=True))
        if type_ == RELOAD:
            yield from ((RELOAD, other) for other in self.others(name, "propagates_reload_to") if self.active(other).is_up)

    def may_be(self, wish: Wish) -> bool:
        """Whether there may be such a job at all: what is masked, broken, gone or not there can only be stopped."""
        type_, name = wish
        spec = self.core.specs.get(name)
        if type_ == STOP:
            return spec is not None
        if spec is None or spec.is_masked or spec.load_error:
            return False
        if name in self.core.vanished and (type_ == RESTART or (type_ == START and not self.active(name).is_up)):
            return False
        return type_ != RELOAD or can_reload(spec)

    def is_redundant(self, wish: Wish) -> bool:
        """Whether the unit is there already and no queued job is about to take it away."""
        type_, name = wish
        is_there = self.active(name).is_down if type_ == STOP else self.active(name).is_up if type_ in (START, VERIFY) else False
        queued = self.queued(name)
        return is_there and (queued is None or (queued == STOP) == (type_ == STOP))

    def holds(self, wish: Wish) -> bool:
        """Whether the plan does what is wished, or it is done."""
        type_, name = wish
        job = self.plan.get(name)
        return self.is_redundant(wish) if job is None else covers(job.type, type_, self.active(name))

    def closure(self, *, strictly: bool, through_redundant: bool = True, isolates: bool = True) -> set[Wish]:
        """All that is wished for the roots' sake."""
        found: set[Wish] = set()
        stack = list(self.roots)
        if self.mode == JobMode.ISOLATE and isolates:
            stack += [(STOP, name) for name in self.isolated()]
        while stack:
            if (wish := stack.pop()) in found:
                continue
            found.add(wish)
            if self.may_be(wish) and (through_redundant or wish in self.roots or not self.is_redundant(wish)):
                stack += [*self.needs(wish), *(() if strictly else self.likes(wish))]
        return found

    def isolated(self) -> set[str]:
        """The units that are to go because they are no part of what is isolated."""
        wished = {name for _, name in self.closure(strictly=False, isolates=False)}
        is_there = {name for name in NAMES if not self.active(name).is_down or self.queued(name) is not None}
        return {name for name in is_there - wished if not self.core.specs[name].ignore_on_isolate}

    def circles(self) -> bool:
        """Whether any jobs, planned or queued, wait for each other in a circle."""
        types = {name: self.core.job_of(name) for name in NAMES}
        jobs = {name: (job.type, job.waived) for name, job in types.items() if job is not None and not job.ignores_order}
        jobs |= {name: (job.type, job.waived) for name, job in self.plan.items()}
        waits = {name: set(self.waited_for(name, jobs)) for name in jobs}
        while free := [name for name, others in waits.items() if not others & waits.keys()]:
            for name in free:
                del waits[name]
        return bool(waits)

    def waited_for(self, name: str, jobs: dict[str, tuple[JobType, list[str]]]) -> Iterator[str]:
        """Starts go in the order that is written, stops the other way round, and a stop goes before a start whatever is written."""
        mine, waived = jobs[name]
        for later, earlier in self.orders:
            other = earlier if later == name else later
            if name not in (later, earlier) or other not in jobs or other in waived:
                continue
            goes_down, other_goes_down = mine in (STOP, RESTART), jobs[other][0] in (STOP, RESTART)
            if (later == name and not goes_down) or (earlier == name and other_goes_down):
                yield other


def can_reload(spec: Unit) -> bool:
    return spec.service is None or bool(spec.service.exec_reload)


def covers(job: JobType, wish: JobType, active: ActiveState) -> bool:
    """Whether a job does what a wish asks for (the table of merges: a start makes sure that it is up, a restart does all but a stop)."""
    if job == wish:
        return True
    if job == STOP or wish == STOP:
        return False
    return {
        START: wish == VERIFY or (wish == RELOAD and not active.is_up),
        VERIFY: False,
        RELOAD: wish == VERIFY or (wish == START and active.is_up),
        RESTART: True,
    }[job]


def contradicts(one: JobType, other: JobType) -> bool:
    return (one == STOP) != (other == STOP)


def has_contradiction(world: Drawn) -> bool:
    """Whether a unit is wished both up and down."""
    every = world.closure(strictly=False)
    types = {name: {type_ for type_, other in every if other == name} for name in NAMES}
    return any(STOP in found and len(found) > 1 for found in types.values())


# -- drawing -------------------------------------------------------------------------------------------------------------


def drawn(number: int, *, has_anchor: bool = True) -> Drawn:
    random = Random(number)
    is_fresh = random.random() < 0.3  # nothing is up, and all that is wished is a start: circles of the order are met most there
    kinds = FRIENDLY if is_fresh else OFTEN
    edges = [(one, other, random.choice(kinds)) for one, other in (random.sample(NAMES, 2) for _ in range(random.randint(2, 7)))]
    if random.random() < 0.05:
        edges.append((random.choice(NAMES), "missing", random.choice(("requires", "wants", "conflicts"))))
    orders: list[tuple[str, str]] = []
    for _ in range(8 if is_fresh else random.choice((0, 0, 3, 8))):
        later, earlier = random.sample(NAMES, 2)
        orders.append((later, earlier))
    units = [_unit(random, name, edges, orders) for name in NAMES]
    core = Core({each.id: each for each in units}, "laws")
    for name in NAMES:
        state = core.state_of(name)
        state.sub = SubState.DEAD if core.specs[name].is_unusable or is_fresh else random.choice(SUBS)
        if core.specs[name].service is None:
            state.sub = SubState.DEAD if is_fresh else random.choice((SubState.DEAD, SubState.TARGET_ACTIVE))
        if random.random() < 0.1:
            state.intent = Intent(Wanted.DOWN)
        if random.random() < 0.05 and not state.active.is_down:
            core.vanished.add(name)
    mode = random.choice(MODES) if has_anchor else JobMode.REPLACE
    roots = [(random.choice(TYPES) if mode != JobMode.ISOLATE else START, name) for name in random.sample(NAMES, 1 if has_anchor else 3)]
    if not has_anchor:
        roots = [(roots[0][0], name) for _, name in roots]
    world = Drawn(
        core,
        [(one, kind, other) for one, other, kind in edges],
        orders,
        roots,
        mode,
        is_automatic=not has_anchor or random.random() < 0.5,
        has_anchor=has_anchor,
        plan={},
        error=None,
        notes=[],
    )
    for name in NAMES:
        _queue(random, world, name)
    _plan(world)
    return world


def _unit(random: Random, name: str, edges: list[tuple[str, str, str]], orders: list[tuple[str, str]]) -> Unit:
    keys: dict[str, object] = {kind: [other for one, other, k in edges if one == name and k == kind] for kind in KINDS}
    keys["after"] = [earlier for later, earlier in orders if later == name]
    keys |= {key: True for key in ("is_masked", "ignore_on_isolate") if random.random() < 0.02}
    keys |= {"load_error": "a.toml:1: no"} if random.random() < 0.02 else {}
    if random.random() < 0.1 and not any(one == name and kind in ("requires", "wants") for one, _, kind in edges):
        return target(name, **keys)
    return unit(name, exec_reload=["again"] if random.random() < 0.8 else [], **keys)


def _queue(random: Random, world: Drawn, name: str) -> None:
    """Perhaps a job that is there already; not one that would make the queue wait in a circle, which no queue does."""
    if random.random() < 0.7 or world.core.specs[name].is_unusable:
        return
    state = world.core.states[name]
    state.job = Job(9, random.choice(TYPES), name, random.choice(tuple(JobState)))
    state.job.is_irreversible, state.job.ignores_order = random.random() < 0.1, random.random() < 0.1
    if world.circles():
        state.job = None


def _plan(world: Drawn) -> None:
    try:
        if world.has_anchor:
            planned, anchor = plan_job(world.core, *world.roots[0], world.mode, is_automatic=world.is_automatic)
            assert anchor in planned, "the job that was asked for is not in its own plan"
        else:
            planned = plan_many(world.core, world.roots[0][0], [name for _, name in world.roots])
        world.plan = {job.unit: job for job in planned}
        assert len(world.plan) == len(planned), "a unit has two jobs"
    except TransactionError as error:
        world.error = error
    world.notes = [reason.what for state in world.core.states.values() for reason in state.because]


@pytest.fixture(scope="module")
def worlds() -> list[Drawn]:
    return [drawn(number) for number in range(WORLDS)]


@pytest.fixture(scope="module")
def boots() -> list[Drawn]:
    """Worlds in which several units are asked for at once, as at boot and at shutdown."""
    return [drawn(number, has_anchor=False) for number in range(WORLDS // 3)]


def _planned(worlds: Iterable[Drawn]) -> Iterator[tuple[Drawn, Planned]]:
    for world in worlds:
        for job in world.plan.values():
            yield world, job


# -- the laws ------------------------------------------------------------------------------------------------------------


def test_the_worlds_are_worth_looking_at(worlds: list[Drawn], boots: list[Drawn]) -> None:
    """None of the laws holds for want of a world that it is about."""
    codes = {world.error.code for world in worlds if world.error}
    assert codes == {"cyclic", "contradictory", "destructive", "masked", "bad-setting", "no-such-unit", "not-applicable"}
    assert sum("cycle" in world.notes for world in worlds) > 10
    assert sum(len(world.plan) > 2 for world in worlds) > 100
    assert {job.type for _, job in _planned(worlds)} == set(TYPES)
    assert sum(len(world.plan) > 3 for world in boots) > 50


def test_what_a_job_needs_is_done_or_planned(worlds: list[Drawn], boots: list[Drawn]) -> None:
    for world, job in _planned([*worlds, *boots]):
        for wish in world.needs((job.type, job.unit)):
            assert world.holds(wish), f"{job.type} {job.unit} needs {wish}"


def test_what_was_asked_for_is_planned(worlds: list[Drawn]) -> None:
    for world in worlds:
        ((type_, name),) = world.roots
        assert world.error or covers(world.plan[name].type, type_, world.active(name))


def test_what_cannot_be_is_never_planned(worlds: list[Drawn], boots: list[Drawn]) -> None:
    for world, job in _planned([*worlds, *boots]):
        assert world.may_be((job.type, job.unit))


def test_nothing_is_planned_that_is_done_already(worlds: list[Drawn], boots: list[Drawn]) -> None:
    for world, job in _planned([*worlds, *boots]):
        is_anchor = world.has_anchor and job.unit == world.roots[0][1]
        assert is_anchor or not world.is_redundant((job.type, job.unit))


def test_nothing_is_planned_that_nothing_planned_asks_for(worlds: list[Drawn], boots: list[Drawn]) -> None:
    for world in [*worlds, *boots]:
        if world.mode == JobMode.ISOLATE:
            continue
        reached: set[str] = set()
        stack = [name for _, name in world.roots]
        is_torn = has_contradiction(world)  # a job that turns out to be redundant after that has been asking until then
        while stack:
            name = stack.pop()
            if name in reached or (name not in world.plan and not is_torn):
                continue
            reached.add(name)
            # A job may have been several, which were merged.
            wishes = [(t, name) for t in TYPES if name not in world.plan or covers(world.plan[name].type, t, world.active(name))]
            stack += [other for wish in wishes for _, other in (*world.needs(wish), *world.likes(wish))]
        assert reached >= world.plan.keys()


def test_jobs_never_wait_in_a_circle(worlds: list[Drawn], boots: list[Drawn]) -> None:
    for world in [*worlds, *boots]:
        assert not world.circles()


def test_only_what_goes_down_is_let_off_a_wait_and_only_of_one_that_it_would_have_had(worlds: list[Drawn]) -> None:
    for world, job in _planned(worlds):
        assert not job.waived or job.type == STOP
        types: dict[str, tuple[JobType, list[str]]] = {name: (each.type, []) for name, each in world.plan.items()}
        queued: dict[str, tuple[JobType, list[str]]] = {name: (type_, []) for name in NAMES if (type_ := world.queued(name)) is not None}
        assert set(job.waived) <= set(world.waited_for(job.unit, {**queued, **types}))


def test_a_wish_is_granted_wherever_nothing_speaks_against_it(worlds: list[Drawn], boots: list[Drawn]) -> None:
    granted = 0
    for world in [*worlds, *boots]:
        every = world.closure(strictly=False)
        if world.error or has_contradiction(world) or world.mode in (JobMode.FAIL, JobMode.ISOLATE) or "cycle" in world.notes:
            continue
        if not all(world.may_be(wish) for wish in every):
            continue
        for job in world.plan.values():
            for wish in world.likes((job.type, job.unit)):
                granted += 1
                assert world.holds(wish), f"{job.type} {job.unit} likes {wish}"
        for wish in world.roots:
            assert world.holds(wish)
    assert granted > 100


def test_no_job_is_given_up_for_the_order_s_sake_where_there_is_no_circle(worlds: list[Drawn], boots: list[Drawn]) -> None:
    for world in [*worlds, *boots]:
        left = {name for order in world.orders for name in order}
        while free := [name for name in left if not any(later == name and earlier in left for later, earlier in world.orders)]:
            left -= set(free)
        if not left and not any(contradicts(a, b) for a in map(world.queued, NAMES) if a for b, _ in world.roots):
            assert world.error is None or world.error.code != "cyclic" or _mixes_stops_and_starts(world)


def _mixes_stops_and_starts(world: Drawn) -> bool:
    """A stop that must be before a start, whatever order is written, may close a circle too."""
    wished = {type_ for type_, _ in world.closure(strictly=False)} | {type_ for name in NAMES if (type_ := world.queued(name))}
    return bool(wished & {STOP, RESTART}) and bool(wished - {STOP, RESTART})


def test_a_wish_is_refused_for_a_reason_and_never_granted_against_one(worlds: list[Drawn]) -> None:
    for world in worlds:
        strict = world.closure(strictly=True)
        impossible = [wish for wish in strict if not world.may_be(wish) and (wish[0] != RELOAD or wish in world.roots)]
        if impossible:
            assert world.error, f"{impossible[0]} cannot be"
            continue
        code = world.error.code if world.error else ""
        assert code in ("", "cyclic", "contradictory", "destructive")
        types = [(one, other) for one, name in strict for other, other_name in strict if name == other_name]
        if code == "contradictory":
            assert any(contradicts(one, other) for one, other in types)
        certain = world.closure(strictly=True, through_redundant=False)
        if any(contradicts(one, other) for one, name in certain for other, other_name in certain if name == other_name):
            assert code
        if code == "cyclic":
            assert world.orders


def test_no_queued_job_is_reversed_that_may_not_be(worlds: list[Drawn], boots: list[Drawn]) -> None:
    for world in [*worlds, *boots]:
        reversed_ = [name for name, job in world.plan.items() if (queued := world.queued(name)) and contradicts(queued, job.type)]
        irreversible = [name for name in NAMES if (job := world.core.job_of(name)) is not None and job.is_irreversible]
        assert not set(reversed_) & set(irreversible)
        assert not reversed_ or world.mode != JobMode.FAIL
        if world.error and world.error.code == "destructive":
            name = next(each for each in NAMES if f" {each}: a " in str(world.error))
            assert world.mode == JobMode.FAIL or name in irreversible
            assert world.queued(name)


def test_mode_fail_stops_nothing_that_runs_for_the_sake_of_what_is_only_wanted(worlds: list[Drawn]) -> None:
    spared = 0
    for world in worlds:
        if world.mode != JobMode.FAIL or world.error:
            continue
        mattering = world.closure(strictly=True)
        for type_, name in world.closure(strictly=False) - mattering:
            is_impact = type_ == STOP and (world.active(name).is_up or world.active(name) == ActiveState.ACTIVATING)
            if is_impact and (STOP, name) not in mattering:
                spared += 1
                assert name not in world.plan or world.plan[name].type != STOP
    assert spared > 5


def test_isolate_stops_all_else_but_what_is_spared_and_what_goes_along(worlds: list[Drawn]) -> None:
    stopped = 0
    for world in worlds:
        if world.mode != JobMode.ISOLATE or world.error:
            continue
        to_go = {name for name in world.isolated() if not world.is_redundant((STOP, name))}
        stopped += len(to_go)
        assert all(name in world.plan and world.plan[name].type == STOP for name in to_go)
        assert world.plan.keys() <= {name for _, name in world.closure(strictly=False)}
    assert stopped > 20
