"""What a unit's change means for its job, and the end of a job for others: every cell, by systemd's unit_notify and job.c (SEMANTICS 5.1).

The rules are said once, as functions, and every cell of their products is looked at on the bench: nothing runs, no time passes.
"""

from itertools import product

import pytest

from supervisor.engine.jobtypes import collapse
from supervisor.engine.record import Intent
from supervisor.model.effects import SaveIntent
from supervisor.model.states import ActiveState, JobMode, JobResult, JobState, JobType, Result, SubState, Wanted
from tests.spec.bench import SUB_OF, TYPES, Bench
from tests.spec.build import unit

A = ActiveState
START, VERIFY, STOP, RELOAD, RESTART = JobType.START, JobType.VERIFY_ACTIVE, JobType.STOP, JobType.RELOAD, JobType.RESTART
DOWN, UP = {A.INACTIVE, A.FAILED}, {A.ACTIVE, A.RELOADING}
RUNS, GOES = UP | {A.ACTIVATING}, DOWN | {A.DEACTIVATING}

# -- a change, the unit's own job, and whether anybody asked for it ------------------------------------------------------


def _neighbourhood() -> Bench:
    """`a` with one neighbour of each kind that hears of a change nobody asked for, each in the state in which it would act."""
    bench = Bench(
        unit("a", requires=["needed"], wants=["wanted"], conflicts=["foe"], propagates_stop_to=["fellow"], exec_reload="again"),
        *map(unit, ("needed", "wanted", "foe", "fellow")),
        unit("bound", binds_to=["a"]),
        unit("enemy", conflicts=["a"]),
    )
    for name in ("foe", "fellow", "bound", "enemy"):
        bench.put(name, "active")
    return bench


def _ends(type_: JobType, job_state: JobState, after: ActiveState, *, reloads_well: bool) -> tuple[str | None, bool]:
    """How the unit's job ends with this state (None: not yet), and whether the state is none that it was on its way to."""
    is_running = job_state == JobState.RUNNING
    result = "failed" if after == A.FAILED else "done" if after == A.INACTIVE else None
    if type_ in (START, VERIFY):
        if after in UP:
            return "done", False
        is_off = is_running and after != A.ACTIVATING
        return (result if is_off else None), is_off
    if type_ == RELOAD:
        if is_running and after == A.ACTIVE:
            return ("done" if reloads_well else "failed"), False
        is_off = is_running and after not in (A.ACTIVATING, A.RELOADING)
        return (result if is_off else None), is_off
    if after in DOWN:
        return ("goes on as a start" if type_ == RESTART else "done"), False
    is_off = is_running and after != A.DEACTIVATING
    return ("failed" if is_off else None), is_off


@pytest.mark.parametrize("job_state", JobState)
@pytest.mark.parametrize("type_", [None, *TYPES])
@pytest.mark.parametrize("before", A)
def test_a_change_ends_the_unit_s_job_or_comes_unasked(before: A, type_: JobType | None, job_state: JobState) -> None:
    for after in A:
        for reloads_well in (True, False):
            bench = _neighbourhood()
            bench.put("a", before).reload_result = Result.SUCCESS if reloads_well else Result.TIMEOUT
            job = bench.job("a", type_, job_state) if type_ else None
            bench.change("a", SUB_OF[after])
            ending, is_unasked = _ends(type_, job_state, after, reloads_well=reloads_well) if type_ else (None, True)
            queued = bench.jobs()
            queued.pop("a", None)
            expected = {}
            if is_unasked and before in DOWN and after in RUNS:
                expected = {"needed": "start", "wanted": "start", "foe": "stop", "enemy": "stop"}
            elif is_unasked and before in RUNS and after in GOES:
                expected = {"bound": "stop", "fellow": "stop"}
            assert queued == expected, f"{before} -> {after}"
            if job is not None and ending == "goes on as a start":
                assert (bench.result(job), job.type, job.state) == (None, START, JobState.WAITING)
            elif job is not None:
                assert bench.result(job) == ending, f"{before} -> {after}"


