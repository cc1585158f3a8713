"""The log on the screen, driven by keys: files are real, the supd is in memory."""

from pathlib import Path

import pytest
from textual.pilot import Pilot

from supervisor.tui.widgets.bar import Bar
from supervisor.tui.widgets.logpane import LogPane
from supervisor.tui.widgets.logview import LogView
from tests.tui.briefs import brief
from tests.tui.logfiles import UnitLog
from tests.tui.pilot import make_app, ready, supd_of, until


class Logs:
    """An app whose units `web` and `db` have logs in a directory of the test."""

    def __init__(self, directory: Path) -> None:
        self.web = UnitLog(str(directory / "web"))
        self.db = UnitLog(str(directory / "db"))
        self.app = make_app(brief("web"), brief("db"), unit="web")
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
        """The texts of the rows, without their columns."""
        return [line[18:] for line in self.view.lines if line.strip()]


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


async def test_the_newest_lines_are_there_and_new_ones_follow(logs: Logs) -> None:
    logs.web.say(*[f"line {number}" for number in range(50)])
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await logs.opened(pilot)
        await until(pilot, lambda: logs.shown()[-1] == "line 49", "the end")
        assert "follow" in logs.bar
        logs.web.say("fresh")
        await until(pilot, lambda: logs.shown()[-1] == "fresh", "what came")


async def test_a_filter_is_used_while_it_is_typed(logs: Logs) -> None:
    logs.web.say(*[f"line {number} {'timeout' if number % 10 == 0 else 'fine'}" for number in range(50)])
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await logs.opened(pilot)
        await pilot.press("&", *"timeout")
        await until(pilot, lambda: logs.shown() == [f"line {number} timeout" for number in range(0, 50, 10)], "the matches")
        await pilot.press("enter")
        await until(pilot, lambda: logs.app.focused is logs.view, "focus")
        assert "&timeout" in logs.bar
        assert "5 of 50 lines" in logs.bar
        await pilot.press("escape")
        await until(pilot, lambda: len(logs.shown()) == 20, "all again")
