"""The views, in one table: key, names and where each comes from. A view is imported when it is first shown."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisor.tui.screens.view import ViewScreen


@dataclass(frozen=True, slots=True)
class View:
    """`name` is what code and the kept state call it, `title` what stands in the tabs, `short` the same where room is scarce."""

    key: str
    name: str
    title: str
    short: str
    load: "Callable[[], type[ViewScreen]]"


def _units() -> "type[ViewScreen]":
    from supervisor.tui.screens.units import UnitsScreen

    return UnitsScreen


def _logs() -> "type[ViewScreen]":
    from supervisor.tui.screens.logs import LogsScreen

    return LogsScreen


def _deps() -> "type[ViewScreen]":
    from supervisor.tui.screens.deps import DepsScreen

    return DepsScreen


def _timers() -> "type[ViewScreen]":
    from supervisor.tui.screens.timers import TimersScreen

    return TimersScreen


def _runs() -> "type[ViewScreen]":
    from supervisor.tui.screens.runs import RunsScreen

    return RunsScreen


def _events() -> "type[ViewScreen]":
    from supervisor.tui.screens.events import EventsScreen

    return EventsScreen


VIEWS = (
    View("1", "units", "Units", "Units", _units),
    View("2", "logs", "Logs", "Logs", _logs),
    View("3", "deps", "Deps", "Deps", _deps),
    View("4", "timers", "Timers & tasks", "Timers", _timers),
    View("5", "runs", "Runs", "Runs", _runs),
    View("6", "events", "Events", "Ev", _events),
)
BY_NAME = {view.name: view for view in VIEWS}
