"""The delay before each automatic restart: steps, maximum, reset, jitter (systemd.service(5), RestartSteps=; SEMANTICS 5.5)."""

from itertools import pairwise

import pytest

from supervisor.model.events import Exited
from supervisor.model.states import Phase
from tests.spec.behaviour import exits, runs
from tests.spec.build import MINUTE, MS, SECOND, unit
from tests.spec.world import World


def _delays(world: World, restarts: int) -> list[int]:
    """How long the unit `a` waited before each of its first restarts, in microseconds."""
    while world.starts("a") <= restarts:
        moment = world.next_moment()
        assert moment is not None, "the unit does not restart any more"
        world.advance(max(moment - world.now_us, 0))
    from supervisor.model.effects import Prepare

    exits_us, starts_us = world.moments(Exited, "a"), world.moments(Prepare, "a")
    return [start - end for end, start in zip(exits_us, starts_us[1:], strict=False)][:restarts]


def _crashing(**keys: object) -> World:
    world = World(unit("a", restart="always", start_limit_interval_us=0, **keys))
    world.behave("a", exits(1))
    return world


def test_without_steps_every_delay_is_restart_sec() -> None:
    world = _crashing(restart_us=200 * MS)
    world.start("a")
    assert _delays(world, 5) == [200 * MS] * 5


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 10])
@pytest.mark.parametrize(("first_us", "maximum_us"), [(100 * MS, 10 * SECOND), (1 * SECOND, 60 * SECOND), (1 * SECOND, 2 * SECOND)])
def test_the_delay_rises_geometrically_to_its_maximum_in_that_many_steps(steps: int, first_us: int, maximum_us: int) -> None:
    world = _crashing(restart_us=first_us, restart_steps=steps, restart_max_delay_us=maximum_us, restart_reset_us=None)
    world.start("a")
    ratio = maximum_us / first_us
    expected = [first_us * ratio ** ((k - 1) / steps) if k <= steps else maximum_us for k in range(1, steps + 4)]
    assert _delays(world, steps + 3) == [pytest.approx(value, abs=2) for value in expected]


def test_steps_without_a_maximum_change_nothing() -> None:
    world = _crashing(restart_us=SECOND, restart_steps=5)
    world.start("a")
    assert _delays(world, 4) == [SECOND] * 4


def test_a_maximum_below_restart_sec_does_not_shorten_the_delay_s_growth_below_it() -> None:
    world = _crashing(restart_us=10 * SECOND, restart_steps=3, restart_max_delay_us=SECOND)
    world.start("a")
    assert all(delay > 0 for delay in _delays(world, 4))


def test_a_good_run_starts_the_back_off_anew() -> None:
    world = World(
        unit(
            "a",
            restart="always",
            start_limit_interval_us=0,
            restart_us=SECOND,
            restart_steps=4,
            restart_max_delay_us=16 * SECOND,
            restart_reset_us=MINUTE,
        )
    )
    world.behave("a", exits(1), exits(1), exits(1), exits(1, after_us=MINUTE), exits(1))
    world.start("a")
    assert _delays(world, 5) == [pytest.approx(x * SECOND, abs=2) for x in (1, 2, 4, 1, 2)]


def test_a_run_just_short_of_the_reset_does_not() -> None:
    world = World(
        unit("a", restart="always", start_limit_interval_us=0, restart_us=SECOND, restart_steps=4, restart_max_delay_us=16 * SECOND)
    )
    world.behave("a", exits(1), exits(1), exits(1, after_us=MINUTE - 1), exits(1))
    world.start("a")
    assert _delays(world, 4) == [pytest.approx(x * SECOND, abs=2) for x in (1, 2, 4, 8)]


def test_a_manual_start_after_a_full_stop_starts_the_back_off_anew() -> None:
    world = _crashing(restart_us=SECOND, restart_steps=4, restart_max_delay_us=16 * SECOND, restart_reset_us=None)
    world.start("a")
    _delays(world, 2)
    world.stop("a")
    assert world.active("a") in ("failed", "inactive")
    world.start("a")
    assert world.show("a")["n_restarts"] == 0
    before = world.now_us
    starts = world.starts("a")
    while world.starts("a") == starts:
        world.advance((world.next_moment() or 0) - world.now_us)
    assert world.now_us - before == SECOND


