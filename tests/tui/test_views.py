"""The views of dependencies, tasks, runs and events: what stands on them, and every key of theirs."""

from typing import Any

import pytest

from supervisor.tui.app import SupdApp
from supervisor.tui.screens.runlog import RunLogScreen
from supervisor.tui.screens.view import ViewScreen
from supervisor.tui.widgets.logpane import LogPane
from supervisor.tui.widgets.rows import RowList
from supervisor.tui.widgets.table import UnitTable
from tests.system.api.fake_world import STARTED_S, run
from tests.tui.briefs import NOW_S, brief
from tests.tui.pilot import change, make_app, press, ready, screen_text, settled, supd_of, time_of, until

WAITING = {"id": 7, "unit": "web", "type": "start", "state": "waiting", "waits_for": ["cache"], "since_s": NOW_S - 4}
UNITS = [
    brief("api", "failed", "failed", result="exit-code", exec_main_code="exited", exec_main_status=1),
    brief("cache", "activating", "auto-restart", next_time_s=NOW_S + 8, inactive_exit_time_s=NOW_S - 300),
    brief("db", inactive_exit_time_s=NOW_S - 301),
    brief("web", "inactive", "dead", job=WAITING),
    brief("migrate", "inactive", "dead", kind="task", inactive_exit_time_s=NOW_S - 70, inactive_enter_time_s=NOW_S - 60),
]
RELATIONS = {
    "api": {"requires": ["db", "cache"], "after": ["db", "cache"], "required_by": ["web"]},
    "cache": {"requires": ["db"], "after": ["db"], "required_by": ["api"]},
    "db": {"required_by": ["api", "cache"]},
    "web": {"requires": ["api"], "after": ["api"]},
}
RUNS = [
    run("api", 1, started_time_s=NOW_S - 100, ended_time_s=NOW_S - 99),
    run("migrate", 2, started_time_s=NOW_S - 70, ended_time_s=NOW_S - 60, result="success", exec_main_status=0),
    run("db", 3, started_time_s=NOW_S - 50, ended_time_s=None, result=None),
]


def app_of_views(**options: Any) -> SupdApp:
    app = make_app(*UNITS, **options)
    world = supd_of(app).world
    world.relations = lambda unit: RELATIONS.get(unit, {})  # type: ignore[method-assign]  # this world has other units
    world.runs = [dict(one) for one in RUNS]
    return app


def rows(app: SupdApp) -> list[str]:
    """The rows on the screen, each with single blanks."""
    listed = app.screen.query_one(RowList)
    top = listed.region.y
    return [" ".join(line.split()) for line in screen_text(app).splitlines()[top + 1 : top + 1 + len(listed.view.rows)]]


def tabs(app: SupdApp) -> str:
    return screen_text(app).splitlines()[1]


def cursor(app: SupdApp) -> str | None:
    return app.screen.query_one(RowList).current


async def test_dependencies_are_those_of_the_unit_that_was_chosen() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "d")
        await until(pilot, lambda: len(rows(app)) == 4)
        assert rows(app) == [
            "✗ api FAIL 1",
            "├─↺ cache retry 8s requires ◀ blocks 1 unit",
            "│ └─● db run requires",
            "└─● db run requires",
        ]
        await press(pilot, "right")
        assert rows(app) == ["✗ api FAIL 1", "└─◌ web wait cache required by"]
        await press(pilot, "right")
        assert rows(app) == ["1 ● db run step 1", "2 ↺ cache retry 8s step 2 after db", "3 ✗ api FAIL 1 step 3 after db cache"]
        await press(pilot, "right")
        assert rows(app) == ["✗ api FAIL 1 it is not up, and waits for nobody"]
        await press(pilot, "right", "left", "left")
        assert len(rows(app)) == 3


async def test_enter_takes_another_root_and_backspace_goes_back() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "d")
        await until(pilot, lambda: len(rows(app)) == 4)
        await press(pilot, "j", "enter")
        assert rows(app) == ["↺ cache retry 8s ◀ blocks 1 unit", "└─● db run requires"]
        assert "cache" in tabs(app)
        await press(pilot, "backspace")
        assert len(rows(app)) == 4
        await press(pilot, "backspace")
        assert len(rows(app)) == 4


async def test_the_tree_follows_what_happens_to_units() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "d")
        await until(pilot, lambda: len(rows(app)) == 4)
        await press(pilot, "j")
        assert cursor(app) == "cache#1"
        change(app, "cache", active_state="active", sub_state="running")
        change(app, "web", job=None)
        await until(pilot, lambda: "● cache" in screen_text(app))
        await until(pilot, lambda: rows(app)[1] == "├─● cache run requires")
        assert cursor(app) == "cache#1"


async def test_a_unit_that_is_not_loaded_is_told_apart() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        supd_of(app).world.relations = lambda unit: {"api": {"wants": ["ghost"]}}.get(unit, {})  # type: ignore[method-assign]  # as above
        await press(pilot, "d")
        await until(pilot, lambda: len(rows(app)) == 2)
        assert rows(app)[1] == "└─ghost not loaded wants"


