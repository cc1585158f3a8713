"""Which lines are wanted: by text, by exclusion, by level, by time. A filter is a value; what it means for a line is decided here.

A boundary between runs is shown unless lines are chosen by their text; what the reader itself has to say is always shown.
"""

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

from supervisor.tui.logs import levels
from supervisor.tui.logs.patterns import Pattern
from supervisor.tui.logs.store import NOTE, RUN, TEXT, Chunk, Line


@dataclass(frozen=True, slots=True)
class Filter:
    """Patterns as typed, empty for none; `least_level` of `levels`; times in microseconds, `until_us` inclusive."""

    include: str = ""
    search: str = ""  # must be there too
    exclude: str = ""
    least_level: int = levels.NONE
    since_us: int = 0
    until_us: int | None = None

    @property
    def is_empty(self) -> bool:
        return self == _EMPTY

    def matches(self, line: Line) -> bool:
        """Whether this line is wanted."""
        if line.kind == NOTE:
            return True
        if line.time_us < self.since_us or (self.until_us is not None and line.time_us > self.until_us):
            return False
        if line.kind == RUN:
            return not self.include and not self.search
        if line.level < self.least_level:
            return False
        if self.exclude and pattern(self.exclude).matches(line.text):
            return False
        return all(pattern(typed).matches(line.text) for typed in (self.include, self.search) if typed)

    def places(self, chunk: Chunk, start: int, stop: int) -> "array[int]":
        """The places from `start` to before `stop` whose lines are wanted."""
        found = array("H", range(start, stop))
        for typed in (self.include, self.search):
            if typed:
                chosen = pattern(typed).places(chunk, start, stop)
                found = chosen if len(found) == stop - start else array("H", sorted(set(found).intersection(chosen)))
        if (self.include or self.search) and (landmarks := _landmarks(chunk, start, stop)):
            texts = [place for place in found if chunk.kind(place) == TEXT]
            found = array("H", sorted(texts + [place for place in landmarks if chunk.kind(place) == NOTE]))
        if self.exclude:
            unwanted = set(pattern(self.exclude).places(chunk, start, stop))
            found = array("H", [place for place in found if place not in unwanted or chunk.kind(place) != TEXT])
        if self.since_us or self.until_us is not None:
            times, since, until = chunk.times(), self.since_us, self.until_us if self.until_us is not None else 1 << 63
            found = array("H", [place for place in found if since <= times[place] <= until or chunk.kind(place) == NOTE])
        if self.least_level:
            level, least = chunk.level, self.least_level
            found = array("H", [place for place in found if level(place) >= least or chunk.kind(place) != TEXT])
        return found


_EMPTY = Filter()


@lru_cache(32)
def pattern(typed: str) -> Pattern:
    """The pattern of this text; the last few are kept."""
    return Pattern(typed)


def _landmarks(chunk: Chunk, start: int, stop: int) -> list[int]:
    """The places of lines that are no unit's text."""
    return [place for place in chunk.landmarks[bisect_left(chunk.landmarks, start) :] if place < stop]
