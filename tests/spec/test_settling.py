"""What the engine asks for of its own accord once everything else is done: every cell of who is looked at, and what it takes to act.

Four questions, each put to whoever a change may concern (systemd's stop_when_unneeded, stop_when_bound and start_when_upheld queues;
DESIGN, `recover_dependents`). A unit with a job of its own is left to that job; whoever is on the way out of supd asks for nothing.
"""

from itertools import product

import pytest

from supervisor.engine.record import Intent
from supervisor.model.states import ActiveState, JobType, SubState, Wanted
from tests.spec.bench import SUB_OF, Bench
from tests.spec.build import unit

A = ActiveState
DOWN, UP = {A.INACTIVE, A.FAILED}, {A.ACTIVE, A.RELOADING}
RUNS = UP | {A.ACTIVATING}
JOBS = (None, JobType.START, JobType.STOP)
NEEDS = ("requires", "requisite", "wants", "binds_to", "upholds")
OTHER_KINDS = ("part_of", "conflicts", "propagates_stop_to", "propagates_reload_to", "after", "before")


def _with_job(bench: Bench, name: str, type_: JobType | None) -> None:
    if type_ is not None:
        bench.job(name, type_)


def _asked(bench: Bench, name: str, was: JobType | None) -> str | None:
    """What is queued for the unit that was not before."""
    found = bench.jobs().get(name)
    return None if found == was else found


# -- stop_when_unneeded --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*NEEDS, *OTHER_KINDS])
@pytest.mark.parametrize("user_goes", [True, False], ids=["a user goes", "it comes up itself"])
def test_what_nobody_needs_stops_as_its_last_user_goes_or_as_it_comes_up(kind: str, user_goes: bool) -> None:
    for there, theirs, job in product(A, JOBS, JOBS):
        bench = Bench(unit("user", **{kind: ["it"]}), unit("it", stop_when_unneeded=True))
        bench.put("it", "active")
        bench.put("user", there)
        _with_job(bench, "user", theirs)
        _with_job(bench, "it", job)
        if user_goes:
            if there not in DOWN or theirs is not None:
                continue
            bench.core.on_change(bench.core.states["user"], SubState.STOP_SIGTERM)
        else:
            bench.core.on_change(bench.core.states["it"], SubState.RELOAD)
            _with_job(bench, "it", job)  # a job that the change ended is there again
        bench.settle()
        is_needed = kind in NEEDS and (there not in DOWN or theirs is not None)
        is_looked_at = kind in NEEDS if user_goes else True
        is_in_the_way = kind == "part_of" and theirs == JobType.START  # it would have to go along, and a wish of the engine's own gives way
        expected = "stop" if job is None and is_looked_at and not is_needed and not is_in_the_way else None
        assert _asked(bench, "it", job) == expected, (there, theirs, job)


@pytest.mark.parametrize("there", A)
@pytest.mark.parametrize("stops", [True, False])
def test_only_what_is_up_and_says_so_stops_when_it_is_unneeded(there: A, stops: bool) -> None:
    bench = Bench(unit("user", requires=["it"]), unit("it", stop_when_unneeded=stops))
    bench.put("it", there)
    bench.put("user", "inactive")
    bench.core.on_change(bench.core.states["user"], SubState.STOP_SIGTERM)
    bench.settle()
    assert bench.jobs() == ({"it": "stop"} if stops and there == A.ACTIVE else {})


def test_one_user_of_several_is_enough() -> None:
    bench = Bench(unit("one", requires=["it"]), unit("two", wants=["it"]), unit("it", stop_when_unneeded=True))
    bench.put("it", "active")
    bench.put("one", "inactive")
    bench.put("two", "active")
    bench.core.on_change(bench.core.states["one"], SubState.STOP_SIGTERM)
    bench.settle()
    assert bench.jobs() == {}


# -- binds_to ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["binds_to", *NEEDS[:3], *OTHER_KINDS[:3]])
@pytest.mark.parametrize("who", ["a", "b"], ids=["who is bound comes up", "what it is bound to is down"])
def test_what_is_bound_to_nothing_stops(who: str, kind: str) -> None:
    """A pair in which nobody asked for anything: `a`, bound to `b`."""
    for mine, theirs, my_job, their_job in product(A, A, JOBS, JOBS):
        if (who == "a" and mine not in UP) or (who == "b" and theirs not in DOWN):
            continue
        bench = Bench(unit("a", **{kind: ["b"]}), unit("b", stop_when_unneeded=False))
        bench.put("a", mine)
        bench.put("b", theirs)
        # From a state in which the change itself would ask for nothing.
        bench.core.on_change(bench.core.states[who], SubState.START if who == "a" else SubState.STOP_SIGTERM)
        _with_job(bench, "a", my_job)
        _with_job(bench, "b", their_job)
        bench.settle()
        is_alone = kind == "binds_to" and theirs in DOWN and their_job is None
        assert _asked(bench, "a", my_job) == ("stop" if is_alone and mine in RUNS and my_job is None else None)
        assert _asked(bench, "b", their_job) is None


