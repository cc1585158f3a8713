"""One job a unit: merging, redundancy, job modes, whole transactions (SEMANTICS 5.1; systemd's job.c and transaction.c)."""

import pytest

from supervisor.model.states import JobMode
from tests.spec.behaviour import Process, exits, runs
from tests.spec.build import SECOND, target, unit
from tests.spec.world import World

TYPES = ("start", "verify-active", "reload", "restart", "stop")

# What stands in the queue after the row's job was queued and the column's job was asked for, both waiting; None: nothing.
WHILE_UP = {
    #                start     verify           reload    restart    stop
    "start": (None, None, "reload", "restart", "stop"),
    "verify-active": (None, None, "reload", "restart", "stop"),
    "reload": ("reload", "reload", "reload", "restart", "stop"),
    "restart": ("restart", "restart", "restart", "restart", "stop"),
    "stop": ("start", "verify-active", "reload", "restart", "stop"),
}
WHILE_DOWN = {
    #                start     verify           reload    restart    stop
    "start": ("start", "start", "start", "restart", "stop"),
    "verify-active": ("start", "verify-active", "reload", "restart", "stop"),
    "reload": ("start", "reload", "reload", "restart", "stop"),
    "restart": ("restart", "restart", "restart", "restart", "stop"),
}


def _blocked_world(is_up: bool) -> World:
    """A unit `a` whose jobs all wait, because `later`, ordered after it, takes its time to stop."""
    world = World(unit("a", exec_reload="again"), unit("later", after=["a"]))
    world.behave("later", runs(dies_in_us=10 * SECOND))
    if is_up:
        world.start("a")
    world.start("later")
    world.stop("later")
    assert world.sub("later") == "stop-sigterm"
    return world


@pytest.mark.parametrize("second", TYPES)
@pytest.mark.parametrize("first", TYPES)
def test_a_waiting_job_of_a_unit_that_is_up_merges_by_the_table(first: str, second: str) -> None:
    world = _blocked_world(is_up=True)
    world.request(first, "a")
    world.request(second, "a")
    expected = WHILE_UP[first][TYPES.index(second)]
    # A job that is redundant may wait for its turn to find out, or not be queued at all.
    assert world.job("a") in ((expected,) if expected else (None, "start", "verify-active"))


@pytest.mark.parametrize("second", TYPES)
@pytest.mark.parametrize("first", WHILE_DOWN)
def test_a_waiting_job_of_a_unit_that_is_down_merges_by_the_table(first: str, second: str) -> None:
    world = _blocked_world(is_up=False)
    world.request(first, "a")
    world.request(second, "a")
    assert world.job("a") == WHILE_DOWN[first][TYPES.index(second)]


@pytest.mark.parametrize(
    ("first", "second"), [("start", "verify-active"), ("start", "restart"), ("restart", "start"), ("reload", "restart")]
)
def test_a_merged_request_is_answered_with_the_job_that_was_there(first: str, second: str) -> None:
    world = _blocked_world(is_up=False)
    one, other = world.request(first, "a"), world.request(second, "a")
    assert one.job == other.job != 0


def test_a_replaced_job_ends_as_canceled() -> None:
    world = _blocked_world(is_up=False)
    started = world.start("a")
    stopped = world.stop("a")
    assert world.job_result(started) == "canceled"
    world.advance(60 * SECOND)
    assert world.job_result(stopped) == "done"
    assert (world.active("a"), world.starts("a")) == ("inactive", 0)


REDUNDANT = [
    # verb, is the unit up
    ("start", True),
    ("stop", False),
    ("verify-active", True),
    ("try-restart", False),
    ("try-reload", False),
]


@pytest.mark.parametrize(("verb", "is_up"), REDUNDANT)
def test_a_redundant_job_does_nothing_and_succeeds(verb: str, is_up: bool) -> None:
    world = World(unit("a", exec_reload="again"))
    if is_up:
        world.start("a")
    before = world.spawns("a"), world.state("a")
    answer = world.request(verb, "a")
    assert answer.code == ""
    assert answer.job == 0 or world.job_result(answer) == "done"
    assert (world.spawns("a"), world.state("a")) == before


