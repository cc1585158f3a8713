"""Reloads that meet starts and ends, and jobs of one transaction that contradict each other (SEMANTICS 5.1; job.c and transaction.c)."""

import pytest

from supervisor.engine.transaction import plan_many
from supervisor.model.states import JobType, Phase
from tests.spec.behaviour import Process, exits, says_ready
from tests.spec.bench import Bench
from tests.spec.build import SECOND, target, unit
from tests.spec.world import World


def test_a_reload_of_what_is_still_starting_is_part_of_its_start() -> None:
    world = World(unit("a", exec_start_pre="pre", exec_reload="again"))
    world.behave("a", exits(0, after_us=SECOND), phase=Phase.START_PRE)
    started = world.start("a")
    reloaded = world.reload("a")
    assert reloaded.job == started.job
    world.advance(SECOND)
    assert (world.sub("a"), world.job_result(reloaded)) == ("running", "done")
    assert "reload" not in world.spawns("a")


def test_a_reload_passed_on_to_what_is_still_starting_does_nothing() -> None:
    world = World(unit("a", exec_reload="again", propagates_reload_to=["b"]), unit("b", exec_start_pre="pre", exec_reload="again"))
    world.behave("b", exits(0, after_us=SECOND), phase=Phase.START_PRE)
    world.start("a")
    world.start("b")
    world.reload("a")
    world.advance(SECOND)
    assert world.spawns("a")[-1] == "reload"
    assert (world.sub("b"), "reload" in world.spawns("b")) == ("running", False)


def test_what_waits_for_its_automatic_restart_cannot_be_reloaded() -> None:
    world = World(unit("a", restart="always", restart_us=10 * SECOND, exec_reload="again"))
    world.behave("a", exits(1))
    world.start("a")
    answer = world.reload("a")
    assert (world.sub("a"), world.job_result(answer)) == ("auto-restart", "invalid")


def test_a_requisite_that_was_starting_and_ends_inactive_fails_who_requires_it() -> None:
    world = World(unit("a", requisite=["b"], after=["b"]), unit("b", type="oneshot"))
    world.behave("b", exits(0, after_us=SECOND))
    world.start("b")
    answer = world.start("a")
    world.advance(SECOND)
    assert (world.job_result(answer), world.active("a")) == ("dependency", "inactive")


def test_a_conflict_of_one_wanted_unit_goes_before_the_start_of_another() -> None:
    world = World(unit("a", wants=["b", "c"]), unit("b"), unit("c", conflicts=["b"]))
    world.start("a")
    assert (world.active("b"), world.active("c")) == ("inactive", "active")


@pytest.mark.parametrize("wanted", ["bc", "cb"])
@pytest.mark.parametrize("declared", ["b", "c"])
def test_of_two_wanted_units_that_conflict_the_one_that_says_so_starts(declared: str, wanted: str) -> None:
    """job_is_conflicted_by: a stop goes before a start only where a unit names the other in conflicts=, not where it is named."""
    other = "c" if declared == "b" else "b"
    world = World(unit("a", wants=[*wanted]), unit(declared, conflicts=[other]), unit(other))
    world.start("a")
    assert (world.active(declared), world.active(other)) == ("active", "inactive")


@pytest.mark.parametrize("names", ["ab", "ba"])
@pytest.mark.parametrize(("type_", "there"), [(JobType.START, "inactive"), (JobType.RESTART, "inactive"), (JobType.RESTART, "active")])
def test_of_two_units_asked_for_at_once_the_one_that_conflicts_with_the_other_has_its_way(type_: JobType, there: str, names: str) -> None:
    bench = Bench(unit("a", conflicts=["b"]), unit("b"))
    for name in names:
        bench.put(name, there)
    planned = {job.unit: job.type for job in plan_many(bench.core, type_, names)}
    assert planned == {"a": type_, **({"b": JobType.STOP} if there == "active" else {})}


def test_what_goes_down_with_an_isolated_unit_s_others_goes_down_even_if_it_is_spared() -> None:
    """transaction_add_isolate_jobs: its stops are stops as any others, with all that they bring about."""
    world = World(
        target("only", allow_isolate=True),
        unit("gone"),
        unit("spared", ignore_on_isolate=True),
        unit("along", ignore_on_isolate=True, requires=["gone"]),
    )
    for name in ("gone", "spared", "along"):
        world.start(name)
    assert world.start("only", mode="isolate").code == ""
    assert [world.active(name) for name in ("gone", "spared", "along")] == ["inactive", "active", "inactive"]


def test_what_is_isolated_is_not_taken_down_by_its_own_isolation() -> None:
    world = World(unit("a", allow_isolate=True, part_of=["b"]), unit("b"))
    world.start("b")
    answer = world.start("a", mode="isolate")
    assert (answer.code, world.active("b"), world.engine.list_jobs()) == ("contradictory", "active", [])


def test_a_stop_that_only_follows_from_a_conflict_gives_way_to_a_start() -> None:
    """Neither matters to the anchor: `d` is wanted, and would have to go down with `b`, which the wanted `c` conflicts with."""
    world = World(unit("a", wants=["c", "d"]), unit("b"), unit("c", conflicts=["b"]), unit("d", part_of=["b"]))
    world.start("b")
    world.start("a")
    assert [world.active(name) for name in "abcd"] == ["active", "active", "inactive", "active"]


def test_what_is_both_required_and_wanted_is_required() -> None:
    world = World(unit("a", requires=["b"], wants=["b"], after=["b"]), unit("b", after=["a"]))
    assert world.start("a").code == "cyclic"


def test_what_an_unwanted_job_alone_needed_goes_with_it() -> None:
    world = World(unit("a", wants=["c"]), unit("b"), unit("c", requires=["d"], conflicts=["b"]), unit("d"))
    world.start("b")
    assert world.start("a", mode="fail").code == ""
    assert [world.active(name) for name in "abcd"] == ["active", "active", "inactive", "inactive"]


def test_a_reload_asked_for_during_a_reload_is_made_afterwards() -> None:
    world = World(unit("a", exec_reload="again"))
    world.behave("a", exits(0, after_us=SECOND), phase=Phase.RELOAD)
    world.start("a")
    world.reload("a")
    answer = world.reload("a")
    world.advance(SECOND)
    assert world.job_result(answer) is None
    world.advance(SECOND)
    assert (world.job_result(answer), world.spawns("a").count("reload")) == ("done", 2)


@pytest.mark.parametrize(("ending", "result"), [(exits(3, after_us=SECOND), "failed"), (exits(0, after_us=SECOND), "done")])
def test_a_reload_ends_with_the_service_that_goes_down_under_it(ending: Process, result: str) -> None:
    world = World(unit("a", exec_reload="again"))
    world.behave("a", ending)
    world.behave("a", exits(0, after_us=2 * SECOND), phase=Phase.RELOAD)
    world.start("a")
    answer = world.reload("a")
    world.advance(2 * SECOND)
    assert world.active("a") in ("failed", "inactive")
    assert world.job_result(answer) == result


def test_a_job_outlives_the_direct_restarts_of_its_unit() -> None:
    world = World(unit("a", type="notify", restart="on-failure", restart_mode="direct", restart_us=SECOND))
    world.behave("a", exits(1), says_ready())
    answer = world.start("a")
    assert (world.sub("a"), world.job_result(answer)) == ("auto-restart", None)
    world.advance(SECOND)
    assert (world.sub("a"), world.job_result(answer)) == ("running", "done")
