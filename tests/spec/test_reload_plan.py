"""A new set of definitions: what the plan says of each unit, and that exactly this happens (DESIGN, Hot reload)."""

from signal import SIGTERM
from typing import Any

import pytest

from supervisor.engine.plan import changed_keys, process_keys
from supervisor.model.specification import Probe, Unit
from tests.spec.behaviour import exits, runs, says_ready
from tests.spec.build import MINUTE, SECOND, target
from tests.spec.reloads import ReloadWorld, unit

# What changed in a running unit -> the keys that differ, and whether its process has to be restarted for them.
CHANGES: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...], bool]] = [
    ({"exec_start": "old"}, {"exec_start": "new"}, ("service.exec_start",), True),
    ({"environment": [("A", "1")]}, {"environment": [("A", "2")]}, ("service.environment",), True),
    ({"environment": [("A", "1"), ("B", "2")]}, {"environment": [("B", "2"), ("A", "1")]}, (), False),
    ({"user": "a"}, {"user": "b"}, ("service.user",), True),
    ({"watchdog_us": SECOND}, {"watchdog_us": 2 * SECOND}, ("service.watchdog_sec",), True),
    ({"restart_us": SECOND}, {"restart_us": 2 * SECOND}, ("service.restart_sec",), False),
    ({"timeout_stop_us": SECOND}, {"timeout_stop_us": 2 * SECOND}, ("service.timeout_stop_sec",), False),
    ({"exec_stop": "a"}, {"exec_stop": "b"}, ("service.exec_stop",), False),
    ({"description": "a"}, {"description": "b"}, ("unit.description",), False),
    ({"after": ["x", "y"]}, {"after": ["y", "x"]}, (), False),
    ({"after": ["x"]}, {"after": ["x", "y"]}, ("unit.after",), False),
    ({"fragment_path": "/a"}, {"fragment_path": "/b"}, (), False),
    ({"start_limit_burst": 5}, {"start_limit_burst": 6}, ("unit.start_limit_burst",), False),
]


@pytest.mark.parametrize(("before", "after", "keys", "restarts"), CHANGES)
def test_what_differs_is_named_and_only_what_the_process_was_started_with_restarts_it(
    before: dict[str, Any], after: dict[str, Any], keys: tuple[str, ...], restarts: bool
) -> None:
    old, new = unit("a", **before), unit("a", **after)
    assert changed_keys(old, new) == keys
    assert bool(process_keys(old, new)) == restarts


def _up(*units: Unit) -> ReloadWorld:
    world = ReloadWorld(*units)
    for one in units:
        world.start(one.id)
    return world


OLD, NEW = {"exec_start": "old"}, {"exec_start": "new"}

# a running unit's new definition -> the action, and whether it has a new process
RUNNING: dict[str, tuple[Unit | None, str, bool]] = {
    "another command restarts it": (unit("a", **NEW), "restart", True),
    "another restart policy is in force at once": (unit("a", **OLD, restart="always"), "live", False),
    "on_change = ignore leaves it to a person": (unit("a", **NEW, on_change="ignore"), "needs-restart", False),
    "on_change = reload reloads it": (unit("a", **NEW, exec_reload="x", on_change="reload"), "reload", False),
    "on_change = reload restarts what cannot reload": (unit("a", **NEW, on_change="reload"), "restart", True),
    "disabling it does not stop it": (unit("a", **OLD, is_enabled=False), "live", False),
    "a masked unit runs until it is stopped": (Unit("a", "service", is_masked=True), "needs-stop", False),
}


@pytest.mark.parametrize("case", RUNNING)
def test_a_running_unit_follows_its_on_change(case: str) -> None:
    new, action, has_new_process = RUNNING[case]
    assert new is not None
    world = _up(unit("a", **OLD))
    pid = world.show("a")["main_pid"]
    assert world.apply(new) == {"a": action}
    assert (world.show("a")["main_pid"] != pid) == has_new_process
    assert world.active("a") == "active"
    assert world.show("a")["needs_restart"] == (action == "needs-restart")


