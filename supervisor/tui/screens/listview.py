"""What the views of lists have in common: rows below heads, a filter, a sort order, and the keys of units on the row under the cursor.

A view's own class makes the rows (`make_rows`) and says when they have changed (`rows_version`); rows are made anew only then, or when
the second on the clock is another one, for rows tell ages.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding

from supervisor.tui.modals.menu import Choice, Menu
from supervisor.tui.model.format import count
from supervisor.tui.model.rows import Column, Row, arranged, fitting
from supervisor.tui.model.units import EVERYTHING, Changes
from supervisor.tui.screens.unitkeys import UnitKeys
from supervisor.tui.widgets.bar import Piece
from supervisor.tui.widgets.filterbar import FilterBar
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.lines import LineList
from supervisor.tui.widgets.rows import RowList


class ListScreen(UnitKeys):
    """A view of one list."""

    COLUMNS: ClassVar[Sequence[Column]] = ()
    GROWS_AT_TOP: ClassVar[bool] = False
    AUTO_FOCUS = "RowList"
    BINDINGS = [
        Binding("enter", "open", "open", id="list.open"),
        Binding("/", "filter", "filter", id="list.filter"),
        Binding("o", "sort", "sort", show=False, id="list.sort"),
        Binding("<", "sort_by(-1)", "sort by the column before", show=False, id="list.sort-before"),
        Binding(">", "sort_by(1)", "sort by the column behind", show=False, id="list.sort-behind"),
        Binding("escape", "clear", "clear", show=False, id="list.clear"),
    ]

    def compose_view(self) -> ComposeResult:
        yield RowList(id="rows", grows_at_top=self.GROWS_AT_TOP)
        yield FilterBar(placeholder="word  !not", id="filter")

    def on_mount(self) -> None:
        self._filter = ""
        self._sort: tuple[int, bool] | None = None  # a column and whether it is turned round; None: as the rows come
        self._all: Sequence[Row] = ()
        self._shown: Sequence[Row] = ()
        self._made: object = None

    # What a view says.

    def make_rows(self) -> Sequence[Row]:
        """All rows, in the order that comes by itself."""
        return ()

    def rows_version(self) -> object:
        """Another value whenever `make_rows` would make other rows, but for the time of day."""
        return None

    def empty_text(self) -> str:
        """Why there is no row."""
        return "there is nothing here"

    def view_status(self) -> Sequence[Piece]:
        """What else stands at the right end of the tabs."""
        return ()

    # Painting.

    @property
    def listed(self) -> RowList:
        return self.query_one(RowList)

    def title_unit(self) -> str | None:
        row = self.listed.row if self.is_mounted else None
        return (row.unit or None) if row is not None else None

    def flush_view(self, changes: Changes) -> None:
        host = host_of(self)
        version = (self.rows_version(), int(host.seen_time_s), host.store.is_stale)
        if changes.is_all or version != self._made:
            self._made = version
            self._all = self.make_rows()
            self.narrow()
        else:
            self.listed.flush(changes)

    def narrow(self, is_other_choice: bool = False) -> None:
        """Show the rows that the filter leaves, in the order that was chosen."""
        rows = fitting(self._all, self._filter)
        sort = ("", False)
        if self._sort is not None:
            rows = arranged(rows, *self._sort)
            sort = (self.COLUMNS[self._sort[0]].key, self._sort[1])
        self._shown = rows
        empty = "no row matches; Esc clears the filter" if self._all else self.empty_text()
        self.listed.show(self.COLUMNS, rows, empty, sort, is_other_choice)

    def status(self) -> Sequence[Piece]:
        pieces = list(self.view_status())
        if self._filter:
            pieces.append(Piece(f"filter: {self._filter}", "accent", is_right=True, action="screen.filter"))
        total = count(len(self._all))
        shown = total if len(self._shown) == len(self._all) else f"{count(len(self._shown))}/{total}"
        pieces.append(Piece(shown, is_right=True))
        if self._sort is not None:
            words = f"sort {self.COLUMNS[self._sort[0]].key}{'▴' if self._sort[1] else ''}"
            pieces.append(Piece(words, "dim", rank=4, is_right=True, action="screen.sort"))
        return pieces

    def _hints(self) -> list[tuple[Binding, bool]]:
        """The keys of the view before those that every view of units has: where room is scarce, what is special here is told."""
        return sorted(super()._hints(), key=lambda hint: {"unit": 1, "app": 2}.get(str(hint[0].id).partition(".")[0], 0))

    # The cursor.

    def on_line_list_moved(self, event: LineList.Moved) -> None:
        unit = self.title_unit()
        if unit is not None:
            host_of(self).selected_unit = unit
        host_of(self).request_flush()

    def on_line_list_opened(self, event: LineList.Opened) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Enter on a row: to its unit."""
        unit = self.title_unit()
        if unit is not None:
            host_of(self).selected_unit = unit
            host_of(self).show_view("units")

    # Filter and order.

    def action_filter(self) -> None:
        self.query_one(FilterBar).open(self._filter)

    def on_filter_bar_edited(self, event: FilterBar.Edited) -> None:
        self._filter = event.text.strip()
        self.narrow(is_other_choice=True)
        self.flush(Changes())

    def on_filter_bar_closed(self) -> None:
        self.listed.focus()
        self.flush(Changes())

    def action_clear(self) -> None:
        if self._filter:
            self._filter = ""
        elif self._sort is not None:
            self._sort = None
        self.narrow(is_other_choice=True)
        self.flush(EVERYTHING)

    def on_line_list_head_clicked(self, event: LineList.HeadClicked) -> None:
        self.sort_by(event.key)

    def sort_by(self, key: str) -> None:
        """By this column; a second time turns it round, a third time gives the rows their own order again."""
        at = next(number for number, column in enumerate(self.COLUMNS) if column.key == key)
        if self._sort == (at, True):
            self._sort = None
        else:
            self._sort = (at, self._sort == (at, False))
        self.flush(EVERYTHING)

    def action_sort_by(self, step: int) -> None:
        """Sort by the column `step` further on."""
        sortable = [number for number, column in enumerate(self.COLUMNS) if column.key]
        at = sortable.index(self._sort[0]) + step if self._sort is not None else (0 if step > 0 else -1)
        self._sort = (sortable[at % len(sortable)], False)
        self.flush(EVERYTHING)

    def action_sort(self) -> None:
        self.run_worker(self._choose_sort(), group="menu", exclusive=True)

    async def _choose_sort(self) -> None:
        keys = [column.key for column in self.COLUMNS if column.key]
        now = self.COLUMNS[self._sort[0]].key if self._sort is not None else ""
        letters = _letters(keys)
        choices = [Choice(key, letters[key], key, "again: turn it round" if key == now else "") for key in keys]
        if answer := await host_of(self).ask(Menu("Sort by", choices, start=now or keys[0])):
            self.sort_by(answer[0])


def _letters(keys: Sequence[str]) -> dict[str, str]:
    """For each word a letter of its own, the first in it that is free."""
    taken: dict[str, str] = {}
    for key in keys:
        free = [letter for letter in key + "abcdefghijklmnopqrstuvwxyz" if letter not in taken.values() and letter not in "jkq"]
        taken[key] = free[0]
    return taken
