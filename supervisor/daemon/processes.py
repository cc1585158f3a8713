"""Which processes a unit has, signals to them, and the moment the last one is gone.

A unit is stopped when no process of it is left. There are two ways to know, one chosen at start (`tracking`):

- "cgroup": the kernel keeps the register (`cgroups`). Nothing escapes it but a process that privilege moves out.
- "scan": /proc is judged by rules (`attribution`), and what was once attributed is remembered. Weaker: a process that leaves
  its session, drops its environment and loses its parent between two scans is unattributed. It is shown, never killed.

Laws:
- A signal goes by pidfd to a process whose start time is the one we know; never to supd, never to another unit's process.
  Only the repeated SIGKILL of scan mode goes to process groups too, to those in which the look just taken saw nobody else: the
  kernel signals a group in one step, so a process that forks and ends faster than we look cannot slip from pid to pid.
- A run counts as a process of its unit from `note_started` to `note_exited`, wherever it is: between fork and exec it has not
  joined its cgroup yet, and between death and the keeper's word it is not over.
- Nothing polls. Emptiness is told by `cgroup.events`, or in scan mode by the end of the processes seen; one scan then serves
  every unit that waits.
- Without a descriptor to look with, who is left is unknown, not nobody. Then, and only then, looks and signals are tried again by the
  clock.
- In scan mode a signal that may end a process waits for the scan before it (one turn of the loop): an orphan's parent must have
  been seen while it lived.

Source of the order of signals (KillSignal, SIGCONT, SIGHUP): systemd.kill(5).
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable

from supervisor.daemon import pidfds
from supervisor.daemon.attribution import Identity
from supervisor.daemon.cgroups import EmptyWatch
from supervisor.daemon.cgroups import find as find_cgroups
from supervisor.daemon.exits import ExitWatch
from supervisor.daemon.proctable import LACKING, Process, read_process
from supervisor.daemon.reactor import Handle, Reactor
from supervisor.daemon.runs import Runs
from supervisor.daemon.tracking import CgroupTracker, ScanTracker, Tracker
from supervisor.model.effects import Kill
from supervisor.model.events import Emptied

OnEmptied = Callable[[Emptied], object]

# A process that forks as fast as we look ends here; a repeated SIGKILL then goes on when the first ones have ended.
_PASSES_MAX = 8
_NAMED_IN_TEXT_MAX = 8
# Somebody forks as fast as /proc can be read: look again soon, but let others have their turn.
_TORN_AGAIN_US = 5_000
# No descriptor to look or to signal with: somebody gives one back, sooner or later.
_LACKING_AGAIN_US = 100_000


class TrackingUnavailable(OSError):
    """The wanted way to track processes cannot be had on this machine."""


class Processes:
    """One per manager. All methods are called on the loop's thread, or before there is a loop."""

    def __init__(self, instance: str, reactor: Reactor, keeper_pid: int, tracking: str = "") -> None:
        """`instance` names the cgroup directory; `tracking` is "cgroup", "scan", or "" for the best there is."""
        self._reactor = reactor
        self._keeper = keeper_pid
        self._protected = frozenset({os.getpid(), keeper_pid, 1})
        self._runs = Runs()
        self._waits: dict[str, tuple[int, OnEmptied]] = {}
        self._chases: dict[str, frozenset[int]] = {}  # units under a repeated SIGKILL, with the pids it spares
        self._pending: list[Kill] = []
        self._turn: Handle | None = None
        self._refused: dict[str, set[Identity]] = {}
        self._exits = ExitWatch(reactor, lambda unit: self._schedule())
        self._scanner: ScanTracker | None = None
        self._events: EmptyWatch | None = None
        cgroups = find_cgroups(instance) if tracking != "scan" else None
        self._tracker: Tracker
        if cgroups is not None:
            self.tracking = "cgroup"
            self._tracker = CgroupTracker(cgroups, self._runs)
            self._cgroups = cgroups
            self._events = EmptyWatch(cgroups)
            reactor.add_reader(self._events.fileno(), self._on_cgroup_event)
        elif tracking == "cgroup":
            raise TrackingUnavailable("cannot track processes by cgroup: no cgroup2 mount lets supd make a directory below its own cgroup.")
        else:
            self.tracking = "scan"
            self._tracker = self._scanner = ScanTracker(self._runs, keeper_pid, self._protected)

    # What happened to runs

    def cgroup_of(self, unit: str) -> str | None:
        """The directory a new process of the unit joins before exec, made now; None in scan mode. OSError: it cannot be made.

        To be called right before the run is handed to the keeper: signals that wait for a scan go out first, for they were not
        meant for this run.
        """
        if any(effect.unit == unit for effect in self._pending):
            self._flush()
        self._chases.pop(unit, None)
        return self._cgroups.create(unit) if self._events is not None else None

    def may_be_born_into(self, unit: str) -> bool:
        """Whether the keeper may create the unit's processes in that directory, rather than let them join it."""
        return self._events is not None and self._cgroups.may_be_born_into(unit)

    def note_started(self, unit: str, run: int, pid: int, start_time_ticks: int, invocation_id: str) -> None:
        """The keeper forked `pid` for this run. Harmless when repeated."""
        self._runs.start(unit, run, (pid, start_time_ticks), invocation_id)
        if self._scanner is not None:
            self._scanner.note_started()

    def note_exited(self, unit: str, run: int) -> None:
        """The keeper reaped the run's process. Harmless for a run that is not known."""
        self._runs.end(unit, run)
        if unit in self._waits:
            self._look_again(unit)

    def remember(self, unit: str, pid: int) -> None:
        """`pid` was seen to belong to the unit (a sender, a main process learned late): `owner_of` knows it after its death."""
        identity = self._runs.identity_of(unit, pid)
        if identity is None and (process := read_process(pid, accepts_zombie=True)) is not None:
            identity = (pid, process.start_time_ticks)
        if identity is not None:
            self._runs.remember(unit, identity)

    def restore(self, unit: str, runs: Iterable[tuple[int, int, int, str]]) -> None:
        """Runs that were under way before this manager: (run, pid, start_time_ticks, invocation_id)."""
        for run, pid, start_time_ticks, invocation_id in runs:
            self.note_started(unit, run, pid, start_time_ticks, invocation_id)
        self._tracker.restore(unit)
        if self._scanner is not None:
            self._schedule()

    def release(self, unit: str, will_restart: bool = False) -> None:
        """The unit is down: nobody waits for it any more, and what tracked it goes (its cgroup stays for an automatic restart)."""
        self._pending = [effect for effect in self._pending if effect.unit != unit]
        self._waits.pop(unit, None)
        self._chases.pop(unit, None)
        self._refused.pop(unit, None)
        self._exits.forget(unit)
        if self._events is not None:
            self._events.forget(unit)
        self._tracker.release(unit, will_restart)
        if not any(_is_alive(identity) for identity in (*self._runs.remembered(unit), *self._runs.identities(unit))):
            self._runs.forget(unit)

    # Questions

    def members(self, unit: str, max_age_ms: int = 0) -> list[Process]:
        """Every living process of the unit, none for want of a descriptor. Who asks for many units lets a scan serve for `max_age_ms`."""
        try:
            self._tracker.refresh(max_age_ms)
            return self._members(unit)
        except OSError:
            return []

    def owner_of(self, pid: int) -> str | None:
        """The unit a process belongs to; also for one that has just ended, if it was a run or is remembered."""
        if pid in self._protected:
            return None
        if (unit := self._runs.unit_of(pid) or self._tracker.owner_of(pid)) is not None:
            return unit
        return self._runs.recall(pid) if read_process(pid) is None else None

    def has_none(self, unit: str) -> bool:
        """Whether it is seen at a glance that no process of the unit is left: never in scan mode, where it takes a look at all of /proc."""
        return self._events is not None and self._is_empty(unit)

    def is_child_of_keeper(self, pid: int) -> bool:
        """Whether the keeper will reap this process."""
        process = read_process(pid, accepts_zombie=True)
        return process is not None and process.parent == self._keeper

    def survivors(self, unit: str) -> str:
        """The unit's processes as text for a person: "pid 12 (sleep), pid 13 (cc1)"; "" when there are none."""
        members = self.members(unit)
        refused = self._refused.get(unit, set())
        words = [
            f"pid {p.pid} ({p.comm}{', not ours to signal' if (p.pid, p.start_time_ticks) in refused else ''})"
            for p in members[:_NAMED_IN_TEXT_MAX]
        ]
        if len(members) > _NAMED_IN_TEXT_MAX:
            words.append(f"and {len(members) - _NAMED_IN_TEXT_MAX} more")
        return ", ".join(words)

    def unattributed(self) -> list[Process]:
        """Processes that came to the keeper and fit no unit (scan mode): shown to people, never signalled."""
        if self._scanner is None:
            return []
        self._scanner.refresh()
        return self._scanner.unattributed

    # Signals

    def kill(self, effect: Kill) -> None:
        """Send the signal, at once or (scan mode, where it may end a process) after the scan of this turn."""
        is_direct = effect.whom in ("main", "control") and effect.signal != signal.SIGKILL and not effect.and_continue
        if self._scanner is not None and not is_direct:
            self._pending.append(effect)
            self._schedule()
            return
        try:
            self._signal([effect])
            if effect.unit in self._chases:
                self._chase(effect.unit)
        except OSError as error:
            self._pending.append(effect)  # rather sent twice than not at all
            self._look_later(error)

    def _look_later(self, error: OSError) -> None:
        """There was no descriptor to look with (anything else is passed on): what waits is looked at again in a moment."""
        if error.errno not in LACKING:
            raise error
        if self._turn is None:
            self._turn = self._reactor.call_later_us(_LACKING_AGAIN_US, self._flush)

    def _signal(self, effects: list[Kill]) -> None:
        sent: set[tuple[int, Identity]] = set()
        for _ in range(_PASSES_MAX):
            self._tracker.refresh()
            has_sent = False
            for number, effect in enumerate(effects):
                if effect.is_repeated and effect.whom in ("all", "others"):
                    self._chases[effect.unit] = frozenset(effect.pids) if effect.whom == "others" else frozenset()
                if effect.signal == signal.SIGKILL and effect.is_repeated and self._kill_at_once(effect):
                    continue
                for identity in self._targets(effect):
                    if (number, identity) not in sent:
                        sent.add((number, identity))
                        has_sent = True
                        self._send(effect.unit, identity, _signals(effect))
            if not has_sent or all(effect.whom in ("main", "control") for effect in effects):
                return

    def _kill_at_once(self, effect: Kill) -> bool:
        """Let the kernel kill the whole cgroup, if that is what is asked and it can."""
        spared = effect.pids if effect.whom == "others" else ()
        if effect.whom not in ("all", "others") or any(read_process(pid) is not None for pid in spared):
            return False
        if not self._tracker.kill(effect.unit):
            return False
        self._chases.pop(effect.unit, None)
        # What was forked and is not in its cgroup yet; and whose first thread has ended: a signal to the cgroup passes it by.
        for process in self._members(effect.unit):
            self._send(effect.unit, (process.pid, process.start_time_ticks), (signal.SIGKILL,))
        return True

    def _targets(self, effect: Kill) -> list[Identity]:
        if effect.whom in ("main", "control"):
            return [identity for pid in effect.pids if (identity := self._identity(effect.unit, pid)) is not None]
        spared = frozenset(effect.pids) if effect.whom == "others" else frozenset()
        return [(p.pid, p.start_time_ticks) for p in self._members(effect.unit) if p.pid not in spared]

    def _identity(self, unit: str, pid: int) -> Identity | None:
        """A pid the engine names, as the process it means: a run, or a process that is the unit's at this moment."""
        if (identity := self._runs.identity_of(unit, pid)) is not None:
            return identity
        process = read_process(pid)
        if process is None or self.owner_of(pid) != unit:
            return None
        return pid, process.start_time_ticks

    def _members(self, unit: str) -> list[Process]:
        return [process for process in self._tracker.members(unit) if process.pid not in self._protected]

    def _send(self, unit: str, identity: Identity, signals: tuple[int, ...]) -> None:
        try:
            pidfds.send(*identity, signals)
        except PermissionError:
            self._refused.setdefault(unit, set()).add(identity)

    # Emptiness

    def watch_empty(self, unit: str, token: int, callback: OnEmptied) -> None:
        """Call `callback(Emptied(unit, token))` once no process of the unit is left: perhaps before this returns.

        A later call for the unit replaces an earlier one.
        """
        self._waits[unit] = (token, callback)
        if self._events is None:
            self._schedule()
        else:
            self._watch(unit)

    def _watch(self, unit: str) -> None:
        """Settle, or be told when there is something to settle (cgroup mode)."""
        assert self._events is not None
        if self._settle(unit):
            return
        try:
            self._events.watch(unit)
        except OSError as error:
            self._look_later(error)
        self._settle(unit)  # it may have emptied before the watch stood

    def _is_empty(self, unit: str) -> bool:
        if self._runs.identities(unit):
            return False
        if self._scanner is not None:
            return not self._scanner.is_torn and not self._members(unit)
        try:
            return not self._cgroups.is_populated(unit)
        except OSError as error:
            self._look_later(error)
            return False

    def _settle(self, unit: str) -> bool:
        """Answer who waits for the unit if it is empty."""
        if unit not in self._waits or not self._is_empty(unit):
            return False
        token, callback = self._waits.pop(unit)
        self._chases.pop(unit, None)
        self._exits.forget(unit)
        if self._events is not None:
            self._events.forget(unit)
        callback(Emptied(unit, token))
        return True

    def _on_cgroup_event(self) -> None:
        if self._events is not None:
            self._events.dispatch(self._settle)

    def _look_again(self, unit: str) -> None:
        if self._scanner is None:
            self._settle(unit)
        else:
            self._schedule()

    def _schedule(self) -> None:
        if self._turn is None:
            self._turn = self._reactor.call_later_us(0, self._flush)

    def _flush(self) -> None:
        """One look at the system for everything that was asked for since the last turn."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        pending, self._pending = self._pending, []
        try:
            if pending:
                self._signal(pending)
                pending = []
            else:
                self._tracker.refresh()
            self._look()
        except OSError as error:
            self._pending += pending
            self._look_later(error)

    def _look(self) -> None:
        for unit in list(self._chases):
            self._chase(unit)
        if self._scanner is None:
            for unit in list(self._waits):
                self._watch(unit)
            return
        for unit in list(self._waits):
            if not self._settle(unit) and not self._exits.is_watching(unit) and (members := self._members(unit)):
                self._exits.watch(unit, [(p.pid, p.start_time_ticks) for p in members])
        if self._waits and self._scanner.is_torn and self._turn is None:
            self._turn = self._reactor.call_later_us(_TORN_AGAIN_US, self._flush)

    def _chase(self, unit: str) -> None:
        """Kill what a repeated SIGKILL finds alive, and look again when those have ended.

        It goes on until the unit is empty, is released, or has a new process made for it.
        """
        spared = self._chases[unit]
        for group in self._tracker.groups(unit, spared):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        targets = [(p.pid, p.start_time_ticks) for p in self._members(unit) if p.pid not in spared]
        for identity in targets:
            self._send(unit, identity, (signal.SIGKILL,))
        if targets:
            self._exits.watch(unit, targets)

    def close(self) -> None:
        """The manager leaves: nothing is watched any more, and the instance's cgroup goes if it is empty."""
        if self._turn is not None:
            self._turn.cancel()
        if self._pending:
            self._signal(self._pending)
        self._exits.close()
        if self._events is not None:
            self._reactor.remove_reader(self._events.fileno())
            self._events.close()
            self._cgroups.close()


def _signals(effect: Kill) -> tuple[int, ...]:
    if effect.signal == signal.SIGKILL:
        return (effect.signal,)
    signals = [effect.signal]
    if effect.and_continue and effect.signal != signal.SIGCONT:
        signals.append(signal.SIGCONT)  # a stopped process could not act on the first one
    if effect.and_hangup:
        signals.append(signal.SIGHUP)
    return tuple(signals)


def _is_alive(identity: Identity) -> bool:
    process = read_process(identity[0])
    return process is not None and process.start_time_ticks == identity[1]
