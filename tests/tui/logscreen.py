"""An app with the logs of two units on its screen, for the tests of that screen."""

import time
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from supervisor.tui.widgets.bar import Bar
from supervisor.tui.widgets.logpane import LogPane
from supervisor.tui.widgets.logview import LogView
from tests.tui.briefs import brief
from tests.tui.logfiles import NOW_US, UnitLog
from tests.tui.pilot import make_app, ready, supd_of, until

DAY = time.strftime("%Y-%m-%d", time.localtime(NOW_US // 1_000_000))
TEXTS = [f"line {number}" for number in range(100)]


class Logs:
    """An app whose units `web` and `db` have logs in a directory of the test."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.web = UnitLog(str(directory / "web"))
        self.db = UnitLog(str(directory / "db"))
        self.app = make_app(brief("web"), brief("db"), unit="web", **options)
        supd_of(self.app).log_directories = {"web": self.web.directory, "db": self.db.directory}

    async def opened(self, pilot: "Pilot[None]") -> LogPane:
        await ready(pilot)
        await pilot.press("2")
        await until(pilot, lambda: bool(self.app.screen.query(LogPane)) and self.pane.feed is not None and self.pane.feed.is_open, "open")
        await until(pilot, lambda: self.app.focused is self.view, "focus")
        return self.pane

    @property
    def pane(self) -> LogPane:
        return self.app.screen.query_one(LogPane)

    @property
    def view(self) -> LogView:
        return self.app.screen.query_one(LogView)

    @property
    def bar(self) -> str:
        return self.app.screen.query_one("#log-bar", Bar).text

    def shown(self) -> list[str]:
        """The texts of the rows, without their columns; none while there is no log on the screen yet."""
        if not self.app.screen.query(LogView):
            return []
        return [line[18:] for line in self.view.lines if line.strip()]


async def opened(logs: Logs, pilot: "Pilot[None]", last: str = "") -> None:
    """The view of logs with the log of web, painted to its end."""
    await logs.opened(pilot)
    if last:
        await until(pilot, lambda: bool(logs.shown()) and logs.shown()[-1] == last, "the end")
