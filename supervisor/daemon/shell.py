"""The shell around the engine: events go in, the records go to the keeper, the effects are carried out. In that order.

    keeper's reports, notifications, probes, answers of threads, requests, time
        -> post(event) -> engine.handle -> records + effects
        -> one batch to the keeper (records, and the effects that are the keeper's: the commit rule)
        -> the other effects here, whose answers are events again

It decides nothing about units. Invariants: an effect is carried out only after the records it came with are in the keeper's
hands; a client is answered only after its effects were; events are handled one at a time, on one thread, in order.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from supervisor.daemon.intents import Intents
from supervisor.daemon.kills import Kills
from supervisor.daemon.link import KeeperLink, LinkClosed
from supervisor.daemon.logs import LogPump
from supervisor.daemon.notify import NotifySockets
from supervisor.daemon.orphans import Orphans
from supervisor.daemon.prepare import Preparer
from supervisor.daemon.processes import Processes
from supervisor.daemon.reactor import Handle, Registrations
from supervisor.daemon.runrecords import RunRecords
from supervisor.daemon.spawning import Spawning
from supervisor.daemon.workers import Workers
from supervisor.engine import Engine
from supervisor.model import effects as fx
from supervisor.model import events as ev
from supervisor.model.specification import Probe

EVENTS_PER_COMMIT = 64  # handled together before their records are handed over
_LEAVES_UNITS_ALONE = fx.Record | fx.Prepare | fx.Answer | fx.Leave | fx.Forget | fx.FinishJob
FLUSH_AGAIN_US = 1_000  # while the keeper has not read what was sent
INTENTS_AGAIN_US = 2_000_000  # wishes that a full disk did not take
SLICE_US = 2_000  # then other readers get their turn (DESIGN, The engine)


class ProbeRunner(Protocol):
    """What `probes.Probes` does for the shell."""

    def start(self, effect: fx.StartProbe, probe: Probe) -> None: ...

    def stop(self, effect: fx.StopProbes) -> None: ...


def now() -> ev.Instant:
    return ev.Instant(time.monotonic_ns() // 1000, time.time_ns() // 1000)


class Shell:
    """One manager's hands. Parts that need asyncio (API, probes) are given later, by `attach_*`."""

    def __init__(
        self,
        engine: Engine,
        link: KeeperLink,
        registrations: Registrations,
        processes: Processes,
        pump: LogPump,
        preparer: Preparer,
        intents: Intents,
    ) -> None:
        self.engine = engine
        self.link = link
        self.reactor = registrations
        self.processes = processes
        self.pump = pump
        self.preparer = preparer
        self.intents = intents
        self.notify: NotifySockets | None = None
        self.spawning = Spawning(self)
        self.orphans = Orphans(self)
        self.kills = Kills(self)
        self.run_records = RunRecords(engine.core, link.table["remembered"], pump.place)
        self.workers = Workers(registrations)
        self.on_record: Callable[[fx.Record], object] = lambda record: None
        self.on_job: Callable[[fx.FinishJob], object] = lambda job: None
        self.on_settled: Callable[[], object] = lambda: None  # a slice of what was queued is handled and carried out
        self.on_leave: Callable[[int], object] = lambda status: None
        self.on_hangup: Callable[[], object] = lambda: None
        self.on_reexec_failed: Callable[[str], object] = lambda text: None
        self.on_keeper_gone: Callable[[], object] = lambda: None
        self._probes: ProbeRunner | None = None
        self._early_probes: list[fx.StartProbe | fx.StopProbes] = []
        self.answers: dict[int, fx.Answer] = {}
        self.roll_backs: list[fx.RollBack] = []  # asked for before anybody could answer
        self.on_roll_back: Callable[[fx.RollBack], object] = self.roll_backs.append
        self.leave_status: int | None = None
        self.keeps_services = False  # supd leaves and what it started runs on
        self._events: deque[ev.Event] = deque()
        self._preparations: dict[int, fx.Prepare] = {}  # by run: asked for and not begun
        self._is_busy = False
        self._is_continuing = False
        self._is_flushing = False
        self._also: dict[str, str] = {}  # to be remembered with the next commit
        self._request = 0
        self._echoes = 0
        self._after_echo: dict[int, Callable[[], object]] = {}
        self._timer: Handle | None = None
        self._timer_at: int | None = None
        self._carry: dict[type, Callable[[Any], object]] = {
            fx.Answer: self._keep_answer,
            fx.CheckConditions: self.spawning.check_conditions,
            fx.Kill: self.kills.kill_others,
            fx.WatchEmpty: lambda e: self.processes.watch_empty(e.unit, e.token, self.post),
            fx.ReadPidFile: self.spawning.read_pid_file,
            fx.StartProbe: self._probe,
            fx.StopProbes: self._probe,
            fx.Release: self.spawning.release,
            fx.FinishJob: self._tell_job,
            fx.Record: self._tell_record,
            fx.RollBack: self._roll_back,
            fx.Leave: self._leave,
        }

    # -- events in -------------------------------------------------------------------------------------------------

    def post(self, event: ev.Event) -> None:
        """Queue an event; it is handled before the loop sleeps again."""
        self._events.append(event)
        if not self._is_busy and not self._is_continuing:
            self._is_continuing = True
            self.reactor.call_later_us(0, self._continue)

    def take(self, event: ev.Event) -> None:
        """Handle an event now; on return its effects are carried out and its records are the keeper's."""
        self._events.append(event)
        self.process()

    def request(self, make: Callable[[int], ev.Event]) -> fx.Answer:
        """Handle a request; the engine's answer to it. `make` is given the request's number."""
        self._request += 1
        number = self._request
        self.take(make(number))
        self.finish()
        return self.answers.pop(number)

    def finish(self) -> None:
        """Handle everything that is queued."""
        while self._has_work and not self._is_busy:
            self.process()

    def also_remember(self, texts: dict[str, str]) -> None:
        """In one atom with what the next event changes."""
        self._also |= texts

    def _continue(self) -> None:
        self._is_continuing = False
        self.process()

    def process(self) -> None:
        """Handle what is queued, for one slice of time; the rest follows in the loop's next turn."""
        if self._is_busy:
            return
        self._is_busy = True
        end_ns = time.monotonic_ns() + SLICE_US * 1000
        try:
            while self._has_work or self._is_due():
                effects, is_replayed = self._gather()
                if effects or not is_replayed:
                    self.carry_out(effects)
                if time.monotonic_ns() > end_ns:
                    break
        finally:
            self._is_busy = False
        self.on_settled()
        if self._has_work and not self._is_continuing:
            self._is_continuing = True
            self.reactor.call_later_us(0, self._continue)
        self._arm()

    def resume(self) -> None:
        """A manager before this one died: ask again for everything that was under way outside the keeper."""
        effects = self.engine.resume(now())
        self._also |= self.run_records.take_in(effects, self.spawning.runs)
        self._note_preparations(effects)
        self.carry_out(effects)

    @property
    def _has_work(self) -> bool:
        return bool(self._events or self._preparations)

    def _is_due(self) -> bool:
        at_us = self.engine.next_deadline()
        return at_us is not None and at_us <= time.monotonic_ns() // 1000

    def _gather(self) -> tuple[list[fx.Effect], bool]:
        """The effects of what is queued, of as much as goes into one commit; and whether a crash would bring it all about again.

        That is so of reports of a fork alone, which are in the keeper's table: what they change may go with the next commit.

        A preparation is begun on the way, before the commit: nobody outside learns of it, and after a crash it is asked for again. So
        is a release that only forgets. So a restart without a delay is one commit: the end of one run, the deadline, the preparation
        and the spawn of the next. Only what its unit is yet to do (signals, a release of what the last run left) comes before a
        preparation, and ends the batch.
        """
        effects: list[fx.Effect] = []
        busy_units: set[str] = set()
        is_replayed = True
        for _ in range(EVENTS_PER_COMMIT):
            if self._events:
                event = self._events.popleft()
            elif self._preparations:
                run, preparation = next(iter(self._preparations.items()))
                if preparation.unit in busy_units:
                    break
                del self._preparations[run]
                self.spawning.prepare(preparation)
                continue
            elif self._is_due():
                event = ev.DeadlineReached()
            else:
                break
            is_replayed = is_replayed and isinstance(event, ev.Forked)
            if isinstance(event, ev.Exited | ev.AlienExited | ev.SpawnFailed):
                # Now, not when it was read: something may have been spawned for the unit meanwhile, or is about to be.
                event = replace(event, is_last=event.unit not in busy_units and self.processes.has_none(event.unit))
            found = self.engine.handle(event, now())
            self._also |= self.run_records.take_in(found, self.spawning.runs)
            self._note_preparations(found)
            for effect in found:
                if isinstance(effect, fx.Release) and effect.unit not in busy_units and self.spawning.only_forgets(effect):
                    self.spawning.release(effect)
                    continue
                effects.append(effect)
                if not isinstance(effect, _LEAVES_UNITS_ALONE):
                    busy_units.add(effect.unit)
        return effects, is_replayed

    def _note_preparations(self, effects: list[fx.Effect]) -> None:
        for effect in effects:
            if isinstance(effect, fx.Prepare):
                self._preparations[effect.run] = effect

    # -- effects out -----------------------------------------------------------------------------------------------

    def carry_out(self, effects: list[fx.Effect]) -> None:
        """Commit, then act."""
        remember = self.engine.take_changed() | self._also
        self._also = {}
        ops: list[Any] = []
        descriptors: list[int] = []
        intents: list[fx.SaveIntent] = []
        for effect in effects:
            if isinstance(effect, fx.Spawn):
                self.kills.before_the_next_run(effect.unit)
                self.spawning.add_spawn(effect, ops, descriptors)
            elif isinstance(effect, fx.Forget):
                self._preparations.pop(effect.run, None)
                self.spawning.forget(effect, ops)
            elif isinstance(effect, fx.Kill):
                self.kills.add_signals(effect, ops)
            elif isinstance(effect, fx.SaveIntent):
                intents.append(effect)
        if remember or ops:
            self.link.send(remember, ops, descriptors)
            self.watch_link()
        if intents:
            self._save_intents(intents)
        carry = self._carry
        for effect in effects:
            if (act := carry.get(type(effect))) is not None:
                act(effect)

    def _save_intents(self, intents: list[fx.SaveIntent]) -> None:
        """On disk before anything is answered. What a full disk does not take is tried again until it does."""
        was_lacking = bool(self.intents.trouble)
        self.intents.save(intents)
        if self.intents.trouble and (not was_lacking or not intents):
            self.reactor.call_later_us(INTENTS_AGAIN_US, lambda: self._save_intents([]))

    def after_keeper(self, act: Callable[[], object]) -> None:
        """Act once the keeper has carried out all it was sent, and its reports of everything before that are read."""
        self._echoes += 1
        self._after_echo[self._echoes] = act
        self.link.send({}, [["echo", self._echoes]])
        self.watch_link()

    def on_echo(self, number: int) -> None:
        """The keeper has carried out everything before this echo."""
        if (act := self._after_echo.pop(number, None)) is not None:
            act()

    def attach_probes(self, probes: "ProbeRunner") -> None:
        """There is a loop now: run the probes, those asked for earlier first."""
        self._probes = probes
        early, self._early_probes = self._early_probes, []
        for effect in early:
            self._probe(effect)

    def _probe(self, effect: fx.StartProbe | fx.StopProbes) -> None:
        if self._probes is None:
            self._early_probes.append(effect)
        elif isinstance(effect, fx.StopProbes):
            self._probes.stop(effect)
        else:
            service = self.engine.core.specs[effect.unit].service
            if service is not None and effect.index < len(service.probes):
                self._probes.start(effect, service.probes[effect.index])

    def _tell_job(self, effect: fx.FinishJob) -> None:
        self.spawning.passing.settle(effect.unit)
        self.on_job(effect)

    def _tell_record(self, effect: fx.Record) -> None:
        self.on_record(effect)

    def _roll_back(self, effect: fx.RollBack) -> None:
        self.on_roll_back(effect)

    def _keep_answer(self, effect: fx.Answer) -> None:
        self.answers[effect.request] = effect

    def _leave(self, effect: fx.Leave) -> None:
        self.leave_status = effect.exit_status
        self.link.send({}, [["leave", effect.exit_status]])
        self.on_leave(effect.exit_status)

    def leave_services(self) -> None:
        """supd ends and what it started runs on; the next supd takes it over."""
        self.keeps_services = True
        self._leave(fx.Leave(0, "shutdown that keeps the services"))

    # -- the link --------------------------------------------------------------------------------------------------

    def read_link(self) -> None:
        """Take every report that is there. Raises LinkClosed when the keeper is gone."""
        for report in self.link.receive():
            self.spawning.on_report(report)

    def on_link_readable(self) -> None:
        try:
            self.read_link()
        except LinkClosed:
            self.on_keeper_gone()
            return
        self.process()

    def watch_link(self) -> None:
        """A full socket (the keeper forks a thousand services) is flushed as the keeper reads: one timer, however many batches wait.

        Not by writability: to an ordinary user with too many descriptors in flight the socket is writable and takes nothing.
        """
        if self.link.has_unsent and not self._is_flushing:
            self._is_flushing = True
            self.reactor.call_later_us(FLUSH_AGAIN_US, self._flush_link)

    def _flush_link(self) -> None:
        self._is_flushing = False
        self.link.flush()
        self.watch_link()

    # -- time ------------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Be woken at the engine's next deadline; without one, not at all."""
        at = self.engine.next_deadline()
        if at == self._timer_at:
            return
        self._timer_at = at
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer = self.reactor.call_later_us(max(at - time.monotonic_ns() // 1000, 0) + 1, self._on_time)

    def _on_time(self) -> None:
        self._timer = self._timer_at = None
        self.take(ev.DeadlineReached())

    def close(self) -> None:
        """The manager leaves."""
        self.processes.close()
        self.pump.stop()


def boot_id() -> str:
    """This boot of the machine: runtime state of another one is void."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def random_seed() -> str:
    return os.urandom(16).hex()
