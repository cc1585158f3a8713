"""The keys that work everywhere: palette, help, jump mode, zoom, keys of one's own, redraw, resync."""

from pathlib import Path

from supervisor.tui.app import SupdApp
from supervisor.tui.modals.confirm import Confirm
from supervisor.tui.modals.help import Help
from supervisor.tui.modals.jump import Jump
from supervisor.tui.modals.palette import Palette
from supervisor.tui.screens.view import ViewScreen
from supervisor.tui.widgets.table import UnitTable
from tests.tui.briefs import brief
from tests.tui.pilot import acts_of, make_app, press, ready, screen_text, supd_of, until

UNITS = [brief("web-1"), brief("web-2"), brief("db", "failed", "failed", result="timeout")]


def offered(app: SupdApp) -> list[str]:
    assert isinstance(app.screen, Palette)
    return [command.text for command in app.screen._found]


def is_plain(app: SupdApp) -> bool:
    """Whether no dialogue stands over the view."""
    return isinstance(app.screen, ViewScreen)


async def test_the_palette_goes_to_a_unit_whatever_hides_it() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "!")
        await press(pilot, ":", *"we2")
        assert offered(app) == ["web-2"]
        assert "● web-2  run" in screen_text(app)
        await press(pilot, "enter")
        await until(pilot, lambda: app.selected_unit == "web-2")


async def test_the_palette_does_things_to_units_where_they_make_sense() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "ctrl+p", *"stop", "space", *"db")
        assert "stop db" not in offered(app)  # it is down
        for _ in range(3):
            await press(pilot, "backspace")
        await press(pilot, "space", *"web-1")
        assert offered(app)[0] == "stop web-1"
        await press(pilot, "enter")
        await until(pilot, lambda: acts_of(app) == [("stop", "web-1")])


async def test_the_palette_runs_the_action_of_any_key_and_chooses_themes() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        await press(pilot, ":", *"markall")
        assert offered(app)[0] == "mark all shown"
        await press(pilot, "enter")
        await until(pilot, lambda: app.marked == {"web-1", "web-2", "db"})
        await press(pilot, ":", *"theme", "space", *"supd-cb", "enter")
        await until(pilot, lambda: app.theme == "supd-cb")
        await press(pilot, ":", "down", "up", "escape")
        assert is_plain(app)


async def test_help_lists_every_key_that_works_here_with_its_name() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 60)) as pilot:
        await ready(pilot)
        await press(pilot, "?")
        assert isinstance(app.screen, Help)
        rows = [(keys, description, name) for _, group in app.screen._groups for keys, description, name in group]
        assert ("s", "start", "unit.start") in rows
        assert ("j down", "down", "list.down") in rows
        names = {name for _, _, name in rows}
        assert {"app.detach", "app.palette", "app.help", "view.units", "unit.signal", "list.filter"} <= names
        await press(pilot, "q")
        assert is_plain(app)
        assert app.is_running


async def test_jump_mode_puts_a_letter_on_the_table_and_on_the_views() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        app.screen.set_focus(None)
        await press(pilot, "ctrl+o")
        assert isinstance(app.screen, Jump)
        assert " a " in screen_text(app).splitlines()[2]
        await press(pilot, "a")
        await until(pilot, lambda: isinstance(app.focused, UnitTable))
        await press(pilot, "ctrl+o", "escape")
        assert is_plain(app)


async def test_ctrl_r_fetches_everything_anew() -> None:
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        supd_of(app).world.units["new"] = brief("new")  # nobody told
        await press(pilot, "ctrl+r")
        await until(pilot, lambda: "new" in app.store)
        await press(pilot, "ctrl+l")
        assert "new" in screen_text(app)


async def test_keys_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text('unit.stop = "ctrl+x"\n"unit.start" = ["s", "f5"]\nunit.strat = "z"\nunit.log = "d"\n[keys]\nlist.down = 3\n')
    app = make_app(*UNITS, keys_path=str(path))
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        told = sorted(one.message for one in app._notifications)
        assert told == [
            f"{path}: d is unit.log now; unit.deps has no key any more",
            f'{path}: list.down needs a key or a list of keys, as in "ctrl+x"',
            f"{path}: there is no action 'unit.strat' (did you mean 'unit.start'?)",
        ]
        hints = screen_text(app).splitlines()[-1]
        assert "s f5 start" not in hints
        assert hints.split()[:9] == ["s", "start", "ctrl+x", "stop", "r", "restart", "d", "log", "."]  # where the old ones stood
        await press(pilot, "f5")
        await until(pilot, lambda: acts_of(app) == [("start", "db")])
        await press(pilot, "asterisk", "x")
        assert not isinstance(app.screen, Confirm)
        await press(pilot, "ctrl+x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