def test_verify_active_fails_on_a_unit_that_is_down() -> None:
    world = World(unit("a"))
    answer = world.request("verify-active", "a")
    assert world.job_result(answer) not in (None, "done")
    assert world.starts("a") == 0


def test_a_restart_is_never_redundant() -> None:
    world = World(unit("a"))
    answer = world.restart("a")
    assert world.job_result(answer) == "done"
    world.restart("a")
    assert (world.starts("a"), world.active("a")) == (2, "active")


def test_a_restart_is_one_job_from_its_stop_to_its_start() -> None:
    world = World(unit("a", type="notify"))
    world.behave("a", runs(dies_in_us=SECOND, says=((SECOND, {"READY": "1"}),)))
    world.start("a")
    world.advance(SECOND)
    answer = world.restart("a")
    assert world.sub("a") == "stop-sigterm"
    world.advance(SECOND)
    assert world.sub("a") == "start"
    assert world.job_result(answer) is None
    world.advance(SECOND)
    assert world.sub("a") == "running"
    assert world.job_result(answer) == "done"


@pytest.mark.parametrize(("is_up", "spawned"), [(True, "reload"), (False, "start")])
def test_reload_or_start_comes_to_what_the_state_asks_for(is_up: bool, spawned: str) -> None:
    world = World(unit("a", exec_reload="again"))
    if is_up:
        world.start("a")
    world.request("reload-or-start", "a")
    assert world.spawns("a")[-1] == spawned
    assert world.active("a") == "active"


def test_a_stop_that_reverses_a_running_start_cancels_it() -> None:
    world = World(unit("a", type="notify"))
    world.behave("a", runs())
    started = world.start("a")
    assert world.sub("a") == "start"
    stopped = world.stop("a")
    assert world.job_result(started) == "canceled"
    assert world.job_result(stopped) == "done"
    assert world.active("a") == "inactive"


def test_a_start_during_a_running_stop_waits_for_it() -> None:
    world = World(unit("a"))
    world.behave("a", runs(dies_in_us=SECOND), runs())
    world.start("a")
    stopped = world.stop("a")
    started = world.start("a")
    assert world.job_result(stopped) == "canceled"
    world.advance(SECOND)
    assert world.job_result(started) == "done"
    assert (world.active("a"), world.starts("a")) == ("active", 2)


# Modes ----------------------------------------------------------------------------------------------------------------


def test_fail_refuses_to_reverse_a_queued_job() -> None:
    world = _blocked_world(is_up=False)
    world.start("a")
    answer = world.stop("a", mode=JobMode.FAIL)
    assert answer.code == "destructive"
    assert world.job("a") == "start"


def test_fail_allows_what_merges() -> None:
    world = _blocked_world(is_up=False)
    first = world.start("a")
    second = world.start("a", mode=JobMode.FAIL)
    assert second.code == ""
    assert first.job == second.job


def test_replace_irreversibly_refuses_later_conflicting_requests() -> None:
    world = _blocked_world(is_up=True)
    world.stop("a", mode=JobMode.REPLACE_IRREVERSIBLY)
    answer = world.start("a")
    assert answer.code == "destructive"
    world.advance(60 * SECOND)
    assert world.active("a") == "inactive"
    assert world.start("a").code == ""


def test_isolate_stops_everything_else_but_what_is_spared() -> None:
    world = World(
        target("only", wants=["kept"], allow_isolate=True),
        unit("kept"),
        unit("gone"),
        unit("spared", ignore_on_isolate=True),
    )
    for name in ("kept", "gone", "spared"):
        world.start(name)
    answer = world.start("only", mode=JobMode.ISOLATE)
    assert answer.code == ""
    assert {u: world.active(u) for u in world.units} == {"only": "active", "kept": "active", "gone": "inactive", "spared": "active"}
    assert world.starts("kept") == 1


