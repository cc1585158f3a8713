"""Filter, state filter, order and marks of the first view, by keys; and that what is narrowed is always said and kept."""

from pathlib import Path
from typing import cast

from textual.events import Key

from supervisor.tui.app import SupdApp
from supervisor.tui.model.choose import Terms
from supervisor.tui.screens.units import UnitsScreen
from supervisor.tui.settings import read_state
from supervisor.tui.widgets.filterbar import FilterBar
from supervisor.tui.widgets.table import UnitTable
from tests.tui.briefs import NOW_S, brief
from tests.tui.pilot import change, make_app, press, ready, screen_text, until

UNITS = [
    brief("web-1", n_restarts=1, active_enter_time_s=NOW_S - 10),
    brief("web-2", n_restarts=2, active_enter_time_s=NOW_S - 20),
    brief("db", "failed", "failed", result="timeout"),
    brief("cache", health="failing"),
    brief("old", "inactive", "dead"),
]


def shown(app: SupdApp) -> list[str]:
    return list(app.screen.query_one(UnitTable).keys_shown)


def tabs(app: SupdApp) -> str:
    return screen_text(app).splitlines()[1]


SHOWN = [
    ([], ["db", "cache", "web-1", "web-2", "old"], "5/5"),
    (["/", *"web"], ["web-1", "web-2"], "filter: web"),
    (["/", *"web", "enter"], ["web-1", "web-2"], "filter: web"),
    (["/", *"web", "escape"], ["db", "cache", "web-1", "web-2", "old"], "5/5"),
    (["/", *"web", "enter", "escape"], ["db", "cache", "web-1", "web-2", "old"], "5/5"),
    (["/", *"!web", "enter"], ["db", "cache", "old"], "3/5"),
    (["/", *"~wb2", "enter"], ["web-2"], "1/5"),
    (["/", *"/^(db|old)$", "enter"], ["db", "old"], "2/5"),
    (["/", *"zzz", "enter"], [], "0/5"),
    (["!"], ["db", "cache"], "only faults"),
    (["!", "!"], ["db", "cache", "web-1", "web-2", "old"], "5/5"),
    (["!", "escape"], ["db", "cache", "web-1", "web-2", "old"], "5/5"),
    (["f", "f", "enter"], ["db"], "only failed"),
    (["f", "space", "enter"], ["db"], "only failed"),
    (["f", "f", "o", "enter"], ["db", "old"], "only failed,off"),
    (["f", "f", "escape"], ["db", "cache", "web-1", "web-2", "old"], "5/5"),
    (["f", "f", "enter", "escape"], ["db", "cache", "web-1", "web-2", "old"], "5/5"),
    (["o", "n"], ["cache", "db", "old", "web-1", "web-2"], "sort name"),
    (["o", "n", "o", "n"], ["web-2", "web-1", "old", "db", "cache"], "sort name▴"),
    (["o", "r"], ["web-2", "web-1", "cache", "db", "old"], "sort restarts"),
    (["o", "u"], ["cache", "web-2", "web-1", "db", "old"], "sort uptime"),
    ([">"], ["cache", "db", "old", "web-1", "web-2"], "sort name"),
    ([">", "<"], ["db", "cache", "web-1", "web-2", "old"], "sort state"),
    (["<"], ["cache", "web-1", "web-2", "db", "old"], "sort pid"),
]


async def test_the_table_shows_what_the_keys_say() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        screen = cast("UnitsScreen", await ready(pilot))
        for keys, names, said in SHOWN:
            screen.set_terms(Terms())
            await press(pilot, *keys)
            await until(pilot, lambda names=names: shown(app) == names, f"{keys}: {names}")  # type: ignore[misc]  # a lambda's default
            assert said in tabs(app), keys
            assert f"{len(names)}/5" in tabs(app), keys
            if screen.query_one(FilterBar).is_open:
                await press(pilot, "enter")


async def test_what_is_typed_in_one_go_is_the_filter() -> None:
    """A terminal may send it all at once, before the field is open."""
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        assert app._driver is not None
        for character in "/web":
            app._driver.process_message(Key("slash" if character == "/" else character, character))
        await until(pilot, lambda: shown(app) == ["web-1", "web-2"], "the filter is web")
        for character in "-2":
            app._driver.process_message(Key("minus" if character == "-" else character, character))
        app._driver.process_message(Key("enter", "\r"))  # it is heard before the letters are taken
        await until(pilot, lambda: shown(app) == ["web-2"] and not app.screen.query_one(FilterBar).is_open, "the filter is web-2")


async def test_a_wrong_pattern_is_told_and_the_last_good_filter_stays() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "/", *"web")
        await press(pilot, "space", *"/(")
        typed = next(line for line in screen_text(app).splitlines() if "unterminated" in line)
        assert typed.split("  ")[0].strip() == "/web /("
        assert "missing ), unterminated subpattern at position 0" in typed
        assert shown(app) == ["web-1", "web-2"]
        await press(pilot, "backspace", "backspace")
        assert "unterminated" not in screen_text(app)