def test_reset_failed_begins_the_steps_anew() -> None:
    world = _crashing(restart_us=SECOND, restart_steps=4, restart_max_delay_us=100 * SECOND)
    world.start("a")
    _, second, *_ = _delays(world, 4)
    world.reset_failed("a")
    assert world.show("a")["result"] == "success"  # also while it waits (service_reset_failed)
    starts = world.starts("a")
    assert _delays(world, starts + 1)[-1] == second  # the one it waits for is the first again


def test_reset_failed_clears_the_count() -> None:
    world = _crashing(restart_us=SECOND)
    world.start("a")
    _delays(world, 3)
    world.reset_failed("a")
    assert world.show("a")["n_restarts"] == 0


def test_jitter_stays_within_its_share_and_is_the_seed_s() -> None:
    def delays(seed: str) -> list[int]:
        world = World(unit("a", restart="always", start_limit_interval_us=0, restart_us=SECOND, restart_jitter=0.5), seed=seed)
        world.behave("a", exits(1))
        world.start("a")
        return _delays(world, 20)

    one, again, other = delays("one"), delays("one"), delays("other")
    assert one == again != other
    assert all(SECOND <= delay <= 1_500 * MS for delay in one + other)
    assert len(set(one)) > 10


def test_jitter_keeps_different_units_apart() -> None:
    world = World(*(unit(name, restart="always", restart_us=SECOND, restart_jitter=0.5) for name in "abc"))
    moments = set()
    for name in "abc":
        world.behave(name, exits(1), runs())
        world.start(name)
    for _ in range(3):
        world.advance((world.next_moment() or 0) - world.now_us)
        moments.add(world.now_us)
    assert len(moments) == 3


def test_a_preparation_that_fails_is_retried_with_the_same_delays() -> None:
    world = World(unit("a", restart="always", start_limit_interval_us=0, restart_us=SECOND))
    world.behave("a", exits(0, prepare_fails=("user", 217)))
    world.start("a")
    assert world.sub("a") == "auto-restart"
    assert world.show("a")["exec_main_status"] == 217
    world.advance(SECOND)
    assert world.starts("a") == 2


def test_delays_do_not_shrink_as_restarts_go_on() -> None:
    world = _crashing(restart_us=100 * MS, restart_steps=6, restart_max_delay_us=20 * SECOND, restart_reset_us=None)
    world.start("a")
    assert all(one <= other for one, other in pairwise(_delays(world, 10)))
    assert world.spawns("a").count(Phase.START) == 11


def test_the_moment_of_the_next_attempt_is_shown_while_it_is_waited_for() -> None:
    world = World(unit("a", restart="always", restart_us=8 * SECOND, start_limit_interval_us=0))
    world.behave("a", exits(1), runs())
    world.start("a")
    shown_s = world.show("a")["next_time_s"]
    world.advance(3 * SECOND)
    assert shown_s is not None
    assert world.show("a")["next_time_s"] == shown_s
    world.advance(5 * SECOND)
    assert world.show("a")["sub_state"] == "running"
    assert world.show("a")["next_time_s"] is None


@pytest.mark.parametrize(("restart_us", "is_restarted"), [(0, True), (1 * MS, False)])
@pytest.mark.parametrize("order", [(), ("b",)])
def test_a_restart_without_a_delay_takes_along_who_is_bound(restart_us: int, is_restarted: bool, order: tuple[str, ...]) -> None:
    """systemd's timers come before its queue of jobs: the restart takes the place of the stop that is queued for who is bound."""
    world = World(unit("a", binds_to=["b"], after=order), unit("b", restart="always", restart_us=restart_us))
    world.start("a")
    world.signal("b", 9)
    world.advance(SECOND)
    assert world.active("b") == "active"
    assert (world.active("a"), world.starts("a")) == (("active", 2) if is_restarted else ("inactive", 1))
