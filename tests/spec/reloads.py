"""A world in which new definitions are applied as they are by a real supd: with a plan, and with the way back."""

from dataclasses import replace
from typing import Any

from supervisor.engine import plan
from supervisor.engine.reloading import scope_of
from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.specification import Unit
from tests.spec import build
from tests.spec.world import World


def unit(name: str, **keys: Any) -> Unit:
    """A unit of a project: on_change is restart there."""
    return build.unit(name, **{"on_change": "restart", **keys})


class ReloadWorld(World):
    """`apply` is a new set of unit files; a roll-back is answered as the shell does."""

    plan: plan.Plan

    def apply(self, *units: Unit, is_asked: bool = False, chosen: tuple[str, ...] = ()) -> dict[str, str]:
        """Take this set of definitions; what the plan said of each unit."""
        new = {u.id: u for u in units}
        event = ev.UnitsApplied(new, by="a test", is_asked=is_asked, chosen=chosen)
        self.plan = plan.make(self.engine.core, new, scope_of(event))
        self.units = new
        self.step(event)
        self.settle()
        return {name: change.action for name, change in self.plan.items()}

    def _apply(self, effect: do.Effect) -> None:
        if isinstance(effect, do.RollBack):
            self._later(0, lambda: self._roll_back(effect), is_volatile=True)
        else:
            super()._apply(effect)

    def _roll_back(self, effect: do.RollBack) -> None:
        self.units[effect.unit] = replace(effect.good)
        self.step(ev.UnitsApplied(dict(self.units), rolled_back=((effect.unit, f"rolled back: {effect.text}"),)))
