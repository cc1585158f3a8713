"""A start whose turn has come: what keeps it from beginning, and whom it concerns that it does not (systemd's unit_start)."""

from itertools import product

import pytest

from supervisor.engine.restart import shall_restart
from supervisor.engine.timeouts import CHECK_TIMEOUT_US
from supervisor.model import events as ev
from supervisor.model.specification import Condition, Probe
from supervisor.model.states import ActiveState, ExitCode, JobResult, JobState, JobType, Phase, Result, SubState
from tests.spec.behaviour import exits, runs
from tests.spec.bench import Bench
from tests.spec.build import SECOND, statuses, unit
from tests.spec.world import World

A, S = ActiveState, SubState
UP = {A.ACTIVE, A.RELOADING}


def _turn(bench: Bench, *, is_manual: bool = False) -> None:
    """The start of `a` has its turn."""
    bench.job("a", JobType.START).is_manual = is_manual
    bench.engine.jobs.wake("a")
    bench.engine.jobs.run_ready()


@pytest.mark.parametrize("sub", [S.DEAD, S.FAILED, S.AUTO_RESTART_QUEUED])
@pytest.mark.parametrize("keys", [{}, {"is_masked": True}, {"load_error": "a.toml:1: no"}])
def test_what_was_masked_or_broken_while_its_start_waited_is_not_started(keys: dict[str, object], sub: SubState) -> None:
    bench = Bench(unit("a", **keys))
    bench.put("a", "inactive").sub = sub
    _turn(bench)
    state = bench.core.states["a"]
    assert (state.sub, state.last_job[2:3]) == ((sub, ["invalid"]) if keys else (S.START, []))


@pytest.mark.parametrize("order", ["none", "after", "before"])
@pytest.mark.parametrize("kind", ["binds_to", "requires", "requisite", "wants", "part_of", "upholds"])
def test_who_is_bound_to_what_is_not_up_and_comes_after_it_does_not_start(kind: str, order: str) -> None:
    """unit_verify_deps (BindsTo= with After=)."""
    for there in A:
        bench = Bench(unit("a", **{kind: ["b"]}, **({order: ["b"]} if order != "none" else {})), unit("b"))
        bench.put("b", there)
        _turn(bench)
        is_held = kind == "binds_to" and order == "after" and there not in UP
        state = bench.core.states["a"]
        assert (state.sub, state.last_job[2:3]) == ((S.DEAD, ["dependency"]) if is_held else (S.START, [])), there
        assert state.blocked_on == ("b" if is_held else "")


BURST, INTERVAL_US = 3, 10 * SECOND
# policy, asked for by hand, an automatic restart's, the window has an end: what becomes of a start that is one too many
LIMITS = {
    **{("give-up", *rest): "fails" for rest in product((True, False), repeat=3)},
    ("delay", True, False, True): "starts",
    ("delay", True, False, False): "starts",
    ("delay", True, True, True): "waits",
    ("delay", True, True, False): "fails",
    ("delay", False, False, True): "waits",
    ("delay", False, False, False): "fails",
    ("delay", False, True, True): "waits",
    ("delay", False, True, False): "fails",
}


@pytest.mark.parametrize(("policy", "is_manual", "is_restart", "has_end"), LIMITS)
def test_what_becomes_of_a_start_that_is_one_too_many(policy: str, is_manual: bool, is_restart: bool, has_end: bool) -> None:
    """systemd.unit(5), StartLimitBurst=; DESIGN, start_limit_policy: a person is not made to wait, and nobody waits for ever."""
    span_us = INTERVAL_US if has_end else None
    bench = Bench(unit("a", start_limit_policy=policy, start_limit_burst=BURST, start_limit_interval_us=span_us))
    state = bench.put("a", "inactive")
    state.sub = S.AUTO_RESTART_QUEUED if is_restart else S.DEAD
    began_us = bench.core.now.mono_us - 4 * SECOND
    state.limit_from_us, state.limit_count = began_us, BURST
    _turn(bench, is_manual=is_manual)
    outcome = LIMITS[policy, is_manual, is_restart, has_end]
    assert state.sub == {"fails": S.FAILED, "starts": S.START, "waits": S.AUTO_RESTART}[outcome]
    assert (state.result == Result.START_LIMIT_HIT) == (state.failed_step == "start-limit") == (outcome == "fails")
    assert (state.job is None) == (outcome == "fails")
    if outcome == "waits":
        assert state.restart_at_us == began_us + INTERVAL_US + 1
    assert (state.limit_from_us, state.limit_count) == ((bench.core.now.mono_us, 1) if outcome == "starts" else (began_us, BURST))