@pytest.mark.parametrize("order", ["none", "after", "before"])
@pytest.mark.parametrize("there", A)
def test_what_comes_up_or_goes_unasked_takes_those_along_that_are_not_there_yet(there: A, order: str) -> None:
    others = ["needed", "bound-to", "wanted", "upheld", "foe"]
    keys = {} if order == "none" else {order: others}
    spec = unit("a", requires=["needed"], binds_to=["bound-to"], wants=["wanted"], upholds=["upheld"], conflicts=["foe"], **keys)
    bench = Bench(spec, *map(unit, others), unit("enemy", conflicts=["a"]))
    for name in (*others, "enemy"):
        bench.put(name, there)
    bench.change("a", SubState.START)
    starts = set(others[:4]) if there in GOES and order != "after" else set()
    stops = {"foe", "enemy"} if there in RUNS else set()
    assert bench.jobs() == {**dict.fromkeys(starts, "start"), **dict.fromkeys(stops, "stop")}

    kinds = ("binds_to", "requires", "requisite", "part_of", "wants", "upholds", "conflicts")
    bench = Bench(unit("a", propagates_stop_to=["told"]), unit("told"), *(unit(kind, **{kind: ["a"]}) for kind in kinds))
    for name in ("told", *kinds):
        bench.put(name, there)
    bench.put("a", "active")
    bench.change("a", SubState.STOP_SIGTERM)
    assert bench.jobs() == ({"binds_to": "stop", "told": "stop"} if there in RUNS else {})


@pytest.mark.parametrize("kind", ["requires", "wants"])
def test_what_is_only_wanted_does_not_take_back_what_is_queued(kind: str) -> None:
    """retroactively_start_dependencies: what is required replaces a queued job, what is wanted gives way to it (mode fail)."""
    bench = Bench(unit("a", **{kind: ["b"]}), unit("b"))
    bench.put("b", "deactivating")
    bench.job("b", STOP)
    bench.change("a", SubState.START)
    assert bench.jobs() == {"b": "start" if kind == "requires" else "stop"}


# -- hooks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", A)
def test_hooks_and_actions_belong_to_a_change_of_the_active_state(before: A) -> None:
    """systemd.unit(5), OnFailure=, OnSuccess=, FailureAction=, SuccessAction=; unit_notify: not from failed to inactive."""
    for after in A:
        for action, way in (("failure_action", A.FAILED), ("success_action", A.INACTIVE)):
            bench = Bench(unit("a", on_failure=["alarm"], on_success=["next"], **{action: "exit"}), unit("alarm"), unit("next"))
            bench.put("a", before)
            bench.change("a", SUB_OF[after])
            has_failed = after == A.FAILED != before
            has_ended = after == A.INACTIVE and before not in DOWN
            # What is done to leave supd replaces what was queued a moment ago.
            is_left = (has_failed and way == A.FAILED) or (has_ended and way == A.INACTIVE)
            assert (bench.core.leaving is not None) == is_left, f"{before} -> {after}"
            if not is_left:
                assert bench.jobs() == ({"alarm": "start"} if has_failed else {"next": "start"} if has_ended else {})


# -- the end of a job ----------------------------------------------------------------------------------------------------

