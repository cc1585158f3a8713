"""The view of the history of runs, of all units or of one; Enter opens the log of that run.

The history is asked for when the view is shown and again after whatever may have begun or ended a run, once a second at most.
"""

from collections.abc import Sequence

from textual import events
from textual.binding import Binding

from supervisor.tui.link.protocol import Json, LinkLost, Refused
from supervisor.tui.model import runs
from supervisor.tui.model.rows import Row
from supervisor.tui.model.units import EVERYTHING, Changes
from supervisor.tui.screens.listview import ListScreen
from supervisor.tui.screens.runlog import RunLogScreen
from supervisor.tui.widgets.bar import Piece
from supervisor.tui.widgets.host import host_of

RUNS_SHOWN = 1000
_ASK_INTERVAL_S = 1.0


class RunsScreen(ListScreen):
    """Newest first."""

    NAME = "runs"
    COLUMNS = runs.COLUMNS
    GROWS_AT_TOP = True
    BINDINGS = [Binding("a", "all", "all units", id="runs.all")]

    def on_mount(self) -> None:
        super().on_mount()
        self._only = host_of(self).runs_unit
        self._runs: list[Json] = []
        self._version = 0
        self._is_asking = False
        self._asked_s = float("-inf")
        self._is_outdated = True
        self._trouble = ""

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        if host_of(self).runs_unit != self._only:
            self.only(host_of(self).runs_unit)
        super().on_screen_resume(event)

    def on_unmount(self) -> None:
        self._is_outdated = False

    def only(self, unit: str | None) -> None:
        """The runs of one unit from now on; None: of all."""
        self._only = host_of(self).runs_unit = unit
        self._runs, self._asked_s, self._is_outdated = [], float("-inf"), True
        self._version += 1
        self.flush(EVERYTHING)

    def flush_view(self, changes: Changes) -> None:
        host = host_of(self)
        self._is_outdated = self._is_outdated or bool(changes)
        now_s = host.clock.monotonic_s()
        if self._is_outdated and not self._is_asking and now_s - self._asked_s >= _ASK_INTERVAL_S and host.link.phase == "live":
            self._is_asking, self._is_outdated, self._asked_s = True, False, now_s
            self.run_worker(self._ask(self._only), group="runs")
        super().flush_view(changes)

    async def _ask(self, unit: str | None) -> None:
        try:
            found = await host_of(self).transport.history(unit, RUNS_SHOWN)
            if unit == self._only:
                self._runs, self._trouble = found, ""
        except Refused as refused:
            self._trouble = refused.text
        except LinkLost:
            self._is_outdated = True  # it is asked again when the connection is back
        finally:
            self._is_asking = False
            self._version += 1
            host_of(self).request_flush()

    def rows_version(self) -> object:
        return self._version

    def make_rows(self) -> Sequence[Row]:
        return runs.rows(self._runs, host_of(self).seen_time_s)

    def empty_text(self) -> str:
        if self._trouble:
            return self._trouble
        if self._is_asking or self._asked_s < 0:
            return "asking …"
        return f"no run of {self._only} is recorded" if self._only else "no run is recorded"

    def view_status(self) -> Sequence[Piece]:
        words, style = (f"of {self._only}", "accent") if self._only else ("of all units", "dim")
        return [Piece(words, style, is_right=True, action="screen.all")]

    def action_all(self) -> None:
        """The runs of the unit under the cursor alone, or of all again."""
        self.only(None if self._only else self.title_unit() or host_of(self).selected_unit)

    def action_open(self) -> None:
        row = self.listed.row
        run = next((run for run in self._runs if row is not None and run["run_id"] == row.key), None)
        if run is not None:
            self.app.push_screen(RunLogScreen(run))
