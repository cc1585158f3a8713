"""Dependency kinds as atoms: what each does at a start, a stop, a restart and a death (systemd.unit(5); SEMANTICS 5.2)."""

from typing import Any

import pytest

from supervisor.model.specification import Condition
from supervisor.model.states import Phase
from tests.spec.behaviour import SIGKILL, dies_by, exits, runs, says_ready
from tests.spec.build import SECOND, target, unit
from tests.spec.world import World

KINDS = ("wants", "requires", "requisite", "binds_to", "part_of", "upholds", "conflicts")


def _pair(kind: str, ordered: bool, **b_keys: Any) -> World:
    keys: dict[str, Any] = {kind: ["b"], "recover_dependents": False}
    if ordered:
        keys["after"] = ["b"]
    return World(unit("a", **keys), unit("b", **b_keys))


STARTS_B = {"wants": True, "requires": True, "requisite": False, "binds_to": True, "part_of": False, "upholds": True, "conflicts": False}


@pytest.mark.parametrize("ordered", [False, True], ids=["unordered", "ordered"])
@pytest.mark.parametrize("kind", KINDS)
def test_start_of_me_starts_the_other_where_the_kind_says_so(kind: str, ordered: bool) -> None:
    world = _pair(kind, ordered)
    world.start("a")
    world.advance(SECOND)
    assert (world.active("b") == "active") == STARTS_B[kind]
    if kind != "requisite":
        assert world.active("a") == "active"
    elif ordered:
        assert (world.active("a"), world.starts("a")) == ("inactive", 0)


FAILS_WITH_DEPENDENCY = {"requires": True, "binds_to": True, "wants": False, "upholds": False, "part_of": False}


@pytest.mark.parametrize("kind", FAILS_WITH_DEPENDENCY)
def test_a_failed_start_of_the_other_fails_mine_with_dependency_where_the_kind_says_so(kind: str) -> None:
    world = _pair(kind, True, exec_start_pre="pre")
    world.behave("b", exits(1), phase=Phase.START_PRE)
    answer = world.start("a")
    world.advance(SECOND)
    if FAILS_WITH_DEPENDENCY[kind]:
        assert world.job_result(answer) == "dependency"
        assert (world.active("a"), world.starts("a")) == ("inactive", 0)
    else:
        assert world.job_result(answer) == "done"
        assert world.active("a") == "active"


def test_a_requirement_without_an_order_does_not_hold_up_my_start() -> None:
    world = _pair("requires", False, type="notify")
    world.behave("b", runs())
    answer = world.start("a")
    assert world.active("a") == "active"
    assert world.job_result(answer) == "done"
    assert world.active("b") == "activating"


GOES_DOWN_WITH_A_STOP = {
    "wants": False,
    "requires": True,
    "requisite": True,
    "binds_to": True,
    "part_of": True,
    "upholds": False,
}


@pytest.mark.parametrize("ordered", [False, True], ids=["unordered", "ordered"])
@pytest.mark.parametrize("kind", GOES_DOWN_WITH_A_STOP)
def test_a_stop_of_the_other_stops_me_where_the_kind_says_so(kind: str, ordered: bool) -> None:
    world = _pair(kind, ordered)
    world.start("b")
    world.start("a")
    world.stop("b")
    world.advance(SECOND)
    assert (world.active("a") == "inactive") == GOES_DOWN_WITH_A_STOP[kind]


@pytest.mark.parametrize("ordered", [False, True], ids=["unordered", "ordered"])
@pytest.mark.parametrize("kind", GOES_DOWN_WITH_A_STOP)
@pytest.mark.parametrize("verb", ["restart", "try-restart"])
def test_a_restart_of_the_other_restarts_me_where_its_stop_would_stop_me(verb: str, kind: str, ordered: bool) -> None:
    world = _pair(kind, ordered)
    world.start("b")
    world.start("a")
    world.request(verb, "b")
    world.advance(SECOND)
    assert world.active("a") == world.active("b") == "active"
    assert world.starts("a") == (2 if GOES_DOWN_WITH_A_STOP[kind] else 1)
    assert world.starts("b") == 2


