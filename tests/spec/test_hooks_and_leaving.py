"""OnFailure=, OnSuccess=, failure and success actions, and how supd leaves (systemd.unit(5); SEMANTICS 5.7)."""

import pytest

from supervisor.model.states import Phase
from tests.spec.behaviour import Process, exits, runs, stubborn
from tests.spec.build import SECOND, target, unit
from tests.spec.world import World


def test_on_failure_fires_for_a_start_that_failed_with_dependency() -> None:
    world = World(
        unit("a", requires=["b"], after=["b"], on_failure=["alarm"]),
        unit("b", exec_start_pre="x"),
        unit("alarm", type="oneshot"),
    )
    world.behave("b", exits(1), phase=Phase.START_PRE)
    world.start("a")
    assert world.starts("alarm") == 1


def test_on_success_does_not_fire_after_a_failure() -> None:
    world = World(unit("a", on_success=["next"]), unit("next", type="oneshot"))
    world.behave("a", exits(1, after_us=SECOND))
    world.start("a")
    world.advance(SECOND)
    assert world.starts("next") == 0


def test_on_success_fires_when_a_oneshot_is_done() -> None:
    world = World(unit("a", type="oneshot", on_success=["next"]), unit("next", type="oneshot"))
    world.start("a")
    assert world.starts("next") == 1
    assert world.environment("next", Phase.START)["MONITOR_SERVICE_RESULT"] == "success"


def test_reset_failed_and_a_second_failure_fire_again() -> None:
    world = World(unit("a", type="oneshot", on_failure=["alarm"]), unit("alarm", type="oneshot"))
    world.behave("a", exits(1))
    world.start("a")
    world.reset_failed("a")
    world.start("a")
    assert world.starts("alarm") == 2


@pytest.mark.parametrize(
    ("key", "status", "leaves"), [("failure_action", 3, True), ("failure_action", 0, False), ("success_action", 0, True)]
)
def test_an_exit_action_ends_supd_with_the_unit_s_status(key: str, status: int, leaves: bool) -> None:
    world = World(unit("a", **{key: "exit"}), unit("b"))
    world.behave("a", exits(status, after_us=SECOND))
    world.start("b")
    world.start("a")
    world.advance(SECOND)
    assert world.has_left == leaves
    if world.left:
        assert world.left.exit_status == status
        assert world.processes("b") == []


def test_an_exit_action_may_name_its_own_status() -> None:
    world = World(unit("a", failure_action="exit", failure_action_exit_status=42))
    world.behave("a", exits(1))
    world.start("a")
    assert world.left is not None
    assert world.left.exit_status == 42


def test_exit_force_does_not_wait() -> None:
    world = World(unit("a", failure_action="exit-force"), unit("b"))
    world.behave("b", stubborn())
    world.behave("a", exits(1, after_us=SECOND))
    world.start("b")
    world.start("a")
    world.advance(SECOND)
    assert world.left is not None
    assert world.left.is_forced


def test_an_exit_action_waits_for_the_last_automatic_restart() -> None:
    world = World(unit("a", failure_action="exit", restart="on-failure", restart_us=SECOND, start_limit_burst=2))
    world.behave("a", exits(1))
    world.start("a")
    assert not world.has_left
    world.advance(10 * SECOND)
    assert world.has_left


def test_a_shutdown_stops_everything_in_reverse_order_and_then_leaves() -> None:
    world = World(unit("a"), unit("b", after=["a"]), target("all", wants=["a", "b"]))
    world.behave("b", runs(dies_in_us=SECOND))
    world.start("all")
    world.shutdown(7)
    assert (world.active("b"), world.active("a")) == ("deactivating", "active")
    assert not world.has_left
    world.advance(SECOND)
    assert world.machine.living == {}
    assert world.left is not None
    assert (world.left.exit_status, world.left.is_forced) == (7, False)


def test_a_shutdown_with_nothing_running_leaves_at_once() -> None:
    world = World(unit("a"))
    world.shutdown()
    assert world.has_left


def test_nothing_is_started_once_supd_is_leaving() -> None:
    world = World(unit("a", restart="always", restart_us=0), unit("b"))
    world.behave("a", runs(dies_in_us=10 * SECOND))
    world.start("a")
    world.shutdown()
    assert world.start("b").code == "shutting-down"
    world.advance(60 * SECOND)
    assert world.starts("a") == 1
    assert world.has_left


