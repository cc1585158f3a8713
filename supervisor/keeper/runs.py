"""The keeper's table: every run with its outcome so far, what the manager asked to be remembered, and strangers' ends.

It is the only memory there is. Reports are not queued: an entry knows how many of its facts were sent, a set names the
entries that have unsent ones, and what a dead manager left unread is covered by the table its successor is given. So
memory is bounded by the runs that live and the ring of strangers, however long nobody reads.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from supervisor.keeper.reap import End

STRANGERS_MAX = 4096  # ends of other children kept until acknowledged; beyond it the oldest goes
REPORTS_MAX_PER_PACKET = 128  # keeps a packet of reports well below the inline limit

Report = list[Any]


class Run:
    """One run. `facts` are its reports in order, `sent` says how many of them this manager was told."""

    __slots__ = ("facts", "is_forgotten", "phase", "pid", "run", "sent", "start_time_ticks", "status", "status_fd", "unit")

    def __init__(self, run: int, unit: str, phase: str) -> None:
        self.run = run
        self.unit = unit
        self.phase = phase
        self.pid = 0  # 0 once it is reaped: a signal must not reach the next owner of the number
        self.start_time_ticks = 0
        self.status_fd = -1  # -1 once the status pipe has told everything
        self.status = b""
        self.facts: list[Report] = []
        self.sent = 0
        self.is_forgotten = False

    def listing(self) -> dict[str, Any]:
        """For the table."""
        return {
            "unit": self.unit,
            "phase": self.phase,
            "pid": self.facts[0][2] if self.facts[0][0] == "forked" else 0,
            "start_time_ticks": self.start_time_ticks,
            "reports": self.facts,
        }


class Table:
    """Runs by id and pid, remembered texts, strangers, and the signals that ask the keeper to stop."""

    def __init__(self) -> None:
        self.remembered: dict[str, str] = {}
        self.runs: dict[int, Run] = {}
        self.by_pid: dict[int, Run] = {}
        self.signals: list[int] = []  # unsent
        self.notices: list[Report] = []  # unsent, and of interest to this manager only
        self.on_fact: Callable[[Report], None] | None = None  # told before the manager is
        self._unsent: dict[int, None] = {}  # an ordered set of run ids
        self._strangers: deque[Report] = deque(maxlen=STRANGERS_MAX)
        self._strangers_seen = 0
        self._strangers_sent = 0

    def remember(self, texts: dict[str, str]) -> None:
        """Store each text under its key; an empty one forgets the key."""
        for key, text in texts.items():
            if text:
                self.remembered[key] = text
            else:
                self.remembered.pop(key, None)

    def add_fact(self, run: Run, fact: Report) -> None:
        """One more thing happened to the run; it is to be reported."""
        run.facts.append(fact)
        if self.on_fact is not None:
            self.on_fact(fact)
        if not run.is_forgotten:
            self._unsent[run.run] = None

    def repeat(self, run: Run) -> None:
        """Tell the known outcome again, from the first fact."""
        run.sent = 0
        self._unsent[run.run] = None

    def forget(self, number: int) -> None:
        """Drop the run's entry, or as soon as its process is reaped; nothing more is reported of it."""
        run = self.runs.get(number)
        if run is None:
            return
        run.is_forgotten = True
        if not run.pid:
            self._remove(run)

    def note_reaped(self, run: Run) -> None:
        """Its process is gone: the pid may belong to anybody from now on."""
        del self.by_pid[run.pid]
        run.pid = 0
        if run.is_forgotten:
            self._remove(run)

    def _remove(self, run: Run) -> None:
        del self.runs[run.run]
        self._unsent.pop(run.run, None)

    def add_stranger(self, end: End) -> None:
        """A child that is no run ended (a grandchild whose parent left it to us)."""
        self._strangers_seen += 1
        self._strangers.append(["reaped", self._strangers_seen, end.pid, end.start_time_ticks, end.code, end.status])

    def acknowledge(self, sequence: int) -> None:
        """Strangers up to this sequence number are known to the manager."""
        while self._strangers and self._strangers[0][1] <= sequence:
            self._strangers.popleft()

    def strangers(self) -> list[Any]:
        """The ring as it stands, for a keeper that takes this one's place."""
        return [self._strangers_seen, list(self._strangers)]

    def load_strangers(self, ring: list[Any]) -> None:
        """What `strangers` returned."""
        self._strangers_seen, kept = ring
        self._strangers.extend(kept)

    def has_unsent(self) -> bool:
        """Whether `take_reports` would return any."""
        return bool(self._unsent or self.signals or self.notices or self._strangers_sent < self._strangers_seen)

    def unsent_runs(self) -> int:
        """How many runs have something to report."""
        return len(self._unsent)

    def take_reports(self) -> list[Report]:
        """The next packet of reports, which now count as sent; [] when everything is."""
        reports: list[Report] = [["signaled", number] for number in self.signals]
        self.signals.clear()
        reports += self.notices
        self.notices.clear()
        while self._unsent and len(reports) < REPORTS_MAX_PER_PACKET:
            run = self.runs[next(iter(self._unsent))]
            reports += run.facts[run.sent :]
            run.sent = len(run.facts)
            del self._unsent[run.run]
        if self._strangers_sent < self._strangers_seen:
            kept = len(self._strangers)
            # Numbers run without gaps, so the unsent ones are the last; those the ring let go are skipped.
            first = kept - min(self._strangers_seen - self._strangers_sent, kept)
            last = min(kept, first + max(0, REPORTS_MAX_PER_PACKET - len(reports)))
            reports += [self._strangers[index] for index in range(first, last)]
            self._strangers_sent = self._strangers_seen - (kept - last)
        return reports

    def for_new_manager(self) -> dict[str, Any]:
        """All of it, for a manager that starts; from here on it is told only what is not in here."""
        self._unsent.clear()
        for run in self.runs.values():
            run.sent = len(run.facts)
        self._strangers_sent = self._strangers_seen
        return {**self.content(), "reaped": list(self._strangers)}

    def content(self) -> dict[str, Any]:
        """What is remembered, and every run that is still on the books."""
        runs = {number: run.listing() for number, run in self.runs.items() if run.facts and not run.is_forgotten}
        return {"remembered": self.remembered, "runs": runs}
