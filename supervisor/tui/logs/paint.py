"""One line of a log as pieces of text with the name of their look: the columns before it, its text, what was found in it.

Decides what a person sees of a line: time as asked for, level and unit, the text with its own colours, tabs on the grid of eight,
control characters written out (`client.terminal`), places found by the search or the filter on top. A line over CUT_BYTES is cut and
says how much more there is.

A look is a word (a component of the widget's style sheet) or an `Sgr`. This module knows no colours, no widget and no width but the
one it is asked to wrap to; cells are counted as the terminal does (two for wide characters).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from rich.cells import cell_len

from supervisor.client.terminal import neutralise
from supervisor.tui.logs import levels, sgr
from supervisor.tui.logs.filters import pattern
from supervisor.tui.logs.sgr import Sgr
from supervisor.tui.logs.store import RUN, Line

Look = str | Sgr
Span = tuple[str, Look]

CUT_BYTES = 4096
TAB = 8
UNIT_COLOURS = 8
UNIT_WIDTH_MAX = 20

TIME_SHORT, TIME_FULL, TIME_DELTA, TIME_OFF = "time", "full", "delta", "off"
TIME_MODES = (TIME_SHORT, TIME_FULL, TIME_DELTA, TIME_OFF)
_TIME_WIDTHS = {TIME_SHORT: 12, TIME_FULL: 23, TIME_DELTA: 9, TIME_OFF: 0}


@dataclass(frozen=True, slots=True)
class Painting:
    """How lines are painted now. `unit_width` 0: no unit column. `found`: patterns as typed whose places are shown."""

    time_mode: str = TIME_SHORT
    unit_width: int = 0
    has_levels: bool = True
    is_ascii: bool = False
    found: tuple[str, ...] = ()

    @property
    def prefix_width(self) -> int:
        """The cells before the text; the same for every line."""
        time_width = _TIME_WIDTHS[self.time_mode]
        return (time_width + 1 if time_width else 0) + (4 if self.has_levels else 0) + (self.unit_width + 1 if self.unit_width else 0)


def prefix(line: Line, painting: Painting, before_us: int | None = None) -> list[Span]:
    """The columns before the text. `before_us`: the time of the line shown before it, for the difference."""
    spans: list[Span] = []
    if painting.time_mode != TIME_OFF:
        spans.append((time_text(line.time_us, painting.time_mode, before_us) + " ", "time"))
    if painting.has_levels:
        spans.append((levels.WORDS[line.level].ljust(4), f"level-{levels.NAMES[line.level]}"))
    if painting.unit_width:
        spans.append((fitted(line.unit, painting.unit_width, painting.is_ascii) + " ", unit_look(line.unit)))
    return spans


def body(line: Line, painting: Painting) -> list[Span]:
    """The text of a line."""
    raw = line.text
    spans: list[Span] = []
    column = 0
    for piece, look in sgr.split(_decoded(raw)):
        shown = neutralise(piece)
        if "\t" in shown:
            shown = _without_tabs(shown, column)
        column += width_of(shown)
        spans.append((shown, look if look != sgr.PLAIN else "text"))
    for typed in painting.found:
        if typed:
            spans = with_found(spans, pattern(typed).spans("".join(text for text, _ in spans)))
    if line.length > CUT_BYTES:
        spans.append((f"{'...' if painting.is_ascii else '…'} +{_size(line.length - CUT_BYTES)}", "cut"))
    return spans


def landmark(line: Line, painting: Painting, width: int, run_text: Callable[[str, str], str]) -> list[Span]:
    """A line that is no unit's: the begin of a run, or what the reader itself says, drawn as a rule over `width` cells.

    `run_text(unit, run before)` says how that run ended, "" if that is not known.
    """
    rule = "-" if painting.is_ascii else "─"
    if line.kind == RUN:
        ended = run_text(line.unit, line.text.decode("ascii", "replace"))
        said = f"{line.unit}  {ended or 'a new run'}  {time_text(line.time_us, TIME_SHORT)[:8]}  run {line.run.hex()[:8]}"
    else:
        said = line.text.decode("utf-8", "replace")
    text = f"{rule * 2} {neutralise(said)} "
    return [(text + rule * max(0, width - width_of(text)), "run" if line.kind == RUN else "note")]


def with_found(spans: list[Span], places: list[tuple[int, int]]) -> list[Span]:
    """The spans with these places of their whole text shown as found."""
    if not places:
        return spans
    marked: list[Span] = []
    start, at = 0, 0
    for text, look in spans:
        position, end = 0, len(text)
        while at < len(places) and places[at][0] < start + end:
            begin, stop = max(places[at][0] - start, position), min(places[at][1] - start, end)
            if begin > position:
                marked.append((text[position:begin], look))
            if stop > begin:
                marked.append((text[begin:stop], "found"))
                position = stop
            if places[at][1] > start + end:
                break
            at += 1
        if position < end:
            marked.append((text[position:], look))
        start += end
    return marked


def wrapped(spans: list[Span], width: int) -> list[list[Span]]:
    """The spans in rows of at most `width` cells each; at least one row. No wide character is cut in two."""
    rows: list[list[Span]] = [[]]
    room = width = max(width, 2)
    for text, look in spans:
        while text:
            count = len(text) if len(text) <= room and text.isascii() else _fitting(text, room)
            if count:
                rows[-1].append((text[:count], look))
                room -= width_of(text[:count])
                text = text[count:]
            if text:
                rows.append([])
                room = width
    return rows


def cropped(spans: list[Span], start: int, width: int) -> tuple[list[Span], int]:
    """(what of the spans lies in the `width` cells from cell `start` on, the cells it takes); half a wide character is a blank."""
    kept: list[Span] = []
    used = 0
    for text, look in spans:
        if start or used + len(text) > width or not text.isascii():
            text, start = _cropped(text, start, width - used)
        if text:
            kept.append((text, look))
            used += width_of(text)
        if used >= width:
            break
    return kept, used


def _cropped(text: str, start: int, room: int) -> tuple[str, int]:
    """(the part of one text, cells still to be left out of what follows)."""
    if text.isascii():
        return text[start : start + room], max(0, start - len(text))
    shown, column, stop = [], 0, start + room
    for character in text:
        following = column + cell_len(character)
        if start <= column and following <= stop:
            shown.append(character)
        elif following > start and column < stop:
            shown.append(" " * (min(following, stop) - max(column, start)))
        column = following
        if column >= stop:
            break
    return "".join(shown), max(0, start - column)


def _fitting(text: str, room: int) -> int:
    """How many characters fit into `room` cells."""
    if text.isascii():
        return min(room, len(text))
    count = used = 0
    for character in text:
        used += cell_len(character)
        if used > room:
            break
        count += 1
    return count


def width_of(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def fitted(text: str, width: int, is_ascii: bool = False) -> str:
    """A name in exactly `width` characters; one that is longer loses its middle, since names differ at their ends."""
    text = neutralise(text)
    if len(text) <= width:
        return text.ljust(width)
    dots = "~" if is_ascii else "…"
    head = (width - 1) // 2
    return text[:head] + dots + text[len(text) - (width - 1 - head) :]


def unit_look(unit: str) -> str:
    """The same colour for a unit in every view and every run (not Python's `hash`, which differs each time)."""
    return f"unit-{crc32(unit.encode()) % UNIT_COLOURS}"


def time_text(time_us: int, mode: str, before_us: int | None = None) -> str:
    """A time in the width of its mode."""
    if mode == TIME_DELTA:
        return _delta(0 if before_us is None else time_us - before_us).rjust(_TIME_WIDTHS[mode])
    day, clock = _local(time_us // 1_000_000)
    short = f"{clock}.{time_us // 1000 % 1000:03d}"
    return f"{day} {short}" if mode == TIME_FULL else short


@lru_cache(512)
def _local(second: int) -> tuple[str, str]:
    moment = time.localtime(second)
    return time.strftime("%Y-%m-%d", moment), time.strftime("%H:%M:%S", moment)


def _delta(difference_us: int) -> str:
    sign, seconds = "-" if difference_us < 0 else "+", abs(difference_us) / 1e6
    if seconds < 100:
        return f"{sign}{seconds:.3f}"
    if seconds < 86_400:
        return f"{sign}{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"
    return f"{sign}{int(seconds) // 86_400}d{int(seconds) // 3600 % 24:02d}h"


def _decoded(raw: bytes) -> str:
    if len(raw) > CUT_BYTES:
        raw = raw[:CUT_BYTES]
    return raw.removesuffix(b"\r").decode("utf-8", "replace")


def _without_tabs(text: str, column: int) -> str:
    first, *others = text.split("\t")
    shown = [first]
    column += width_of(first)
    for piece in others:
        gap = TAB - column % TAB
        shown.append(" " * gap + piece)
        column += gap + width_of(piece)
    return "".join(shown)


def _size(count_bytes: int) -> str:
    if count_bytes < 1000:
        return f"{count_bytes} B"
    return f"{count_bytes / 1000:.0f} kB" if count_bytes < 1_000_000 else f"{count_bytes / 1e6:.1f} MB"
