"""The columns of the unit table: which of them fit a width, and what stands in them for one unit. Text only, no colours.

The name gets what the others leave. Where there is no room for a column of notes, a note follows the name, so that "changed on disk"
is seen at every width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from supervisor.tui.model.figures import Usage
from supervisor.tui.model.format import fit, grows_at, one_line, percent, short_size, short_span
from supervisor.tui.model.states import note_of, state_text, state_text_ends_s
from supervisor.tui.model.units import Unit

GUTTER_CELLS = 4  # mark, symbol, and a blank behind each
_NAME_LEAST_CELLS = 14
_NAME_MOST_CELLS = 40  # beyond it, more room is better spent on notes
_NOTE_LEAST_CELLS = 16


@dataclass(frozen=True, slots=True)
class Column:
    """`key` is the sort key that a click chooses, "" for none. `rank`: the higher, the sooner it goes when room is scarce."""

    title: str
    key: str
    cells: int
    is_right: bool
    rank: int


NAME = Column("UNIT", "name", 0, False, 0)
STATE = Column("STATE", "state", 11, False, 0)
NOTE = Column("NOTE", "", 0, False, 5)
CPU = Column("CPU%", "cpu", 5, True, 1)
MEMORY = Column("MEM", "memory", 5, True, 2)
UPTIME = Column("SINCE", "uptime", 7, True, 3)
PID = Column("PID", "pid", 7, True, 6)
RESTARTS = Column("RST", "restarts", 4, True, 4)

_ORDER = (NAME, STATE, NOTE, CPU, MEMORY, UPTIME, PID, RESTARTS)


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns with their widths, left to right, for one width of the table; two cells stand between columns."""

    columns: tuple[tuple[Column, int], ...]
    has_notes: bool

    def column_at(self, x: int) -> Column | None:
        at = GUTTER_CELLS
        for column, cells in self.columns:
            if at <= x < at + cells + 1:
                return column
            at += cells + 1
        return None


def layout_for(width: int, longest_name: int) -> Layout:
    """The columns for `width` cells. Nothing wider than the longest name is given to names while notes could use it."""
    kept = [column for column in _ORDER if column is not NOTE]
    wanted = min(max(longest_name, _NAME_LEAST_CELLS), _NAME_MOST_CELLS)
    while len(kept) > 2 and _room(kept, width) < _NAME_LEAST_CELLS + min(8, wanted - _NAME_LEAST_CELLS):
        kept.remove(max(kept, key=lambda column: column.rank))
    name = max(1, _room(kept, width))
    note = name - wanted - 1
    if note < _NOTE_LEAST_CELLS:
        return Layout(tuple((column, name if column is NAME else column.cells) for column in kept), False)
    columns = []
    for column in _ORDER:
        if column is NOTE or column in kept:
            columns.append((column, wanted if column is NAME else note if column is NOTE else column.cells))
    return Layout(tuple(columns), True)


def _room(columns: Sequence[Column], width: int) -> int:
    """What is left for the name."""
    return width - GUTTER_CELLS - sum(column.cells + 1 for column in columns if column is not NAME)


def cells_of(unit: Unit, usage: Usage | None, layout: Layout, now_s: float) -> tuple[str, ...]:
    """The text of each column, cut to its width."""
    return tuple(fit(_text(unit, usage, column, now_s), cells) for column, cells in layout.columns)


def _text(unit: Unit, usage: Usage | None, column: Column, now_s: float) -> str:
    brief = unit.brief
    if column is NAME:
        return unit.name
    if column is STATE:
        return state_text(unit.look, brief, now_s)
    if column is NOTE:
        return one_line(note_of(brief) or str(brief.get("description") or ""))
    if column is CPU:
        return percent(None if usage is None else usage.cpu_percent)
    if column is MEMORY:
        return short_size(None if usage is None else usage.memory_bytes)
    if column is UPTIME:
        return since(brief, now_s)
    if column is PID:
        return str(brief.get("main_pid") or "-")
    return str(brief.get("n_restarts") or 0)


def since(brief: dict[str, object], now_s: float) -> str:
    """How long it has been in its state; of what is up, how long it has been up. The word beside it tells which."""
    at_s = _since_s(brief)
    return "-" if at_s is None else short_span(now_s - at_s)


def _since_s(brief: dict[str, object]) -> float | None:
    at_s = brief.get("active_enter_time_s") if brief.get("active_state") in ("active", "reloading") else brief.get("state_change_time_s")
    return at_s if isinstance(at_s, int | float) else None


def cells_end_s(unit: Unit, now_s: float) -> float:
    """Until when the cells of a unit, made now, are true as far as time goes: the older it is, the longer."""
    at_s = _since_s(unit.brief)
    return min(state_text_ends_s(unit.look, unit.brief, now_s), float("inf") if at_s is None else grows_at(at_s, now_s))
