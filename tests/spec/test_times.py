"""When a unit came up, went down and changed last (systemd's unit_notify), and what counts from these moments."""

import pytest

from supervisor.model.states import Phase
from tests.spec.behaviour import exits, runs, says_ready
from tests.spec.build import SECOND, unit
from tests.spec.shell import BOOT_WALL_US
from tests.spec.world import World

NAMES = ("inactive_exit", "active_enter", "active_exit", "inactive_enter", "state_change")


def _times(world: World) -> dict[str, float | None]:
    """Seconds since the world began."""
    shown = world.show("a")
    found = {name: shown[f"{name}_time_s"] for name in NAMES}
    return {name: None if at_s is None else at_s - BOOT_WALL_US / SECOND for name, at_s in found.items()}


def test_each_time_is_that_of_the_change_it_is_named_after_and_of_no_other() -> None:
    world = World(unit("a", type="notify", exec_start_pre="pre"))
    world.behave("a", exits(0, after_us=SECOND), exits(1, after_us=SECOND), phase=Phase.START_PRE)
    world.behave("a", says_ready(after_us=SECOND, dies_in_us=SECOND))
    assert _times(world) == dict.fromkeys(NAMES)
    world.advance(SECOND)
    world.start("a")
    assert _times(world) == {**dict.fromkeys(NAMES), "inactive_exit": 1, "state_change": 1}
    world.advance(SECOND)
    assert _times(world) == {**dict.fromkeys(NAMES), "inactive_exit": 1, "state_change": 2}
    world.advance(SECOND)
    up = {**dict.fromkeys(NAMES), "inactive_exit": 1.0, "active_enter": 3.0}
    assert _times(world) == {**up, "state_change": 3}
    world.advance(SECOND)
    world.notify("a", RELOADING="1")
    assert _times(world) == {**up, "state_change": 4}
    world.advance(SECOND)
    world.notify("a", READY="1")
    assert _times(world) == {**up, "state_change": 5}
    world.advance(SECOND)
    world.stop("a")
    assert _times(world) == {**up, "active_exit": 6, "state_change": 6}
    world.advance(SECOND)
    assert _times(world) == {**up, "active_exit": 6, "inactive_enter": 7, "state_change": 7}
    world.advance(SECOND)
    world.start("a")  # its exec_start_pre fails this time
    world.advance(SECOND)
    assert _times(world) == {**up, "inactive_exit": 8, "active_exit": 6, "inactive_enter": 9, "state_change": 9}


@pytest.mark.parametrize("is_reloaded", [False, True])
def test_runtime_max_sec_counts_from_when_it_came_up(is_reloaded: bool) -> None:
    world = World(unit("a", type="notify", runtime_max_us=10 * SECOND))
    world.behave("a", says_ready(after_us=3 * SECOND))
    world.start("a")
    world.advance(5 * SECOND)
    if is_reloaded:
        world.notify("a", RELOADING="1")
        world.notify("a", READY="1")
    world.advance(8 * SECOND - 1)
    assert world.active("a") == "active"
    world.advance(1)
    assert world.state("a") == ("failed", "failed", "timeout")


def test_a_good_run_is_as_long_as_it_was_up_without_the_time_its_start_took() -> None:
    world = World(
        unit(
            "a",
            type="notify",
            restart="always",
            restart_us=SECOND,
            restart_steps=1,
            restart_max_delay_us=100 * SECOND,
            restart_reset_us=5 * SECOND,
            start_limit_interval_us=0,
        )
    )
    world.behave("a", says_ready(after_us=3 * SECOND, lives_us=7 * SECOND), says_ready(after_us=3 * SECOND, lives_us=8 * SECOND), runs())
    world.start("a")
    world.advance(7 * SECOND)  # up for four seconds: not a good run
    world.advance(SECOND)
    assert (world.sub("a"), world.show("a")["n_restarts"]) == ("start", 1)
    world.advance(8 * SECOND)  # up for five
    assert world.sub("a") == "auto-restart"
    world.advance(SECOND)
    assert (world.sub("a"), world.show("a")["n_restarts"]) == ("start", 2)


def test_why_tells_of_earlier_lives_over_automatic_restarts_and_no_longer_after_a_start_by_hand() -> None:
    def told() -> list[str]:
        return [reason.what for reason in world.engine.core.states["a"].because]

    world = World(unit("a", restart="on-failure", restart_us=SECOND))
    world.behave("a", exits(1, after_us=SECOND), exits(1, after_us=SECOND), runs())
    world.start("a")
    world.advance(4 * SECOND)
    assert (world.sub("a"), told().count("restart")) == ("running", 2)
    world.stop("a")
    world.advance(SECOND)
    world.start("a")
    assert (world.sub("a"), "restart" in told()) == ("running", False)


def test_an_idle_service_that_is_stopped_while_it_waits_leaves_no_wake_up_behind() -> None:
    world = World(unit("a", type="idle"), unit("b", type="notify", timeout_start_us=None))
    world.behave("b", runs())
    world.start("b")
    world.start("a")
    assert world.next_moment() is not None
    world.stop("a")
    assert (world.active("a"), world.spawns("a"), world.next_moment()) == ("inactive", [], None)
