"""The manager dies between any two steps of the commit rule, and the world goes on as if it had not (DESIGN, Processes).

Each story is first told without a crash; then once for every point at which the manager can die, with a crash exactly there.
"""

from collections.abc import Callable

import pytest

from supervisor.model.states import Phase
from tests.spec.behaviour import exits, runs, says_ready, stubborn
from tests.spec.build import SECOND, unit
from tests.spec.world import World

Story = Callable[[], World]


def _boot_in_order() -> World:
    world = World(
        unit("a", type="notify"), unit("b", requires=["a"], after=["a"], exec_start_pre="x"), unit("c", after=["b"], type="oneshot")
    )
    world.behave("a", says_ready(after_us=SECOND))
    return world


def _restart_with_back_off() -> World:
    world = World(unit("a", restart="on-failure", restart_us=SECOND, restart_steps=3, restart_max_delay_us=8 * SECOND, restart_jitter=0.3))
    world.behave("a", exits(1), exits(1), runs())
    return world


def _stubborn_stop() -> World:
    world = World(unit("a", timeout_stop_us=5 * SECOND, exec_stop_post="x", runtime_max_us=10 * SECOND))
    world.behave("a", stubborn(leaves=(stubborn(),)))
    return world


def _forking() -> World:
    return World(unit("a", type="forking", pid_file="/run/a.pid", exec_start_post="x"), unit("b", binds_to=["a"], after=["a"]))


def _failing_requirement() -> World:
    world = World(
        unit("a", exec_start_pre="x", on_failure=["alarm"]),
        unit("b", requires=["a"], after=["a"]),
        unit("alarm", type="oneshot", is_enabled=False),
    )
    world.behave("a", exits(1), phase=Phase.START_PRE)
    return world


STORIES: dict[str, Story] = {
    "a boot in order": _boot_in_order,
    "restarts with a back-off": _restart_with_back_off,
    "a stop that has to kill": _stubborn_stop,
    "a daemon that forks": _forking,
    "a requirement that fails": _failing_requirement,
}


def _told(world: World) -> dict[str, tuple[object, ...]]:
    """How the story ended."""
    out: dict[str, tuple[object, ...]] = {}
    for name in world.units:
        shown = world.show(name)
        living = sorted(str(process.phase) for process in world.processes(name))
        out[name] = (*world.state(name), shown["n_restarts"], world.machine_starts(name), living)
    return out


def _play(story: Story, crash_at: int | None) -> tuple[World, int]:
    """The story, with a crash at that point; and how many points there were."""
    world = story()
    seen = 0

    def point(_name: str) -> bool:
        nonlocal seen
        seen += 1
        return seen - 1 == crash_at

    world.crash_point = point
    world.boot()
    if not any(world.spawns(name) for name in world.units):
        world.boot()  # whoever boots says so again when nobody heard it
    world.advance(60 * SECOND)
    return world, seen


@pytest.mark.parametrize("name", STORIES)
def test_a_crash_at_any_point_changes_nothing_in_the_end(name: str) -> None:
    calm, points = _play(STORIES[name], None)
    assert points > 20
    for crash_at in range(points):
        world, _ = _play(STORIES[name], crash_at)
        assert (crash_at, _told(world)) == (crash_at, _told(calm))
        assert world.engine.list_jobs() == []


def test_a_start_that_a_crash_interrupts_times_out_at_its_first_deadline() -> None:
    """However late, however often, and although the process is spawned only once: the time-out counts from its beginning."""
    world = World(unit("a", type="notify", timeout_start_us=10 * SECOND))
    world.behave("a", runs())
    world.start("a")
    for _ in range(3):
        world.advance(3 * SECOND)
        world.crash()
    assert world.state("a") == ("activating", "start", "success")
    world.advance(SECOND - 1)
    assert world.sub("a") == "start"
    world.advance(1)
    assert (world.state("a"), world.machine_starts("a")) == (("failed", "failed", "timeout"), 1)


def test_two_crashes_in_a_row_change_nothing() -> None:
    world = _boot_in_order()
    world.boot()
    world.crash()
    world.crash()
    world.advance(60 * SECOND)
    assert _told(world) == _told(_play(_boot_in_order, None)[0])


@pytest.mark.parametrize("action", ["exit", "exit-force"])
def test_a_manager_that_dies_before_it_could_leave_leaves_when_it_is_back(action: str) -> None:
    def play(crash_at: int | None) -> tuple[World, int]:
        world = World(unit("a", failure_action=action), unit("b"))
        world.behave("a", exits(3, after_us=SECOND))
        seen = 0

        def point(_name: str) -> bool:
            nonlocal seen
            seen += 1
            return seen - 1 == crash_at

        world.start("b")
        world.start("a")
        world.crash_point = point
        world.advance(60 * SECOND)
        return world, seen

    calm, points = play(None)
    assert calm.left is not None
    for crash_at in range(points):
        world, _ = play(crash_at)
        assert (crash_at, world.left) == (crash_at, calm.left)