def test_a_second_shutdown_request_hurries() -> None:
    world = World(unit("a", timeout_stop_us=1000 * SECOND))
    world.behave("a", stubborn())
    world.start("a")
    world.shutdown()
    world.advance(SECOND)
    assert not world.has_left
    world.shutdown()
    assert world.machine.living == {}
    assert world.has_left


def test_a_pending_restart_does_not_hold_up_a_shutdown() -> None:
    world = World(unit("a", restart="always", restart_us=1000 * SECOND))
    world.behave("a", exits(1))
    world.start("a")
    assert world.sub("a") == "auto-restart"
    world.shutdown()
    assert world.has_left


def test_a_failure_before_an_automatic_restart_does_not_end_supd() -> None:
    world = World(
        unit("a", restart="on-failure", restart_us=SECOND, failure_action="exit", start_limit_burst=2, start_limit_interval_us=None)
    )
    world.behave("a", exits(1))
    world.start("a")
    assert (world.sub("a"), world.has_left) == ("auto-restart", False)
    world.advance(10 * SECOND)
    assert world.has_left


def test_on_failure_of_jobs_that_fail_too_often_fires_again_after_a_while() -> None:
    world = World(
        unit("a", requires=["b"], after=["b"], on_failure=["alarm"], recover_dependents=False),
        unit("b", exec_start_pre="x", start_limit_interval_us=0),
        unit("alarm", type="oneshot", start_limit_interval_us=0),
    )
    world.behave("b", exits(1), phase=Phase.START_PRE)
    for _ in range(20):
        world.start("a")
    assert world.starts("alarm") == 16
    world.advance(11 * SECOND)
    world.start("a")
    assert world.starts("alarm") == 17


def test_a_second_shutdown_has_no_more_patience() -> None:
    world = World(unit("a", timeout_stop_us=100 * SECOND))
    world.behave("a", stubborn())
    world.start("a")
    world.shutdown()
    assert not world.has_left
    world.shutdown()
    assert (world.has_left, world.result("a"), world.processes("a")) == (True, "timeout", [])


def test_a_second_shutdown_does_nothing_to_what_waits_for_its_restart() -> None:
    """Neither to one whose time has not come, nor to one whose turn has not: there is no process to be impatient with."""
    world = World(
        unit("a", restart="always", restart_us=SECOND, exec_stop_post="sweep", after=["slow"]),
        unit("b", restart="always", restart_us=1000 * SECOND, exec_stop_post="sweep"),
        unit("slow", type="notify"),
        unit("last", after=["a", "b"], kill_mode="process"),
    )
    for name in "ab":
        world.behave(name, exits(0))
        world.start(name)
    world.behave("slow", runs())
    world.behave("last", Process(is_unkillable=True))
    world.start("slow")
    world.start("last", mode="ignore-dependencies")
    world.advance(SECOND)
    assert [world.sub(name) for name in "ab"] == ["auto-restart-queued", "auto-restart"]
    for _ in range(2):
        world.shutdown()
    assert [world.state(name) for name in "ab"] == [
        ("activating", "auto-restart-queued", "success"),
        ("activating", "auto-restart", "success"),
    ]
    assert world.spawns("a").count("stop-post") == world.spawns("b").count("stop-post") == 1


def test_a_stop_of_a_shutdown_cannot_be_canceled() -> None:
    world = World(unit("a", timeout_stop_us=5 * SECOND), target("t"))
    world.behave("a", stubborn())
    world.start("a")
    world.start("t")
    world.shutdown()
    for job in world.engine.list_jobs():
        refused = world.cancel(int(job["id"]))
        assert (refused.code, "supd is shutting down" in refused.text) == ("shutting-down", True)
    world.advance(6 * SECOND)
    assert world.has_left


def test_what_a_triggered_unit_is_told_outlives_its_automatic_restarts_and_not_its_end() -> None:
    world = World(unit("a", on_failure=["b"]), unit("b", type="oneshot", restart="on-failure", restart_us=SECOND))
    world.behave("a", exits(1, after_us=SECOND))
    world.behave("b", exits(1), exits(0))
    world.start("a")
    world.advance(SECOND)
    assert world.sub("b") == "auto-restart"
    world.advance(SECOND)
    assert (world.starts("b"), world.environment("b", Phase.START)["MONITOR_UNIT"]) == (2, "a")
    world.start("b")
    assert (world.starts("b"), "MONITOR_UNIT" in world.environment("b", Phase.START)) == (3, False)
