"""The log of one run, over the view of runs; Esc goes back."""

from collections.abc import Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Input

from supervisor.tui.link.protocol import Json
from supervisor.tui.model.format import moment, precise_span
from supervisor.tui.model.runs import RUN_CHARACTERS, result_cell
from supervisor.tui.model.units import Changes
from supervisor.tui.screens.view import ViewScreen
from supervisor.tui.widgets.bar import Piece
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.logpane import LogPane

_USEC_PER_SEC = 1_000_000
_SLACK_US = 150_000  # the times of a log are those of its drains, which come up to a tenth of a second later


class RunLogScreen(ViewScreen):
    """What one run wrote: the unit's log from its start to its end."""

    NAME = "runs"
    AUTO_FOCUS = "LogView"
    BINDINGS = [Binding("escape", "back", "back", id="runlog.back", priority=True)]

    def __init__(self, run: Json) -> None:
        super().__init__()
        self._run = run

    def compose_view(self) -> ComposeResult:
        yield LogPane(is_eager=True, id="log")

    def on_mount(self) -> None:
        run, pane = self._run, self.query_one(LogPane)
        ended_s = run.get("ended_time_s")
        until_us = None if ended_s is None else int(ended_s * _USEC_PER_SEC) + _SLACK_US
        pane.show_units([str(run["unit"])])
        pane.want(replace(pane.reader.wanted, since_us=int(run["started_time_s"] * _USEC_PER_SEC), until_us=until_us))

    def flush_view(self, changes: Changes) -> None:
        self.query_one(LogPane).flush()

    def title_unit(self) -> str | None:
        return str(self._run["unit"])

    def status(self) -> Sequence[Piece]:
        run, now_s = self._run, host_of(self).seen_time_s
        result = result_cell(run)
        span = "" if run.get("ended_time_s") is None else f" for {precise_span(run['ended_time_s'] - run['started_time_s'])}"
        return [
            Piece(f"run {str(run['run_id'])[:RUN_CHARACTERS]} of {run['unit']}", "title", is_right=True),
            Piece(f"{moment(run['started_time_s'], now_s)}{span}", is_right=True, rank=2),
            Piece(result.text, result.style, is_right=True, rank=1),
        ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "back":
            return not isinstance(self.focused, Input)  # Esc leaves the line that is typed in
        return True

    def action_back(self) -> None:
        self.dismiss()
