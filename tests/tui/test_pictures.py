"""Pictures of the screens: four sizes, three themes, and the terminals without colours or symbols.

They hold what no other test sees: that it is aligned, coloured and uncramped. After a change that is meant, look at the report
(`snapshot_report.html`), then run pytest with --snapshot-update.
"""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from supervisor.tui.app import SupdApp
from supervisor.tui.link.session import Session
from supervisor.tui.model.figures import NSEC_PER_SEC
from supervisor.tui.model.linkstate import LIVE, LOST, STALE, LinkState
from supervisor.tui.settings import Kept, Settings
from supervisor.tui.widgets.detail import DetailPane
from tests.system.api.fake_world import FakeWorld
from tests.tui.briefs import NOW_S, brief
from tests.tui.memory import MemoryTransport
from tests.tui.pilot import press, ready, screen_text, settled, supd_of, time_of, until
from tests.tui.shop import FIGURES_S, shop_app
from tests.tui.virtual import VirtualTime

WORLD = [
    *[brief(f"api-{number:03d}", main_pid=1200 + number, description=f"API shard {number}") for number in range(1, 15)],
    brief("db", description="Postgres", main_pid=1180, active_enter_time_s=NOW_S - 1_047_600),
    brief("web", description="Shop front", main_pid=1300, status_text="serving 3 clients"),
    brief("api-020", "failed", "failed", result="signal", exec_main_code="killed", exec_main_status=9, n_restarts=12,
          state_change_time_s=NOW_S - 131),
    brief("billing", "failed", "failed", result="start-limit-hit", exec_main_code="exited", exec_main_status=137, n_restarts=5,
          state_change_time_s=NOW_S - 3000),
    brief("cache", "activating", "auto-restart", next_time_s=NOW_S + 8, n_restarts=4, state_change_time_s=NOW_S - 41),
    brief("search", "activating", "start", state_change_time_s=NOW_S - 4, status_text="loading the index, 40 %"),
    brief("probe-me", health="failing", main_pid=1400),
    brief("ingest", needs_restart=True, main_pid=1211, n_restarts=1),
    brief("mailer", rolled_back="the new definition did not come up", main_pid=1212),
    brief("broken", "inactive", "dead", load_state="bad-setting"),
    brief("waiting", "inactive", "dead", job={"type": "start", "state": "waiting", "waits_for": ["search"]}),
    brief("migrate", "inactive", "dead", kind="task", inactive_enter_time_s=NOW_S - 3840, state_change_time_s=NOW_S - 3840),
    brief("legacy-ftp", "inactive", "dead", load_state="masked", enabled="masked"),
    brief("mail-relay", "inactive", "dead", state_change_time_s=NOW_S - 500_000),
    brief("all", "active", "active", kind="target", description="Everything"),
]  # fmt: skip


class StillSession(Session):
    """Fetches once and then holds still: what a picture shows is what the test says."""

    async def run(self) -> None:
        await self._enter()

    def watch(self, names: Iterable[str] | None) -> None:
        pass


def still_app(**options: Any) -> SupdApp:
    world = FakeWorld("/nonexistent")
    world.units = {unit["id"]: dict(unit) for unit in WORLD}
    time = VirtualTime()
    app = SupdApp(
        MemoryTransport(world, "web-01"),
        make_session=lambda app: StillSession(app.transport, app.store, app.figures, time, app.request_flush, sleep=time.sleep),
        clock=time,
        settings=Settings(kept=Kept(has_log=False)),  # a log is read by and by, and has pictures of its own
        **options,
    )
    for moment in range(12):
        used = {
            unit["id"]: {
                "cpu_usage_nsec": moment * NSEC_PER_SEC * (2 + number * 7 % 11 + moment % 3) // 40,
                "memory_current_bytes": (3 + number * 31 % 97) << 22,
            }
            for number, unit in enumerate(WORLD)
            if unit["main_pid"]
        }
        app.figures.record(float(moment), used, is_all=True)
    return app


Act = Callable[[SupdApp, "Pilot[None]"], Awaitable[None]]


def keys(*names: str) -> Act:
    async def act(app: SupdApp, pilot: "Pilot[None]") -> None:
        await press(pilot, *names)

    return act


def link(**fields: Any) -> Act:
    async def act(app: SupdApp, pilot: "Pilot[None]") -> None:
        app.store.set_stale(fields["phase"] != LIVE)
        app.session.link = LinkState(**fields)

    return act


async def errors(app: SupdApp, pilot: "Pilot[None]") -> None:
    message = {"file": "/srv/units/web.toml", "line": 12, "key": "service.restart", "message": 'expected one of no, always, got "allways"'}
    app.session.status = {**app.session.status, "load_errors": [message, message]}


async def toasts(app: SupdApp, pilot: "Pilot[None]") -> None:
    app.notify("= supctl restart web", title="restarted web", markup=False)
    app.notify("cannot start db: exec_start left with status 1\n= supctl start db", title="start failed", severity="error", markup=False)


LOST_LINK = link(phase=LOST, since_s=988.0, reason="the connection ended", next_try_s=1002.0, heard_time_s=NOW_S - 12)
STALE_LINK = link(phase=STALE, since_s=996.0, heard_time_s=NOW_S - 4)

