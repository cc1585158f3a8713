"""The table of units, driven by keys and mouse."""

from textual import events
from textual.geometry import Region

from supervisor.tui.settings import Kept, Settings
from supervisor.tui.widgets.table import UnitTable
from tests.tui.briefs import brief
from tests.tui.pilot import make_app, press, ready, screen_text, supd_of, until

MANY = [brief(f"u{number:02d}") for number in range(40)]


MOVES = [
    (["j"], "u01"),
    (["down", "down"], "u02"),
    (["j", "k"], "u00"),
    (["up"], "u00"),
    (["G"], "u39"),
    (["end", "home"], "u00"),
    (["G", "g"], "u00"),
    (["ctrl+d"], "u10"),
    (["ctrl+d", "ctrl+u"], "u00"),
    (["pagedown"], "u19"),
    (["pagedown", "pageup"], "u00"),
    (["pagedown", "pagedown", "pagedown"], "u39"),
]


async def test_the_cursor_goes() -> None:
    app = make_app(*MANY, settings=Settings(kept=Kept(has_log=False)))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        for keys, name in MOVES:
            await press(pilot, "g", *keys)
            await until(pilot, lambda name=name: app.selected_unit == name, f"{keys}: {name}")  # type: ignore[misc]  # a lambda's default
            assert name in screen_text(app)


async def test_the_cursor_stays_on_its_unit_when_the_order_changes() -> None:
    app = make_app(*MANY, settings=Settings(kept=Kept(has_log=False)))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("j", "j")
        await until(pilot, lambda: app.selected_unit == "u02")
        app.store.update([brief("u30", "failed", "failed", result="timeout")])
        app.flush()
        table = app.screen.query_one(UnitTable)
        assert (table.current, table.view.cursor) == ("u02", 3)
        app.store.remove(["u02"])
        app.flush()
        assert (table.current, table.view.cursor) == ("u03", 3)


async def test_one_changed_unit_is_one_painted_line() -> None:
    app = make_app(*MANY, settings=Settings(kept=Kept(has_log=False)))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        table = app.screen.query_one(UnitTable)
        asked: list[Region] = []
        refresh = table.refresh

        def watched(*regions: Region, **how: bool) -> UnitTable:
            asked.extend(regions)
            return refresh(*regions, **how)

        table.refresh = watched  # type: ignore[method-assign]  # to see what is asked of Textual

        def is_quiet() -> bool:
            asked.clear()
            app.flush()
            return not asked

        await until(pilot, is_quiet, "nothing else changes")
        app.store.update([brief("u05", n_restarts=3), brief("u35", n_restarts=3)])
        app.flush()
        assert [(region.y, region.height) for region in asked] == [(6, 1)]
        await pilot.pause()
        assert "u05" in screen_text(app)
        assert "  3" in next(line for line in screen_text(app).splitlines() if "u05" in line)


async def test_a_line_that_shows_the_same_is_not_made_again() -> None:
    app = make_app(*MANY, settings=Settings(kept=Kept(has_log=False)))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        table = app.screen.query_one(UnitTable)
        before = table.render_lines(table.size.region)
        app.store.update([brief("u05", n_restarts=3)])
        app.flush()
        table.screen.query_one("#top").refresh()
        after = table.render_lines(table.size.region)
        assert [y for y, pair in enumerate(zip(before, after, strict=True)) if pair[0] is not pair[1]] == [6]
        assert table.render_lines(Region(2, 6, 10, 1))[0].text == after[6].text[2:12], "a part of the widget is a part of its lines"


async def test_a_click_chooses_and_the_wheel_scrolls() -> None:
    app = make_app(*MANY, settings=Settings(kept=Kept(has_log=False)))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        table = app.screen.query_one(UnitTable)
        await pilot.click(table, offset=(10, 6))
        await until(pilot, lambda: app.selected_unit == "u05")
        await pilot._post_mouse_events([events.MouseScrollDown], table, offset=(10, 6))
        await until(pilot, lambda: table.view.top == 3)


async def test_q_leaves_and_says_that_everything_runs_on() -> None:
    app = make_app(*MANY, settings=Settings(kept=Kept(has_log=False)))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert not [question for question in supd_of(app).asked if question[0] == "act"]


async def test_where_no_unit_is_loaded_that_is_said_and_not_that_it_connects() -> None:
    app = make_app()
    supd_of(app).world.units = {}
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await until(pilot, lambda: "no units are loaded" in screen_text(app))
        assert "connecting" not in screen_text(app)
