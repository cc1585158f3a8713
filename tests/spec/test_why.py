"""`supctl why`: the decisions that led here, nearest first, and what comes next (DESIGN, Visible; For scripts)."""

from typing import Any

import pytest

from supervisor.engine.record import Intent, Process, Reason
from supervisor.model.states import ActiveState, JobState, JobType, Phase, Result, SubState, Wanted
from tests.spec.bench import Bench
from tests.spec.build import SECOND, target, unit

S = SubState


def _why(bench: Bench, name: str = "a") -> dict[str, Any]:
    return bench.engine.why(name, bench.core.now)


def _chain(bench: Bench, name: str = "a") -> list[tuple[str, str]]:
    return [(link["what"], link["unit"]) for link in _why(bench, name)["because"]]


# -- because -------------------------------------------------------------------------------------------------------------

KEPT_DOWN = Intent(Wanted.DOWN, "stop", "ada", 5_000_000)
DOWN = [
    # what the unit is like, what a person wished, whether anything is recorded, the link that explains it
    ({"is_masked": True}, None, False, "masked"),
    ({"is_masked": True}, KEPT_DOWN, False, "masked"),
    ({"load_error": "a.toml:3: no"}, KEPT_DOWN, False, "bad-setting"),
    ({}, KEPT_DOWN, False, "intent"),
    ({}, KEPT_DOWN, True, "intent"),
    ({}, Intent(Wanted.UP), False, None),
    ({"is_enabled": False}, None, False, "disabled"),
    ({"is_enabled": False}, Intent(Wanted.UP), False, "disabled"),
    ({"is_enabled": False}, None, True, None),
    ({}, None, False, None),
]


@pytest.mark.parametrize(("keys", "intent", "is_recorded", "what"), DOWN)
@pytest.mark.parametrize("there", ActiveState)
def test_why_a_unit_is_down(there: ActiveState, keys: dict[str, Any], intent: Intent | None, is_recorded: bool, what: str | None) -> None:
    for has_job in (False, True):
        bench = Bench(unit("a", **keys))
        state = bench.put("a", there)
        state.intent = intent
        if is_recorded:
            state.because = [Reason("ended", "a", 7_000_000, "it ended by itself")]
        if has_job:
            bench.job("a", JobType.START)
        explains = what is not None and there.is_down and not has_job
        expected = [*([("job", "a")] if has_job else []), *([(what, "a")] if explains else []), *([("ended", "a")] if is_recorded else [])]
        assert _chain(bench) == expected


def test_a_person_s_wish_is_told_with_its_time_and_by_whom() -> None:
    bench = Bench(unit("a"))
    bench.put("a", "inactive").intent = KEPT_DOWN
    (link,) = _why(bench)["because"]
    assert (link["time_s"], "ada" in link["text"]) == (5.0, True)


def test_decisions_are_told_nearest_first_and_lead_to_the_units_that_they_name() -> None:
    bench = Bench(*map(unit, "abc"))
    bench.put("a", "active").because = [Reason("older", "a", 1_000_000, "x"), Reason("newer", "b", 2_000_000, "y")]
    bench.put("b", "active").because = [Reason("further", "c", 500_000, "z"), Reason("back", "a", 600_000, "u")]
    bench.put("c", "active").because = [Reason("last", "c", 100_000, "w")]
    assert _chain(bench) == [("newer", "b"), ("older", "a"), ("back", "a"), ("further", "c"), ("last", "c")]
    assert [link["time_s"] for link in _why(bench)["because"]] == [2.0, 1.0, 0.6, 0.5, 0.1]


def test_a_chain_has_an_end_also_where_there_is_much_to_tell() -> None:
    bench = Bench(*(unit(f"u{number}") for number in range(40)))
    for number in range(40):
        bench.put(f"u{number}", "active").because = [Reason("x", f"u{(number + 1) % 40}", 1, "y")]
    assert len(_why(bench, "u0")["because"]) == 24


@pytest.mark.parametrize("job_state", JobState)
@pytest.mark.parametrize("by", ["", "ada"])
def test_a_job_is_told_with_whom_it_waits_for_and_who_asked_for_it(by: str, job_state: JobState) -> None:
    bench = Bench(*map(unit, "abc"))
    for name in "bc":
        bench.put(name, "activating").because = [Reason("of", name, 1, name)]
    job = bench.job("a", JobType.START, job_state)
    job.by, job.blocked_by = by, {"c", "b"}
    first, *others = _why(bench)["because"]
    assert first["text"] == f"a start job is {job_state} for b, c" + (f" (asked for by {by})" if by else "")
    assert [link["unit"] for link in others] == ["b", "c"]


