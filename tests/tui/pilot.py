"""The app in a test: an in-memory supd, time that stands still, and waiting for what must come true instead of for time."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from supervisor.tui.app import SupdApp
from supervisor.tui.link.session import FETCH_INTERVAL_S, Session
from supervisor.tui.model.linkstate import LIVE
from supervisor.tui.screens.view import ViewScreen
from tests.system.api.fake_world import FakeWorld
from tests.tui.memory import MemoryTransport
from tests.tui.virtual import VirtualTime

DEADLINE_S = 10.0
ROUNDS = 6  # a key opens a dialogue in that many hops from queue to queue at most


def make_app(*units: dict[str, Any], **options: Any) -> SupdApp:
    """An app over a supd that has these units (or the fake world's own). Its time moves only when a test moves it."""
    world = FakeWorld("/nonexistent")
    if units:
        world.units = {unit["id"]: dict(unit) for unit in units}
    return app_over(MemoryTransport(world), **options)


def app_over(transport: MemoryTransport, **options: Any) -> SupdApp:
    """An app over this supd; its time moves only when a test moves it."""
    time = VirtualTime()

    def session(app: SupdApp) -> Session:
        return Session(app.transport, app.store, app.figures, time, app.request_flush, sleep=time.sleep, chance=random.Random(1))

    return SupdApp(transport, make_session=session, clock=time, **options)


def supd_of(app: SupdApp) -> MemoryTransport:
    """The supd that the app talks to."""
    return cast("MemoryTransport", app.transport)


def time_of(app: SupdApp) -> VirtualTime:
    return cast("VirtualTime", app.clock)


def acts_of(app: SupdApp) -> list[Any]:
    """What was asked of supd that changes something, in order."""
    return [arguments for method, arguments in supd_of(app).asked if method == "act"]


def change(app: SupdApp, name: str, **fields: Any) -> None:
    """A unit changes, and supd tells."""
    world = supd_of(app).world
    world.units[name] = {**world.units[name], **fields}
    world.ring.publish({"time_s": app.clock.time_s(), "unit": name, "kind": "state", "text": ""})


async def until(pilot: "Pilot[None]", is_so: Callable[[], object], what: str = "") -> None:
    """Wait until `is_so`; fails loudly after a deadline. What arrives is fetched and painted, as the session and the flush would."""
    app = cast("SupdApp", pilot.app)
    deadline_s = asyncio.get_running_loop().time() + DEADLINE_S
    while not is_so():
        if asyncio.get_running_loop().time() > deadline_s:
            raise AssertionError(f"never came true: {what or is_so}\n{screen_text(app)}")
        due_s = time_of(app).due_in_s
        if due_s is not None and due_s <= FETCH_INTERVAL_S + 1e-6:
            time_of(app).advance(max(0.0, due_s))  # one that is overdue has not run yet
        await settled(pilot)
        if app.is_running:
            app.flush()


def screen_text(app: SupdApp) -> str:
    """The screen as text, lines without trailing blanks."""
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in app.screen._compositor.render_strips())


async def ready(pilot: "Pilot[None]") -> ViewScreen:
    """The first view, connected, with its units on it."""
    app = cast("SupdApp", pilot.app)
    await until(pilot, lambda: app.link.phase == LIVE and isinstance(app.screen, ViewScreen), "connected")
    app.flush()
    await settled(pilot)
    return cast("ViewScreen", app.screen)


async def press(pilot: "Pilot[None]", *keys: str) -> None:
    """Press keys one after another, and let each do what it does as far as that needs no time."""
    app = cast("SupdApp", pilot.app)
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        event = events.Key(name, key if len(key) == 1 else " " if key == "space" else None)
        event.set_sender(app)
        assert app._driver is not None
        app._driver.send_message(event)
        await settled(pilot)
    if app.is_running:
        app.flush()
        await settled(pilot)


async def settled(pilot: "Pilot[None]") -> None:
    """Every queue of the screen that is shown was empty several times over; Pilot's own pause waits 20 ms for an idle processor instead."""
    for _ in range(ROUNDS):
        await pilot._wait_for_screen()
        await asyncio.sleep(0)
    if pilot.app.is_running:
        pilot.app.screen._on_timer_update()