@pytest.mark.parametrize("ago_us", [1, INTERVAL_US, INTERVAL_US + 1])
@pytest.mark.parametrize("count", [0, BURST - 1, BURST])
def test_a_window_is_over_once_more_than_its_span_has_passed(count: int, ago_us: int) -> None:
    bench = Bench(unit("a", start_limit_burst=BURST, start_limit_interval_us=INTERVAL_US))
    state = bench.put("a", "inactive")
    state.limit_from_us, state.limit_count = bench.core.now.mono_us - ago_us, count
    _turn(bench)
    is_over = ago_us > INTERVAL_US
    assert (state.sub == S.START) == (is_over or count < BURST)
    assert state.limit_count == (1 if is_over else min(count + 1, BURST))


# -- conditions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sub", [S.DEAD, S.FAILED, S.AUTO_RESTART_QUEUED])
@pytest.mark.parametrize(("holds", "asserts"), product((True, False), repeat=2))
def test_what_conditions_and_asserts_that_do_not_hold_come_to(holds: bool, asserts: bool, sub: SubState) -> None:
    """systemd.unit(5): a condition skips the start, an assertion fails its job; neither fails the unit. The condition is told first."""
    bench = Bench(unit("a", conditions=(Condition("host", "x"),)))
    state = bench.put("a", "inactive")
    state.sub = sub
    _turn(bench)
    assert (state.sub, state.check != 0) == (sub, True)
    bench.engine.handle(ev.ConditionsChecked("a", state.check, holds, asserts, "" if holds and asserts else "host=x"), bench.core.now)
    assert state.check == 0
    if holds and asserts:
        assert (state.sub, state.job is not None) == (S.START, True)
        return
    assert state.sub == (S.DEAD if sub == S.AUTO_RESTART_QUEUED else sub)
    assert state.last_job[2] == ("assert" if holds else "done")
    assert (state.is_condition_met, state.condition_text) == (holds, "host=x")


def test_conditions_that_nobody_can_evaluate_end_the_job_and_not_the_unit() -> None:
    """A hung network file system: the job ends as one that timed out does, and an answer that comes after all means nothing."""
    bench = Bench(unit("a", conditions=(Condition("host", "x"),), on_failure=["alarm"]), unit("alarm"))
    _turn(bench)
    state = bench.core.states["a"]
    check = state.check
    began = bench.core.now
    bench.engine._deadlines.update(bench.core, "a")
    assert bench.engine.next_deadline() == began.mono_us + CHECK_TIMEOUT_US
    for late_us in (CHECK_TIMEOUT_US - 1, CHECK_TIMEOUT_US):
        assert state.job is not None
        bench.engine.handle(ev.DeadlineReached(), ev.Instant(began.mono_us + late_us, began.wall_us + late_us))
    assert (state.sub, state.job, state.last_job[2], state.check) == (S.DEAD, None, "timeout", 0)
    assert bench.jobs() == {"alarm": "start"}
    bench.engine.handle(ev.ConditionsChecked("a", check, True), bench.core.now)
    assert state.sub == S.DEAD


def test_conditions_that_hold_for_a_start_that_is_one_too_many_are_asked_again_when_it_may_be_made() -> None:
    keys = {"start_limit_policy": "delay", "start_limit_burst": 1, "start_limit_interval_us": INTERVAL_US}
    bench = Bench(unit("a", conditions=(Condition("host", "x"),), **keys))
    state = bench.put("a", "inactive")
    state.limit_from_us, state.limit_count = bench.core.now.mono_us, 1
    _turn(bench)
    bench.engine.handle(ev.ConditionsChecked("a", state.check, True), bench.core.now)
    assert state.job is not None
    assert (state.sub, state.job.state, state.check) == (S.AUTO_RESTART, JobState.WAITING, 0)
    over = ev.Instant(bench.core.now.mono_us + INTERVAL_US + 1, bench.core.now.wall_us)
    bench.engine.handle(ev.DeadlineReached(), over)
    assert (state.sub, state.check != 0) == (S.AUTO_RESTART_QUEUED, True)
    bench.engine.handle(ev.ConditionsChecked("a", state.check, True), over)
    assert state.sub == S.START


