"""The first view: every unit in a table."""

from collections.abc import Sequence

from textual.app import ComposeResult

from supervisor.tui.model.choose import Choice
from supervisor.tui.model.format import count
from supervisor.tui.model.units import Changes
from supervisor.tui.screens.view import ViewScreen
from supervisor.tui.widgets.bar import Piece
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.table import UnitTable


class UnitsScreen(ViewScreen):
    """The table of units."""

    NAME = "units"
    AUTO_FOCUS = "UnitTable"

    def compose_view(self) -> ComposeResult:
        yield UnitTable(id="units")

    def on_mount(self) -> None:
        host = host_of(self)
        self._choice = Choice(host.store, host.figures)
        self._has_selected = False

    def flush_view(self, changes: Changes) -> None:
        host, table = host_of(self), self.query_one(UnitTable)
        if self._choice.update(changes, host.figures.take_changed()) or changes.is_all:
            table.show(self._choice.names, self._empty(), (self._choice.terms.sort, self._choice.terms.descending))
            if not self._has_selected and host.selected_unit is not None:
                self._has_selected = table.select(host.selected_unit)
        else:
            table.flush(changes)

    def status(self) -> Sequence[Piece]:
        shown, total = len(self._choice.names), len(host_of(self).store)
        return [Piece(f"{count(shown)}/{count(total)}", is_right=True)]

    def _empty(self) -> str:
        host = host_of(self)
        if len(host.store):
            return "no unit matches; Esc clears the filter"
        return "no units are loaded" if host.link.phase == "live" else "connecting"

    def on_unit_table_moved(self, event: UnitTable.Moved) -> None:
        host_of(self).selected_unit = event.name
