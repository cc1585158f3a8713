"""Which kind of edge passes on what: systemd's table of dependency atoms (unit-dependency-atom.c; SEMANTICS 5.2), kind by kind."""

import pytest

from supervisor.engine.graph import ATOMS, REVERSE, Graph
from supervisor.model.specification import Unit
from tests.spec.build import target, unit

# What is written in a unit file -> the other's view of it.
WRITTEN = {
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
# Kind of edge -> what it passes on to the unit at its other end.
TABLE: dict[str, set[str]] = {
    "requires": {"pull_in_start", "retroactive_start", "may_be_unneeded"},
    "requisite": {"pull_in_verify", "may_be_unneeded"},
    "wants": {"pull_in_start_ignored", "retroactive_start_ignored", "may_be_unneeded"},
    "binds_to": {"pull_in_start", "retroactive_start", "cannot_be_active_without", "may_be_unneeded"},
    "part_of": set(),
    "upholds": {"pull_in_start_ignored", "retroactive_start_ignored", "may_be_unneeded"},
    "conflicts": {"pull_in_stop", "retroactive_stop_on_start"},
    "propagates_reload_to": {"propagate_reload"},
    "propagates_stop_to": {"propagate_stop", "retroactive_stop_on_stop"},
    "required_by": {"propagate_stop", "propagate_restart", "start_failure", "pinned_by"},
    "requisite_of": {"propagate_stop", "propagate_restart", "start_failure", "inactive_start_as_failure", "pinned_by"},
    "wanted_by": {"pinned_by"},
    "bound_by": {"propagate_stop", "propagate_restart", "start_failure", "retroactive_stop_on_stop", "pinned_by"},
    "consists_of": {"propagate_stop", "propagate_restart"},
    "upheld_by": {"upheld_by", "pinned_by"},
    "conflicted_by": {"pull_in_stop_ignored", "retroactive_stop_on_start", "stop_failure"},
    "after": set(),
    "before": set(),
    "on_failure": set(),
    "on_success": set(),
}


def _star() -> Graph:
    """`hub` has one neighbour for each kind that it can write itself, and one for each that only the neighbour can write."""
    units: dict[str, Unit] = {"hub": unit("hub", **{kind: [f"to-{kind}"] for kind in WRITTEN})}
    units |= {f"from-{kind}": unit(f"from-{kind}", **{kind: ["hub"]}) for kind in WRITTEN}
    return Graph(units)


def _neighbours(kind: str) -> set[str]:
    return {f"to-{kind}"} & {f"to-{written}" for written in WRITTEN} | {f"from-{own}" for own, theirs in WRITTEN.items() if theirs == kind}


@pytest.mark.parametrize("kind", TABLE)
def test_an_edge_is_found_from_either_end(kind: str) -> None:
    assert set(_star().of("hub", kind)) == _neighbours(kind)


def test_what_is_written_on_one_side_is_known_on_the_other() -> None:
    assert REVERSE == WRITTEN


@pytest.mark.parametrize("atom", ATOMS)
def test_an_atom_reaches_the_units_of_every_kind_that_carries_it_and_no_other(atom: str) -> None:
    expected = {name for kind, atoms in TABLE.items() if atom in atoms for name in _neighbours(kind)}
    assert set(_star().concerned("hub", atom)) == expected


def test_a_unit_that_is_reached_by_two_kinds_is_reached_once() -> None:
    graph = Graph({"a": unit("a", requires=["b"], binds_to=["b", "c"])})
    assert list(graph.concerned("a", "pull_in_start")) == ["b", "c"]


def test_a_unit_never_depends_on_itself_and_one_that_is_not_loaded_is_kept() -> None:
    graph = Graph({"a": unit("a", requires=["a", "later"])})
    assert graph.kinds("a") == {"requires": ["later"]}
    assert graph.kinds("later") == {"required_by": ["a"]}
    assert list(graph.concerned("stranger", "pull_in_start")) == []


def test_a_target_comes_after_what_it_pulls_in_unless_that_is_ordered_already() -> None:
    graph = Graph({"all": target("all", requires=["a"], wants=["b", "c"], before=["c"]), "s": unit("s", wants=["b"])})
    assert list(graph.of("all", "after")) == ["a", "b"]
    assert list(graph.of("s", "after")) == []