TOLD_OF_A_FAILED_START = ("requires", "requisite", "binds_to")


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("result", JobResult)
def test_the_end_of_a_job_fails_who_cannot_do_without_it(result: JobResult, type_: JobType) -> None:
    """job_finish_and_invalidate and job_fail_dependencies."""
    kinds = ("requires", "requisite", "binds_to", "wants", "part_of", "upholds", "conflicts")
    for there, theirs in product(A, TYPES):
        bench = Bench(unit("a", on_failure=["alarm"]), unit("alarm"), *(unit(kind, **{kind: ["a"]}) for kind in kinds))
        bench.put("a", there)
        job = bench.job("a", type_, JobState.RUNNING)
        queued = {kind: bench.job(kind, theirs) for kind in kinds}
        bench.finish("a", result)
        told: tuple[str, ...] = ()
        if result != JobResult.DONE and type_ in (START, VERIFY):
            told = TOLD_OF_A_FAILED_START
        elif result != JobResult.DONE and type_ == STOP:
            told = ("conflicts",)
        elif result == JobResult.DONE and type_ in (START, RELOAD) and there not in UP:
            told = ("requisite",)
        failed = {kind for kind, each in queued.items() if bench.result(each) == "dependency"}
        assert failed == (set(told) if theirs in (START, VERIFY) else set())
        assert all(bench.result(each) is None for kind, each in queued.items() if kind not in failed)
        assert ("alarm" in bench.jobs()) == (result in (JobResult.TIMEOUT, JobResult.DEPENDENCY))
        if result == JobResult.DONE and type_ == RESTART:
            assert (bench.result(job), job.type) == (None, START)
        else:
            assert bench.result(job) == result


def test_a_failure_goes_on_along_the_chain_and_names_the_one_before() -> None:
    bench = Bench(unit("a"), unit("b", requires=["a"]), unit("c", binds_to=["b"]), unit("d", wants=["c"]))
    for name in "abcd":
        bench.job(name, START)
    bench.finish("a", JobResult.FAILED)
    assert bench.jobs() == {"d": "start"}
    assert [bench.core.state_of(name).blocked_on for name in "bc"] == ["a", "b"]


# -- a wish that meets a job ---------------------------------------------------------------------------------------------

MERGED = {
    frozenset({START, VERIFY}): START,
    frozenset({START, RELOAD}): JobType.RELOAD_OR_START,
    frozenset({START, RESTART}): RESTART,
    frozenset({VERIFY, RELOAD}): RELOAD,
    frozenset({VERIFY, RESTART}): RESTART,
    frozenset({RELOAD, RESTART}): RESTART,
}


@pytest.mark.parametrize("wish", TYPES)
@pytest.mark.parametrize("type_", TYPES)
def test_a_wish_merges_into_the_job_that_is_there_or_replaces_it(type_: JobType, wish: JobType) -> None:
    """job_install: what merges is one job, run again if it ran and the wish asks for more; what contradicts it is canceled."""
    for there, job_state in product(A, JobState):
        bench = Bench(unit("a", exec_reload="again"))
        bench.put("a", there)
        job = bench.job("a", type_, job_state)
        id_ = bench.ask(wish, "a")
        now = bench.core.states["a"].job
        assert now is not None
        assert now.id == id_
        if (type_ == STOP) != (wish == STOP):
            assert (bench.result(job), now.type, now.state) == ("canceled", wish, JobState.WAITING)
            assert now.id != job.id
            continue
        merged = type_ if type_ == wish else MERGED[frozenset({type_, wish})]
        covers = merged == type_ and wish != RELOAD  # a reload that runs may have read what there is to read already
        assert (bench.result(job), now.id, now.type) == (None, job.id, collapse(merged, there))
        assert now.state == (job_state if covers else JobState.WAITING)


@pytest.mark.parametrize("is_manual", [False, True])
@pytest.mark.parametrize("was_manual", [False, True])
def test_a_job_is_a_person_s_once_a_person_has_asked_for_it(was_manual: bool, is_manual: bool) -> None:
    bench = Bench(unit("a"))
    job = bench.job("a", START)
    job.is_manual = was_manual
    bench.engine.jobs.enqueue(START, "a", JobMode.REPLACE, by="", is_manual=is_manual)
    assert job.is_manual == (was_manual or is_manual)


def test_only_the_unit_that_is_named_is_asked_for_by_a_person() -> None:
    bench = Bench(unit("a", requires=["b"]), unit("b"))
    bench.engine.jobs.enqueue(START, "a", JobMode.REPLACE, by="", is_manual=True)
    assert {name: job.is_manual for name in "ab" if (job := bench.core.job_of(name))} == {"a": True, "b": False}