def test_what_a_start_that_runs_waits_for_is_told() -> None:
    bench = Bench(unit("a", type="notify"))
    state = bench.put("a", "activating")
    state.main = Process(Phase.START, 0, 7, 1007, "execed")
    bench.job("a", JobType.START, JobState.RUNNING)
    assert [(link["what"], link["text"]) for link in _why(bench)["because"]][1] == ("waits", "it has not said READY=1")


def test_a_failure_of_another_unit_leads_there_and_a_way_back_comes_first() -> None:
    bench = Bench(unit("a"), unit("b"))
    bench.put("b", "failed").because = [Reason("failed", "b", 1, "exit 1")]
    state = bench.put("a", "inactive")
    state.blocked_on, state.rolled_back = "b", "it did not come up"
    assert _chain(bench) == [("rollback", "a"), ("dependency", "b"), ("failed", "b")]


def test_a_unit_that_was_never_touched_is_down() -> None:
    assert _why(Bench(unit("a"))) == {"unit": "a", "active_state": "inactive", "sub_state": "dead", "because": [], "next": None}


# -- next ----------------------------------------------------------------------------------------------------------------

NEXT = {
    S.CONDITION: "condition times out",
    S.START_PRE: "start-pre times out",
    S.START: "start times out",
    S.START_POST: "start-post times out",
    S.RUNNING: "runtime_max_sec ends it",
    S.RELOAD: "reload times out",
    S.STOP: "its stop command times out and it is killed",
    S.STOP_SIGTERM: "it is killed with SIGKILL",
    S.STOP_SIGKILL: "stop-sigkill times out",
    S.STOP_POST: "stop-post times out",
    S.FINAL_SIGTERM: "what is left of it is killed with SIGKILL",
    S.AUTO_RESTART: "it is restarted",
    S.DEAD: None,
    S.FAILED: None,
    S.EXITED: None,
}


@pytest.mark.parametrize("sub", NEXT)
def test_what_comes_next_and_when(sub: SubState) -> None:
    bench = Bench(unit("a", type="notify", timeout_start_us=9 * SECOND, timeout_stop_us=9 * SECOND, runtime_max_us=9 * SECOND))
    state = bench.put("a", "active")
    now = bench.core.now
    state.sub, state.timer_from_us, state.up_since_us = sub, now.mono_us, now.mono_us
    state.restart_at_us = now.mono_us + 9 * SECOND
    what = NEXT[sub]
    assert _why(bench)["next"] == (None if what is None else {"what": what, "time_s": (now.wall_us + 9 * SECOND) / SECOND})


def test_without_sigkill_a_stop_goes_on_without_what_survives() -> None:
    bench = Bench(unit("a", send_sigkill=False, timeout_stop_us=SECOND))
    bench.put("a", "deactivating")
    assert _why(bench)["next"]["what"] == "the stop goes on without it"


@pytest.mark.parametrize(("type_", "verb"), [(JobType.START, "started"), (JobType.STOP, "stopped")])
def test_who_waits_for_others_goes_on_when_they_are_done(type_: JobType, verb: str) -> None:
    bench = Bench(*map(unit, "abc"))
    bench.put("a", "inactive" if type_ == JobType.START else "active")
    bench.job("a", type_).blocked_by = {"c", "b"}
    assert _why(bench)["next"] == {"what": f"it is {verb} when b, c is done", "time_s": None}


@pytest.mark.parametrize("recovers", [True, False])
def test_who_failed_for_want_of_another_comes_back_with_it_where_it_may(recovers: bool) -> None:
    bench = Bench(unit("a", recover_dependents=recovers), unit("b"))
    bench.put("a", "inactive").blocked_on = "b"
    assert _why(bench)["next"] == ({"what": "it is started when b is up", "time_s": None} if recovers else None)


def test_a_target_and_what_there_is_not_have_nothing_coming() -> None:
    bench = Bench(target("a"))
    bench.put("a", "active").result = Result.SUCCESS
    assert (_why(bench)["next"], _why(bench, "b")["next"]) == (None, None)
