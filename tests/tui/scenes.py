"""What there is to look at: the state of every screen and dialogue worth a picture, each as the keys that lead to it.

Used by the snapshot tests and by `contrib/render.py`. A scene begins at the first view of the shop, with some seconds of figures.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

from textual.pilot import Pilot

from supervisor.tui.app import SupdApp
from supervisor.tui.screens.units import UnitsScreen
from supervisor.tui.screens.view import ViewScreen
from supervisor.tui.widgets.logpane import LogPane
from tests.tui.pilot import press, ready, settled, supd_of, time_of, until
from tests.tui.shop import FIGURES_S, ShopWorld


async def _nothing(pilot: "Pilot[None]") -> None:
    pass


@dataclass(frozen=True)
class Scene:
    """`keys` are pressed, then `then` is done; `options` are the app's."""

    name: str
    keys: tuple[str, ...] = ()
    then: Callable[["Pilot[None]"], Awaitable[None]] = _nothing
    options: dict[str, Any] = field(default_factory=dict)


async def begin(pilot: "Pilot[None]") -> None:
    """The first view, with figures that were sampled for a while."""
    await ready(pilot)
    for _ in range(FIGURES_S):
        await second(pilot)
    await all_is_there(pilot)


async def second(pilot: "Pilot[None]") -> None:
    """One goes by: figures are asked for, and ages are another."""
    app = cast("SupdApp", pilot.app)
    world = supd_of(app).world
    assert isinstance(world, ShopWorld)
    world.now_s += 1.0
    asked = _asked_figures(app)
    time_of(app).advance(1.0)
    supd_of(app).beat()
    await until(pilot, lambda: _asked_figures(app) > asked, "figures are asked for")


async def all_is_there(pilot: "Pilot[None]") -> None:
    """What the screen shows is told by others: files are read by another thread, supd is asked. All of it has come, and is painted."""
    app = cast("SupdApp", pilot.app)
    await until(pilot, lambda: _log_is_begun(app) and all(map(_is_read, _logs(app))), "the logs")
    await until(pilot, lambda: all(worker.is_finished for worker in app.workers if worker.group == "detail"), "what supd tells")
    app.flush()
    await settled(pilot)


def _view(app: SupdApp) -> ViewScreen:
    """Also below a dialogue."""
    return next(screen for screen in reversed(app.screen_stack) if isinstance(screen, ViewScreen))


def _logs(app: SupdApp) -> list[LogPane]:
    panes = _view(app).query(LogPane)
    return [pane for pane in panes if all(node.display for node in pane.ancestors_with_self)]


def _log_is_begun(app: SupdApp) -> bool:
    """Whether the strip below the list, where there is one, is of the units that are chosen: it follows when the cursor rests."""
    view = _view(app)
    if not isinstance(view, UnitsScreen) or not view.query_one("#strip").display or not view.targets():
        return True
    feeds = [pane.feed for pane in view.query("#strip > LogPane").results(LogPane)]
    return any(feed is not None and feed.units == tuple(view.targets()) for feed in feeds)


def _is_read(pane: LogPane) -> bool:
    """Whether it has read what it will read unasked, and has looked at all lines for its filter and its search."""
    feed, reader = pane.feed, pane.reader
    if feed is None or not feed.is_open:
        return False
    return feed.is_filled and not feed.is_paging and reader.index.is_complete and (reader.hits is None or reader.hits.is_complete)


def _asked_figures(app: SupdApp) -> int:
    return sum(method == "figures" for method, _ in supd_of(app).asked)


async def play(pilot: "Pilot[None]", scene: Scene) -> None:
    await begin(pilot)
    await press(pilot, *scene.keys)
    await scene.then(pilot)
    await all_is_there(pilot)


async def _searched(pilot: "Pilot[None]") -> None:
    await all_is_there(pilot)
    await press(pilot, "/", *"cache-2", "enter")


async def _lost(pilot: "Pilot[None]") -> None:
    app = cast("SupdApp", pilot.app)
    supd_of(app).lose("cannot read the answer of supd: the connection ended")
    await until(pilot, lambda: app.link.phase != "live", "lost")
    time_of(app).advance(12.0)
    app.flush()


SCENES = (
    Scene("units"),
    Scene("units-failed", ("!",)),
    Scene("units-filter", ("/", *"api")),
    Scene("units-marked", ("space", "space", "space")),
    Scene("units-lost", then=_lost),
    Scene("units-read-only", options={"is_read_only": True}),
    Scene("units-ascii", options={"ascii": True}),
    Scene("states", ("f",)),
    Scene("order", ("o",)),
    Scene("actions", (".",)),
    Scene("confirm", ("/", *"/^db$/", "enter", "x")),
    Scene("palette", (":", *"api")),
    Scene("help", ("?",)),
    Scene("jump", ("ctrl+o",)),
    Scene("logs", ("2",)),
    Scene("logs-all", ("L",)),
    Scene("logs-search", ("L",), _searched),
    Scene("detail", ("i",)),
    Scene("deps", ("d",)),
    Scene("timers", ("4",)),
    Scene("runs", ("5",)),
    Scene("events", ("6",)),
)
BY_NAME = {scene.name: scene for scene in SCENES}
