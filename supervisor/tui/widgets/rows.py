"""A list of rows that were made elsewhere (`model.rows`): dependencies, tasks, runs, events.

It decides widths and paints. In a list that grows at its top the cursor on the first row stays there (it follows), anywhere else the
row under it stays where it is on the screen.
"""

from collections.abc import Mapping, Sequence
from itertools import islice

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from supervisor.tui.model.format import fit
from supervisor.tui.model.rows import GAP_CELLS, Column, Row, widths
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.lines import LineList

_GUTTER_CELLS = 1
_BAR_CELLS = 2  # the scroll bar, and a blank before it
_ROWS_MEASURED = 500  # the widths of columns follow the first rows; others are cut to them


class RowList(LineList):
    """Shows the rows it is given, in that order."""

    is_anchored = True

    def __init__(self, *, id: str | None = None, grows_at_top: bool = False) -> None:
        super().__init__(id=id)
        self._columns: Sequence[Column] = ()
        self._rows: dict[str, Row] = {}
        self._widths: dict[int, int] = {}
        self._grows_at_top = grows_at_top

    def show(
        self, columns: Sequence[Column], rows: Sequence[Row], empty: str, sort: tuple[str, bool], is_other_choice: bool = False
    ) -> None:
        """From now on these rows; the rest is `put`'s."""
        follows = self.follows
        self._columns, self._rows = columns, {row.key: row for row in rows}
        self._measure()
        if follows and rows:
            self.view.top, self.view.cursor = 0, 0
            self._current_is(rows[0].key)
        self.put([row.key for row in rows], empty, sort, is_other_choice)

    @property
    def follows(self) -> bool:
        """Whether the cursor stays on what is newest."""
        return self._grows_at_top and self.view.cursor <= 0

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows.get(self.current or "")

    def _current_is(self, key: str) -> None:
        if key != self._current:
            self._current = key
            self.post_message(self.Moved(key))

    def on_resize(self) -> None:
        self._measure()
        super().on_resize()

    def _measure(self) -> None:
        room = self.size.width - _GUTTER_CELLS - _BAR_CELLS
        self._widths = widths(self._columns, islice(self._rows.values(), _ROWS_MEASURED), room) if self._columns else {}

    def head_cells(self) -> tuple[int, Sequence[tuple[str, str, int, bool]]]:
        columns = [(self._columns[at], width) for at, width in self._widths.items()]
        return _GUTTER_CELLS, [(column.title, column.key, width, column.is_right) for column, width in columns]

    def row_look(self, key: str) -> object:
        return (self._rows.get(key), tuple(self._widths.items()))

    def paint_row(self, key: str, base: Style, looks: Mapping[str, Style]) -> list[Segment]:
        drawn, row = host_of(self).drawn, self._rows[key]
        segments = [Segment(" " * _GUTTER_CELLS, base)]
        for at, width in self._widths.items():
            one, column = row.cells[at], self._columns[at]
            lead = drawn(fit(one.lead, width))
            room = width - len(lead)
            text = _cut(drawn(one.text), room)
            pad = " " * (room - cell_len(text))
            if lead:
                segments.append(Segment(lead, base + looks["dim"]))
            segments.append(Segment(pad + text if column.is_right else text + pad, base + looks[one.style]))
            segments.append(Segment(" " * GAP_CELLS, base))
        return segments


def _cut(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    return fit(text, width) if text.isascii() or len(text) == cell_len(text) else set_cell_size(text, max(0, width - 1)) + "…"[:width]
