"""A law of what is told: no unit looks different after an event without being among those that the engine names as stirred.

Watched from outside by comparing every brief object before and after, so that a field which changes in silence is found.
"""

from typing import Any

from supervisor.engine import Engine
from supervisor.model import effects as do
from supervisor.model import events as ev
from tests.spec.shell import Shell


class Told:
    """An observer of one world. New definitions are left out: what they change is told unit by unit with the plan."""

    def __init__(self, world: Shell) -> None:
        self._world = world
        self._engine: Engine | None = None
        self._seen: dict[str, Any] = {}

    def __call__(self, event: ev.Event, effects: list[do.Effect]) -> None:
        engine = self._world.engine
        stirred, looks = engine.take_stirred(), self._looks(engine)
        if engine is self._engine and not isinstance(event, ev.UnitsLoaded):
            different = {name for name in looks.keys() | self._seen.keys() if looks.get(name) != self._seen.get(name)}
            silent = [(name, self._seen.get(name), looks.get(name)) for name in different - stirred]
            assert not silent, f"after {event} these look different, and nobody is told: {silent}"
        self._engine, self._seen = engine, looks

    def _looks(self, engine: Engine) -> dict[str, Any]:
        looks = {}
        for name in engine.core.specs.keys() | engine.core.states.keys():
            brief = engine.brief(name)
            if brief["job"] is not None:
                brief["job"] = {**brief["job"], "since_s": None}  # made from the time of asking
            looks[name] = brief
        return looks
