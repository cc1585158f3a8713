"""The view of tasks and of whatever has a next time: when it comes, when it was last, how that ended."""

from collections.abc import Sequence

from supervisor.tui.model import timers
from supervisor.tui.model.rows import Row
from supervisor.tui.model.units import Changes
from supervisor.tui.screens.listview import ListScreen
from supervisor.tui.widgets.host import host_of


class TimersScreen(ListScreen):
    """Rows are units; they are made anew with every change of the store."""

    NAME = "timers"
    COLUMNS = timers.COLUMNS

    def on_mount(self) -> None:
        super().on_mount()
        self._edition = 0

    def flush_view(self, changes: Changes) -> None:
        if changes:
            self._edition += 1
        super().flush_view(changes)

    def rows_version(self) -> object:
        return self._edition

    def make_rows(self) -> Sequence[Row]:
        host = host_of(self)
        return timers.rows(host.store, host.seen_time_s, host.ascii)

    def empty_text(self) -> str:
        return "there are no tasks, and nothing has a next time"
