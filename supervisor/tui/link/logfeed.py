"""The logs of some units, kept in a store: the end as it grows, older lines page by page, holes where somebody reads.

Files are read where we may read them, and inotify wakes us; otherwise the API is asked, once a second. What is slow (a page from disk,
an answer from afar) happens in a thread; what comes at the living end is taken on the loop, in turns that are bounded in lines.

Laws:
- The lines of a unit are in the store in their order, none twice, none left out: every chunk knows the places of all streams at its
  begin and end, and paging goes on from there.
- Lines come in batches; the one call to `on_change` says that there is something, whatever it is.
- A line without its newline is not a line yet.

Never: waits for a person, holds up supd, or believes a path that supd named (the transport does, and says "" where it does not).
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING

from supervisor.client import logpages
from supervisor.client.inotify import Notifier
from supervisor.client.logfilter import Filter as PageFilter
from supervisor.client.loglines import BEGIN, Line, LocalStream
from supervisor.client.logpages import Reading
from supervisor.tui.link.protocol import LinkLost, Refused, Transport
from supervisor.tui.link.remotelogs import streams_through
from supervisor.tui.logs.filters import Filter, pattern
from supervisor.tui.logs.store import CAPACITY_LINES, Burst, Chunk, LogStore

if TYPE_CHECKING:
    from supervisor.client.logpages import Cursor, Stream

FIRST_LINES = 500
PAGE_LINES = 2_000
TURN_LINES = 4_000  # taken at the living end before keys have their turn
SCAN_BYTES = 8 << 20  # looked at for one page; then whoever waits may change his mind
BATCH_S = 0.05  # what comes within this time is one batch
REMOTE_PAUSE_S = 1.0
REMOTE_UNITS_A_SECOND = 20
_FILL_PAUSE_S = 0.01  # between pages that nobody waits for


class LogFeed:
    """The log of `units` in `store`. `run` keeps it until it is cancelled; the rest may be asked meanwhile."""

    def __init__(self, units: Sequence[str], transport: Transport, on_change: Callable[[], None]) -> None:
        self.units = tuple(units)
        self.store = LogStore()
        self.is_open = False  # the newest lines are there
        self.is_paging = False
        self.trouble = ""  # why nothing can be read now
        self.wanted_lines = PAGE_LINES  # so many are fetched from the past without being asked for
        self._transport = transport
        self._on_change = on_change
        self._streams: dict[str, list[Stream]] = {}
        self._readings: dict[str, Reading] = {}
        self._cursor: Cursor = {}
        self._paged_by = Filter()  # of the pages below the whole ones
        self._scanned_to: Cursor | None = None  # what was looked at in vain before the oldest line
        self._is_scanned = False  # ... to the begin
        self._begin_number: int | None = None  # of the chunk before which nothing is
        self._first_whole = 0  # the number of the oldest chunk in which nothing was left out
        self._lock = asyncio.Lock()

    @property
    def is_at_begin(self) -> bool:
        """Whether nothing older than what is in the store exists, or is wanted."""
        return self._is_scanned or (bool(self.store.chunks) and self.store.chunks[0].number == self._begin_number)

    @property
    def is_filled(self) -> bool:
        """Whether no more of the past is fetched unasked. A store that had to drop lines is full: it would only drop the next page too."""
        return self.is_at_begin or self.store.is_full or len(self.store) >= self.wanted_lines

    async def run(self) -> None:
        """Open, then follow. A lost link or a refusal is told in `trouble` and tried again."""
        while True:
            try:
                await self._open()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._follow())
                    group.create_task(self._fill_up())
            except* (LinkLost, Refused, OSError) as errors:
                self.trouble = str(_first_of(errors))
                self._on_change()
            await asyncio.sleep(REMOTE_PAUSE_S)

    def want_lines(self, count: int) -> None:
        """Fetch so many from the past, when there is time."""
        self.wanted_lines = max(self.wanted_lines, min(count, CAPACITY_LINES))

    async def page_back(self, wanted: Filter) -> bool:
        """One page of older lines into the store, of `wanted` ones only once all that fits was read; False when nothing came."""
        if not self.is_open or self._lock.locked():
            return False
        async with self._lock:
            if not self.store.chunks:
                return False
            is_whole = wanted.is_empty or len(self.store) < self.store.capacity_lines
            wanted = Filter() if is_whole else wanted
            self._forget_pages_of_others(wanted)
            return not self.is_at_begin and await self._page_back(wanted)

    async def fill(self, after: Chunk) -> bool:
        """One page into the hole behind this chunk; False when nothing came."""
        if self._lock.locked() or self.store.behind_hole(after) is None:
            return False
        async with self._lock:
            wanted = self._paged_by if after.number < self._first_whole else Filter()
            reading = logpages.forward(self._all_streams(), _cursor(after.end), _page_filter(wanted))
            with self._paging():
                lines = await asyncio.to_thread(reading.take, PAGE_LINES, SCAN_BYTES)
            following = self.store.behind_hole(after)
            if following is None:  # dropped meanwhile
                self._on_change()
                return False
            begin = _cursor(following.begin)
            missing = [line for line in lines if line.ends and line.place < begin.get((line.unit, line.stream), BEGIN)]
            is_complete = reading.is_over or all(place >= begin.get(name, BEGIN) for name, place in reading.cursor.items())
            # Not where the reading ended: what lies behind the hole is not in this page.
            end = {name: min(place, begin.get(name, BEGIN)) for name, place in reading.cursor.items()}
            filled = self.store.fill(after, bursts(missing), end, is_complete=is_complete)
            self._on_change()
            return filled is not None

    async def _open(self) -> None:
        if self.is_open:
            return
        self._streams = {unit: self._streams_of(unit) for unit in self.units}
        streams = self._all_streams()
        end = await asyncio.to_thread(logpages.end_of, streams)
        reading = logpages.backward(streams, end)
        lines = await asyncio.to_thread(reading.take, FIRST_LINES)
        self._cursor = dict(end)
        self.store.append(bursts(reversed(lines)), dict(end), reading.cursor)
        self._first_whole = self.store.chunks[0].number
        self._begin_number = self._first_whole if reading.is_over else None
        for unit, own in self._streams.items():
            self._readings[unit] = logpages.forward(own, {name: end[name] for name in _names(own)})
        self.is_open, self.trouble = True, ""
        self._on_change()

    async def _fill_up(self) -> None:
        while True:
            if self.is_filled:
                await asyncio.sleep(REMOTE_PAUSE_S / 4)
                continue
            await self.page_back(Filter())
            await asyncio.sleep(_FILL_PAUSE_S)

    async def _page_back(self, wanted: Filter) -> bool:
        oldest = self.store.chunks[0]
        end = self._scanned_to or _cursor(oldest.begin)
        reading = logpages.backward(self._all_streams(), end, _page_filter(wanted))
        with self._paging():
            lines = await asyncio.to_thread(reading.take, PAGE_LINES, SCAN_BYTES)
        if not self.store.chunks or self.store.chunks[0] is not oldest:
            self._on_change()
            return False  # dropped meanwhile: it is for whoever asks to ask again
        chunk = self.store.prepend(bursts(reversed(lines)), reading.cursor, end)
        self._scanned_to = reading.cursor if chunk is None else None
        if wanted.is_empty:
            self._first_whole = self.store.chunks[0].number
            self._begin_number = self._first_whole if reading.is_over else None
        else:
            self._is_scanned = reading.is_over
        self._on_change()
        return chunk is not None or not reading.is_over

    def _forget_pages_of_others(self, wanted: Filter) -> None:
        """Pages that were read under another filter hold other lines than are wanted now."""
        if wanted != self._paged_by:
            self.store.drop_before(self._first_whole)
            self._paged_by, self._scanned_to, self._is_scanned = wanted, None, False

    async def _follow(self) -> None:
        local = [unit for unit, own in self._streams.items() if all(isinstance(stream, LocalStream) for stream in own)]
        remote = [unit for unit in self.units if unit not in set(local)]
        async with asyncio.TaskGroup() as group:
            if local:
                group.create_task(self._follow_files(local))
            if remote:
                group.create_task(self._follow_api(remote))

    async def _follow_files(self, units: Sequence[str]) -> None:
        """Read whatever the kernel says has grown."""
        with _Watching({unit: _directories(self._streams[unit]) for unit in units}) as watching:
            grown = set(units)
            while True:
                more = await self._take(sorted(grown))
                if not more:
                    await asyncio.sleep(BATCH_S)
                grown = more | await watching.grown(is_waiting=not more)

    async def _follow_api(self, units: Sequence[str]) -> None:
        """Ask for each in turn; so many that supd is not asked more than it likes."""
        at = 0
        while True:
            turn = [units[(at + number) % len(units)] for number in range(min(len(units), REMOTE_UNITS_A_SECOND))]
            at += len(turn)
            for unit in turn:
                reading = self._readings[unit]
                self._add(await asyncio.to_thread(reading.take, TURN_LINES), [unit])
            self.trouble = ""
            await asyncio.sleep(REMOTE_PAUSE_S)

    async def _take(self, units: Sequence[str]) -> set[str]:
        """Take what these units wrote; those that have more."""
        share = max(100, TURN_LINES // max(1, len(units)))
        taken, more = [], set()
        for number, unit in enumerate(units):
            reading = self._readings[unit]
            taken.append(reading.take(share))
            if not reading.is_over:
                more.add(unit)
            if number % 20 == 19:
                await asyncio.sleep(0)
        self._add(merge(*taken, key=lambda line: line.time_us), units)
        await asyncio.sleep(0)
        return more

    def _add(self, lines: Iterable[Line], units: Sequence[str]) -> None:
        lines = list(lines)
        self._tell_of_gaps(lines)
        whole = bursts(lines)
        for unit in units:
            self._cursor.update(self._readings[unit].cursor)
        if whole:
            self.store.append(whole, dict(self._cursor))
            self._on_change()

    def _tell_of_gaps(self, lines: Sequence[Line]) -> None:
        """Say where a segment was removed before we read it: rotation counts by one, so a number that is left out is lost text."""
        at = {name: place[0] for name, place in self._cursor.items()}
        for line in lines:
            before = at.get((line.unit, line.stream), 0)
            if 0 < before < line.sequence - 1:
                self.store.note(line.time_us, f"{line.unit}: lines are missing here, for its log was rotated faster than it could be read")
            at[line.unit, line.stream] = line.sequence

    def _streams_of(self, unit: str) -> "list[Stream]":
        directory = self._transport.log_directory(unit)
        return logpages.streams_of(unit, directory) if directory else streams_through(self._transport, unit)

    def _all_streams(self) -> "list[Stream]":
        return [stream for own in self._streams.values() for stream in own]

    @contextlib.contextmanager
    def _paging(self) -> Iterator[None]:
        self.is_paging = True
        self._on_change()
        try:
            yield
        finally:
            self.is_paging = False


class _Watching:
    """Directories of units under inotify, on the loop. A context; what it holds is given back with it."""

    def __init__(self, directories: dict[str, list[str]]) -> None:
        self._directories = directories
        self._notifier = Notifier()
        self._woken = asyncio.Event()
        self._units_of: dict[str, set[str]] = {}
        self._missing: set[str] = set()

    def __enter__(self) -> "_Watching":
        for unit in self._directories:
            self._watch(unit)
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._notifier.fileno())
        self._notifier.close()

    async def grown(self, *, is_waiting: bool) -> set[str]:
        """The units whose directories changed; waits for the first if it may."""
        if is_waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._notifier.limit_s):
                    await self._woken.wait()
        paths = self._notifier.changed()
        if self._woken.is_set():
            self._woken.clear()
            self._listen()
        if paths is None:  # the kernel lost some, or tells nothing of what is spliced
            return set(self._directories)
        units = {unit for path in paths for unit in self._units_of.get(path, ())}
        for unit in list(units & self._missing):
            self._watch(unit)
        return units

    def _listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._notifier.fileno(), self._wake)

    def _wake(self) -> None:
        """Once: what comes until it is asked for what changed wakes nobody."""
        asyncio.get_running_loop().remove_reader(self._notifier.fileno())
        self._woken.set()

    def _watch(self, unit: str) -> None:
        """Watch its directories, or the nearest that exist: a log is born with its unit's first word."""
        self._missing.discard(unit)
        for directory in self._directories[unit]:
            path = directory
            while not self._notifier.add(path) and path not in ("/", ""):
                path = path.rpartition("/")[0] or "/"
                self._missing.add(unit)
            self._units_of.setdefault(path, set()).add(unit)


def bursts(lines: Iterable[Line]) -> list[Burst]:
    """Lines, oldest first, in bursts of one unit, run and time; one that may still grow is left out."""
    whole = (line for line in lines if line.ends)
    return [
        Burst(time_us, unit, run, [line.text for line in together])
        for (time_us, unit, run), together in groupby(whole, key=lambda line: (line.time_us, line.unit, line.run))
    ]


def _first_of(errors: BaseExceptionGroup[Exception]) -> Exception:
    first = errors.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first


def _page_filter(wanted: Filter) -> PageFilter:
    """What the reader of pages can leave out by itself; the rest is left out by whoever shows them."""
    return PageFilter(wanted.since_us, wanted.until_us, pattern=pattern(wanted.include).for_files() if wanted.include else None)


def _directories(streams: "Sequence[Stream]") -> list[str]:
    return [stream.directory for stream in streams if isinstance(stream, LocalStream)]


def _names(streams: "Sequence[Stream]") -> list[tuple[str, str]]:
    return [(stream.unit, stream.stream) for stream in streams]


def _cursor(position: object) -> "Cursor":
    assert isinstance(position, dict)
    return position