def test_isolate_needs_the_unit_s_consent() -> None:
    world = World(target("only"), unit("a"))
    world.start("a")
    assert world.start("only", mode=JobMode.ISOLATE).code == "refused"
    assert world.active("a") == "active"


def test_ignore_dependencies_starts_this_unit_alone_and_at_once() -> None:
    world = World(unit("a", requires=["b"], after=["b"]), unit("b"))
    world.start("a", mode=JobMode.IGNORE_DEPENDENCIES)
    assert (world.active("a"), world.active("b")) == ("active", "inactive")


def test_ignore_requirements_keeps_the_order_only() -> None:
    world = World(unit("a", requires=["b"], after=["b"]), unit("b", type="notify"))
    world.behave("b", runs(says=((SECOND, {"READY": "1"}),)))
    world.start("b")
    world.start("a", mode=JobMode.IGNORE_REQUIREMENTS)
    assert world.active("a") == "inactive"
    world.advance(SECOND)
    assert world.active("a") == "active"


def test_flush_cancels_what_is_queued() -> None:
    world = _blocked_world(is_up=False)
    waiting = world.start("a")
    world.units["c"] = unit("c")
    world.load(*world.units.values())
    world.start("c", mode=JobMode.FLUSH)
    assert world.job_result(waiting) == "canceled"
    assert world.active("c") == "active"


# Transactions ---------------------------------------------------------------------------------------------------------


def test_a_transaction_is_all_or_nothing() -> None:
    world = World(unit("a", requires=["b", "missing"]), unit("b"))
    answer = world.start("a")
    assert answer.code == "no-such-unit"
    assert world.engine.list_jobs() == []
    assert world.starts("b") == 0


@pytest.mark.parametrize(
    ("keys", "code"),
    [({"is_masked": True}, "masked"), ({"load_error": "web.toml:3: no"}, "bad-setting"), ({"refuse_manual_start": True}, "refused")],
)
def test_a_unit_that_cannot_be_started_is_refused_by_name(keys: dict[str, object], code: str) -> None:
    world = World(unit("a", **keys))
    answer = world.start("a")
    assert answer.code == code
    assert "a" in answer.text.replace(",", " ").replace(":", " ").split()


def test_refuse_manual_stop_refuses_a_person_only() -> None:
    world = World(unit("a", refuse_manual_stop=True), unit("b", conflicts=["a"]))
    world.start("a")
    assert world.stop("a").code == "refused"
    world.start("b")
    assert world.active("a") == "inactive"


def test_an_unknown_unit_is_refused() -> None:
    world = World(unit("a"))
    for verb in ("start", "stop", "restart", "reload"):
        assert world.request(verb, "nobody").code == "no-such-unit"


def test_a_reload_of_a_unit_that_cannot_is_refused() -> None:
    world = World(unit("a"))
    world.start("a")
    answer = world.reload("a")
    assert answer.code == "not-applicable" or world.job_result(answer) not in (None, "done")


def test_a_cycle_is_broken_by_dropping_a_job_that_does_not_matter() -> None:
    world = World(unit("a", requires=["b"], after=["b"]), unit("b", wants=["c"], after=["c"]), unit("c", after=["a"]))
    answer = world.start("a")
    assert answer.code == ""
    assert (world.active("a"), world.active("b"), world.active("c")) == ("active", "active", "inactive")


def test_a_cycle_in_which_every_job_matters_is_refused() -> None:
    world = World(unit("a", requires=["b"], after=["b"]), unit("b", requires=["a"], after=["a"]))
    answer = world.start("a")
    assert answer.code == "cyclic"
    assert world.engine.list_jobs() == []


def test_a_contradiction_that_matters_is_refused() -> None:
    world = World(unit("a", requires=["b", "c"]), unit("b", conflicts=["c"]), unit("c"))
    assert world.start("a").code == "contradictory"
    assert world.engine.list_jobs() == []