async def test_the_critical_path_of_what_is_up_tells_times() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        change(app, "api", active_state="active", sub_state="running", active_enter_time_s=NOW_S - 290, inactive_exit_time_s=NOW_S - 299.5)
        await until(pilot, lambda: (unit := app.store.get("api")) is not None and unit.look.word == "run")
        app.selected_unit = "api"
        await press(pilot, "3", "left")
        await until(pilot, lambda: len(rows(app)) == 2)
        assert rows(app)[0].endswith("its start took 9.5s")
        assert "└─● db run after up at" in rows(app)[1]
        assert rows(app)[1].endswith("its start took 1.0s")


async def test_tasks_and_what_comes_next_are_listed() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "4")
        assert rows(app) == [
            "in 8s cache ↺ retry 8s 5m00 ago - goes on 0 - The cache",
            "- migrate ✓ done 1m00 ago 10.0s ✓ ok 0 - The migrate",
        ]
        change(app, "migrate", active_state="activating", sub_state="start", state_change_time_s=NOW_S, inactive_exit_time_s=NOW_S)
        await until(pilot, lambda: "◐ start 0s" in screen_text(app))


async def test_runs_are_listed_and_asked_for_again_when_something_changed() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "5")
        await until(pilot, lambda: len(rows(app)) == 3)
        assert [row.split()[1] for row in rows(app)] == ["db", "migrate", "api"]
        supd_of(app).world.runs.append(run("web", 9, started_time_s=NOW_S - 1, ended_time_s=None, result=None))
        change(app, "web", active_state="active", sub_state="running", job=None)
        time_of(app).advance(1.0)
        await until(pilot, lambda: len(rows(app)) == 4)
        assert rows(app)[0].split()[1] == "web"


async def test_the_runs_of_one_unit_alone_and_of_all_again() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "5")
        await until(pilot, lambda: len(rows(app)) == 3)
        await press(pilot, "G", "a")
        await until(pilot, lambda: len(rows(app)) == 1)
        assert "of api" in tabs(app)
        await press(pilot, "a")
        await until(pilot, lambda: len(rows(app)) == 3)
        assert "of all units" in tabs(app)


async def test_enter_on_a_run_opens_its_log_and_escape_comes_back() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "5")
        await until(pilot, lambda: len(rows(app)) == 3)
        await press(pilot, "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunLogScreen))
        wanted = app.screen.query_one(LogPane).reader.wanted
        assert (wanted.since_us, wanted.until_us) == ((NOW_S - 70) * 1_000_000, (NOW_S - 60) * 1_000_000 + 150_000)
        assert "of migrate" in tabs(app)
        assert "✓ ok" in tabs(app)
        await press(pilot, "escape")
        await until(pilot, lambda: not isinstance(app.screen, RunLogScreen))
        assert len(rows(app)) == 3


def tell(app: SupdApp, kind: str, unit: str = "api", text: str = "", **more: Any) -> None:
    world = supd_of(app).world
    world.ring.publish({"time_s": app.clock.time_s(), "unit": unit, "kind": kind, "text": text or f"{kind} of {unit}", **more})


async def test_events_are_those_of_before_and_those_that_come() -> None:
    app = app_of_views()
    tell(app, "failed", "web", "before")
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "6")
        await until(pilot, lambda: rows(app) and rows(app)[0].endswith("web failed before"))
        tell(app, "intent", "db", "wanted up by uid 1000 (ann) pid 1")
        await until(pilot, lambda: len(rows(app)) == 2)
        assert rows(app)[0].endswith("db intent wanted up by uid 1000 (ann) pid 1")
        assert "● follow" in tabs(app)


async def test_a_cursor_away_from_the_newest_stays_and_counts_what_is_new() -> None:
    app = app_of_views()
    for number in range(5):
        tell(app, "failed", text=f"number {number}")
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "6")
        await until(pilot, lambda: len(rows(app)) == 5)
        await press(pilot, "j", "j")
        here = cursor(app)
        tell(app, "failed", text="one more")
        tell(app, "failed", text="and another")
        await until(pilot, lambda: "+2 new" in tabs(app))
        assert cursor(app) == here
        await press(pilot, "F")
        assert "● follow" in tabs(app)
        assert rows(app)[0].endswith("and another")


async def test_groups_of_kinds_and_one_unit_narrow_the_events() -> None:
    app = app_of_views()
    for kind, unit in (("failed", "api"), ("intent", "db"), ("state", "db"), ("restart", "cache")):
        tell(app, kind, unit)
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "6")
        await until(pilot, lambda: len(rows(app)) == 4)
        await press(pilot, "f", "f", "enter")
        await until(pilot, lambda: len(rows(app)) == 2)
        assert "only faults" in tabs(app)
        await press(pilot, "f", "f", "enter")
        await until(pilot, lambda: len(rows(app)) == 4)
        await press(pilot, "j", "a")
        assert [row.split()[1] for row in rows(app)] == ["db", "db"]
        assert "of db" in tabs(app)
        await press(pilot, "a")
        assert len(rows(app)) == 4


