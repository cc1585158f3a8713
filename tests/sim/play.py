"""One random world: a shell whose reports come late, whose manager is killed at any step, and whose engine has a shadow.

The shadow is an engine restored from the remembered states at some moment; from then on it hears the same events. It must give the same
effects, the same states and the same next deadline as the engine that never died: a recovered engine equals one that did not crash.
"""

import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from supervisor.engine import Engine
from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.specification import Unit
from supervisor.model.states import Phase
from tests.sim import generate
from tests.sim.checks import Checks
from tests.spec.behaviour import Process
from tests.spec.build import MINUTE
from tests.spec.world import World

LATENCIES_US = (0, 0, 0, 1_000, 50_000, 2_000_000)
SHADOW_CHANCE = 0.03
# Sub states that few units are in, and not for long: how many visitors come to them.
VISITORS = {
    "exited": 8, "active": 2, "auto-restart": 2, "start-post": 1, "reload": 2, "reload-notify": 6, "reload-signal": 12,
    "stop": 1, "stop-watchdog": 2, "stop-sigkill": 1, "stop-post": 1, "final-watchdog": 5, "final-sigterm": 2, "final-sigkill": 2,
    "auto-restart-queued": 8,
}  # fmt: skip
VISITS_MAX = 4  # to one sub state in one world
# Events and effects: the start limits of seven units, each at its bound, give about 5,000 within a minute.
THINGS_PER_MINUTE_MAX = 15_000
# Events of the past that may come a second time (the keeper's replay): they must change nothing.
REPEATABLE = (
    ev.Forked,
    ev.Execed,
    ev.SpawnFailed,
    ev.Exited,
    ev.Emptied,
    ev.ConditionsChecked,
    ev.PidFileRead,
    ev.Prepared,
    ev.PrepareFailed,
)


