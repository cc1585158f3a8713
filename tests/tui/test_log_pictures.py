"""Pictures of logs: sizes, themes, and what only a picture shows: columns, colours of the text's own, what was found, dialogues."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from supervisor.tui.app import SupdApp
from supervisor.tui.settings import Kept, Settings
from supervisor.tui.widgets.logpane import LogPane
from tests.system.api.fake_world import FakeWorld
from tests.tui.briefs import brief
from tests.tui.logfiles import NOW_US, RUN_1, RUN_2, UnitLog
from tests.tui.memory import MemoryTransport
from tests.tui.pilot import press, settled, until
from tests.tui.test_pictures import StillSession
from tests.tui.virtual import VirtualTime

UNITS = ("api-007", "cache-002", "ingest")


def write_logs(directory: Path) -> dict[str, str]:
    """The logs of UNITS: every level, colours, control characters, a stack trace, JSON, a long line, a new run."""
    logs = {unit: UnitLog(str(directory / unit)) for unit in UNITS}
    for number in range(60):
        time_us = NOW_US + number * 317_000
        unit = UNITS[number * 7 % 3]
        text = {
            5: "WARN connection refused 10.0.0.7:6379, attempt 4, next retry in 8s",
            6: "ERROR timeout waiting for cache-002 after 3000ms",
            8: '{"level":"warn","msg":"slow query","ms":812,"user":{"name":"ann"}}',
            10: "\x1b[32mOK\x1b[0m \x1b[1mworker\x1b[0m started \x1b[38;5;208mpid=40988\x1b[0m",
            11: "bell \x07, title \x1b]0;x\x07, wide 漢字, a\ttab",
        }.get(number % 12, f"INFO request handled path=/api/v1/items/{number} status=200 dur={number % 37}ms")
        logs[unit].say(text, run=RUN_1 if number < 52 or unit != "api-007" else RUN_2, time_us=time_us)
    logs["api-007"].say(
        "Traceback (most recent call last):", '  File "app.py", line 3', "ValueError: no", run=RUN_2, time_us=NOW_US + 19_100_000
    )
    logs["ingest"].say("x" * 9000, time_us=NOW_US + 19_200_000)
    logs["cache-002"].say("INFO ready", time_us=NOW_US + 19_300_000)
    return {unit: log.directory for unit, log in logs.items()}


def still_logs(directory: Path, theme: str) -> SupdApp:
    world = FakeWorld("/nonexistent")
    world.units = {unit: brief(unit) for unit in UNITS}
    transport = MemoryTransport(world, "web-01")
    transport.log_directories = write_logs(directory)
    time = VirtualTime()
    return SupdApp(
        transport,
        make_session=lambda app: StillSession(app.transport, app.store, app.figures, time, app.request_flush, sleep=time.sleep),
        clock=time,
        settings=Settings(kept=Kept(has_log=False)),
        theme=theme,
        unit="api-007",
    )


PICTURES = [
    ("all units", "supd-dark", (160, 48), ["L"]),
    ("one unit, filtered", "supd-light", (100, 30), ["&", *"timeout|refused", "enter"]),
    ("the rest dimmed, some chosen", "supd-cb", (80, 24), ["L", "&", *"time", "enter", "H", "k", "k", "m", "k", "V", "k", "k"]),
    ("wrapped, with a search", "supd-dark", (80, 24), ["L", "w", "/", *"retry", "enter"]),
    ("a range of times", "supd-light", (60, 16), ["F", *"soon", "enter"]),
    ("a line of JSON", "supd-cb", (100, 30), ["L", "/", *"slow", "enter", "J"]),
    ("saved", "supd-dark", (100, 30), ["S"]),
    ("the terminal's own colours", "ansi-dark", (80, 24), ["L", "v", "v", "k"]),
]


@pytest.mark.parametrize(("name", "theme", "size", "keys"), PICTURES, ids=[row[0] for row in PICTURES])
def test_picture_of_a_log(
    snap_compare: Callable[..., bool], tmp_path: Path, name: str, theme: str, size: tuple[int, int], keys: list[str]
) -> None:
    async def play(pilot: "Pilot[None]") -> None:
        app = pilot.app
        assert isinstance(app, SupdApp)
        await until(pilot, lambda: app.link.phase == "live", "connected")
        await press(pilot, "2")
        pane = app.screen.query_one(LogPane)
        for key in keys:
            await until(pilot, lambda: pane.feed is not None and pane.feed.is_at_begin and pane.reader.index.is_complete, "all lines")
            await press(pilot, key)
        await until(pilot, lambda: not pane.reader.work(), "all looked at")
        app.flush()
        await settled(pilot)

    os.makedirs(tmp_path / "logs")
    assert snap_compare(still_logs(tmp_path / "logs", theme), terminal_size=size, run_before=play)
