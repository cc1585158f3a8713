"""The table of units: rows belong to the store; the table keeps only which names it shows, and what is special in how units look."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache

from supervisor.tui.model.format import count, fit, one_line
from supervisor.tui.model.groups import HEAD, is_head, members
from supervisor.tui.model.states import is_warning, note_of
from supervisor.tui.model.units import Unit
from supervisor.tui.widgets.columns import GUTTER_CELLS, NAME, NOTE, STATE, Layout, cells_end_s, cells_of, layout_for
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.lines import LineList

_BAR_CELLS = 2  # the scroll bar, and a blank before it
_LOOKS_KEPT = 512  # more than any screen has lines
_NOTE_LEAST_CELLS = 8  # a note behind the name that would be shorter says nothing


class _Cells(NamedTuple):
    """All that a row shows of a unit."""

    texts: tuple[str, ...]
    warning: str
    is_fault: bool
    look: tuple[str, str, str]


class _Made(NamedTuple):
    """Cells that are true from `at_s` until `ends_s` as long as they would be made `of` the same."""

    of: object
    at_s: float
    ends_s: float
    cells: _Cells


class UnitTable(LineList):
    """Shows the units whose names it is given, in that order. The key of a row is the unit's name."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._longest = 0
        self._columns_now: Layout | None = None
        self._columns_key = (0, 0)
        self._looks: LRUCache[str, _Made] = LRUCache(_LOOKS_KEPT)

    def show(self, names: Sequence[str], empty: str, sort: tuple[str, bool], is_other_choice: bool = False) -> None:
        """From now on these units, in this order; the rest is `put`'s."""
        self._longest = max((len(name) for name in names if not is_head(name)), default=0)
        self.put(names, empty, sort, is_other_choice)

    @property
    def current_unit(self) -> str | None:
        """The unit under the cursor; None on the head of a group, too."""
        return None if is_head(self.current) else self.current

    def below(self, head: str) -> list[str]:
        """The units of a group."""
        return members(self._keys, head)

    @property
    def _columns(self) -> Layout:
        """Asked for once a row: `outer_size` is the same as `size`, without border and padding, and costs nothing."""
        key = (self.outer_size.width, self._longest)
        if self._columns_now is None or self._columns_key != key:
            self._columns_key = key
            self._columns_now = layout_for(key[0] - _BAR_CELLS, self._longest)
        return self._columns_now

    def head_cells(self) -> tuple[int, Sequence[tuple[str, str, int, bool]]]:
        return GUTTER_CELLS, [(column.title, column.key, width, column.is_right) for column, width in self._columns.columns]

    def row_look(self, key: str) -> object:
        host = host_of(self)
        if is_head(key):
            return (key, self._group_text(key))
        unit = host.store.get(key)
        if unit is None:
            return (key,)
        return (self._cells(unit), key in host.marked)

    def _cells(self, unit: Unit) -> "_Cells":
        """What stands in a unit's row; made again only when it can be another one: by its state, its figures, or the time."""
        host = host_of(self)
        usage, now_s = host.figures.get(unit.name), host.seen_time_s
        made_of = (unit.version, self._columns, None if usage is None else (usage.cpu_percent, usage.memory_bytes))
        made = self._looks.get(unit.name)
        if made is None or made.of != made_of or not made.at_s <= now_s < made.ends_s:
            look = (unit.look.symbol, unit.look.ascii, unit.look.style)
            warning = note_of(unit.brief) if is_warning(unit.brief) else ""
            cells = _Cells(cells_of(unit, usage, self._columns, now_s), warning, unit.is_fault, look)
            made = self._looks[unit.name] = _Made(made_of, now_s, cells_end_s(unit, now_s), cells)
        return made.cells

    def paint_row(self, key: str, base: Style, looks: Mapping[str, Style]) -> list[Segment]:
        host = host_of(self)
        if is_head(key):
            title = host.drawn(f"  ▾ {key[len(HEAD) :]}")
            return [Segment(title, base + looks["title"]), Segment(f"  {self._group_text(key)}", base + looks["dim"])]
        unit = host.store.get(key)
        if unit is None:
            return [Segment(" ", base)]
        tint = base + looks[unit.look.style]
        mark = host.drawn("▌") if unit.name in host.marked else " "
        symbol = "?" if host.store.is_stale else unit.look.ascii if host.ascii else unit.look.symbol
        segments = [Segment(mark, base + looks["mark"]), Segment(symbol + " ", tint), Segment(" ", base)]
        columns = self._columns
        for (column, width), text in zip(columns.columns, self._cells(unit).texts, strict=True):
            if column is NAME:
                segments += self._named(unit, text, width, columns.has_notes, base)
            else:
                style = tint if column is STATE else self._note_style(unit, base) if column is NOTE else base
                segments.append(Segment(host.drawn(text.rjust(width) if column.is_right else text.ljust(width)), style))
            segments.append(Segment(" ", base))
        return segments

    def _group_text(self, head: str) -> str:
        """How many, and how many of them are at fault or marked."""
        host, names = host_of(self), self.below(head)
        faults = sum(unit.is_fault for unit in map(host.store.get, names) if unit is not None)
        marked = len(host.marked.intersection(names))
        parts = [count(len(names)), f"{faults} at fault" if faults else "", f"{marked} marked" if marked else ""]
        return ", ".join(part for part in parts if part)

    def _named(self, unit: Unit, text: str, width: int, has_notes: bool, base: Style) -> list[Segment]:
        """The name, and behind it what is wrong with its definition where no column tells it."""
        host = host_of(self)
        strong = base + Style(bold=True) if unit.is_fault and not host.store.is_stale else base
        room = width - len(text) - 2
        if has_notes or room < _NOTE_LEAST_CELLS or not is_warning(unit.brief):
            return [Segment(host.drawn(text.ljust(width)), strong)]
        note = fit(one_line(note_of(unit.brief)), room).ljust(room)
        return [Segment(text + "  ", strong), Segment(host.drawn(note), self._note_style(unit, base))]

    def _note_style(self, unit: Unit, base: Style) -> Style:
        host = host_of(self)
        if host.store.is_stale:
            return base
        return base + host.look_styles["warning" if is_warning(unit.brief) else "" if note_of(unit.brief) else "dim"]
