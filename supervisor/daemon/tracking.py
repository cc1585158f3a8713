"""The two ways to know a unit's processes, behind one face: the kernel's register, or rules over /proc.

`Tracker` is what `processes` decides with. Both count a run that is under way among its unit's processes.
"""

import time
from collections.abc import Collection
from typing import Protocol

from supervisor.daemon import attribution, proctable
from supervisor.daemon.attribution import Identity
from supervisor.daemon.cgroups import Cgroups
from supervisor.daemon.proctable import Process, read_process
from supervisor.daemon.runs import Runs

_NEVER_NS = 1 << 62  # so long ago was a look that was never taken


class Tracker(Protocol):
    def refresh(self, max_age_ms: int = 0) -> None:
        """Look at the system again, unless that was done less than `max_age_ms` ago; `members` answers from what was seen."""

    def members(self, unit: str) -> list[Process]:
        """OSError: they cannot be looked at now, for want of a descriptor."""

    def owner_of(self, pid: int) -> str | None:
        """The unit of a living or dying process, looked up now."""

    def kill(self, unit: str) -> bool:
        """End every process of the unit in one step, forks under way included; False where that cannot be had."""

    def groups(self, unit: str, spared: Collection[int]) -> list[int]:
        """Process groups that held processes of this unit and nobody else when `refresh` looked, nor a pid that is spared.

        No groups where `kill` leaves nothing for a signal to them to do.
        """

    def restore(self, unit: str) -> None:
        """The unit's runs are under way since before this manager."""

    def release(self, unit: str, will_restart: bool) -> None: ...


class CgroupTracker:
    """The register is always current: `refresh` has nothing to do."""

    def __init__(self, cgroups: Cgroups, runs: Runs) -> None:
        self.cgroups = cgroups
        self._runs = runs

    def refresh(self, max_age_ms: int = 0) -> None:
        pass

    def members(self, unit: str) -> list[Process]:
        pids = dict.fromkeys(self.cgroups.pids(unit))
        for pid, start_time_ticks in self._runs.identities(unit):
            process = read_process(pid, must_know=True)
            if process is not None and process.start_time_ticks == start_time_ticks:
                pids[pid] = None
        return [process for pid in pids if (process := read_process(pid, must_know=True)) is not None]

    def owner_of(self, pid: int) -> str | None:
        return self.cgroups.owner_of(pid)

    def kill(self, unit: str) -> bool:
        return self.cgroups.kill(unit)

    def groups(self, unit: str, spared: Collection[int]) -> list[int]:
        return []

    def restore(self, unit: str) -> None:
        self.cgroups.adopt(unit)

    def release(self, unit: str, will_restart: bool) -> None:
        if not will_restart:
            self.cgroups.remove(unit)


class ScanTracker:
    """A snapshot of /proc, judged by the rules of `attribution`; what was once attributed is remembered."""

    def __init__(self, runs: Runs, keeper: int, protected: frozenset[int]) -> None:
        self._runs = runs
        self._keeper = keeper
        self._protected = protected
        self._members: dict[str, list[Process]] = {}
        self._table: dict[int, Process] = {}
        self._seen_ns = -_NEVER_NS
        self.is_torn = False  # the last snapshot may lack processes: nothing may be called empty by it
        self.unattributed: list[Process] = []

    def note_started(self) -> None:
        """A run began: what was seen before that serves nobody, however young it is."""
        self._seen_ns = -_NEVER_NS

    def refresh(self, max_age_ms: int = 0) -> None:
        now_ns = time.monotonic_ns()
        if now_ns - self._seen_ns < max_age_ms * 1_000_000:
            return
        self._seen_ns = now_ns
        table, self.is_torn = proctable.scan()
        self._table = table
        known = self._runs.known(self._keeper, self._protected)
        owners = attribution.attribute(table, known, self._marker)
        members: dict[str, list[Process]] = {}
        memory: dict[str, dict[Identity, None]] = {}
        for pid, unit in owners.items():
            process = table[pid]
            members.setdefault(unit, []).append(process)
            memory.setdefault(unit, {})[pid, process.start_time_ticks] = None
        self._members = members
        self._runs.replace_memory(memory)
        self.unattributed = attribution.unattributed(table, known, owners)

    def _marker(self, pid: int) -> str:
        marker = proctable.invocation_marker(pid)
        if not marker and read_process(pid) is None:
            self.is_torn = True  # it ended before it could be asked whose it was, and may have left a child that was not seen
        return marker

    def members(self, unit: str) -> list[Process]:
        return self._members.get(unit, [])

    def owner_of(self, pid: int) -> str | None:
        known = self._runs.known(self._keeper, self._protected)
        return attribution.owner(pid, lambda p: read_process(p, accepts_zombie=True), known, proctable.invocation_marker)

    def kill(self, unit: str) -> bool:
        return False

    def groups(self, unit: str, spared: Collection[int]) -> list[int]:
        held = {process.group for process in self._members.get(unit, [])}
        ours = {process.pid for process in self._members.get(unit, [])}.difference(spared)
        return sorted(held - {process.group for process in self._table.values() if process.pid not in ours} - {0})

    def restore(self, unit: str) -> None:
        pass

    def release(self, unit: str, will_restart: bool) -> None:
        self._members.pop(unit, None)