# -- upholds -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["upholds", *NEEDS[:4], *OTHER_KINDS[:3]])
@pytest.mark.parametrize("who", ["a", "b"], ids=["who upholds comes up", "what it upholds is down"])
def test_what_is_upheld_is_started_whenever_it_is_down(who: str, kind: str) -> None:
    for mine, theirs, my_job, their_job in product(A, A, JOBS, JOBS):
        if (who == "a" and mine not in UP) or (who == "b" and theirs not in DOWN):
            continue
        bench = Bench(unit("a", **{kind: ["b"]}), unit("b"))
        bench.put("a", mine)
        bench.put("b", theirs)
        bench.core.on_change(bench.core.states[who], SubState.STOP_POST)
        _with_job(bench, "a", my_job)
        _with_job(bench, "b", their_job)
        bench.settle()
        is_upheld = kind == "upholds" and mine in UP and my_job is None
        assert _asked(bench, "b", their_job) == ("start" if is_upheld and theirs in DOWN and their_job is None else None)


@pytest.mark.parametrize(("is_kept_down", "has_given_up"), [(False, False), (True, False), (False, True)])
def test_what_a_person_stopped_or_has_given_up_is_not_upheld(is_kept_down: bool, has_given_up: bool) -> None:
    bench = Bench(unit("a", upholds=["b"]), unit("b"))
    bench.put("a", "active")
    state = bench.put("b", "failed")
    state.intent = Intent(Wanted.DOWN if is_kept_down else Wanted.UP)
    state.failed_step = "start-limit" if has_given_up else "start"
    bench.core.on_change(state, SubState.STOP_SIGTERM)
    bench.settle()
    assert bench.jobs() == ({} if is_kept_down or has_given_up else {"b": "start"})


# -- recover_dependents --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["requires", "requisite", "binds_to", "wants", "upholds", "part_of"])
@pytest.mark.parametrize("before", A)
def test_who_failed_for_want_of_it_is_started_when_it_has_come_up(before: A, kind: str) -> None:
    for after, theirs, their_job, is_for_it, recovers in product(A, A, (None, JobType.VERIFY_ACTIVE), (True, False), (True, False)):
        bench = Bench(unit("a"), unit("b", recover_dependents=recovers, **{kind: ["a"]}))
        bench.put("a", after)
        state = bench.put("b", theirs)
        state.blocked_on = "a" if is_for_it else "other"
        _with_job(bench, "b", their_job)
        bench.core.on_change(bench.core.state_of("a"), SUB_OF[before])
        if _asked(bench, "b", their_job) is not None:
            continue  # the change itself asked for something already
        bench.settle()
        has_recovered = after == A.ACTIVE and before == A.ACTIVATING and is_for_it and kind in ("requires", "requisite", "binds_to")
        is_started = has_recovered and recovers and theirs in DOWN and their_job is None
        assert _asked(bench, "b", their_job) == ("start" if is_started else None) or kind == "binds_to"
        assert state.blocked_on == ("" if has_recovered else "a" if is_for_it else "other")


@pytest.mark.parametrize("is_kept_down", [False, True])
def test_who_a_person_stopped_meanwhile_does_not_come_back_with_what_it_waited_for(is_kept_down: bool) -> None:
    bench = Bench(unit("a"), unit("b", requires=["a"]))
    bench.put("a", "active")
    state = bench.put("b", "inactive")
    state.blocked_on, state.intent = "a", Intent(Wanted.DOWN if is_kept_down else Wanted.UP)
    bench.core.on_change(bench.core.states["a"], SubState.START)
    bench.settle()
    assert bench.jobs() == ({} if is_kept_down else {"b": "start"})


# -- leaving -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_leaving", [False, True])
def test_nothing_is_asked_for_on_the_way_out(is_leaving: bool) -> None:
    bench = Bench(
        unit("a", upholds=["upheld"], on_failure=["alarm"], requires=["needed"]),
        *map(unit, ("upheld", "alarm", "needed")),
        unit("b", binds_to=["c"]),
        unit("c"),
    )
    bench.put("b", "active")
    bench.put("a", "activating")
    bench.core.leaving = (0, "shutdown") if is_leaving else None
    bench.change("a", SubState.FAILED)
    bench.change("a", SubState.START)
    bench.change("a", SubState.RUNNING)
    bench.core.on_change(bench.core.state_of("c"), SubState.STOP_SIGTERM)
    bench.settle()
    assert bench.jobs() == ({} if is_leaving else {"alarm": "start", "b": "stop", "needed": "start", "upheld": "start"})
