"""Somebody sets the clock, a day back or a year forward, amid everything: no restart, time-out or window comes sooner or later."""

import pytest

from tests.spec.behaviour import exits, runs, says_ready
from tests.spec.build import SECOND, unit
from tests.spec.world import World

DAY_US = 86_400 * SECOND


def told(shift_us: int) -> list[tuple[int, str, object]]:
    """What happened, and when, in a world whose wall clock goes astray by `shift_us` every second."""
    world = World(
        unit("crashes", restart="always", restart_us=3 * SECOND),
        unit("hangs", type="notify", timeout_start_us=7 * SECOND),
        unit("barks", type="notify", watchdog_us=5 * SECOND),
        unit("flaps", restart="always", restart_us=SECOND, start_limit_burst=4, start_limit_interval_us=10 * SECOND),
    )
    world.behave("crashes", exits(1, after_us=2 * SECOND))
    world.behave("hangs", runs())
    world.behave("barks", says_ready())
    world.behave("flaps", exits(1))
    found: list[tuple[int, str, object]] = []
    for name in ("crashes", "hangs", "barks", "flaps"):
        world.start(name)
    for second in range(30):
        world.wall_shift_us += shift_us
        world.advance(SECOND)
        found += [(second, name, (world.state(name), world.show(name)["n_restarts"])) for name in ("crashes", "hangs", "barks", "flaps")]
    return found


@pytest.mark.parametrize("shift_us", [-DAY_US, 365 * DAY_US, -SECOND // 2], ids=["a day back", "a year forward", "half a second back"])
def test_what_happens_happens_at_the_same_moments(shift_us: int) -> None:
    assert told(shift_us) == told(0)


def test_something_happens_in_that_world() -> None:
    assert {(name, state) for second, name, state in told(0) if second == 29 and name != "crashes"} == {
        ("hangs", (("failed", "failed", "timeout"), 0)),
        ("barks", (("failed", "failed", "watchdog"), 0)),
        ("flaps", (("failed", "failed", "exit-code"), 4)),  # and no start is left in its window
    }
    assert [state for second, name, state in told(0) if name == "crashes"][-1][1] == 6  # type: ignore[index]  # a state and a count