async def test_who_takes_a_filter_away_without_having_moved_is_back_where_he_was() -> None:
    app = make_app(*[brief(f"unit-{number:02d}") for number in range(60)], brief("zebra"))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, *["j"] * 45, *["k"] * 5)
        before = screen_text(app)
        assert app.selected_unit == "unit-40"
        await press(pilot, "/", *"zeb")
        await until(pilot, lambda: app.selected_unit == "zebra")
        await press(pilot, *"ra!", "escape")
        await until(pilot, lambda: app.selected_unit == "unit-40")
        # By name: a figure that was not known yet may have come meanwhile.
        assert [line[:20] for line in screen_text(app).splitlines()[3:12]] == [line[:20] for line in before.splitlines()[3:12]]
        await press(pilot, "/", *"-1", "enter", "k")
        [line] = [at for at, text in enumerate(screen_text(app).splitlines()) if "●  unit-18 " in text]  # not the log below, which follows
        await press(pilot, "escape")  # who has moved stays where he went, on the same line of the screen
        assert app.selected_unit == "unit-18"
        assert "unit-18 " in screen_text(app).splitlines()[line]


async def test_a_unit_that_no_longer_fits_leaves_and_the_reason_stands_there() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "!")
        change(app, "cache", health="ok")
        await until(pilot, lambda: shown(app) == ["db"])
        change(app, "db", active_state="active", sub_state="running", result="success")
        await until(pilot, lambda: shown(app) == [])
        assert "no unit is at fault; ! shows all" in screen_text(app)


async def test_a_total_that_is_clicked_shows_these_units_alone() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        x = screen_text(app).splitlines()[0].index("✗ 1")
        await pilot.click(offset=(x, 0))
        await until(pilot, lambda: shown(app) == ["db"])
        await pilot.click(offset=(x, 0))
        await until(pilot, lambda: len(shown(app)) == 5)


async def test_a_head_that_is_clicked_sorts_and_again_turns_it_round() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        table = app.screen.query_one(UnitTable)
        await pilot.click(table, offset=(6, 0))
        await until(pilot, lambda: shown(app) == ["cache", "db", "old", "web-1", "web-2"])
        await pilot.click(table, offset=(6, 0))
        await until(pilot, lambda: shown(app) == ["web-2", "web-1", "old", "db", "cache"])


MARKS = [
    (["space"], {"db"}),
    (["space", "k", "space"], set()),
    (["space", "space"], {"db", "cache"}),
    (["V", "j", "j"], {"db", "cache", "web-1"}),
    (["V", "j", "V", "j", "j"], {"db", "cache"}),
    (["V", "j", "escape", "j"], {"db", "cache"}),
    (["G", "V", "k"], {"old", "web-2"}),
    (["asterisk"], {"db", "cache", "web-1", "web-2", "old"}),
    (["/", *"web", "enter", "asterisk"], {"web-1", "web-2"}),
    (["/", *"web", "enter", "asterisk", "escape"], {"web-1", "web-2"}),
    (["asterisk", "U"], set()),
]


async def test_marks() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        screen = cast("UnitsScreen", await ready(pilot))
        for keys, marked in MARKS:
            screen.set_terms(Terms())
            await press(pilot, "U", "g", *keys)
            await until(pilot, lambda marked=marked: app.marked == marked, f"{keys}: {marked}")  # type: ignore[misc]  # a lambda's default
            lines = [line for line in screen_text(app).splitlines()[3:] if line.startswith("▌")]
            assert len(lines) == len(marked & set(shown(app))), keys


async def test_a_unit_that_is_gone_is_not_marked_any_more() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "asterisk")
        app.store.remove(["db"])
        app.flush()
        assert app.marked == {"cache", "web-1", "web-2", "old"}


async def test_filter_order_and_theme_are_there_the_next_time(tmp_path: Path) -> None:
    path = str(tmp_path / "state" / "tui.json")
    app = make_app(*UNITS, settings=read_state(path), theme="supd-light")
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "/", *"web", "enter", "o", "n", "o", "n")
        await until(pilot, lambda: shown(app) == ["web-2", "web-1"])
    again = make_app(*UNITS, settings=read_state(path))
    async with again.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        await until(pilot, lambda: shown(again) == ["web-2", "web-1"])
        assert "filter: web" in tabs(again)
        assert again.theme == "supd-light"


async def test_the_unit_that_was_asked_for_is_under_the_cursor() -> None:
    app = make_app(*UNITS, unit="web-2")
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        await until(pilot, lambda: app.selected_unit == "web-2")