@pytest.mark.parametrize("kind", ["requires", "binds_to", "part_of"])
def test_a_restart_leaves_dependents_down_that_are_down(kind: str) -> None:
    world = _pair(kind, True)
    world.start("b")
    world.restart("b")
    world.advance(SECOND)
    assert (world.active("a"), world.starts("a")) == ("inactive", 0)


@pytest.mark.parametrize("ordered", [False, True], ids=["unordered", "ordered"])
@pytest.mark.parametrize("end", ["clean", "killed"])
@pytest.mark.parametrize("kind", GOES_DOWN_WITH_A_STOP)
def test_a_death_of_the_other_takes_me_along_only_when_bound_to_it(kind: str, end: str, ordered: bool) -> None:
    world = _pair(kind, ordered)
    world.behave("b", exits(0, after_us=5 * SECOND) if end == "clean" else dies_by(SIGKILL, after_us=5 * SECOND), runs())
    world.start("b")
    world.start("a")
    world.advance(20 * SECOND)
    assert world.active("a") == ("inactive" if kind == "binds_to" else "active")
    assert world.starts("b") == (2 if kind == "upholds" else 1)


def test_the_one_way_kinds_do_not_stop_the_other_when_i_stop() -> None:
    for kind in ("wants", "requires", "binds_to", "part_of", "upholds"):
        world = _pair(kind, True)
        world.start("b")
        world.start("a")
        world.stop("a")
        world.advance(SECOND)
        assert (kind, world.active("a"), world.active("b")) == (kind, "inactive", "active")


@pytest.mark.parametrize("starter", ["a", "b"])
def test_conflicting_units_stop_each_other_whoever_names_the_conflict(starter: str) -> None:
    world = _pair("conflicts", False)
    other = "b" if starter == "a" else "a"
    world.start(other)
    world.start(starter)
    world.advance(SECOND)
    assert world.active(starter) == "active"
    assert world.active(other) == "inactive"


def test_a_bound_unit_follows_a_skipped_condition() -> None:
    world = World(
        unit("a", binds_to=["b"], after=["b"]),
        unit("b", conditions=(Condition("path_exists", "/nowhere"),)),
    )
    world.conditions["b"] = False
    answer = world.start("a")
    world.advance(SECOND)
    assert world.starts("a") == 0
    assert world.active("a") == "inactive"
    assert world.job_result(answer) != "done"


@pytest.mark.parametrize(("delay_us", "is_stopped"), [(0, True), (SECOND, False)])
def test_who_came_up_first_follows_a_skipped_condition_only_if_it_is_found_at_that_moment(delay_us: int, is_stopped: bool) -> None:
    # systemd looks at those that are bound when they come up (stop_when_bound_queue); a job that is queued then is not waited for.
    world = World(
        unit("a", type="simple", binds_to=["b"], before=["b"], wants=["c"]),
        unit("b", after=["c"], conditions=(Condition("path_exists", "/nowhere"),)),
        unit("c", type="oneshot"),
    )
    world.behave("c", exits(0, after_us=delay_us))
    world.conditions["b"] = False
    answer = world.start("a")
    world.advance(5 * SECOND)
    assert world.job_result(answer) == "done"
    assert (world.active("a"), world.starts("a")) == ("inactive" if is_stopped else "active", 1)


def test_a_required_unit_that_is_skipped_by_a_condition_does_not_hold_me_down() -> None:
    world = World(unit("a", requires=["b"], after=["b"]), unit("b", conditions=(Condition("path_exists", "/nowhere"),)))
    world.conditions["b"] = False
    answer = world.start("a")
    world.advance(SECOND)
    assert world.job_result(answer) == "done"
    assert world.active("a") == "active"


def test_upholding_starts_again_at_once_and_obeys_the_start_limit() -> None:
    world = World(unit("a", upholds=["b"]), unit("b", start_limit_burst=3))
    world.behave("b", exits(1))
    world.start("a")
    world.advance(SECOND)
    assert world.starts("b") == 3
    assert world.active("b") == "failed"


