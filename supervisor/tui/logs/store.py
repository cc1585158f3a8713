"""The lines of one or more units in memory: packed bytes and arrays, in chunks, each line under an id that never changes.

Laws:
- A line is bytes in its chunk's one `bytearray` and a row in its arrays: no object per line, so that a hundred thousand of them cost the
  garbage collector nothing. `line()` makes a value of one for who wants to look at it.
- A chunk is about a twentieth of the whole. What is too much is dropped by chunks, the oldest first; a chunk near the place where
  somebody reads is kept, and then there is a hole behind it, which `is_joined` tells and paging can fill.
- An id is (number of the chunk, place in it), so ids rise with time and one that is gone is never given to another line. Chunks
  of the living end are numbered in steps, so that pages fetched from disk find numbers between and below.
- A change of run is a line of its own (kind RUN), and so is what the reader itself has to say, such as a gap (kind NOTE).
- `position` of a chunk's begin and end is the reader's own: where to page on from. This module never looks at it.

Never: reads a file, knows the time, or decodes text.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from supervisor.client.logindex import NO_RUN
from supervisor.tui.logs import levels

CAPACITY_LINES = 100_000
CAPACITY_BYTES = 48 << 20
CHUNKS = 20
KEPT_BYTES = 64 << 10  # of one line; how long it really was is remembered
WINDOW_SHARE = 5  # a fifth of the whole is kept on either side of the place where somebody reads; the newest have the rest

TEXT, RUN, NOTE = range(3)
_KIND_SHIFT = 4
_LEVEL_MASK = 0x0F
_UNKNOWN_LEVEL = 0x0F

LOCAL_BITS = 20
LOCAL_MASK = (1 << LOCAL_BITS) - 1
_FIRST_NUMBER = 1 << 32
_NUMBER_STEP = 64


class Burst(NamedTuple):
    """Lines that one run of one unit wrote at one time: what an index entry speaks of. Texts are without newlines."""

    time_us: int
    unit: str
    run: bytes
    texts: Sequence[bytes]


class Line(NamedTuple):
    """One line. `text` holds at most KEPT_BYTES of it, `length` says how many bytes it had. For kind NOTE, `unit` is empty."""

    id: int
    time_us: int
    unit: str
    run: bytes
    level: int
    kind: int
    text: bytes
    length: int


class Chunk:
    """A few thousand lines in a row. `text` has a newline after each, so that it can be searched as one."""

    __slots__ = (
        "_cut",
        "_flags",
        "_names",
        "_origins",
        "_sources",
        "_times",
        "begin",
        "end",
        "ends",
        "is_joined",
        "landmarks",
        "number",
        "text",
    )

    def __init__(self, number: int, begin: object, is_joined: bool) -> None:
        self.number = number
        self.begin = begin
        self.end = begin
        self.is_joined = is_joined  # nothing is missing between the chunk before and this one
        self.text = bytearray()
        self.ends = array("I")  # of each line, after its newline
        self.landmarks: list[int] = []  # the places of lines that are no unit's text
        self._times = array("Q")
        self._sources = array("H")
        self._flags = array("B")
        self._names: list[tuple[str, bytes]] = []
        self._origins: dict[tuple[str, bytes], int] = {}
        self._cut: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def first_id(self) -> int:
        return self.number << LOCAL_BITS

    def add(self, burst: Burst, kind: int = TEXT) -> None:
        texts, count = burst.texts, len(burst.texts)
        if any(len(text) > KEPT_BYTES for text in texts):
            base = len(self.ends)
            self._cut.update({base + place: len(text) for place, text in enumerate(texts) if len(text) > KEPT_BYTES})
            texts = [text[:KEPT_BYTES] for text in texts]
        if kind != TEXT:
            self.landmarks.extend(range(len(self.ends), len(self.ends) + count))
        start = len(self.text)
        self.text += b"\n".join(texts)
        self.text += b"\n"
        self.ends.extend(accumulate([len(text) + 1 for text in texts[1:]], initial=start + len(texts[0]) + 1))
        self._times.extend([burst.time_us] * count)
        self._sources.extend([self._source(burst.unit, burst.run)] * count)
        self._flags.extend([kind << _KIND_SHIFT | (_UNKNOWN_LEVEL if kind == TEXT else levels.NONE)] * count)

    def _source(self, unit: str, run: bytes) -> int:
        key = (unit, run)
        found = self._origins.get(key)
        if found is None:
            found = self._origins[key] = len(self._names)
            self._names.append(key)
        return found

    def raw(self, place: int) -> bytes:
        """The bytes of a line, without its newline."""
        return bytes(self.text[self.ends[place - 1] if place else 0 : self.ends[place] - 1])

    def time_us(self, place: int) -> int:
        return self._times[place]

    def kind(self, place: int) -> int:
        return self._flags[place] >> _KIND_SHIFT

    def source(self, place: int) -> tuple[str, bytes]:
        """(unit, run)."""
        return self._names[self._sources[place]]

    def level(self, place: int) -> int:
        """The level of a line; one that belongs to the line before has that one's, if it is the same unit's and in this chunk."""
        known = self._flags[place] & _LEVEL_MASK
        if known != _UNKNOWN_LEVEL:
            return known
        first = place
        while (found := levels.detect(self.raw(first))) == levels.CONTINUES:
            if not first or self._sources[first - 1] != self._sources[place] or self.kind(first - 1) != TEXT:
                found = levels.NONE
                break
            first -= 1
            known = self._flags[first] & _LEVEL_MASK
            if known != _UNKNOWN_LEVEL:
                found = known
                break
        for each in range(first, place + 1):
            self._flags[each] = found
        return found

    def line(self, place: int) -> Line:
        unit, run = self.source(place)
        text = self.raw(place)
        length = self._cut.get(place, len(text))
        return Line(self.first_id + place, self.time_us(place), unit, run, self.level(place), self.kind(place), text, length)

    def times(self) -> Sequence[int]:
        return self._times

    def runs_at_ends(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """By unit, the first run that speaks in this chunk, and the last."""
        first: dict[str, bytes] = {}
        for unit, run in self._names:
            if run != NO_RUN:
                first.setdefault(unit, run)
        last: dict[str, bytes] = {}
        seen: set[int] = set()
        for source in reversed(self._sources):
            if source not in seen:
                seen.add(source)
                unit, run = self._names[source]
                if run != NO_RUN:
                    last.setdefault(unit, run)
                if len(seen) == len(self._names):
                    break
        return first, last


class LogStore:
    """See the head of this module. `added` counts the lines of the living end since the store was made, dropped ones too."""

    def __init__(self, capacity_lines: int = CAPACITY_LINES, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self.capacity_lines = capacity_lines
        self.capacity_bytes = capacity_bytes
        self.chunks: list[Chunk] = []
        self.added = 0
        self.is_full = False  # lines had to be dropped for want of room
        self.generation = 0  # changes when chunks come or go, not when the last one grows
        self._last_runs: dict[str, bytes] = {}

    def __len__(self) -> int:
        return sum(map(len, self.chunks))

    @property
    def size_bytes(self) -> int:
        return sum(len(chunk.text) for chunk in self.chunks)

    @property
    def window_lines(self) -> int:
        """So many lines on either side of the place where somebody reads are kept, whatever comes."""
        return self.capacity_lines // WINDOW_SHARE

    def append(self, bursts: Sequence[Burst], end: object, begin: object = None) -> int:
        """Add what came at the living end, oldest first; returns how many lines that were, with boundaries.

        `end`: the reader's position after them; `begin`: before them, needed for the first call only.
        """
        chunk = self._open_chunk(begin)
        before = len(chunk)
        for burst in bursts:
            if not burst.texts:
                continue
            self._mark_run(chunk, burst)
            chunk.add(burst)
        chunk.end = end
        self.added += len(chunk) - before
        return len(chunk) - before

    def note(self, time_us: int, text: str) -> None:
        """A line of the reader's own at the living end, such as "3 lines lost"."""
        chunk = self._open_chunk(None)
        chunk.add(Burst(time_us, "", NO_RUN, [text.encode()]), NOTE)
        self.added += 1

    def prepend(self, bursts: Sequence[Burst], begin: object, end: object) -> Chunk | None:
        """Add a page from before the oldest line; the new chunk, None if the page is empty."""
        return self._insert(0, bursts, begin, end)

    def fill(self, after: Chunk, bursts: Sequence[Burst], end: object, *, is_complete: bool) -> Chunk | None:
        """Add a page behind `after`, into the hole that is there. `is_complete`: the hole is closed with it."""
        place = self.chunks.index(after) + 1
        if is_complete and place < len(self.chunks):
            self.chunks[place].is_joined = True
            self.generation += 1
        return self._insert(place, bursts, after.end, end)

    def line(self, line_id: int) -> Line:
        """The line of this id. Raises KeyError when it is not, or no longer, here."""
        chunk, place = self.find(line_id)
        return chunk.line(place)

    def find(self, line_id: int) -> tuple[Chunk, int]:
        """(chunk, place in it). Raises KeyError."""
        number, place = line_id >> LOCAL_BITS, line_id & LOCAL_MASK
        at = self.chunk_at(number)
        if at < len(self.chunks) and self.chunks[at].number == number and place < len(self.chunks[at]):
            return self.chunks[at], place
        raise KeyError(line_id)

    def chunk_at(self, number: int) -> int:
        """The place in `chunks` of the first whose number is not smaller."""
        return bisect_left(self.chunks, number, key=lambda chunk: chunk.number)

    def hole_between(self, first_id: int, last_id: int) -> Chunk | None:
        """The chunk before the first hole between these lines; None when nothing is missing there, or nothing that would be kept for
        who reads at the first. Raises KeyError."""
        first, last = self.find(first_id)[0], self.find(last_id)[0]
        start = self.chunk_at(first.number)
        for at in range(start + 1, min(self.chunk_at(last.number), self._reach(start, 1)) + 1):
            if not self.chunks[at].is_joined:
                return self.chunks[at - 1]
        return None

    def behind_hole(self, chunk: Chunk) -> Chunk | None:
        """The chunk that follows the hole behind this one; None when there is no hole, or the chunk is not here any more."""
        at = self.chunk_at(chunk.number) + 1
        if at >= len(self.chunks) or self.chunks[at - 1] is not chunk or self.chunks[at].is_joined:
            return None
        return self.chunks[at]

    def after_time(self, time_us: int) -> int | None:
        """The id of the first line at this time or later; None when all are older. Right where times rise, as they all but do."""
        for chunk in self.chunks:
            if len(chunk) and chunk.times()[-1] >= time_us:
                return chunk.first_id + bisect_left(chunk.times(), time_us)
        return None

    def trim(self, reading_id: int | None = None) -> list[Chunk]:
        """Drop what is too much, by chunks, and return them; a window around `reading_id` stays, at the cost of the newest lines' share."""
        window = range(0)
        if reading_id is not None and self.chunks:
            centre = max(0, bisect_right(self.chunks, reading_id >> LOCAL_BITS, key=lambda chunk: chunk.number) - 1)
            window = range(self._reach(centre, -1), self._reach(centre, 1) + 1)
        kept_lines = sum(len(self.chunks[place]) for place in window)
        kept_bytes = sum(len(self.chunks[place].text) for place in window)
        newest = len(self.chunks)
        while newest > 0:
            chunk = self.chunks[newest - 1]
            if newest - 1 not in window:
                kept_lines += len(chunk)
                kept_bytes += len(chunk.text)
            if newest < len(self.chunks) and (kept_lines > self.capacity_lines or kept_bytes > self.capacity_bytes):
                break
            newest -= 1
        dropped = [chunk for place, chunk in enumerate(self.chunks[:newest]) if place not in window]
        if dropped:
            gone = {chunk.number for chunk in dropped}
            kept = []
            is_after_hole = False
            for chunk in self.chunks:
                if chunk.number in gone:
                    is_after_hole = True
                    continue
                if is_after_hole:
                    chunk.is_joined, is_after_hole = False, False
                kept.append(chunk)
            self.chunks = kept
            self.generation += 1
            self.is_full = True
        return dropped

    def _reach(self, at: int, step: int) -> int:
        """The place in `chunks` that is a window's end, from its centre `at` on: by lines, since pages may hold few, and by bytes."""
        left_lines, left_bytes = self.window_lines, self.capacity_bytes // WINDOW_SHARE
        while 0 <= at + step < len(self.chunks) and left_lines > 0 and left_bytes > 0:
            at += step
            left_lines -= len(self.chunks[at])
            left_bytes -= len(self.chunks[at].text)
        return at

    def drop_before(self, number: int) -> None:
        """Forget the chunks below this number: pages that were read under another filter."""
        at = self.chunk_at(number)
        if at:
            self.chunks = self.chunks[at:]
            if self.chunks:
                self.chunks[0].is_joined = False
            self.generation += 1

    def ids(self) -> Iterator[int]:
        for chunk in self.chunks:
            yield from range(chunk.first_id, chunk.first_id + len(chunk))

    def _open_chunk(self, begin: object) -> Chunk:
        last = self.chunks[-1] if self.chunks else None
        if last is not None and len(last) < self.capacity_lines // CHUNKS and len(last.text) < self.capacity_bytes // CHUNKS:
            return last
        number = _FIRST_NUMBER if last is None else (last.number // _NUMBER_STEP + 1) * _NUMBER_STEP
        chunk = Chunk(number, begin if last is None else last.end, is_joined=last is not None)
        self.chunks.append(chunk)
        self.generation += 1
        return chunk

    def _mark_run(self, chunk: Chunk, burst: Burst) -> None:
        if burst.run == NO_RUN:
            return
        before = self._last_runs.get(burst.unit)
        if before != burst.run:
            self._last_runs[burst.unit] = burst.run
            if before is not None:
                chunk.add(Burst(burst.time_us, burst.unit, burst.run, [before.hex().encode()]), RUN)

    def _insert(self, place: int, bursts: Sequence[Burst], begin: object, end: object) -> Chunk | None:
        bursts = [burst for burst in bursts if burst.texts]
        if not bursts:
            return None
        following = self.chunks[place] if place < len(self.chunks) else None
        below = following.number if following is not None else _FIRST_NUMBER + 1
        number = self.chunks[place - 1].number + 1 if place else below - 1
        while following is not None and place and following.number <= number:
            # No number is left in this hole: what lies behind it is read again.
            del self.chunks[place]
            following = self.chunks[place] if place < len(self.chunks) else None
            if following is not None:
                following.is_joined = False
        chunk = Chunk(number, begin, is_joined=place > 0)
        runs: dict[str, bytes] = self.chunks[place - 1].runs_at_ends()[1] if place else {}
        for burst in bursts:
            before = runs.get(burst.unit)
            if burst.run != NO_RUN and before != burst.run:
                runs[burst.unit] = burst.run
                if before is not None:
                    chunk.add(Burst(burst.time_us, burst.unit, burst.run, [before.hex().encode()]), RUN)
            chunk.add(burst)
        chunk.end = end
        if following is not None and not place:
            following.is_joined = True
        if following is not None and following.is_joined:
            self._mark_runs_between(chunk, runs, following)
        if following is None:
            self._last_runs.update(runs)
        self.chunks.insert(place, chunk)
        self.generation += 1
        return chunk

    def _mark_runs_between(self, chunk: Chunk, runs: dict[str, bytes], following: Chunk) -> None:
        """A run that begins exactly where the page ends has its boundary at the page's end."""
        time_us = following.time_us(0) if len(following) else chunk.time_us(len(chunk) - 1)
        for unit, run in following.runs_at_ends()[0].items():
            before = runs.get(unit)
            if before is not None and before != run:
                chunk.add(Burst(time_us, unit, run, [before.hex().encode()]), RUN)
