"""What there is to look at: the state of every screen and dialogue worth a picture, each as the keys that lead to it.

Used by the snapshot tests and by `contrib/render.py`. A scene begins at the first view of the shop, with some seconds of figures.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

from textual.pilot import Pilot

from supervisor.tui.app import SupdApp
from supervisor.tui.widgets.logview import LogView
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
    app = cast("SupdApp", pilot.app)
    world = supd_of(app).world
    assert isinstance(world, ShopWorld)
    for _ in range(FIGURES_S):
        world.now_s += 1.0
        asked = _asked_figures(app)
        time_of(app).advance(1.0)
        supd_of(app).beat()
        await until(pilot, lambda asked=asked: _asked_figures(app) > asked, "figures are asked for")  # type: ignore[misc]  # a lambda's default
    app.flush()
    await settled(pilot)


def _asked_figures(app: SupdApp) -> int:
    return sum(method == "figures" for method, _ in supd_of(app).asked)


async def play(pilot: "Pilot[None]", scene: Scene) -> None:
    await begin(pilot)
    await press(pilot, *scene.keys)
    await scene.then(pilot)
    await settled(pilot)


async def _log_is_there(pilot: "Pilot[None]") -> None:
    """The files are read by another thread."""
    await until(pilot, lambda: any("INFO" in line for line in pilot.app.screen.query_one(LogView).lines), "a log")


async def _searched(pilot: "Pilot[None]") -> None:
    await _log_is_there(pilot)
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
    Scene("logs", ("2",), _log_is_there),
    Scene("logs-all", ("L",), _log_is_there),
    Scene("logs-search", ("L",), _searched),
    Scene("detail", ("i",)),
    Scene("deps", ("d",)),
    Scene("timers", ("4",)),
    Scene("runs", ("5",)),
    Scene("events", ("6",)),
)
BY_NAME = {scene.name: scene for scene in SCENES}