def test_starts_follow_after_and_stops_go_the_other_way() -> None:
    world = World(unit("a", type="notify"), unit("b", type="notify", requires=["a"], after=["a"]), unit("c", requires=["b"], after=["b"]))
    for name in "ab":
        world.behave(name, says_ready(after_us=SECOND, dies_in_us=SECOND))
    world.behave("c", runs(dies_in_us=SECOND))
    world.start("c")
    assert [world.active(u) for u in "abc"] == ["activating", "inactive", "inactive"]
    world.advance(SECOND)
    assert [world.active(u) for u in "abc"] == ["active", "activating", "inactive"]
    world.advance(SECOND)
    assert [world.active(u) for u in "abc"] == ["active", "active", "active"]
    world.stop("a")
    assert [world.active(u) for u in "abc"] == ["active", "active", "deactivating"]
    world.advance(SECOND)
    assert [world.active(u) for u in "abc"] == ["active", "deactivating", "inactive"]
    world.advance(2 * SECOND)
    assert [world.active(u) for u in "abc"] == ["inactive", "inactive", "inactive"]


@pytest.mark.parametrize("direction", ["after", "before"])
def test_a_stop_comes_before_a_start_whatever_the_direction(direction: str) -> None:
    world = World(unit("a", conflicts=["b"], **{direction: ["b"]}), unit("b"))
    world.behave("b", runs(dies_in_us=SECOND))
    world.start("b")
    world.start("a")
    assert (world.active("a"), world.active("b")) == ("inactive", "deactivating")
    world.advance(SECOND)
    assert (world.active("a"), world.active("b")) == ("active", "inactive")


def test_a_target_is_up_when_what_it_wants_has_finished() -> None:
    world = World(target("all", wants=["a", "b"], after=["a", "b"]), unit("a", type="notify"), unit("b", exec_start_pre="pre"))
    world.behave("a", says_ready(after_us=SECOND))
    world.behave("b", exits(1), phase=Phase.START_PRE)
    answer = world.start("all")
    assert world.active("all") == "inactive"
    world.advance(SECOND)
    assert world.active("all") == "active"
    assert world.job_result(answer) == "done"
    assert world.active("b") == "failed"


def test_reload_is_propagated() -> None:
    world = World(unit("a", exec_reload="again", propagates_reload_to=["b"]), unit("b", exec_reload="again"))
    world.start("a")
    world.start("b")
    world.reload("a")
    assert world.spawns("b").count("reload") == 1
    world.reload("b")
    assert world.spawns("a").count("reload") == 1


def test_stop_is_propagated() -> None:
    world = World(unit("a", propagates_stop_to=["b"]), unit("b"))
    world.start("a")
    world.start("b")
    world.stop("a")
    assert world.active("b") == "inactive"


def test_a_unit_that_is_not_needed_any_more_stops() -> None:
    world = World(unit("a", requires=["b"], after=["b"]), unit("b", stop_when_unneeded=True))
    world.start("a")
    assert world.active("b") == "active"
    world.stop("a")
    world.advance(SECOND)
    assert world.active("b") == "inactive"


def test_dependents_that_failed_with_dependency_come_back_when_it_recovers() -> None:
    world = World(unit("a", requires=["b"], after=["b"]), unit("b", exec_start_pre="pre"))
    world.behave("b", exits(1), exits(0), phase=Phase.START_PRE)
    world.start("a")
    assert (world.active("a"), world.active("b")) == ("inactive", "failed")
    world.start("b")
    world.advance(SECOND)
    assert (world.active("a"), world.active("b")) == ("active", "active")