def test_a_contradiction_that_does_not_matter_is_resolved() -> None:
    world = World(unit("a", requires=["b"], wants=["c"]), unit("b", conflicts=["c"]), unit("c"))
    answer = world.start("a")
    assert answer.code == ""
    assert (world.active("a"), world.active("b"), world.active("c")) == ("active", "active", "inactive")


def test_a_canceled_job_ends_as_canceled_and_leaves_the_unit_where_it_is() -> None:
    world = World(unit("a", type="notify"), unit("b", after=["a"]))
    world.behave("a", Process())
    world.start("a")
    waiting = world.start("b")
    assert world.cancel(waiting.job).code == ""
    assert world.job_result(waiting) == "canceled"
    assert world.active("b") == "inactive"


def test_a_job_that_is_not_there_cannot_be_canceled() -> None:
    world = World(unit("a"))
    assert world.cancel(4711).code != ""


def test_the_failure_of_a_restart_job_is_told() -> None:
    world = World(unit("a", type="oneshot"))
    world.behave("a", exits(1))
    assert world.job_result(world.restart("a")) == "failed"


def _units_in_a_circle() -> World:
    world = World(unit("a", after=["b"]), unit("b", after=["a"]))
    for name in ("a", "b"):
        assert world.job_result(world.start(name)) == "done"
    return world


def test_a_stop_on_an_order_cycle_is_never_given_up() -> None:
    world = _units_in_a_circle()
    world.shutdown()
    assert (world.machine.living, world.has_left) == ({}, True)


@pytest.mark.parametrize("slow", ["a", "b"])
def test_a_stop_on_an_order_cycle_is_still_waited_for_by_what_is_not_on_it(slow: str) -> None:
    world = World(unit("a", after=["b", "base"]), unit("b", after=["a", "base"]), unit("base"))
    world.behave(slow, Process(dies_in_us=3 * SECOND))
    for name in ("base", "a", "b"):
        world.start(name)
    world.shutdown()
    world.advance(2 * SECOND)
    assert world.active("base") == "active"
    world.advance(5 * SECOND)
    assert (world.machine.living, world.has_left) == ({}, True)


def test_a_conflicting_start_stops_units_that_are_ordered_in_a_circle() -> None:
    world = World(unit("a", after=["b"]), unit("b", after=["a"]), unit("c", conflicts=["a", "b"]))
    for name in ("a", "b"):
        world.start(name)
    assert world.job_result(world.start("c")) == "done"
    assert (world.active("a"), world.active("b")) == ("inactive", "inactive")


def test_the_start_half_of_a_restart_waits_in_no_circle() -> None:
    world = World(unit("a", after=["b"]), unit("b", after=["a"]))
    world.behave("a", Process(dies_in_us=SECOND))
    world.start("a")
    answers = [world.restart("a"), world.start("b")]  # planned as a stop of a, for which b waits; then a's start would wait for b's
    world.advance(2 * SECOND)
    assert [world.job_result(answer) for answer in answers] == ["done", "done"]


def test_a_circle_is_seen_among_units_that_had_two_contradicting_jobs() -> None:
    """World 2177 of the simulation: at boot, the job that was given up hid the order of the one that stayed."""
    world = World(
        unit("a", after=["b"]),
        unit("b", after=["a"], requires=["a"]),
        unit("c", conflicts=["b"]),
    )
    world.boot()
    world.advance(SECOND)
    assert world.engine.list_jobs() == []


def test_a_reload_merged_into_an_automatic_restart_leaves_it_a_start() -> None:
    world = World(unit("a", restart="always", restart_us=10 * SECOND, exec_reload="again", after=["b"]), unit("b", type="notify"))
    world.behave("a", exits(1), Process())
    world.behave("b", runs())
    world.start("a")
    world.start("b")
    world.advance(10 * SECOND)
    assert world.sub("a") == "auto-restart-queued"
    world.reload("a")
    world.notify("b", READY="1")
    assert world.sub("a") == "running"
    assert world.engine.list_jobs() == []
