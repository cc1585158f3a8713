"""What a person wants of a unit, kept apart from what it is: a restart never undoes a stop (DESIGN, The engine)."""

from supervisor.model.events import Booted, IntentLoaded
from supervisor.model.states import Wanted
from tests.spec.behaviour import exits, runs
from tests.spec.build import SECOND, target, unit
from tests.spec.world import World


def _saved(world: World, name: str) -> list[str | None]:
    return [str(intent.wanted) if intent.wanted else None for intent in world.intents if intent.unit == name]


def test_a_manual_stop_is_remembered_on_disk_before_the_answer() -> None:
    from supervisor.model.effects import Answer, SaveIntent

    world = World(unit("a"))
    world.start("a")
    world.stop("a")
    assert _saved(world, "a")[-1] == "down"
    effects = [effect for _, effect in world.history if isinstance(effect, SaveIntent | Answer)]
    assert isinstance(effects[-1], Answer)


def test_a_manual_start_is_remembered_too_and_undoes_the_stop() -> None:
    world = World(unit("a"))
    world.stop("a")
    world.start("a")
    assert _saved(world, "a")[-1] in ("up", None)


def test_what_a_person_stopped_stays_down_at_boot() -> None:
    world = World(unit("a"), unit("b"))
    world.step(IntentLoaded("a", Wanted.DOWN, "stopped", "uid 1000", 1))
    world.boot()
    assert (world.active("a"), world.active("b")) == ("inactive", "active")


def test_boot_starts_what_is_enabled_and_nothing_else() -> None:
    world = World(unit("a"), unit("b", is_enabled=False), unit("c", requires=["d"], after=["d"]), unit("d", is_enabled=False))
    world.boot()
    assert [world.active(u) for u in "abcd"] == ["active", "inactive", "active", "active"]


def test_boot_into_a_target_starts_that_alone() -> None:
    world = World(target("some", wants=["a"]), unit("a", is_enabled=False), unit("b"))
    world.boot("some")
    assert [world.active(u) for u in ("some", "a", "b")] == ["active", "active", "inactive"]


def test_what_a_person_stopped_does_not_come_back_with_its_recovering_dependency() -> None:
    world = World(unit("a", requires=["b"], after=["b"]), unit("b", restart="always", restart_us=SECOND))
    world.start("a")
    world.stop("a")
    world.signal("b", 9)
    world.advance(10 * SECOND)
    assert (world.active("b"), world.active("a")) == ("active", "inactive")


def test_a_stop_that_dependencies_caused_is_no_wish_of_a_person() -> None:
    world = World(unit("a", requires=["b"], after=["b"]), unit("b"))
    world.start("a")
    world.stop("b")
    assert world.active("a") == "inactive"
    assert "down" not in _saved(world, "a")


def test_an_end_of_its_own_is_no_wish_of_a_person() -> None:
    world = World(unit("a"))
    world.behave("a", exits(0, after_us=SECOND))
    world.start("a")
    world.advance(SECOND)
    assert "down" not in _saved(world, "a")


def test_a_shutdown_is_no_wish_about_a_unit() -> None:
    world = World(unit("a"))
    world.start("a")
    world.shutdown()
    assert "down" not in _saved(world, "a")


def test_a_second_boot_event_starts_nothing_twice() -> None:
    world = World(unit("a"))
    world.behave("a", runs())
    world.boot()
    world.step(Booted())
    world.settle()
    assert len(world.processes("a")) == 1
