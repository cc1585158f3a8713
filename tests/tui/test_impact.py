"""What a verb takes along: worked examples, and the engine itself as the judge over random units."""

from random import Random

import pytest

from supervisor.model import events as ev
from supervisor.model.specification import Unit
from supervisor.model.states import JobType
from supervisor.tui.model.impact import Impact, affected_text, impact
from tests.spec.build import unit
from tests.spec.world import World

UP = {"db", "web", "api", "cron", "off-but-between"}
RELATIONS = {
    "db": {"required_by": ["web", "off"], "wanted_by": ["cron"]},
    "web": {"requires": ["db"], "required_by": ["api"], "consists_of": ["side"]},
    "off": {"requires": ["db"], "bound_by": ["off-but-between"]},
    "new": {"requires": ["web", "side"], "wants": ["cron"], "conflicts": ["api"], "upholds": ["missing"]},
    "web2": {"propagates_reload_to": ["web", "side"]},
}
KNOWN = UP | {"off", "side", "new", "web2"}


def state(name: str) -> str:
    return "active" if name in UP else "inactive" if name in KNOWN else ""


ROWS: list[tuple[str, str, list[str], Impact]] = [
    ("a stop goes down the whole line of what is up", "stop", ["db"], Impact(stops=("web", "api"))),
    ("a stop of what is down goes on to what is bound to it", "stop", ["off"], Impact(stops=("off-but-between",))),
    ("what only wants a unit is left alone", "stop", ["web"], Impact(stops=("api",))),
    ("what is asked for is not what is taken along", "stop", ["db", "web"], Impact(stops=("api",))),
    ("a restart takes only what is up", "restart", ["db"], Impact(restarts=("web", "api"))),
    ("a start pulls in what is down and stops enemies", "start", ["new"], Impact(stops=("api",), starts=("side",))),
    ("a reload goes to those that are up", "reload", ["web2"], Impact(reloads=("web",))),
    ("a unit nobody needs", "stop", ["api"], Impact()),
    ("a signal takes nothing along", "kill", ["db"], Impact()),
    ("a unit without relations", "stop", ["nobody"], Impact()),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "units", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_else_is_taken_along(verb: str, units: list[str], expected: Impact) -> None:
    found = impact(verb, units, RELATIONS, state)
    assert found == expected
    assert bool(found) == bool(expected.stops or expected.restarts or expected.reloads or expected.starts)


KINDS = (
    "requires", "requisite", "wants", "binds_to", "part_of", "upholds", "conflicts", "propagates_stop_to", "propagates_reload_to",
)  # fmt: skip


def random_units(random: Random) -> list[Unit]:
    names = [f"u{n}" for n in range(7)]
    found = []
    for at, name in enumerate(names):
        edges: dict[str, list[str]] = {}
        for other in names[:at]:  # upwards only: units that need each other in a circle are another subject
            if random.random() < 0.3:
                edges.setdefault(random.choice(KINDS), []).append(other)
        found.append(unit(name, type="simple", is_enabled=False, exec_reload="x", **edges))
    return found


@pytest.mark.parametrize("seeds", [range(first, first + 100) for first in range(0, 400, 100)], ids=lambda seeds: f"from {seeds.start}")
def test_the_engine_does_what_was_foretold(seeds: range) -> None:
    told = 0
    for seed in seeds:
        random = Random(seed)
        world = World(*random_units(random))
        for name in random.sample(sorted(world.units), 4):
            world.start(name)
        name, verb = random.choice(sorted(world.units)), random.choice(("start", "stop", "restart"))
        relations = {each: world.engine.core.graph.kinds(each) for each in world.units}
        found = impact(verb, [name], relations, {each: world.active(each) for each in world.units}.__getitem__)
        effects = world.engine.handle(ev.JobRequested(1000, JobType(verb), name, by="a test"), world._instant())
        if any(getattr(effect, "code", "") for effect in effects):
            continue  # refused: it would start and stop one unit at once
        jobs = {str(job["unit"]): str(job["type"]) for job in world.engine.list_jobs() if job["unit"] != name}
        expected = dict.fromkeys(found.stops, "stop") | dict.fromkeys(found.restarts, "restart") | dict.fromkeys(found.starts, "start")
        if verb == "stop" or not found.stops:
            assert jobs == expected, f"seed {seed}: {verb} {name}"
        assert jobs.items() <= expected.items(), f"seed {seed}: {verb} {name}"
        told += bool(found)
    assert told > 10, "these worlds have something to tell"


def test_a_long_list_is_told_in_short() -> None:
    assert affected_text(("a", "b")) == "a b"
    assert affected_text(tuple("abcde")) == "a b c d e"
    assert affected_text(tuple("abcdefg")) == "a b c d +3"