SIMPLE = {"type": "simple"}
# Who is up as soon as its start has its turn, forks taking no time in systemd: type simple without anything before or after.
AT_ITS_TURN = [
    (SIMPLE, True),
    ({"type": "exec"}, False),
    ({"type": "notify"}, False),
    ({"type": "oneshot"}, False),
    ({**SIMPLE, "exec_condition": "x"}, False),
    ({**SIMPLE, "exec_start_pre": "x"}, False),
    ({**SIMPLE, "exec_start_post": "x"}, False),
    ({**SIMPLE, "probes": [Probe("ready", "tcp", "127.0.0.1:1")]}, False),
    ({**SIMPLE, "probes": [Probe("startup", "tcp", "127.0.0.1:1")]}, False),
    ({**SIMPLE, "probes": [Probe("health", "tcp", "127.0.0.1:1")]}, True),
]


@pytest.mark.parametrize(("keys", "is_up_with_its_turn"), AT_ITS_TURN)
def test_who_came_up_no_sooner_than_what_it_is_bound_to_had_its_turn_goes_where_that_did_not_start(
    keys: dict[str, object], is_up_with_its_turn: bool
) -> None:
    for there, later_us in product(A, (-1, 0, 1)):
        bench = Bench(unit("a", binds_to=["b"], **keys), unit("b"), unit("c", wants=["b"]))
        turn_us = bench.core.now.mono_us
        bench.put("a", there).up_since_us = turn_us + later_us
        bench.put("c", there).up_since_us = turn_us + later_us
        bench.engine.reactions.on_not_started(bench.core.state_of("b"), turn_us)
        bench.settle()
        is_to_go = there in UP and (later_us > 0 or (later_us == 0 and is_up_with_its_turn))
        assert bench.jobs() == ({"a": "stop"} if is_to_go else {})


@pytest.mark.parametrize(("keys", "is_up_with_its_turn"), AT_ITS_TURN)
def test_a_start_that_is_nothing_but_a_fork_is_not_failed_for_another_s_sake_once_it_runs(
    keys: dict[str, object], is_up_with_its_turn: bool
) -> None:
    """For systemd it was over before: what failed later, without an order between the two, comes too late."""
    for sub in (S.CONDITION, S.START_PRE, S.START, S.START_POST):
        bench = Bench(unit("a"), unit("b", requires=["a"], **keys))
        bench.put("b", "activating").sub = sub
        bench.job("a", JobType.START)
        bench.job("b", JobType.START, JobState.RUNNING)
        bench.finish("a", JobResult.FAILED)
        before = {"exec_condition", "exec_start_pre"} & keys.keys()  # which are over by the time it is forked
        assert ("b" in bench.jobs()) == (sub == S.START and (is_up_with_its_turn or bool(before)))


# -- whether there is a next one -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", ["simple", "oneshot"])
@pytest.mark.parametrize("has_stop_job", [True, False])
@pytest.mark.parametrize("is_forbidden", [True, False])
def test_the_tests_of_service_shall_restart_come_in_their_order(is_forbidden: bool, has_stop_job: bool, type_: str) -> None:
    for prevents, is_last, forces, policy, result in product(
        (True, False), (True, False), (True, False), ("no", "always"), (Result.SUCCESS, Result.EXIT_CODE)
    ):
        listed = statuses(3)
        spec = unit(
            "a",
            type=type_,
            restart=policy,
            max_attempts=2 if is_last else None,
            restart_prevent_exit_status=listed if prevents else statuses(),
            restart_force_exit_status=listed if forces else statuses(),
        )
        bench = Bench(spec)
        state = bench.put("a", "deactivating")
        state.main_code, state.main_status, state.result = ExitCode.EXITED, 3, result
        state.forbids_restart, state.attempt = is_forbidden, 2
        if has_stop_job:
            bench.job("a", JobType.STOP)
        assert spec.service is not None
        given, reason = shall_restart(spec.service, state)
        if has_stop_job or is_forbidden or prevents or is_last:
            expected = False
        elif forces:
            expected = not (type_ == "oneshot" and result == Result.SUCCESS)
        else:
            expected = policy == "always"
        assert given == expected
        assert reason


