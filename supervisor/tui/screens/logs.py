"""The view of logs: of one unit, of the marked ones, or of all, merged by time, over the whole screen."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from supervisor.tui.model.units import EVERYTHING, Changes
from supervisor.tui.screens.view import ViewScreen
from supervisor.tui.widgets.bar import Piece
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.logpane import LogPane


class LogsScreen(ViewScreen):
    """Shows the units it was opened for; opened by its own key, the marked ones, else the selected one. `L`: all units, and back."""

    NAME = "logs"
    AUTO_FOCUS = "LogView"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("L", "all", "all units", id="log.all")]

    def compose_view(self) -> ComposeResult:
        yield LogPane(is_eager=True, id="log")

    def flush_view(self, changes: Changes) -> None:
        pane = self.query_one(LogPane)
        if units := self._units():
            pane.show_units(units, self._title())
        pane.flush()

    def status(self) -> Sequence[Piece]:
        return [Piece(self._title(), is_right=True)]

    def action_all(self) -> None:
        host = host_of(self)
        host.log_units = None if host.log_units == () else ()
        self.flush(EVERYTHING)

    def _units(self) -> Sequence[str]:
        host = host_of(self)
        if host.log_units == ():
            return host.store.names
        if host.log_units is not None:
            return [name for name in host.log_units if name in host.store] or host.log_units
        if host.marked:
            return sorted(host.marked)
        return [host.selected_unit] if host.selected_unit is not None else []

    def _title(self) -> str:
        if host_of(self).log_units == ():
            return "all units"
        units = self._units()
        return units[0] if len(units) == 1 else f"{len(units)} units"
