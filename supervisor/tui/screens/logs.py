"""The view of logs: of one unit, of the marked ones, or of all, merged by time, over the whole screen."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding

from supervisor.tui.model.units import Changes
from supervisor.tui.screens.view import ViewScreen
from supervisor.tui.widgets.bar import Piece
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.logpane import LogPane


class LogsScreen(ViewScreen):
    """Shows the marked units if there are any, else the selected one; `L` takes all of them and back."""

    NAME = "logs"
    AUTO_FOCUS = "LogView"
    BINDINGS = [Binding("L", "all", "all units", id="log.all")]

    def compose_view(self) -> ComposeResult:
        yield LogPane(is_eager=True, id="log")

    def on_mount(self) -> None:
        self._shows_all = False

    def flush_view(self, changes: Changes) -> None:
        pane = self.query_one(LogPane)
        units, title = self._units()
        if units:
            pane.show_units(units, title)
        pane.flush()

    def status(self) -> Sequence[Piece]:
        return [Piece(self._units()[1], is_right=True)]

    def show_all(self, is_all: bool = True) -> None:
        """All units, or those that are chosen."""
        self._shows_all = is_all
        self.flush()

    def action_all(self) -> None:
        self.show_all(not self._shows_all)

    def _units(self) -> tuple[Sequence[str], str]:
        host = host_of(self)
        if self._shows_all:
            return host.store.names, "all units"
        if host.marked:
            return sorted(host.marked), f"{len(host.marked)} marked units" if len(host.marked) > 1 else next(iter(host.marked))
        return ([host.selected_unit] if host.selected_unit is not None else []), host.selected_unit or ""