def test_what_is_equal_is_not_in_the_plan_and_nothing_happens() -> None:
    world = _up(unit("a"), unit("b"))
    pids = [world.show(name)["main_pid"] for name in "ab"]
    assert world.apply(unit("a", fragment_path="/elsewhere"), unit("b")) == {}
    assert [world.show(name)["main_pid"] for name in "ab"] == pids


def test_a_new_unit_starts_if_it_is_enabled() -> None:
    world = _up(unit("a"))
    assert world.apply(unit("a"), unit("b"), unit("c", is_enabled=False)) == {"b": "start", "c": "added"}
    assert (world.active("b"), world.active("c")) == ("active", "inactive")


def test_a_unit_whose_file_is_gone_stops_or_waits_for_apply() -> None:
    world = _up(unit("a"), unit("b", on_change="ignore"))
    assert world.apply() == {"a": "stop", "b": "needs-stop"}
    assert world.processes("a") == []
    assert len(world.processes("b")) == 1
    assert world.apply(is_asked=True) == {"b": "stop"}
    assert world.processes("b") == []


def test_a_unit_that_a_person_stopped_stays_down() -> None:
    world = _up(unit("a", **OLD))
    world.stop("a")
    assert world.apply(unit("a", **NEW)) == {"a": "live"}
    assert world.active("a") == "inactive"


def test_a_failed_unit_is_started_once_its_definition_is_mended() -> None:
    world = ReloadWorld(unit("a", **OLD))
    world.behave("a", exits(1), runs())
    world.start("a")
    assert world.apply(unit("a", **OLD, description="no more than a description")) == {"a": "live"}
    assert world.apply(unit("a", **NEW)) == {"a": "start"}
    assert world.active("a") == "active"


def test_a_unit_that_could_not_be_read_starts_once_it_can() -> None:
    world = ReloadWorld(Unit("a", "service", is_enabled=False, load_error="no"))
    assert world.apply(unit("a")) == {"a": "start"}
    assert world.active("a") == "active"


def test_what_waits_for_its_automatic_restart_is_restarted_by_the_new_definition() -> None:
    world = ReloadWorld(unit("a", **OLD, restart="always", restart_us=MINUTE))
    world.behave("a", exits(1), runs())
    world.start("a")
    assert world.apply(unit("a", **NEW, restart="always", restart_us=MINUTE)) == {"a": "restart"}
    assert (world.active("a"), world.programs("a")) == ("active", ["old", "new"])


def test_dependents_restart_as_systemd_has_it_and_the_plan_says_so() -> None:
    world = ReloadWorld(
        unit("db", **OLD), unit("web", requires=["db"], after=["db"]), unit("down", requires=["db"]), unit("free", wants=["db"])
    )
    world.start("web")
    world.start("free")
    done = world.apply(
        unit("db", **NEW), unit("web", requires=["db"], after=["db"]), unit("down", requires=["db"]), unit("free", wants=["db"])
    )
    assert done == {"db": "restart", "web": "restart"}
    assert world.plan["db"].changed == ("service.exec_start",)
    assert world.plan["web"].changed == ()
    assert world.programs("db", "web") == ["old", "run", "new", "run"]
    assert (world.starts("free"), world.starts("down")) == (1, 0)


def test_ordered_units_restart_in_their_order() -> None:
    world = ReloadWorld(unit("c", exec_start="c1", after=["b"]), unit("b", exec_start="b1", after=["a"]), unit("a", exec_start="a1"))
    for name in "abc":
        world.start(name)
    world.apply(unit("c", exec_start="c2", after=["b"]), unit("b", exec_start="b2", after=["a"]), unit("a", exec_start="a2"))
    assert world.programs("a", "b", "c") == ["a1", "b1", "c1", "a2", "b2", "c2"]


