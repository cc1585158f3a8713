"""What starts in a hurry imports only what it needs then: the first service of a boot, and the first paint of the terminal UI."""

import os
import subprocess
import sys

import supervisor

# What the manager has loaded when it hands over the first spawn of a boot whose unit files have not changed.
BEFORE_THE_FIRST_SPAWN = """
import supervisor.daemon.main, supervisor.daemon.boot
import sys
print(*sorted(name for name in sys.argv[1:] if name in sys.modules))
"""
NOT_NEEDED = ("asyncio", "h11", "http", "logging", "pydantic", "sqlite3", "ssl", "subprocess", "threading", "tomllib", "watchdog")

# What the terminal UI has loaded when it paints first: its first view, and what connects it to supd.
BEFORE_THE_FIRST_PAINT = """
import asyncio, sys
import supervisor.tui.main
from supervisor.client.discovery import Place
from supervisor.tui.app import SupdApp
from supervisor.tui.link.http import HttpTransport
from supervisor.tui.screens.view import ViewScreen

async def paint():
    app = SupdApp(HttpTransport(Place("/nonexistent/supd.sock", "--socket")), keys_path="/nonexistent/keys.toml")
    async with app.run_test(size=(160, 48)) as pilot:
        while not isinstance(app.screen, ViewScreen):
            await asyncio.sleep(0)
        app.flush()
    print(*sorted(name for name in sys.modules if name in sys.argv[1:] or name.startswith("supervisor.tui.")))

asyncio.run(paint())
"""
LATER = (
    "doing", "editing", "web", "bindings", "modals", "logs", "model.detail", "model.deps", "model.edits", "screens.logs", "screens.deps",
    "screens.timers", "screens.runs", "screens.events", "screens.runlog", "screens.unitdetail", "widgets.logpane", "widgets.logview",
    "link.logfeed",
)  # fmt: skip
HEAVY = ("pydantic", "tomllib", "aiohttp", "textual_serve", "sqlite3", "supervisor.client.logpages", "supervisor.client.inotify")


def test_the_first_spawn_waits_for_no_module_it_does_not_need() -> None:
    ran = subprocess.run([sys.executable, "-c", BEFORE_THE_FIRST_SPAWN, *NOT_NEEDED], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_the_keeper_loads_next_to_nothing_before_the_manager_is_started() -> None:
    program = "import supervisor.keeper.main, sys; print(*sorted(name for name in sys.argv[1:] if name in sys.modules))"
    names = (*NOT_NEEDED, "ctypes", "dataclasses", "json", "re", "socket", "typing")
    root = os.path.dirname(os.path.dirname(supervisor.__file__))
    program = f"import sys; sys.path.insert(0, {root!r}); {program}"
    ran = subprocess.run([sys.executable, "-S", "-E", "-c", program, *names], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_the_first_paint_of_the_terminal_ui_waits_for_no_module_that_a_later_key_needs() -> None:
    ran = subprocess.run([sys.executable, "-c", BEFORE_THE_FIRST_PAINT, *HEAVY], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert "supervisor.tui.screens.units" in loaded
    later = tuple(f"supervisor.tui.{name}" for name in LATER)
    assert [name for name in loaded if name in HEAVY or name in later or name.startswith(tuple(f"{one}." for one in later))] == []
