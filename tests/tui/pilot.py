"""The app in a test: an in-memory supd, a clock that stands still, and waiting for what must come true instead of for time."""

import asyncio
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

from supervisor.tui.app import SupdApp
from supervisor.tui.model.linkstate import LIVE, LinkState
from supervisor.tui.screens.view import ViewScreen
from tests.system.api.fake_world import FakeWorld
from tests.tui.briefs import NOW_S
from tests.tui.memory import MemoryTransport

DEADLINE_S = 10.0


class FrozenClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        return 1000.0 + self.now_s

    def time_s(self) -> float:
        return NOW_S + self.now_s


class OnceFeed:
    """Fetches everything when it starts and when it is told to; the link is what the test says."""

    def __init__(self, app: SupdApp) -> None:
        self.app = app
        self.link = LinkState()

    async def run(self) -> None:
        self.app.store.replace(await self.app.transport.units())
        self.link = LinkState(LIVE, self.app.clock.monotonic_s())
        self.app.request_flush()

    def resync(self) -> None:
        self.app.run_worker(self.run())


def make_app(*units: dict[str, Any], **options: Any) -> SupdApp:
    """An app over a supd that has these units (or the fake world's own)."""
    world = FakeWorld("/nonexistent")
    if units:
        world.units = {unit["id"]: unit for unit in units}
    return SupdApp(MemoryTransport(world), OnceFeed, clock=FrozenClock(), **options)


def supd_of(app: SupdApp) -> MemoryTransport:
    """The supd that the app talks to."""
    assert isinstance(app.transport, MemoryTransport)
    return app.transport


async def until(pilot: "Pilot[None]", is_so: Callable[[], bool], what: str = "") -> None:
    """Wait until `is_so`; fails loudly after a deadline. Data that arrived is painted, as the flush would."""
    deadline_s = asyncio.get_running_loop().time() + DEADLINE_S
    while not is_so():
        if asyncio.get_running_loop().time() > deadline_s:
            raise AssertionError(f"never came true: {what or is_so}\n{screen_text(pilot.app)}")
        await pilot.pause()
        app = pilot.app
        assert isinstance(app, SupdApp)
        app.flush()


def screen_text(app: Any) -> str:
    """The screen as text, lines without trailing blanks."""
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in app.screen._compositor.render_strips())


async def ready(pilot: "Pilot[None]") -> ViewScreen:
    """The first view with its units on it."""
    app = pilot.app
    assert isinstance(app, SupdApp)
    await until(pilot, lambda: app.link.phase == LIVE and isinstance(app.screen, ViewScreen), "connected")
    await pilot.pause()
    app.flush()
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, ViewScreen)
    return screen