async def test_after_a_change_of_manager_the_gap_is_told_and_what_was_missed_comes_from_history() -> None:
    app = app_of_views()
    tell(app, "failed", text="first")
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "6")
        await until(pilot, lambda: len(rows(app)) == 1)
        supd = supd_of(app)
        supd.lose()
        await until(pilot, lambda: app.link.phase == "lost")
        supd.replace_manager()
        tell(app, "failed", text="missed")
        supd.restore()
        app.session.resync()
        await until(pilot, lambda: any("everything was fetched anew" in row for row in rows(app)))
        await until(pilot, lambda: any(row.endswith("missed") for row in rows(app)))
        assert sum(row.endswith("first") for row in rows(app)) == 1


@pytest.mark.parametrize(("view", "word", "left"), [("4", "migrate", 1), ("5", "db", 1), ("6", "!job", 1)])
async def test_a_filter_narrows_every_list_and_is_said(view: str, word: str, left: int) -> None:
    app = app_of_views()
    tell(app, "failed", "api")
    tell(app, "job-finished", "api")
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, view)
        await until(pilot, lambda: len(rows(app)) > 1)
        total = len(rows(app))
        await press(pilot, "/", *word, "enter")
        assert (len(rows(app)), f"filter: {word}" in tabs(app), f"{left}/{total}" in tabs(app)) == (left, True, True)
        await press(pilot, "escape")
        assert len(rows(app)) == total


async def test_lists_are_sorted_by_menu_by_key_and_by_mouse() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "5")
        await until(pilot, lambda: len(rows(app)) == 3)

        def units() -> list[str]:
            return [row.split()[1] for row in rows(app)]

        await press(pilot, "o", "u")
        assert (units(), "sort unit" in tabs(app)) == (["api", "db", "migrate"], True)
        listed = app.screen.query_one(RowList)
        await pilot.click(RowList, offset=(listed.region.x + 12, 0))
        await settled(pilot)
        assert units() == ["migrate", "db", "api"]
        await pilot.click(RowList, offset=(listed.region.x + 12, 0))
        await settled(pilot)
        assert (units(), "sort" in tabs(app)) == (["db", "migrate", "api"], False)
        await press(pilot, ">")
        assert (units(), "sort started" in tabs(app)) == (["api", "migrate", "db"], True)
        await press(pilot, "escape")
        assert units() == ["db", "migrate", "api"]


async def test_keys_of_units_act_on_the_unit_of_the_row() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "5")
        await until(pilot, lambda: len(rows(app)) == 3)
        await press(pilot, "j", "s")
        await until(pilot, lambda: ("act", ("start", "migrate")) in supd_of(app).asked)
        assert app.selected_unit == "migrate"


async def test_enter_and_a_double_click_on_a_task_lead_to_its_unit() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "4", "j", "enter")
        assert (app.current_mode, app.selected_unit) == ("units", "migrate")


@pytest.mark.parametrize("size", [(160, 48), (80, 24), (60, 16), (30, 8)])
async def test_every_view_fits_every_size(size: tuple[int, int]) -> None:
    app = app_of_views()
    tell(app, "failed", "api")
    async with app.run_test(size=size) as pilot:
        await ready(pilot)
        for view in "3456":
            await press(pilot, view)
            await until(pilot, lambda: rows(app))
            assert all(len(line) <= size[0] for line in screen_text(app).splitlines())
            assert isinstance(app.screen, ViewScreen)


async def test_a_lost_link_dims_the_lists_and_ends_nothing() -> None:
    app = app_of_views()
    tell(app, "failed")
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        for view in "3456":
            await press(pilot, view)
        supd_of(app).lose()
        await until(pilot, lambda: app.link.phase == "lost")
        for view in "3456":
            await press(pilot, view)
            assert "✗ lost" in screen_text(app)
            assert len(rows(app)) > 0, "what was known stays readable"
        supd_of(app).restore()
        app.session.resync()
        await until(pilot, lambda: app.link.phase == "live")
        assert STARTED_S == NOW_S


async def test_the_runs_of_the_unit_under_the_cursor_are_one_key_away() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "H")
        await until(pilot, lambda: len(rows(app)) == 1)
        assert "of api" in tabs(app)
        app.selected_unit = "db"
        await press(pilot, "1", "G", "H")
        await until(pilot, lambda: "of migrate" in tabs(app) and len(rows(app)) == 1)


async def test_a_unit_chosen_in_another_view_is_under_the_cursor_of_the_units() -> None:
    app = app_of_views()
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        assert app.screen.query_one(UnitTable).current == "api"
        await press(pilot, "5")
        await until(pilot, lambda: len(rows(app)) == 3)
        await press(pilot, "j", "1")
        assert app.screen.query_one(UnitTable).current == app.selected_unit == "migrate"
        await press(pilot, "/", *"api", "enter", "5", "j", "1")
        assert app.screen.query_one(UnitTable).current == "api", "what is hidden cannot be under the cursor"
        await press(pilot, "x", "s")
        assert ("act", ("start", "migrate")) not in supd_of(app).asked, "keys act on what is seen"