def test_apply_restarts_what_was_left_and_only_what_was_named() -> None:
    ignoring = {"on_change": "ignore"}
    world = _up(unit("a", **OLD, **ignoring), unit("b", **OLD, **ignoring))
    new = (unit("a", **NEW, **ignoring), unit("b", **NEW, **ignoring))
    assert world.apply(*new) == {"a": "needs-restart", "b": "needs-restart"}
    assert world.apply(*new, is_asked=True, chosen=("a",)) == {"a": "restart", "b": "needs-restart"}
    assert (world.starts("a"), world.starts("b")) == (2, 1)
    assert world.apply(*new, is_asked=True) == {"b": "restart"}
    assert world.apply(*new, is_asked=True) == {}


def test_a_change_that_is_taken_back_needs_no_restart() -> None:
    world = _up(unit("a", **OLD, on_change="ignore"))
    world.apply(unit("a", **NEW, on_change="ignore"))
    assert world.apply(unit("a", **OLD, on_change="ignore")) == {"a": "live"}
    assert world.show("a")["needs_restart"] is False
    assert world.apply(unit("a", **OLD, on_change="ignore"), is_asked=True) == {}


def test_a_target_is_never_restarted_for_its_dependencies() -> None:
    world = _up(target("all", on_change="restart"), unit("a"))
    assert world.apply(target("all", on_change="restart", wants=["a"]), unit("a")) == {"all": "live"}


def test_new_probes_watch_a_running_service_at_once() -> None:
    world = _up(unit("a"))
    pid = world.show("a")["main_pid"]
    assert world.apply(unit("a", probes=[Probe("health", "tcp", "127.0.0.1:1")])) == {"a": "live"}
    assert world.show("a")["main_pid"] == pid


def test_saving_often_does_not_use_up_the_start_limit() -> None:
    world = _up(unit("a"))
    for number in range(20):
        world.apply(unit("a", exec_start=f"version{number}"))
    assert (world.active("a"), world.starts("a")) == ("active", 21)


def test_saving_often_does_not_use_up_the_start_limit_of_what_restarts_along() -> None:
    needing = unit("b", requires=["a"], after=["a"])
    world = _up(unit("a"), needing)
    for number in range(20):
        world.apply(unit("a", exec_start=f"version{number}"), needing)
    assert (world.active("b"), world.starts("b")) == ("active", 21)


# The way back ---------------------------------------------------------------------------------------------------------

BAD: dict[str, tuple[dict[str, Any], Any]] = {
    "its program fails at once": ({}, exits(1)),
    "it fails and would be restarted": ({"restart": "always", "restart_us": MINUTE}, exits(1)),
    "it never says that it is ready": ({"type": "notify", "timeout_start_us": 5 * SECOND}, runs()),
    "it ends before it is ready": ({"type": "notify"}, exits(0)),
}


@pytest.mark.parametrize("case", BAD)
def test_a_restart_that_does_not_come_up_goes_back_to_the_definition_of_before(case: str) -> None:
    keys, behaviour = BAD[case]
    world = _up(unit("a", **OLD))
    world.behave("a", behaviour, runs())
    world.apply(unit("a", **NEW, **keys))
    world.advance(10 * SECOND)
    assert world.programs("a") == ["old", "new", "old"]
    assert world.active("a") == "active"
    assert world.show("a")["rolled_back"].startswith("rolled back")
    assert any(link["what"] == "rollback" for link in world.engine.why("a", world._instant())["because"])


def test_a_dependent_comes_back_with_it() -> None:
    world = ReloadWorld(unit("db", **OLD), unit("web", requires=["db"], after=["db"]))
    world.start("web")
    world.behave("db", exits(1, after_us=SECOND), runs())
    world.apply(unit("db", **NEW, type="notify"), unit("web", requires=["db"], after=["db"]))
    world.advance(10 * SECOND)
    assert (world.active("db"), world.active("web")) == ("active", "active")


