"""condition_* and assert_*: checked when the job runs (systemd.unit(5), CONDITIONS AND ASSERTS; SEMANTICS 5.7)."""

import pytest

from supervisor.model.effects import CheckConditions, FinishJob
from supervisor.model.specification import Condition
from tests.spec.behaviour import exits, says_ready
from tests.spec.build import SECOND, target, unit
from tests.spec.world import World

CONDITION = (Condition("path_exists", "/nowhere"),)


def test_a_condition_that_does_not_hold_skips_the_start_and_is_no_failure() -> None:
    world = World(unit("a", conditions=CONDITION))
    world.conditions["a"] = False
    answer = world.start("a")
    assert world.job_result(answer) == "done"
    assert world.state("a") == ("inactive", "dead", "success")
    assert world.spawns("a") == []


def test_an_assert_that_does_not_hold_fails_the_job_and_not_the_unit() -> None:
    world = World(unit("a", asserts=CONDITION))
    world.asserts["a"] = False
    answer = world.start("a")
    assert world.job_result(answer) == "assert"
    assert world.active("a") == "inactive"
    assert world.spawns("a") == []


def test_an_assert_that_does_not_hold_fails_the_start_of_those_that_require_it() -> None:
    world = World(unit("a", requires=["b"], after=["b"]), unit("b", asserts=CONDITION))
    world.asserts["b"] = False
    assert world.job_result(world.start("a")) == "dependency"


def test_conditions_are_checked_after_the_units_ordered_before_have_finished() -> None:
    world = World(unit("a", after=["b"], conditions=CONDITION), unit("b", type="notify"))
    world.behave("b", says_ready(after_us=SECOND))
    world.conditions["a"] = False
    world.start("b")
    world.start("a")
    assert world.moments(CheckConditions, "a") == []
    world.conditions["a"] = True
    world.advance(SECOND)
    assert world.moments(CheckConditions, "a") == [SECOND]
    assert world.active("a") == "active"


def test_a_unit_without_conditions_asks_for_no_check() -> None:
    world = World(unit("a"))
    world.start("a")
    assert world.moments(CheckConditions, "a") == []


def test_conditions_are_checked_again_at_each_automatic_restart_and_a_skip_ends_the_restarts() -> None:
    world = World(unit("a", restart="always", restart_us=SECOND, conditions=CONDITION))
    world.start("a")
    world.conditions["a"] = False
    world.signal("a", 9)
    world.advance(10 * SECOND)
    assert world.active("a") in ("inactive", "failed")
    assert world.starts("a") == 1
    assert world.next_moment() is None


def test_a_target_has_conditions_too() -> None:
    world = World(target("all", conditions=CONDITION, wants=["a"]), unit("a"))
    world.conditions["all"] = False
    world.start("all")
    assert world.active("all") == "inactive"


def test_a_stop_is_never_held_up_by_a_condition() -> None:
    world = World(unit("a", conditions=CONDITION, asserts=CONDITION))
    world.start("a")
    world.conditions["a"] = world.asserts["a"] = False
    world.stop("a")
    assert world.active("a") == "inactive"


def test_a_condition_that_no_longer_holds_ends_the_automatic_restarts_without_a_failed_job() -> None:
    world = World(unit("a", restart="always", restart_us=SECOND, conditions=[Condition("path_exists", "/x")]))
    world.behave("a", exits(1, after_us=SECOND))
    world.start("a")
    world.conditions["a"] = False
    world.advance(5 * SECOND)
    assert world.state("a")[:2] == ("inactive", "dead")
    ended = [effect for _, effect in world.history if isinstance(effect, FinishJob)]
    assert [str(effect.result) for effect in ended] == ["done", "done"]


@pytest.mark.parametrize("key", ["conditions", "asserts"])
def test_why_says_which_of_the_two_does_not_hold(key: str) -> None:
    world = World(unit("a", **{key: [Condition("path_exists", "/x")]}))
    getattr(world, key)["a"] = False
    world.start("a")
    because = [reason["text"] for reason in world.engine.why("a", world._instant())["because"]]
    assert any(f"its {key.removesuffix('s').replace('assert', 'assertion')} " in text for text in because)
