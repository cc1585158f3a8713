"""The session with one supd: it keeps the picture of the units true for as long as the screens live, and says when it cannot.

Laws:
- Consistency: first we enter the stream of events, then everything is fetched; from then on each event marks its unit dirty, and dirty
  units are fetched together, ten times a second at most. So what is shown is never older than that, whatever was lost before.
- A connection that ends is tried again, sooner first and later every five seconds, with jitter, for ever. It is taken up at the last
  event heard: where supd still knows that one, nothing was missed; where it does not, that is counted and told.
- What is not known to be true is called stale: three seconds without a sign of life, or no connection at all.
- Nothing raises into the screens. They read `link`, `status` and the store, and are told by `on_change` that something is new.
- Figures are asked for only while somebody looks, and only then does anything wake up by time.

One task reads the stream (`_read`), one does what time asks for (`_attend`). No textual here.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from dataclasses import replace

from supervisor.client.api import UNKNOWN_ID
from supervisor.tui.clock import Clock
from supervisor.tui.link.protocol import ALIVE, CHANGED, Json, LinkLost, Refused, Relations, Transport
from supervisor.tui.model.figures import Figures
from supervisor.tui.model.linkstate import LIVE, LOST, STALE, LinkState, Outage
from supervisor.tui.model.units import UnitStore

FETCH_INTERVAL_S = 0.1
FETCH_ALL_ABOVE_UNITS = 200
FIGURES_INTERVAL_S = 1.0
ALL_FIGURES_INTERVAL_S = 5.0
STALE_AFTER_S = 3.0  # three heartbeats
GIVE_UP_AFTER_S = 13.0  # a connection as silent as this is dead, whatever the kernel thinks of it
RECOVERY_S = 1.0  # events of an outage come at once; so long they are counted
BACKOFF_FIRST_S = 0.2
BACKOFF_LAST_S = 5.0
BACKOFF_JITTER = 0.2  # up to this part more or less

# Events after which what supd says of itself (errors in unit files, notes), or how units depend on each other, may be another.
_KINDS_OF_FILES = frozenset({"definition", "plan", "rollback", "files", "enabled", "reset"})

Sleep = Callable[[float], Awaitable[None]]
Listener = Callable[[Json], None]


class Session:
    """Give it a transport, the store and figures to keep, and run `run` as a task; cancelling that task is its end."""

    def __init__(
        self,
        transport: Transport,
        store: UnitStore,
        figures: Figures,
        clock: Clock,
        on_change: Callable[[], None],
        sleep: Sleep = asyncio.sleep,
        chance: random.Random | None = None,
    ) -> None:
        self.link = LinkState(since_s=clock.monotonic_s())
        self.status: Json = {}  # the newest /v1/status
        self.gaps = 0  # how often events were missed, for supd no longer knew them
        self.troubles: list[str] = []  # faults of our own that were survived; for a bug report
        self._transport = transport
        self._store = store
        self._figures = figures
        self._clock = clock
        self._on_change = on_change
        self._sleep = sleep
        self._chance = chance or random.Random()
        self._listeners: list[Listener] = []
        self._last_id: str | None = None
        self._heard_s = 0.0
        self._stream: asyncio.Task[None] | None = None
        self._retry_now = asyncio.Event()
        self._agenda = asyncio.Event()  # set when what time asks for may be another
        self._dirty: set[str] = set()
        self._is_all_dirty = self._is_status_dirty = False
        self._fetching: asyncio.Task[None] | None = None
        self._sampling: asyncio.Task[None] | None = None
        self._next_fetch_s = self._next_figures_s = self._next_all_figures_s = 0.0
        self._watched: frozenset[str] | None = None
        self._lost_s: float | None = None
        self._outage: Outage | None = None  # of the connection lost last, while it is still being counted
        self._outage_told_s: float | None = None
        self._relations: dict[str, Relations] | None = None
        self._relations_edition = 0  # so that an answer from before a change is not kept after it

    # What the screens say.

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with each event (`reset` and `gap` too) as it comes; returns what ends that."""
        self._listeners.append(listener)

        def leave() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return leave

    def watch(self, names: Iterable[str] | None) -> None:
        """These units are looked at, so their figures are wanted every second and all others' every five; None: nobody looks."""
        watched = None if names is None else frozenset(names)
        if watched == self._watched:
            return
        if self._watched is None or watched is None or not watched <= self._watched:
            self._next_figures_s = 0.0  # new ones are wanted now
        self._watched = watched
        self._agenda.set()

    def resync(self) -> None:
        """Try at once if the connection is lost; fetch everything anew, whatever is believed, if it is not."""
        self._retry_now.set()
        self._is_all_dirty = self._is_status_dirty = True
        self._forget_relations()
        self._agenda.set()

    async def relations(self) -> dict[str, Relations]:
        """Of all units, kept until unit files change. Raises LinkLost and Refused."""
        if self._relations is not None:
            return self._relations
        edition = self._relations_edition
        known = await self._transport.relations()
        if edition == self._relations_edition:
            self._relations = known
        return known

    def _forget_relations(self) -> None:
        self._relations = None
        self._relations_edition += 1

    # The two tasks.

    async def run(self) -> None:
        """Until it is cancelled."""
        attending = asyncio.create_task(self._attend())
        try:
            await self._connect_for_ever()
        finally:
            tasks = [task for task in (attending, self._stream, self._fetching, self._sampling) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect_for_ever(self) -> None:
        backoff_s = BACKOFF_FIRST_S
        while True:
            self._stream = asyncio.create_task(self._read())
            await asyncio.wait({self._stream})
            if self.link.phase in (LIVE, STALE):
                backoff_s = BACKOFF_FIRST_S
            delay_s = backoff_s * (1 + self._chance.uniform(-BACKOFF_JITTER, BACKOFF_JITTER))
            backoff_s = min(backoff_s * 2, BACKOFF_LAST_S)
            self._lose(self._reason_of(self._stream), delay_s)
            self._retry_now.clear()
            await _first_of(self._retry_now.wait(), self._sleep(delay_s))
            self._set_link(replace(self.link, next_try_s=None))

    def _reason_of(self, stream: "asyncio.Task[None]") -> str:
        if stream.cancelled():
            return f"supd said nothing for {GIVE_UP_AFTER_S:.0f} s"
        error = stream.exception()
        if isinstance(error, (LinkLost, Refused)):
            return str(error)
        self.troubles.append(repr(error))
        return f"what supd sent could not be understood ({error})"

    async def _read(self) -> None:
        """One connection, from entering the stream to its end."""
        if self._last_id is None and self._lost_s is not None:
            self._last_id = UNKNOWN_ID
        async with aclosing(self._transport.events(self._last_id)) as stream:
            async for event in stream:
                self._heard_s = self._clock.monotonic_s()
                if self.link.phase == STALE:
                    self._store.set_stale(False)
                    self._set_link(replace(self.link, phase=LIVE, since_s=self._heard_s))
                if event["kind"] != ALIVE:
                    self._take(event)
                    continue
                self._last_id = event["id"] or self._last_id
                if self.link.phase != LIVE:
                    await self._enter()
        raise LinkLost("supd ended the stream of events")

    async def _enter(self) -> None:
        """We are in the stream: nothing that happens from now on is missed, so what is fetched now stays true."""
        began_s = self._clock.monotonic_s()
        self.status = await self._transport.hello()
        round_trip_s = self._clock.monotonic_s() - began_s
        briefs = await self._transport.units()
        self._dirty.clear()
        self._is_all_dirty = self._is_status_dirty = False
        self._forget_relations()
        self._store.replace(briefs)
        self._store.set_stale(False)
        self._heard_s = now_s = self._clock.monotonic_s()
        if self._lost_s is not None:
            self._outage = Outage(now_s - self._lost_s, 0, is_complete=True)
            self._outage_told_s = now_s + RECOVERY_S
            self._lost_s = None
        self._next_figures_s = self._next_all_figures_s = 0.0
        self._set_link(LinkState(LIVE, now_s, heard_time_s=self._clock.time_s(), round_trip_s=round_trip_s))
        self._agenda.set()

    def _take(self, event: Json) -> None:
        if event["kind"] == CHANGED:
            self._dirty.update(map(str, event["units"]))
            self._agenda.set()
            return
        kind, unit, event_id = str(event["kind"]), event.get("unit"), event.get("id")
        if kind == "reset":
            self.gaps += 1
            self._is_all_dirty = True
            if self._outage is not None:
                is_other = _epoch(self._last_id) != _epoch(event_id)
                self._outage = replace(self._outage, is_complete=False, is_other_manager=is_other)
        elif self._outage is not None:
            self._outage = replace(self._outage, recovered=self._outage.recovered + 1)
        if event_id:
            self._last_id = str(event_id)
        if unit:
            self._dirty.add(str(unit))
        if kind in _KINDS_OF_FILES or not unit:
            self._is_status_dirty = True
            self._forget_relations()
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:  # a screen's fault must not end the session
                self.troubles.append(repr(error))
        self._agenda.set()

    # What time asks for.

    async def _attend(self) -> None:
        while True:
            self._agenda.clear()
            now_s = self._clock.monotonic_s()
            due_s = self._do_what_is_due(now_s)
            if due_s is None:
                await self._agenda.wait()
            else:
                await _first_of(self._agenda.wait(), self._sleep(max(0.0, due_s - now_s)))

    def _do_what_is_due(self, now_s: float) -> float | None:
        """Do it, and return when something is due again; None: not by time alone."""
        if self.link.phase not in (LIVE, STALE):
            return None
        due = [self._judge_silence(now_s)]
        if self._outage_told_s is not None:
            if now_s >= self._outage_told_s:
                self._set_link(replace(self.link, outage=self._outage))
                self._outage = self._outage_told_s = None
            else:
                due.append(self._outage_told_s)
        if self._fetching is None and (self._dirty or self._is_all_dirty or self._is_status_dirty):
            if now_s >= self._next_fetch_s:
                self._fetching = self._start(self._fetch(), self._fetched)
            else:
                due.append(self._next_fetch_s)
        if self._watched is not None and self._sampling is None:
            next_s = min(self._next_figures_s, self._next_all_figures_s)
            if now_s >= next_s:
                self._sampling = self._start(self._sample(now_s), self._sampled)
            else:
                due.append(next_s)
        return min(due)

    def _judge_silence(self, now_s: float) -> float:
        """Call the picture stale, or the connection dead, when it is time; returns when to look again."""
        stale_s, dead_s = self._heard_s + STALE_AFTER_S, self._heard_s + GIVE_UP_AFTER_S
        if now_s < stale_s:
            return stale_s
        if self.link.phase == LIVE:
            self._store.set_stale(True)
            self._set_link(replace(self.link, phase=STALE, since_s=now_s, heard_time_s=self._heard_time_s(now_s)))
        if now_s >= dead_s and self._stream is not None:
            self._stream.cancel()
            return now_s + GIVE_UP_AFTER_S
        return dead_s

    def _start(self, work: "Awaitable[None]", on_end: Callable[[], None]) -> "asyncio.Task[None]":
        async def guarded() -> None:
            try:
                await work
            except (LinkLost, Refused):
                pass  # the stream tells of a lost link; everything is fetched again once it is back
            except Exception as error:  # a fault of ours, or an answer that cannot be: the picture goes on
                self.troubles.append(repr(error))
            finally:
                on_end()
                self._agenda.set()

        return asyncio.create_task(guarded())

    def _fetched(self) -> None:
        self._fetching = None
        self._next_fetch_s = self._clock.monotonic_s() + FETCH_INTERVAL_S

    def _sampled(self) -> None:
        self._sampling = None

    async def _fetch(self) -> None:
        names, is_all, is_status = self._dirty, self._is_all_dirty, self._is_status_dirty
        self._dirty, self._is_all_dirty, self._is_status_dirty = set(), False, False
        if is_status:
            self.status = await self._transport.hello()
        if is_all or len(names) > max(FETCH_ALL_ABOVE_UNITS, len(self._store) // 2):
            self._store.replace(await self._transport.units())
        elif names:
            briefs = await self._transport.units(sorted(names))
            self._store.update(briefs)
            self._store.remove(names - {str(brief["id"]) for brief in briefs})
        self._on_change()

    async def _sample(self, now_s: float) -> None:
        is_all = now_s >= self._next_all_figures_s
        watched = self._watched or frozenset()
        self._next_figures_s = now_s + FIGURES_INTERVAL_S
        if is_all:
            self._next_all_figures_s = now_s + ALL_FIGURES_INTERVAL_S
        elif not watched:
            return
        began_s = self._clock.monotonic_s()
        said = await self._transport.figures(None if is_all else sorted(watched))
        if not is_all:  # those of every unit take supd a while
            self.link = replace(self.link, round_trip_s=self._clock.monotonic_s() - began_s)
        self._figures.record(said["monotonic_s"], said["units"], is_all=is_all)
        self._on_change()

    # Saying how it stands.

    def _lose(self, reason: str, delay_s: float) -> None:
        now_s = self._clock.monotonic_s()
        if self.link.phase in (LIVE, STALE):
            self._lost_s = now_s if self.link.phase == LIVE else self.link.since_s
            self._outage = self._outage_told_s = None
            heard_time_s: float | None = self._heard_time_s(now_s)
        else:
            heard_time_s = self.link.heard_time_s
        since_s = self.link.since_s if self.link.phase == LOST else now_s
        self._store.set_stale(True)
        self._set_link(LinkState(LOST, since_s, reason, now_s + delay_s, heard_time_s))

    def _heard_time_s(self, now_s: float) -> float:
        return self._clock.time_s() - (now_s - self._heard_s)

    def _set_link(self, link: LinkState) -> None:
        self.link = link
        self._on_change()


async def _first_of(*works: Awaitable[object]) -> None:
    """Wait until one of them is done; the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _epoch(event_id: object) -> str:
    return str(event_id or "").rpartition("-")[0]
