"""The dependency graph: every edge in both directions, and what each kind of edge means.

It answers "who is concerned when this happens to that unit" and decides nothing. Rules: systemd's atoms
(unit-dependency-atom.c; SEMANTICS 5.2). An edge to a unit that is not loaded is kept, so that it works once it appears.
"""

from collections.abc import Iterable, Mapping

from supervisor.model.specification import Unit

# kind written in the unit file -> its reverse
REVERSE = {
    "after": "before",
    "before": "after",
    "requires": "required_by",
    "requisite": "requisite_of",
    "wants": "wanted_by",
    "binds_to": "bound_by",
    "part_of": "consists_of",
    "upholds": "upheld_by",
    "conflicts": "conflicted_by",
    "propagates_reload_to": "reload_propagated_from",
    "propagates_stop_to": "stop_propagated_from",
    "on_failure": "on_failure_of",
    "on_success": "on_success_of",
    "required_by": "requires",
    "wanted_by": "wants",
}

# What an event asks of the neighbours: atom -> the edges it follows.
ATOMS: dict[str, tuple[str, ...]] = {
    "pull_in_start": ("requires", "binds_to"),
    "pull_in_start_ignored": ("wants", "upholds"),
    "pull_in_verify": ("requisite",),
    "pull_in_stop": ("conflicts",),
    "pull_in_stop_ignored": ("conflicted_by",),
    "propagate_stop": ("required_by", "requisite_of", "bound_by", "consists_of", "propagates_stop_to"),
    "propagate_restart": ("required_by", "requisite_of", "bound_by", "consists_of"),
    "propagate_reload": ("propagates_reload_to",),
    "start_failure": ("required_by", "requisite_of", "bound_by"),
    "stop_failure": ("conflicted_by",),
    "inactive_start_as_failure": ("requisite_of",),
    "retroactive_start": ("requires", "binds_to"),
    "retroactive_start_ignored": ("wants", "upholds"),
    "retroactive_stop_on_start": ("conflicts", "conflicted_by"),
    "retroactive_stop_on_stop": ("bound_by", "propagates_stop_to"),
    "cannot_be_active_without": ("binds_to",),
    "upheld_by": ("upheld_by",),
    "pinned_by": ("required_by", "requisite_of", "wanted_by", "bound_by", "upheld_by"),
    "may_be_unneeded": ("requires", "requisite", "wants", "binds_to", "upholds"),
}

_NONE: dict[str, None] = {}


class Graph:
    """All edges of a set of units. Building costs O(units + edges)."""

    def __init__(self, units: Mapping[str, Unit]) -> None:
        self._edges: dict[str, dict[str, dict[str, None]]] = {}
        for name, unit in sorted(units.items()):  # the same set gives the same graph, in whatever order it was loaded
            dependencies = unit.dependencies
            for kind, others in (
                ("after", dependencies.after),
                ("before", dependencies.before),
                ("requires", dependencies.requires),
                ("requisite", dependencies.requisite),
                ("wants", dependencies.wants),
                ("binds_to", dependencies.binds_to),
                ("part_of", dependencies.part_of),
                ("upholds", dependencies.upholds),
                ("conflicts", dependencies.conflicts),
                ("propagates_reload_to", dependencies.propagates_reload_to),
                ("propagates_stop_to", dependencies.propagates_stop_to),
                ("on_failure", dependencies.on_failure),
                ("on_success", dependencies.on_success),
                ("required_by", dependencies.required_by),
                ("wanted_by", dependencies.wanted_by),
            ):
                for other in others:
                    self._add(name, kind, other)
        for name, unit in sorted(units.items()):
            if unit.kind == "target":
                self._complement_target(name)

    def _add(self, name: str, kind: str, other: str) -> None:
        if name == other:
            return  # a unit cannot depend on itself; systemd drops such lines too
        self._edges.setdefault(name, {}).setdefault(kind, {})[other] = None
        self._edges.setdefault(other, {}).setdefault(REVERSE[kind], {})[name] = None

    def _complement_target(self, name: str) -> None:
        """A target comes after what it pulls in, unless that is ordered already (`systemd.target(5)`, default dependencies)."""
        for kind in ("requires", "wants"):
            for other in tuple(self.of(name, kind)):
                if other not in self.of(name, "before"):
                    self._add(name, "after", other)

    def of(self, name: str, kind: str) -> dict[str, None]:
        """The units at the other end of this kind of edge, in the order they were written."""
        edges = self._edges.get(name)
        return edges.get(kind, _NONE) if edges else _NONE

    def concerned(self, name: str, atom: str) -> Iterable[str]:
        """The units that the atom reaches from this one, each once."""
        edges = self._edges.get(name)
        if not edges:
            return ()
        found = [edges[kind] for kind in ATOMS[atom] if kind in edges]
        if not found:
            return ()
        if len(found) == 1:
            return tuple(found[0])
        return tuple(dict.fromkeys(other for part in found for other in part))

    def kinds(self, name: str) -> dict[str, list[str]]:
        """Every edge of one unit, by kind: for `show` and `tree`."""
        return {kind: sorted(others) for kind, others in sorted(self._edges.get(name, {}).items())}