class RandomWorld(World):
    """A world that draws its own behaviour. `cells` collects the (sub state, event) pairs it has seen.

    `crash_points` counts the moments at which an engine was restored from what the keeper remembers, by what became of it: the "shadow"
    of the one that went on, or its "successor".
    """

    def __init__(self, random: Random, units: list[Unit], *, badness: float, crash_chance: float, is_late: bool) -> None:
        self.random = random
        self.badness = badness
        self.is_late = is_late
        self.cells: set[tuple[str, str]] = set()
        self.crash_points: Counter[str] = Counter()
        self.shadow: Engine | None = None
        self.past: list[ev.Event] = []
        self._keeper_clock_us = 0
        self._has_visitor = False
        self._minute_from_us = 0
        self._things_before = 0
        self._visits: Counter[str] = Counter()
        super().__init__(*units, seed=str(random.random()))
        self.sees_the_last = random.random() < 0.5
        self.checks = Checks(self)
        self.checks.learn(self.units)
        self.observers.append(self.checks.after)
        self.crash_point = lambda _point: random.random() < crash_chance

    # Drawn behaviour -------------------------------------------------------------------------------------------------

    def _script(self, unit: str, phase: Phase) -> Process:
        spec = self.units.get(unit)
        if spec is None or spec.service is None:
            return super()._script(unit, phase)
        return generate.script(self.random, spec.service, phase, self.badness)

    def _report(self, action: Callable[[], None]) -> None:
        """The keeper's reports keep their order, however late they are."""
        delay_us = self.random.choice(LATENCIES_US) if self.is_late else 0
        self._keeper_clock_us = max(self._keeper_clock_us, self.now_us + delay_us)
        self._later(self._keeper_clock_us - self.now_us, action, is_volatile=True)

    def calm_down(self) -> None:
        """From now on every new process behaves, every probe is answered well and no manager dies."""
        self.badness = 0.0
        self.is_late = False
        self.crash_point = lambda _point: False
        self.conditions.clear()
        self.asserts.clear()
        self.probe_answers.clear()
        self.checks.last_traffic_us = self.now_us

    # Every turn is watched -------------------------------------------------------------------------------------------

    def _turn(self, event: ev.Event) -> None:
        name = getattr(event, "unit", "")
        if name and name in self.units:
            self.cells.add((self.sub(name), type(event).__name__))
        self._count_things()
        self.checks.before()
        super()._turn(event)
        if isinstance(event, REPEATABLE):
            self.past.append(event)
        if self.shadow is None and self.is_committed and self.random.random() < SHADOW_CHANCE:
            self.shadow = self._restored()
            self.crash_points["shadow"] += 1
        if self.badness and not self._has_visitor and name in self.units and self.sub(name) in VISITORS:
            self._has_visitor = True
            self._visit(name)
            self._has_visitor = False

    def _count_things(self) -> None:
        if self.now_us - self._minute_from_us > MINUTE:
            self._minute_from_us, self._things_before = self.now_us, len(self.history)
        things = len(self.history) - self._things_before
        assert things < THINGS_PER_MINUTE_MAX, "this world turns in circles: something is started again and again without a limit"

    def _visit(self, name: str) -> None:
        """A unit is where units seldom are: somebody comes by before it moves on."""
        sub = self.sub(name)
        count = VISITORS[sub]
        self._visits[sub] += 1
        if self._visits[sub] > VISITS_MAX:
            return  # visitors bring new states about, and those new visitors
        for event in self.random.sample(generate.stale_events(name), count):
            if self.random.random() < 0.4:
                self.hear(event)
        for _ in range(count):
            if self.random.random() < 0.15:
                self._requests += 1
                self.step(generate.wish(self.random, name, self._requests))

    def _handle(self, event: ev.Event) -> list[do.Effect]:
        effects = super()._handle(event)
        if self.shadow is not None:
            shadowed = self.shadow.handle(event, self._instant())
            assert shadowed == effects, f"a restored engine does otherwise at {event}: {_difference(effects, shadowed)}"
            ours, theirs = self.engine.next_deadline(), self.shadow.next_deadline()
            assert ours == theirs, f"a restored engine wakes at {theirs} instead of {ours} after {event}"
        return effects

    def _take_changed(self) -> dict[str, str]:
        changed = super()._take_changed()
        if self.shadow is not None:
            shadowed = self.shadow.take_changed()
            assert shadowed == changed, f"a restored engine remembers otherwise: {shadowed} instead of {changed}"
            if self.random.random() < SHADOW_CHANCE:
                self.shadow = None
        return changed

    def _restored(self) -> Engine:
        engine = Engine.restore(dict(self.units), dict(self.machine.remembered), seed=self.seed)
        assert engine.take_changed() == {}, "a restored engine has something to remember that nobody changed"
        for name in self.units:
            ours, theirs = self._settled(self.engine, name), self._settled(engine, name)
            assert ours == theirs, f"{name} looks otherwise after a restore: {ours ^ theirs}"
        return engine

    @staticmethod
    def _settled(engine: Engine, name: str) -> set[str]:
        """What is shown of a unit, without the age of its job, which is counted from the engine's last event."""
        shown = dict(engine.show(name))
        shown["job"] = shown["job"] and {key: value for key, value in shown["job"].items() if key != "since_s"}
        return {f"{key}: {json.dumps(value)}" for key, value in shown.items()}

    def _restore(self) -> None:
        self.shadow = None
        super()._restore()
        self.crash_points["successor"] += 1
        self.checks.learn(self.units, self.machine.remembered)

    def repeat_the_past(self) -> None:
        """An event that was handled long ago comes again: nothing may change."""
        if self.past:
            self.hear(self.random.choice(self.past))

    def hear(self, event: ev.Event) -> None:
        """An event that says nothing new: whatever state its unit is in, nothing may change."""
        name = getattr(event, "unit", "")
        if isinstance(event, ev.Notified) and self.engine.show(name).get("notify_access") == "all":
            return  # the shell lets no stranger speak, and here the engine believes whomever the shell lets speak
        before = self._look(name)
        since = len(self.history)
        armed, self.crash_point = self.crash_point, lambda _point: False
        had_visitor, self._has_visitor = self._has_visitor, True
        self.step(event)
        self._has_visitor = had_visitor
        self.crash_point = armed
        again = [e for _, e in self.history[since:] if isinstance(e, do.Spawn | do.Prepare | do.Kill | do.FinishJob)]
        assert not again and self._look(name) == before, f"{event} changed something when it came again: {again}"

    def _look(self, name: str) -> tuple[Any, ...]:
        shown = self.engine.show(name)
        return shown["sub_state"], shown["result"], shown["main_pid"], shown["control_pid"], shown["job"] and shown["job"]["id"]


def _difference(ours: list[do.Effect], theirs: list[do.Effect]) -> str:
    return f"only before the crash {[e for e in ours if e not in theirs]}, only after it {[e for e in theirs if e not in ours]}"
