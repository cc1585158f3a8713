"""The rules of attribution, one row each: a snapshot of /proc, what was known before it, and whose the process in question is."""

from dataclasses import dataclass, field

import pytest

from supervisor.daemon import attribution
from supervisor.daemon.attribution import Claim, Identity, Known
from supervisor.daemon.proctable import Process

KEEPER, MANAGER = 100, 101
BASE = [
    Process(1, 0, 1, 1, 1, "init"),
    Process(KEEPER, 1, KEEPER, KEEPER, 10, "supd"),
    Process(MANAGER, KEEPER, MANAGER, MANAGER, 11, "supd"),
]


def process(pid: int, parent: int, *, session: int = 0, group: int = 0, start: int = 50) -> Process:
    return Process(pid, parent, group or pid, session or pid, start, "x")


@dataclass
class Case:
    processes: list[Process]
    owner: str | None  # of the last process
    runs: dict[Identity, str] = field(default_factory=lambda: {(200, 20): "web"})
    claims: dict[int, Claim] = field(default_factory=lambda: {200: Claim("web", 20)})
    markers: dict[int, str] = field(default_factory=dict)


RUN = process(200, KEEPER, start=20)
INVOCATIONS = {"aaaa": "web", "bbbb": "db"}

CASES = {
    "a run is its unit's": Case([RUN], "web"),
    "the pid of a run with another start time is not": Case([process(200, KEEPER, start=999)], None, claims={}),
    "the child of a run is its unit's": Case([RUN, process(300, 200)], "web"),
    "so is a descendant, whatever lies between": Case([RUN, process(300, 200), process(301, 300), process(302, 301)], "web"),
    "an orphan in the session of a living run is": Case([RUN, process(300, KEEPER, session=200)], "web"),
    "an orphan in its group is": Case([RUN, process(300, KEEPER, group=200)], "web"),
    "an orphan in the session of a run that ended is": Case([process(300, KEEPER, session=200)], "web", runs={}),
    "but not if its marker names another unit": Case([process(300, KEEPER, session=200)], "db", runs={}, markers={300: "bbbb"}),
    "nor if the session's number came round": Case([process(200, 1, start=40), process(300, KEEPER, session=200)], None, runs={}),
    "nor if it is older than the run": Case([process(300, KEEPER, session=200, start=15)], None, runs={}),
    "an orphan with the unit's marker is": Case([process(300, KEEPER)], "web", markers={300: "aaaa"}),
    "one whose parent ended while the snapshot was taken is": Case([process(300, 299)], "web", markers={300: "aaaa"}),
    "an orphan with a marker nobody knows is not": Case([process(300, KEEPER)], None, markers={300: "cccc"}),
    "an orphan without anything is not": Case([process(300, KEEPER)], None),
    "a remembered orphan without anything is": Case([process(300, KEEPER)], "web", runs={(300, 50): "web"}),
    "the child of a stranger is the stranger's, whatever its marker": Case(
        [process(250, 1), process(300, 250)], None, markers={300: "aaaa"}
    ),
    "the manager is nobody's": Case([BASE[2]], None),
    "nor is what the manager started": Case([process(300, MANAGER)], None, markers={300: "aaaa"}),
    "the nearer parent counts before the session": Case(
        [RUN, process(400, KEEPER, start=30), process(401, 400, session=200)], "db", runs={(200, 20): "web", (400, 30): "db"}
    ),
    "an orphan of a run that outlived its keeper is": Case(
        [process(9, 1, start=2), process(200, 9, start=20), process(300, 9)], "web", markers={300: "aaaa"}
    ),
    "a circle of parents in a torn snapshot ends": Case([process(300, 301), process(301, 300)], None),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_attribution(case: Case) -> None:
    table = {p.pid: p for p in [*BASE, *case.processes]}
    known = Known(case.runs, case.claims, INVOCATIONS, KEEPER, frozenset({KEEPER, MANAGER, 1}))
    owners = attribution.attribute(table, known, lambda pid: case.markers.get(pid, ""))
    assert owners.get(case.processes[-1].pid) == case.owner
    assert not {KEEPER, MANAGER, 1} & set(owners)
    # Asking for one process gives the same answer as asking for all, unless it takes a look at everybody's parents.
    if not any(p.pid == 9 for p in case.processes):
        assert attribution.owner(case.processes[-1].pid, table.get, known, lambda pid: case.markers.get(pid, "")) == case.owner


def test_unattributed_are_orphans_that_fit_no_unit() -> None:
    table = {p.pid: p for p in [*BASE, RUN, process(300, KEEPER), process(301, 300)]}
    known = Known({(200, 20): "web"}, {}, {}, KEEPER, frozenset({KEEPER, MANAGER, 1}))
    owners = attribution.attribute(table, known, lambda pid: "")
    assert [p.pid for p in attribution.unattributed(table, known, owners)] == [300]