@pytest.mark.parametrize("mode", JobMode)
def test_a_mode_marks_the_jobs_that_it_is_about(mode: JobMode) -> None:
    bench = Bench(unit("a", requires=["b"], allow_isolate=True), unit("b"))
    bench.ask(START, "a", mode)
    job = bench.core.job_of("a")
    assert job is not None
    assert job.is_irreversible == (mode == JobMode.REPLACE_IRREVERSIBLY)
    assert job.ignores_order == (mode == JobMode.IGNORE_DEPENDENCIES)
    assert ("b" in bench.jobs()) == (mode not in (JobMode.IGNORE_DEPENDENCIES, JobMode.IGNORE_REQUIREMENTS))


@pytest.mark.parametrize("mode", JobMode)
def test_only_isolate_and_flush_cancel_what_else_is_queued(mode: JobMode) -> None:
    bench = Bench(unit("a", requires=["b"], allow_isolate=True), unit("b"), unit("c", ignore_on_isolate=True))
    queued = {name: bench.job(name, START) for name in "abc"}
    bench.ask(START, "a", mode)
    is_canceled = mode in (JobMode.ISOLATE, JobMode.FLUSH)
    assert bench.result(queued["c"]) == ("canceled" if is_canceled else None)
    assert [bench.result(queued[name]) for name in "ab"] == [None, None]


@pytest.mark.parametrize("is_manual", [False, True])
@pytest.mark.parametrize("type_", [START, RESTART])
@pytest.mark.parametrize("kind", ["requires", "binds_to", "wants", "upholds"])
def test_what_a_person_stopped_comes_back_for_another_s_sake_where_a_person_says_so_or_it_cannot_be_without(
    kind: str, type_: JobType, is_manual: bool
) -> None:
    """DESIGN, user intent: what follows by itself does not undo a person's stop; a person's own start of what needs it does."""
    bench = Bench(unit("a", **{kind: ["b"]}), unit("b"))
    bench.put("b", "inactive").intent = Intent(Wanted.DOWN)
    bench.engine.jobs.enqueue(type_, "a", JobMode.REPLACE, by="", is_manual=is_manual)
    assert ("b" in bench.jobs()) == (is_manual or kind in ("requires", "binds_to"))
    assert bench.core.is_kept_down("b") == (not is_manual)
    told = [effect.wanted for effect in bench.core.out if isinstance(effect, SaveIntent)]
    assert told == ([None] if is_manual else [])


@pytest.mark.parametrize("wanted", [None, Wanted.UP, Wanted.DOWN])
@pytest.mark.parametrize("type_", TYPES)
def test_only_a_start_for_another_s_sake_ends_the_wish_to_have_it_down(type_: JobType, wanted: Wanted | None) -> None:
    """`b` is concerned by each of these wishes for `a`."""
    bench = Bench(
        unit("a", requires=["b"], exec_reload="again", propagates_reload_to=["b"], propagates_stop_to=["b"]),
        unit("b", exec_reload="again"),
    )
    state = bench.put("b", "active")
    bench.put("a", "active" if type_ in (STOP, RELOAD) else "inactive")
    if type_ in (START, RESTART):
        bench.put("b", "inactive")
    state.intent = Intent(wanted) if wanted else None
    bench.engine.jobs.enqueue(type_, "a", JobMode.REPLACE, by="", is_manual=True)
    is_over = wanted == Wanted.DOWN and type_ in (START, RESTART)
    assert (state.intent is None) == (is_over or wanted is None)


@pytest.mark.parametrize("is_manual", [False, True])
def test_what_restarts_along_with_a_unit_is_wanted_up_again_where_a_person_restarts_that(is_manual: bool) -> None:
    bench = Bench(unit("a"), unit("b", part_of=["a"]))
    bench.put("a", "active")
    bench.put("b", "active").intent = Intent(Wanted.DOWN)
    bench.engine.jobs.enqueue(RESTART, "a", JobMode.REPLACE, by="", is_manual=is_manual)
    assert bench.jobs() == {"a": "restart", "b": "restart"}
    assert bench.core.is_kept_down("b") == (not is_manual)
