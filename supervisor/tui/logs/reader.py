"""What a person does with a log: choose lines, search, jump, mark, select, copy. The state of one log pane without its widgets.

Decides what each of those means for the lines that are in memory; what lies further back is asked for by whoever owns the pages.
`hides` chooses between showing the wanted lines alone and showing all with the others dimmed. Everything here survives every toggle.

Never: does more than a slice of work a call (`work`, and each step of `seek`), so that a key is never kept waiting.
"""

from collections.abc import Iterator
from dataclasses import replace

from supervisor.tui.logs import levels
from supervisor.tui.logs.filters import Filter
from supervisor.tui.logs.index import SLICE_LINES, LogIndex
from supervisor.tui.logs.paint import TIME_MODES, UNIT_WIDTH_MAX, Painting
from supervisor.tui.logs.store import RUN, TEXT, Line, LogStore
from supervisor.tui.logs.viewport import Viewport

ERRORS = Filter(least_level=levels.ERROR)
LEVEL_STEPS = (levels.NONE, levels.INFO, levels.WARN, levels.ERROR)
_EVERYTHING = Filter()


class LogReader:
    """One person's view of one store."""

    def __init__(self, store: LogStore) -> None:
        self.store = store
        self.wanted = _EVERYTHING
        self.hides = True
        self.search = ""
        self.time_mode = TIME_MODES[0]
        self.is_ascii = False
        self.units: tuple[str, ...] = ()
        self.marks: set[int] = set()
        self.anchor: int | None = None  # where a selection began
        self.index = LogIndex(store, _EVERYTHING)
        self.hits: LogIndex | None = None
        self.view = Viewport(self.index, lambda line_id: 1)
        self._added = store.added

    def painting(self) -> Painting:
        """How lines are painted now."""
        width = max((len(unit) for unit in self.units), default=0) if len(self.units) > 1 else 0
        found = tuple(typed for typed in (self.search, self.wanted.include) if typed)
        return Painting(self.time_mode, min(width, UNIT_WIDTH_MAX), True, self.is_ascii, found)

    def arrived(self) -> bool:
        """Take up what was added at the living end; whether there was anything."""
        count = self.store.added - self._added
        self.store.trim(self.view.reading_id)
        if not count:
            return False
        self._added = self.store.added
        self.view.arrived(count if self.index.wanted.is_empty else self.index.extend())
        if self.hits is not None:
            self.hits.extend()
        return True

    def work(self) -> bool:
        """Look at some more lines for the filter or the count of hits; False when nothing is left to do."""
        return self.index.build() or (self.hits is not None and self.hits.build())

    def want(self, wanted: Filter) -> None:
        """Other lines are wanted; the place stays, as near as may be."""
        self.wanted = wanted
        self._choose()

    def toggle_hides(self) -> None:
        self.hides = not self.hides
        self._choose()

    def look_for(self, typed: str) -> None:
        """Search for this; empty: for nothing."""
        self.search = typed
        self._count_hits()

    def is_dimmed(self, line: Line) -> bool:
        """Whether this line is context only."""
        return not self.hides and not self.wanted.is_empty and line.kind == TEXT and not self.wanted.matches(line)

    def hit_count(self) -> tuple[int, int, bool]:
        """(rank of the hit at the cursor or the next after it, from 1; hits in memory; whether all of it has been looked at)."""
        if self.hits is None:
            return 0, 0, True
        total = len(self.hits)
        cursor = self.view.cursor
        rank = self.hits.position_of(cursor) + 1 if cursor is not None else 0
        return min(rank, total), total, self.hits.is_complete

    def next_level(self) -> None:
        """The level filter goes round: all, info, warn, error."""
        at = LEVEL_STEPS.index(self.wanted.least_level) if self.wanted.least_level in LEVEL_STEPS else 0
        self.want(replace(self.wanted, least_level=LEVEL_STEPS[(at + 1) % len(LEVEL_STEPS)]))

    def next_time_mode(self) -> None:
        self.time_mode = TIME_MODES[(TIME_MODES.index(self.time_mode) + 1) % len(TIME_MODES)]

    def seek(self, wanted: Filter, step: int, *, kind: int = TEXT, start: int | None = None) -> Iterator[int | None]:
        """Look from behind the cursor on, down (`step` 1) or up (-1), for a shown line that is `wanted`: its id as the last value.

        None is given after each slice in which there was none; when all lines in memory were looked at, the values end.
        `start`: an id to begin at instead, itself left out. Lines may come and go between two slices: the place is kept as an id, for
        the rank of a line is another one as soon as a page was put in above it.
        """
        last = self.view.cursor if start is None else start
        while last is not None:
            at = self.index.position_of(last) + (step if self.index.holds(last) or step < 0 else 0)
            total = len(self.index)
            if not 0 <= at < total:
                return
            count = min(SLICE_LINES, total - at if step > 0 else at + 1)
            ids = self.index.ids(at if step > 0 else at - count + 1, count)
            if step < 0:
                ids.reverse()
            found = self._first(ids, wanted, kind)
            yield found
            if found is not None:
                return
            last = ids[-1]

    def _first(self, ids: list[int], wanted: Filter, kind: int) -> int | None:
        for line_id in ids:
            chunk, place = self.store.find(line_id)
            if chunk.kind(place) == kind and (kind == RUN or wanted.matches(chunk.line(place))):
                return line_id
        return None

    def toggle_mark(self) -> None:
        cursor = self.view.cursor
        if cursor is not None:
            self.view.pause()
            self.marks ^= {cursor}

    def toggle_selection(self) -> None:
        """Begin a selection at the cursor, or end it."""
        self.view.pause()
        self.anchor = self.view.cursor if self.anchor is None else None

    def selection(self) -> list[int]:
        """The ids that are chosen: from the anchor to the cursor, or the cursor's line alone."""
        cursor = self.view.cursor
        if cursor is None:
            return []
        if self.anchor is None:
            return [cursor]
        first, last = sorted((self.anchor, cursor))
        start = self.index.position_of(first)
        return [each for each in self.index.ids(start, self.index.position_of(last) - start + 1) if first <= each <= last]

    def selected_bytes(self) -> bytes:
        """The chosen lines as their units wrote them, with newlines between; nothing is added, shown or left out."""
        lines = [self.store.line(each) for each in self.selection()]
        return b"\n".join(line.text for line in lines if line.kind == TEXT)

    def _choose(self) -> None:
        index = LogIndex(self.store, self.wanted if self.hides else _EVERYTHING)
        index.build()
        self.index = index
        self.view.show(index)
        self._count_hits()

    def _count_hits(self) -> None:
        if not self.search:
            self.hits = None
            return
        wanted = replace(self.wanted if self.hides else _EVERYTHING, search=self.search)
        if self.hits is None or self.hits.wanted != wanted:
            self.hits = LogIndex(self.store, wanted)
