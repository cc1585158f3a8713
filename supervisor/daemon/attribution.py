"""Whose process is it, where no cgroup can tell: rules over a snapshot of /proc.

The rules, in this order (DESIGN, "Stopping is true"):

1. A process attributed before, by (pid, start time), stays what it was: a run, or remembered from an earlier scan.
2. The child of a unit's process is the unit's.
3. A process in the session or process group of a run is the unit's.
4. A process that was executed with the unit's INVOCATION_ID is the unit's.

What fits none is unattributed: shown, never signalled. The manager and what it started for itself, the keeper, and pid 1 are
nobody's. A session or group whose leader has ended proves less than a living one, since its number may have come round: then
the process must be younger than the run and must not carry another unit's marker.

Everything here is a function of its arguments; only the marker is read from outside, through `read_marker`, once per process
that no other rule could place.
"""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from supervisor.daemon.proctable import Process

Identity = tuple[int, int]
"""(pid, start time in clock ticks)"""


class Claim(NamedTuple):
    """A run's hold on the session and group that bear its pid. It lasts until the unit is down."""

    unit: str
    start_time_ticks: int


class Known(NamedTuple):
    """What is known for certain before a snapshot is judged."""

    identities: Mapping[Identity, str]  # runs, and processes attributed earlier
    claims: Mapping[int, Claim]  # by the run's pid
    invocations: Mapping[str, str]  # INVOCATION_ID to unit
    keeper: int  # children of dead parents come to it
    protected: Collection[int]  # never a unit's, nor are their children


def attribute(table: Mapping[int, Process], known: Known, read_marker: Callable[[int], str]) -> dict[int, str]:
    """The unit of every process in `table` that has one, by pid."""
    judge = _Judge(table, known, read_marker)
    for pid in table:
        judge.judge(pid)
    return {pid: unit for pid, unit in judge.verdicts.items() if unit is not None and pid in table}


def owner(pid: int, read: Callable[[int], Process | None], known: Known, read_marker: Callable[[int], str]) -> str | None:
    """The unit of one process, looking at no more than its ancestors and the leaders of its session and group."""
    table: dict[int, Process] = {}
    current = pid
    while current not in table and current not in known.protected and (process := read(current)) is not None:
        table[current] = process
        current = process.parent
    if (judged := table.get(pid)) is not None:
        for number in {judged.session, judged.group} - set(table):
            if (leader := read(number)) is not None:
                table[number] = leader
    return attribute(table, known, read_marker).get(pid)


def unattributed(table: Mapping[int, Process], known: Known, owners: Mapping[int, str]) -> list[Process]:
    """Processes that came to the keeper when their parent died and fit no unit."""
    return [p for p in table.values() if p.parent == known.keeper and p.pid not in owners and p.pid not in known.protected]


class _Judge:
    """One pass over one snapshot; every process is judged once, its ancestors first."""

    def __init__(self, table: Mapping[int, Process], known: Known, read_marker: Callable[[int], str]) -> None:
        self._table = table
        self._known = known
        self._read_marker = read_marker
        self.verdicts: dict[int, str | None] = dict.fromkeys(known.protected)
        # Who inherits orphans: the keeper, pid 1, and for runs that outlived an earlier keeper whoever took them in.
        self._reapers = {known.keeper, 1}
        for number, claim in known.claims.items():
            leader = table.get(number)
            if leader is not None and leader.start_time_ticks == claim.start_time_ticks:
                self._reapers.add(leader.parent)

    def judge(self, pid: int) -> None:
        chain: list[Process] = []
        on_chain: set[int] = set()
        current = pid
        # A snapshot is not one instant: a pid that came round may close a circle of parents.
        while current not in self.verdicts and current not in on_chain and (process := self._table.get(current)) is not None:
            chain.append(process)
            on_chain.add(current)
            current = process.parent
        for process in reversed(chain):
            self.verdicts[process.pid] = self._verdict(process)

    def _verdict(self, process: Process) -> str | None:
        unit = self._known.identities.get((process.pid, process.start_time_ticks))
        if unit is not None:
            return unit
        if process.parent in self._known.protected and process.parent not in self._reapers:
            return None  # the manager's own
        return self.verdicts.get(process.parent) or self._by_claim(process) or self._by_marker(process)

    def _by_claim(self, process: Process) -> str | None:
        for number in (process.session, process.group):
            claim = self._known.claims.get(number)
            if claim is None or process.start_time_ticks < claim.start_time_ticks:
                continue
            if (number, claim.start_time_ticks) in self._known.identities:
                return claim.unit
            leader = self._table.get(number)
            if leader is not None and leader.start_time_ticks != claim.start_time_ticks:
                continue  # the number came round: this is another's session
            if self._known.invocations.get(self._read_marker(process.pid), claim.unit) == claim.unit:
                return claim.unit
        return None

    def _by_marker(self, process: Process) -> str | None:
        # Only a process that lost its parent needs this: the child of a living stranger is that stranger's. (A parent that is
        # not in the snapshot ended while the snapshot was taken.)
        if not self._known.invocations or (process.parent in self._table and process.parent not in self._reapers):
            return None
        return self._known.invocations.get(self._read_marker(process.pid))