PICTURES: list[tuple[str, tuple[int, int], dict[str, Any], Act]] = [
    ("units, dark, 160x48", (160, 48), {}, keys()),
    ("units, light, 100x30", (100, 30), {"theme": "supd-light"}, keys("j", "j")),
    ("units, for colour blindness, 80x24", (80, 24), {"theme": "supd-cb"}, keys("space", "space")),
    ("units, dark, 60x16", (60, 16), {}, keys("j")),
    ("units, light, 160x48", (160, 48), {"theme": "supd-light"}, keys("!")),
    ("units, for colour blindness, 160x48", (160, 48), {"theme": "supd-cb"}, keys("V", "j", "j")),
    ("filter while it is typed, light, 80x24", (80, 24), {"theme": "supd-light"}, keys("/", *"api !02")),
    ("question before a stop, dark, 80x24", (80, 24), {}, keys("space", "space", "/", *"api", "enter", "asterisk", "x")),
    ("actions, for colour blindness, 80x24", (80, 24), {"theme": "supd-cb"}, keys(".")),
    ("states, light, 100x30", (100, 30), {"theme": "supd-light"}, keys("f", "f", "r")),
    ("signals, dark, 60x16", (60, 16), {}, keys("G", "k", "k", "k", "k", "k", "k", "K")),
    ("help, light, 100x30", (100, 30), {"theme": "supd-light"}, keys("?")),
    ("help, dark, 60x16", (60, 16), {}, keys("?")),
    ("palette, dark, 100x30", (100, 30), {}, keys(":", *"ap")),
    ("jump mode, for colour blindness, 100x30", (100, 30), {"theme": "supd-cb"}, keys("ctrl+o")),
    ("connection lost, dark, 100x30", (100, 30), {}, LOST_LINK),
    ("connection stale, light, 80x24", (80, 24), {"theme": "supd-light"}, STALE_LINK),
    ("connection lost, for colour blindness, 60x16", (60, 16), {"theme": "supd-cb"}, LOST_LINK),
    ("errors in unit files, light, 100x30", (100, 30), {"theme": "supd-light"}, errors),
    ("toasts, dark, 100x30", (100, 30), {}, toasts),
    ("read-only, for colour blindness, 80x24", (80, 24), {"theme": "supd-cb", "is_read_only": True}, keys("x")),
    ("plain characters, 80x24", (80, 24), {"ascii": True}, keys("space", ".")),
    ("the terminal's own colours, dark, 80x24", (80, 24), {"theme": "ansi-dark"}, keys("space")),
    ("the terminal's own colours, light, 80x24", (80, 24), {"theme": "ansi-light"}, keys(".")),
]


@pytest.mark.parametrize(("size", "options", "act"), [row[1:] for row in PICTURES], ids=[row[0] for row in PICTURES])
def test_picture(size: tuple[int, int], options: dict[str, Any], act: Act, snap_compare: Any) -> None:
    assert snap_compare(still_app(**options), terminal_size=size, run_before=before(act))


VIEWS = [
    ("dependencies, dark, 100x30", (100, 30), "supd-dark", ["d"], "api-7"),
    ("start order, for colour blindness, 60x16", (60, 16), "supd-cb", ["d", "right", "right"], "step 1"),
    ("tasks, light, 100x30", (100, 30), "supd-light", ["4"], "backup"),
    ("runs, for colour blindness, 80x24", (80, 24), "supd-cb", ["5"], "oom"),
    ("events, dark, 160x48", (160, 48), "supd-dark", ["6"], "api-7"),
    ("events, light, 80x24", (80, 24), "supd-light", ["6"], "api-7"),
]


@pytest.mark.parametrize(("size", "theme", "pressed", "shown"), [row[1:] for row in VIEWS], ids=[row[0] for row in VIEWS])
def test_picture_of_a_view(
    size: tuple[int, int], theme: str, pressed: list[str], shown: str, snap_compare: Any, tmp_path: Path
) -> None:
    async def play(pilot: "Pilot[None]") -> None:
        app = cast("SupdApp", pilot.app)
        await ready(pilot)
        time_of(app).advance(FIGURES_S)  # what the shop tells is of that moment
        supd_of(app).beat()
        await press(pilot, *pressed)
        await until(pilot, lambda: shown in screen_text(app), shown)
        await until(pilot, lambda: app.link.phase == LIVE, "connected")

    assert snap_compare(shop_app(str(tmp_path), theme=theme), terminal_size=size, run_before=play)


def test_picture_without_colour(monkeypatch: pytest.MonkeyPatch, snap_compare: Any) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(still_app(), terminal_size=(80, 24), run_before=before(keys("space")))


async def show_details(app: SupdApp, pilot: "Pilot[None]") -> None:
    """The pane beside the list asks once the cursor rests: let it have rested, and have its answers."""
    if not app.screen.query("#detail") or not app.screen.query_one(DetailPane).size.width:
        return
    pane = app.screen.query_one(DetailPane)
    cast("VirtualTime", app.clock).advance(0.5)
    app.flush()
    if app.link.phase == LIVE and app.store.get(app.selected_unit) is not None:
        await until(pilot, lambda: pane._answers.why is not None, "the detail pane has its answers")


def before(act: Act) -> Callable[["Pilot[None]"], Awaitable[None]]:
    async def run(pilot: "Pilot[None]") -> None:
        app = pilot.app
        assert isinstance(app, SupdApp)
        while app.link.phase != LIVE:
            await settled(pilot)
        app.flush()
        await settled(pilot)
        await act(app, pilot)
        await show_details(app, pilot)
        app.flush()
        await settled(pilot)

    return run