def test_one_that_has_come_up_and_fails_later_is_not_rolled_back() -> None:
    world = _up(unit("a", **OLD))
    world.behave("a", exits(1, after_us=5 * SECOND))
    world.apply(unit("a", **NEW))
    world.advance(10 * SECOND)
    assert (world.active("a"), world.programs("a")) == ("failed", ["old", "new"])


def test_a_person_who_stops_it_on_the_way_ends_the_trial() -> None:
    world = _up(unit("a", **OLD))
    world.behave("a", runs())
    world.apply(unit("a", **NEW, type="notify"))
    world.stop("a")
    world.advance(MINUTE)
    assert (world.active("a"), world.programs("a")) == ("inactive", ["old", "new"])


def test_a_restart_on_request_whose_stop_ends_badly_is_no_failure_of_the_new_definition() -> None:
    world = _up(unit("a", **OLD))
    world.behave("a", runs(survives=frozenset({SIGTERM})), runs())
    world.apply(unit("a", **NEW, timeout_stop_us=SECOND // 2))
    world.restart("a")
    world.advance(MINUTE)
    assert (world.active("a"), world.programs("a"), world.show("a")["rolled_back"]) == ("active", ["old", "new", "new"], "")


def test_what_such_a_restart_starts_is_on_trial_again() -> None:
    world = _up(unit("a", **OLD))
    world.behave("a", runs(survives=frozenset({SIGTERM})), exits(1), runs())
    world.apply(unit("a", **NEW, timeout_stop_us=SECOND // 2))
    world.restart("a")
    world.advance(MINUTE)
    assert (world.active("a"), world.programs("a")) == ("active", ["old", "new", "new", "old"])


def test_a_second_edit_during_the_trial_still_goes_back_to_what_ran_well() -> None:
    world = _up(unit("a", **OLD))
    world.behave("a", runs(), exits(1), runs())
    world.apply(unit("a", **NEW, type="notify"))
    world.apply(unit("a", exec_start="newer", type="notify"))
    world.advance(10 * SECOND)
    assert (world.active("a"), world.programs("a")) == ("active", ["old", "new", "newer", "old"])


def test_what_came_up_is_what_the_next_trial_goes_back_to() -> None:
    world = _up(unit("a", **OLD))
    world.apply(unit("a", **NEW))
    world.advance(10 * SECOND)
    world.behave("a", exits(1), runs())
    world.apply(unit("a", exec_start="newer"))
    world.advance(10 * SECOND)
    assert world.programs("a") == ["old", "new", "newer", "new"]


def test_a_manager_that_dies_during_the_trial_still_goes_back() -> None:
    world = _up(unit("a", **OLD))
    world.behave("a", exits(1, after_us=SECOND), runs())
    world.apply(unit("a", **NEW, type="notify"))
    world.crash()
    world.advance(10 * SECOND)
    assert (world.active("a"), world.programs("a")[-1]) == ("active", "old")


def test_a_bad_definition_of_a_container_does_not_end_supd() -> None:
    world = _up(unit("a", **OLD, failure_action="exit"))
    world.behave("a", exits(1), runs())
    world.apply(unit("a", **NEW, failure_action="exit"))
    world.advance(10 * SECOND)
    assert not world.has_left
    assert world.active("a") == "active"


def test_a_new_definition_is_forgotten_as_rolled_back_once_it_changes_again() -> None:
    world = _up(unit("a", **OLD))
    world.behave("a", exits(1), runs())
    world.apply(unit("a", **NEW))
    world.advance(10 * SECOND)
    world.apply(unit("a", exec_start="mended"))
    world.advance(10 * SECOND)
    assert (world.active("a"), world.show("a")["rolled_back"]) == ("active", "")


def test_a_start_that_becomes_ready_late_is_waited_for() -> None:
    world = _up(unit("a", **OLD))
    world.behave("a", says_ready(after_us=60 * SECOND))
    world.apply(unit("a", **NEW, type="notify"))
    world.advance(80 * SECOND)
    assert (world.active("a"), world.programs("a")) == ("active", ["old", "new"])
