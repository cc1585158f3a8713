"""The units as the screens know them: brief objects by name, what changed since the last paint, and counts kept as they change.

The session writes, the screens read. Every change of a unit gives it a new version, so that a painted row can be kept as long as
its version stands. Totals cost nothing to read: they are kept with every change. Nothing here knows time, colour or a terminal.

Invariant: `counts` always equals a count over all units by the group of their look; a unit that was replaced by an equal object has
not changed, whatever was fetched.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from supervisor.tui.model.states import Json, Look, is_fault, look_of


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit at one moment. `brief` is the API's object and is never changed in place."""

    name: str
    brief: Json
    look: Look
    version: int

    @property
    def is_fault(self) -> bool:
        return is_fault(self.brief, self.look)


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened between two paints: these units changed, came or went; or `is_all`: take nothing for granted."""

    names: frozenset[str] = frozenset()
    is_all: bool = False

    def touches(self, name: str | None) -> bool:
        return self.is_all or name in self.names

    def __bool__(self) -> bool:
        return self.is_all or bool(self.names)


NOTHING = Changes()
EVERYTHING = Changes(is_all=True)


class UnitStore:
    """All units of one supd. `is_stale` is set by whoever knows that what is here may no longer be true."""

    def __init__(self) -> None:
        self._units: dict[str, Unit] = {}
        self._dirty: set[str] = set()
        self._is_all_dirty = False
        self._version = 0
        self.counts: Counter[str] = Counter()
        self.faults = 0
        self.is_stale = False

    def __len__(self) -> int:
        return len(self._units)

    def __contains__(self, name: object) -> bool:
        return name in self._units

    def __iter__(self) -> Iterator[Unit]:
        return iter(self._units.values())

    def get(self, name: str | None) -> Unit | None:
        return self._units.get(name) if name is not None else None

    @property
    def names(self) -> list[str]:
        """Every name, sorted."""
        return sorted(self._units)

    def replace(self, briefs: Iterable[Json]) -> None:
        """Take these as all the units there are: what is missing is gone."""
        given = {str(brief["id"]): brief for brief in briefs}
        self.remove([name for name in self._units if name not in given])
        self.update(given.values())

    def update(self, briefs: Iterable[Json]) -> None:
        """Take these as the newest of their units; others stay."""
        for brief in briefs:
            name = str(brief["id"])
            known = self._units.get(name)
            if known is not None and known.brief == brief:
                continue
            if known is not None:
                self._count(known, -1)
            self._version += 1
            self._units[name] = unit = Unit(name, brief, look_of(brief), self._version)
            self._count(unit, 1)
            self._dirty.add(name)

    def remove(self, names: Iterable[str]) -> None:
        """Forget units that supd does not know any more; unknown names are nothing."""
        for name in names:
            unit = self._units.pop(name, None)
            if unit is not None:
                self._count(unit, -1)
                self._dirty.add(name)

    def set_stale(self, is_stale: bool) -> None:
        """Every row looks different then."""
        if is_stale != self.is_stale:
            self.is_stale = is_stale
            self._is_all_dirty = True

    def take_changes(self) -> Changes:
        """What changed since this was last called; there is one caller, the flush."""
        changes = Changes(frozenset(self._dirty), self._is_all_dirty)
        self._dirty.clear()
        self._is_all_dirty = False
        return changes

    def _count(self, unit: Unit, step: int) -> None:
        self.counts[unit.look.group] += step
        if unit.is_fault:
            self.faults += step