def test_dependents_do_not_come_back_when_recovery_is_off_or_a_person_stopped_them() -> None:
    for recovers, stops in ((False, False), (True, True)):
        world = World(unit("a", requires=["b"], after=["b"], recover_dependents=recovers), unit("b", exec_start_pre="pre"))
        world.behave("b", exits(1), exits(0), phase=Phase.START_PRE)
        world.start("a")
        if stops:
            world.stop("a")
        world.start("b")
        world.advance(SECOND)
        assert (world.active("a"), world.active("b")) == ("inactive", "active")


@pytest.mark.parametrize("kind", ["requires", "wants", "binds_to", "upholds"])
@pytest.mark.parametrize("order", ["none", "after"])
def test_a_restart_brings_up_what_went_down_meanwhile(kind: str, order: str) -> None:
    """A unit that waits for its restart counts as coming up unasked: what it needs and is not after is started with it."""
    ordered = {"after": ["b"]} if order == "after" else {}
    world = World(
        unit("a", restart="always", restart_us=100 * SECOND, recover_dependents=False, **{kind: ["b"]}, **ordered),
        unit("b", type="notify"),
    )
    world.behave("b", says_ready(lives_us=SECOND), says_ready())
    world.behave("a", exits(1, after_us=2 * SECOND), runs())
    world.start("a")
    world.advance(3 * SECOND)
    is_down_with_b = kind == "binds_to"
    assert world.sub("a") == ("dead" if is_down_with_b else "auto-restart")
    if kind == "upholds":
        assert world.active("b") == "active"
    elif not is_down_with_b:
        assert world.active("b") == ("active" if order == "none" else "inactive")


def test_a_restart_brings_up_at_once_what_it_is_bound_to_and_lost_on_its_way_down() -> None:
    """Who goes down already is not stopped again for what it is bound to; as it waits for its restart, that comes up (unit_notify)."""
    world = World(
        unit("a", binds_to=["b"], restart="always", restart_us=100 * SECOND, exec_stop_post="sweep", recover_dependents=False),
        unit("b"),
    )
    world.behave("a", exits(1, after_us=SECOND), runs())
    world.behave("a", exits(0, after_us=2 * SECOND), phase=Phase.STOP_POST)
    world.behave("b", exits(0, after_us=2 * SECOND), runs())
    world.start("a")
    world.advance(2 * SECOND)
    assert (world.sub("a"), world.active("b")) == ("stop-post", "inactive")
    world.advance(SECOND)
    assert (world.sub("a"), world.active("b")) == ("auto-restart", "active")
    world.advance(100 * SECOND)
    assert (world.sub("a"), world.starts("b")) == ("running", 2)


def test_a_restart_does_not_bring_up_what_it_only_wants_and_a_person_stopped() -> None:
    world = World(unit("a", restart="always", restart_us=100 * SECOND, wants=["b"]), unit("b"))
    world.behave("a", exits(1, after_us=2 * SECOND))
    world.start("a")
    world.stop("b")
    world.advance(3 * SECOND)
    assert (world.sub("a"), world.active("b")) == ("auto-restart", "inactive")


def test_a_unit_that_nobody_needs_goes_down_as_soon_as_it_is_up() -> None:
    world = World(unit("a", requires=["b"]), unit("b", stop_when_unneeded=True))
    world.start("b")
    assert world.active("b") == "inactive"
    world.start("a")
    assert world.active("b") == "active"


def test_what_is_bound_to_a_unit_that_is_down_fails_with_dependency() -> None:
    world = World(unit("a", binds_to=["b"], after=["b"]), unit("b", type="oneshot"))
    answer = world.start("a")
    assert (world.job_result(answer), world.active("a")) == ("dependency", "inactive")


@pytest.mark.parametrize("order", [{}, {"after": ["b"]}, {"before": ["b"]}])
def test_a_stop_is_passed_on_also_when_it_comes_by_itself(order: dict[str, list[str]]) -> None:
    world = World(unit("a", propagates_stop_to=["b"], **order), unit("b"))
    world.behave("a", exits(0, after_us=SECOND))
    world.start("b")
    world.start("a")
    world.advance(SECOND)
    assert (world.active("a"), world.active("b")) == ("inactive", "inactive")
