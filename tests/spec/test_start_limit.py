"""StartLimitIntervalSec= and StartLimitBurst=: a fixed window that begins at the first start (systemd.unit(5); SEMANTICS 5.5)."""

import pytest

from supervisor.model.specification import Condition
from tests.spec.behaviour import exits
from tests.spec.build import MS, SECOND, unit
from tests.spec.world import World


@pytest.mark.parametrize("burst", [1, 2, 5])
def test_one_start_beyond_the_burst_is_refused_and_the_unit_stays_failed(burst: int) -> None:
    world = World(unit("a", restart="always", restart_us=100 * MS, start_limit_burst=burst))
    world.behave("a", exits(1))
    world.start("a")
    world.advance(100 * SECOND)
    assert world.starts("a") == burst
    assert world.active("a") == "failed"
    assert world.next_moment() is None


def test_the_result_is_start_limit_hit_when_the_runs_before_had_succeeded() -> None:
    world = World(unit("a", restart="always", restart_us=100 * MS, start_limit_burst=3))
    world.behave("a", exits(0))
    world.start("a")
    world.advance(100 * SECOND)
    assert world.state("a") == ("failed", "failed", "start-limit-hit")


def test_manual_starts_count() -> None:
    world = World(unit("a", type="oneshot", start_limit_burst=3))
    results = [world.job_result(world.start("a")) for _ in range(4)]
    assert results == ["done", "done", "done", "failed"]
    assert world.state("a") == ("failed", "failed", "start-limit-hit")


def test_the_window_begins_at_the_first_start_and_then_anew() -> None:
    world = World(unit("a", type="oneshot", start_limit_burst=2, start_limit_interval_us=10 * SECOND))
    assert world.job_result(world.start("a")) == "done"
    world.advance(9 * SECOND)
    assert world.job_result(world.start("a")) == "done"
    world.advance(SECOND + 1)
    assert world.job_result(world.start("a")) == "done"
    assert world.job_result(world.start("a")) == "done"
    assert world.job_result(world.start("a")) == "failed"


@pytest.mark.parametrize("keys", [{"start_limit_interval_us": 0}, {"start_limit_burst": 0}])
def test_zero_switches_the_limit_off(keys: dict[str, int]) -> None:
    world = World(unit("a", type="oneshot", **keys))
    assert {world.job_result(world.start("a")) for _ in range(50)} == {"done"}


def test_reset_failed_clears_it() -> None:
    world = World(unit("a", type="oneshot", start_limit_burst=1))
    world.start("a")
    assert world.job_result(world.start("a")) == "failed"
    world.reset_failed("a")
    assert world.state("a") == ("inactive", "dead", "success")
    assert world.job_result(world.start("a")) == "done"


def test_a_start_that_a_condition_skipped_does_not_count() -> None:
    world = World(unit("a", type="oneshot", start_limit_burst=1, conditions=(Condition("path_exists", "/x"),)))
    world.conditions["a"] = False
    for _ in range(10):
        assert world.job_result(world.start("a")) == "done"
    world.conditions["a"] = True
    assert world.job_result(world.start("a")) == "done"
    assert world.starts("a") == 1


def test_an_infinite_window_never_forgets() -> None:
    world = World(unit("a", type="oneshot", start_limit_burst=2, start_limit_interval_us=None))
    for _ in range(2):
        assert world.job_result(world.start("a")) == "done"
        world.advance(100_000 * SECOND)
    assert world.job_result(world.start("a")) == "failed"


def test_a_limit_that_delays_slows_down_and_never_gives_up() -> None:
    world = World(
        unit(
            "a",
            restart="always",
            restart_us=100 * MS,
            start_limit_burst=3,
            start_limit_interval_us=10 * SECOND,
            start_limit_policy="delay",
        )
    )
    world.behave("a", exits(1))
    world.start("a")
    world.advance(9 * SECOND)
    assert world.starts("a") == 3
    assert world.sub("a") == "auto-restart"
    world.advance(100 * SECOND)
    assert world.starts("a") > 20
    assert world.starts("a") <= 3 * 12
    assert world.active("a") == "activating"


def test_on_failure_fires_once_when_the_limit_is_hit() -> None:
    world = World(
        unit("a", restart="always", restart_us=100 * MS, start_limit_burst=1, on_failure=["alarm"]),
        unit("alarm", type="oneshot"),
    )
    world.behave("a", exits(0))
    world.start("a")
    world.advance(10 * SECOND)
    assert world.state("a") == ("failed", "failed", "start-limit-hit")
    assert world.starts("alarm") == 1


def test_the_first_result_is_kept_when_the_limit_is_hit() -> None:
    world = World(unit("a", restart="on-failure", restart_us=100 * MS, start_limit_burst=3))
    world.behave("a", exits(1))
    world.start("a")
    world.advance(100 * SECOND)
    assert world.state("a") == ("failed", "failed", "exit-code")  # service_enter_dead: only a success is overwritten
    assert world.starts("a") == 3


@pytest.mark.parametrize("mode", ["normal", "direct"])
def test_a_person_passes_a_limit_that_delays_and_automatic_restarts_do_not(mode: str) -> None:
    world = World(unit("a", restart="on-failure", restart_mode=mode, restart_us=100 * MS, start_limit_burst=2, start_limit_policy="delay"))
    world.behave("a", exits(1, after_us=MS))
    world.start("a")
    world.advance(9 * SECOND)
    assert world.starts("a") == 2
    world.stop("a")
    world.start("a")
    assert world.starts("a") == 3
    world.advance(9 * SECOND)
    assert world.starts("a") == 4  # a new window began with the person's start


def test_upheld_starts_without_a_start_limit_are_sixteen_in_ten_seconds_and_go_on_after_that() -> None:
    world = World(unit("a", upholds=["b"]), unit("b", start_limit_burst=0))
    world.behave("b", exits(0, after_us=MS))
    world.start("a")
    world.advance(10 * SECOND)
    assert world.starts("b") == 1 + 16
    world.advance(10 * SECOND)
    assert world.starts("b") == 1 + 2 * 16


def test_starts_that_fail_before_they_begin_cannot_turn_in_a_circle_through_on_failure() -> None:
    world = World(
        unit("a", binds_to=["b"], after=["b"], on_failure=["c"]),
        unit("b", conditions=(Condition("path_exists", "/x"),)),
        unit("c", type="oneshot", requires=["a"], after=["a"], on_failure=["c"]),
    )
    world.conditions["b"] = False
    world.start("a")
    world.advance(SECOND)
    assert (world.starts("a"), world.starts("c")) == (0, 0)
    assert world.engine.list_jobs() == []


def test_a_start_by_hand_that_goes_on_across_direct_restarts_waits_as_an_automatic_one() -> None:
    world = World(
        unit(
            "a",
            type="notify",
            restart="on-failure",
            restart_mode="direct",
            restart_us=MS,
            start_limit_burst=2,
            start_limit_interval_us=10 * SECOND,
            start_limit_policy="delay",
        )
    )
    world.behave("a", exits(1))
    world.start("a")
    world.advance(SECOND)
    assert (world.sub("a"), world.starts("a")) == ("auto-restart", 2)
