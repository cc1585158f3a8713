"""One unit over the whole screen: its detail pane, where the list leaves no room beside it. Esc goes back."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Input

from supervisor.tui.model.units import Changes
from supervisor.tui.screens.unitkeys import UnitKeys
from supervisor.tui.widgets.bar import Piece
from supervisor.tui.widgets.detail import DetailPane


class UnitDetailScreen(UnitKeys):
    """The keys of units act on this one."""

    NAME = "units"
    AUTO_FOCUS = "TextLines"
    BINDINGS = [Binding("escape", "back", "back", id="detail.back", priority=True)]

    def __init__(self, unit: str, tab: str = "Info") -> None:
        super().__init__()
        self._unit_shown = unit
        self._first_tab = tab

    def compose_view(self) -> ComposeResult:
        yield DetailPane(id="detail-full")

    def on_mount(self) -> None:
        pane = self.query_one(DetailPane)
        pane.show_unit(self._unit_shown)
        pane.take_tab(self._first_tab)

    def targets(self) -> list[str]:
        return [self._unit_shown]

    def title_unit(self) -> str | None:
        return self._unit_shown

    def flush_view(self, changes: Changes) -> None:
        self.query_one(DetailPane).flush()

    def status(self) -> Sequence[Piece]:
        return ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "back":
            return not isinstance(self.focused, Input)  # Esc leaves the line that is typed in
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        self.dismiss()
