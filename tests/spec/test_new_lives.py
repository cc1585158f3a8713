"""What a new activation forgets of the one before, field by field, and what a reset of a failure takes back (systemd's service_start).

Every field of a unit's record stands in one of the tables here, so that one that is added has to say to which life it belongs.
"""

from dataclasses import fields
from typing import Any

import pytest

from supervisor.engine import lifecycle as life
from supervisor.engine.record import Intent, Process, Reason, UnitState
from supervisor.model import events as ev
from supervisor.model.states import ExitCode, JobType, Phase, Result, SubState, Wanted
from tests.spec.bench import Bench
from tests.spec.build import unit

# What belongs to one activation: field -> what an earlier one may have left there.
OF_ONE_LIFE: dict[str, Any] = {
    "result": Result.SIGNAL,
    "reload_result": Result.TIMEOUT,
    "is_main_known": True,
    "main_code": ExitCode.KILLED,
    "main_status": 9,
    "failed_step": "exec",
    "failed_text": "no such program",
    "up_since_us": 5,
    "forbids_restart": True,
    "restart_at_us": 7,
    "notify_state": "stopping",
    "notify_access": "all",
    "status_text": "serving",
    "status_errno": 5,
    "watchdog_us": 8,
    "watchdog_from_us": 9,
    "is_type_ready": True,
    "blocked_on": "other",
    "needs_restart": True,
}
# What goes on from one activation to the next; what a person's new start after a full stop begins anew stands below.
KEPT: dict[str, Any] = {
    "main_pid_last": 77,
    "main_run_last": 78,
    "main_started_wall_us": 79,
    "main_ended_wall_us": 80,
    "limit_from_us": 81,
    "limit_count": 2,
    "active_enter_wall_us": 82,
    "active_exit_wall_us": 83,
    "inactive_enter_wall_us": 84,
    "reload_begin_us": 85,
    "check": 86,
    "is_condition_met": False,
    "condition_text": "no",
    "intent": Intent(Wanted.UP),
    "upheld_from_us": 87,
    "upheld_count": 3,
    "upheld_retry_us": 88,
    "trigger_from_us": 89,
    "trigger_count": 4,
    "monitor": {"MONITOR_UNIT": "x"},
    "rolled_back": "it did not come up",
    "last_job": [1, "start", "done", ""],
}
COUNTS: dict[str, Any] = {"n_restarts": 3, "backoff_step": 2, "attempt": 4}
# What entering the first state sets, and what its process is.
SET = {"name", "sub", "main", "control", "job", "invocation_id", "entered_us", "timer_from_us", "extended_us", "state_wall_us"}
SET |= {"inactive_exit_wall_us", "is_empty", "empty_token", "because", "flushes_restarts"}
# There is none while a unit is down (`_close_books`, probing.stop).
NONE_WHILE_DOWN = {"pid_file_token", "probe_token", "probe_stage", "probe_counts"}


def _left_behind() -> tuple[Bench, UnitState]:
    bench = Bench(unit("a"))
    state = bench.put("a", "inactive")
    for name, value in {**OF_ONE_LIFE, **KEPT, **COUNTS}.items():
        assert getattr(state, name) != value
        setattr(state, name, value)
    return bench, state


def test_every_field_says_to_which_life_it_belongs() -> None:
    tables = (OF_ONE_LIFE, KEPT, COUNTS, SET, NONE_WHILE_DOWN)
    assert sorted(name for table in tables for name in table) == sorted(field.name for field in fields(UnitState))


@pytest.mark.parametrize("name", OF_ONE_LIFE)
def test_a_new_activation_forgets(name: str) -> None:
    bench, state = _left_behind()
    life.begin_start(bench.core, state)
    assert getattr(state, name) == getattr(UnitState("a"), name)


@pytest.mark.parametrize("name", KEPT)
def test_a_new_activation_keeps(name: str) -> None:
    bench, state = _left_behind()
    life.begin_start(bench.core, state)
    assert getattr(state, name) == KEPT[name]


@pytest.mark.parametrize("flushes", [True, False])
def test_restarts_are_counted_from_the_last_start_that_followed_a_full_stop(flushes: bool) -> None:
    bench, state = _left_behind()
    state.flushes_restarts = flushes
    life.begin_start(bench.core, state)
    assert (state.n_restarts, state.backoff_step, state.attempt) == ((0, 0, 1) if flushes else (3, 2, 5))
    assert not state.flushes_restarts


def test_every_activation_has_an_id_of_its_own() -> None:
    bench, state = _left_behind()
    ids = set()
    for _ in range(3):
        life.begin_start(bench.core, state)
        ids.add(state.invocation_id)
    assert len(ids) == 3


@pytest.mark.parametrize("sub", [SubState.DEAD, SubState.FAILED, SubState.AUTO_RESTART_QUEUED])
def test_a_start_tells_its_story_from_when_it_was_asked_for_and_a_restart_goes_on_with_the_one_before(sub: SubState) -> None:
    bench = Bench(unit("a"))
    state = bench.put("a", "inactive")
    state.sub = sub
    job = bench.job("a", JobType.START)
    now = bench.core.now
    job.created_us = now.mono_us - 10
    state.because = [Reason("x", "a", now.wall_us - ago, str(ago)) for ago in (11, 10, 9)]
    life.begin_start(bench.core, state)
    kept = ["11", "10", "9"] if sub == SubState.AUTO_RESTART_QUEUED else ["10", "9"]
    assert [reason.text for reason in state.because if reason.what == "x"] == kept


# -- reset-failed --------------------------------------------------------------------------------------------------------

CLEARED: dict[str, Any] = {
    "limit_from_us": 5, "limit_count": 6, "n_restarts": 7, "backoff_step": 8, "attempt": 9,
    "blocked_on": "other",
}
CLEARED_AT_REST: dict[str, Any] = {
    "result": Result.SIGNAL, "reload_result": Result.TIMEOUT, "failed_step": "exec", "failed_text": "no such program",
}


@pytest.mark.parametrize("sub", SubState)
def test_a_reset_clears_the_counts_and_in_what_is_at_rest_the_result_too(sub: SubState) -> None:
    """systemctl(1), reset-failed: in mid-stop the result still decides how that ends."""
    bench = Bench(unit("a"))
    state = bench.put("a", "active")
    state.sub = sub
    for name, value in {**CLEARED, **CLEARED_AT_REST}.items():
        setattr(state, name, value)
    if sub in (SubState.START, SubState.RUNNING):
        state.main = Process(Phase.START, 0, 7, 1007, "execed")
    bench.engine.handle(ev.FailureReset(1, "a"), bench.core.now)
    fresh = UnitState("a")
    assert all(getattr(state, name) == getattr(fresh, name) for name in CLEARED)
    is_at_rest = state.active.is_down or sub in (SubState.AUTO_RESTART, SubState.AUTO_RESTART_QUEUED)
    for name, value in CLEARED_AT_REST.items():
        assert getattr(state, name) == (getattr(fresh, name) if is_at_rest else value)
    assert state.sub == (SubState.DEAD if sub == SubState.FAILED else sub)


def test_who_was_reset_does_not_come_back_with_what_it_waited_for() -> None:
    bench = Bench(unit("a"), unit("b", requires=["a"]))
    bench.put("a", "active")
    bench.put("b", "inactive").blocked_on = "a"
    bench.engine.handle(ev.FailureReset(1, "b"), bench.core.now)
    bench.core.on_change(bench.core.states["a"], SubState.START)
    bench.settle()
    assert bench.jobs() == {}