@pytest.mark.parametrize("last", [Result.SUCCESS, Result.EXIT_CODE, Result.WATCHDOG])
@pytest.mark.parametrize("result", [result for result in JobResult if result != JobResult.DONE])
def test_what_waits_for_a_restart_whose_start_does_not_begin_is_down(result: JobResult, last: Result) -> None:
    """Never in auto-restart-queued for ever: down as its last run left it, and so able to come back with what it waited for."""
    bench = Bench(unit("a", restart="always"))
    state = bench.put("a", "activating")
    state.sub, state.result = S.AUTO_RESTART_QUEUED, last
    bench.job("a", JobType.START)
    bench.finish("a", result)
    assert state.sub == S.AUTO_RESTART_QUEUED  # another job may still take the place of this one
    bench.settle()
    assert (state.sub, state.result) == (S.DEAD if last == Result.SUCCESS else S.FAILED, last)


@pytest.mark.parametrize("last", [Result.SUCCESS, Result.EXIT_CODE])
def test_a_restart_that_cannot_even_be_asked_for_has_failed(last: Result) -> None:
    """service_enter_restart: result `resources`, unless the last run was bad already; and it is not tried again by itself."""
    bench = Bench(unit("a", restart="always", requires=["masked"]), unit("masked", is_masked=True))
    state = bench.put("a", "activating")
    state.sub, state.result, state.restart_at_us, state.flushes_restarts = S.AUTO_RESTART, last, bench.core.now.mono_us, False
    bench.engine._deadlines.update(bench.core, "a")
    bench.engine.handle(ev.DeadlineReached(), bench.core.now)
    assert (state.sub, state.result) == (S.FAILED, Result.RESOURCES if last == Result.SUCCESS else last)
    assert (state.job, state.flushes_restarts, state.restart_at_us, bench.engine.next_deadline()) == (None, True, 0, None)
    assert "masked" in state.failed_text


@pytest.mark.parametrize("type_", [JobType.STOP, JobType.RESTART, JobType.START])
def test_what_another_job_is_queued_for_waits_for_that(type_: JobType) -> None:
    bench = Bench(unit("a", restart="always"), unit("b", before=["a"]))
    bench.put("a", "activating").sub = S.AUTO_RESTART_QUEUED
    bench.job("b", JobType.STOP)
    bench.job("a", JobType.START)
    bench.ask(type_, "a")
    bench.settle()
    assert (bench.core.states["a"].sub, bench.jobs()["a"]) == (S.AUTO_RESTART_QUEUED, str(type_))


@pytest.mark.parametrize("kind", ["requires", "requisite"])
def test_a_restart_that_failed_for_want_of_another_unit_is_made_when_that_has_come_up(kind: str) -> None:
    """DESIGN, recover_dependents."""
    world = World(unit("a", restart="always", restart_us=SECOND, after=["b"], **{kind: ["b"]}), unit("b", exec_start_pre="x"))
    world.behave("b", exits(0, after_us=3 * SECOND), runs())
    world.behave("b", exits(0), exits(1) if kind == "requires" else exits(0), exits(0), phase=Phase.START_PRE)
    world.behave("a", exits(1, after_us=5 * SECOND), runs())
    world.start("b")
    world.start("a")
    world.advance(10 * SECOND)
    assert world.state("a") == ("failed", "failed", "exit-code")
    assert world.next_moment() is None
    world.start("b")
    assert [world.sub(name) for name in "ab"] == ["running", "running"]


def test_a_restart_that_a_person_cancels_is_none() -> None:
    world = World(unit("a", restart="always", restart_us=SECOND, after=["b"]), unit("b", type="notify"))
    world.behave("a", exits(1), runs())
    world.behave("b", runs())
    world.start("a")
    world.start("b")
    world.advance(SECOND)
    assert world.sub("a") == "auto-restart-queued"
    world.cancel(next(int(job["id"]) for job in world.engine.list_jobs() if job["unit"] == "a"))
    assert world.state("a") == ("failed", "failed", "exit-code")
