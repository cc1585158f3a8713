"""Everything about one unit: the lines of it, and the pane beside the list and over the whole screen."""

from typing import Any

import pytest

from supervisor.tui.app import SupdApp
from supervisor.tui.model import detail, wrap
from supervisor.tui.model.figures import Usage
from supervisor.tui.model.rows import Cell
from supervisor.tui.model.units import Unit, UnitStore
from supervisor.tui.screens.unitdetail import UnitDetailScreen
from supervisor.tui.widgets.bar import Bar
from supervisor.tui.widgets.detail import DetailPane
from supervisor.tui.widgets.logpane import LogPane
from supervisor.tui.widgets.table import UnitTable
from supervisor.tui.widgets.textlines import TextLines
from tests.system.api.fake_world import run
from tests.tui.briefs import NOW_S, brief
from tests.tui.pilot import change, make_app, press, ready, settled, supd_of, time_of, until

ERROR = {"file": "web.toml", "line": 3, "key": "service.restart", "message": "expected no, got 1", "hint": ""}


def unit(name: str, *state: str, **more: Any) -> Unit:
    store = UnitStore()
    store.update([brief(name, *state, **more)])
    found = store.get(name)
    assert found is not None
    return found


def text(lines: Any) -> list[str]:
    return ["".join(one.text for one in line).rstrip() for line in lines]


WANTED: list[tuple[str, Unit, bool]] = [
    ("it runs", unit("a"), True),
    ("it failed", unit("a", "failed", "failed"), False),
    ("it runs and its probe fails", unit("a", health="failing"), False),
    ("it waits to be started again", unit("a", "activating", "auto-restart"), False),
    ("it is starting", unit("a", "activating", "start"), False),
    ("it is enabled and down", unit("a", "inactive", "dead"), False),
    ("it is not enabled and down", unit("a", "inactive", "dead", enabled="disabled"), True),
    ("a task that is done", unit("a", "inactive", "dead", kind="task", inactive_enter_time_s=1.0), True),
    ("it is masked", unit("a", "inactive", "dead", load_state="masked", enabled="masked"), True),
    ("its file has errors", unit("a", "inactive", "dead", load_state="bad-setting"), False),
    ("it runs by a definition that was rolled back", unit("a", rolled_back="it did not come up"), False),
    ("it has a job", unit("a", job={"id": 1, "type": "stop", "state": "running", "waits_for": []}), False),
]


@pytest.mark.parametrize(("one", "is_so"), [row[1:] for row in WANTED], ids=[row[0] for row in WANTED])
def test_why_is_asked_of_every_unit_that_is_not_as_wanted(one: Unit, is_so: bool) -> None:
    assert detail.is_as_wanted(one) is is_so


def test_what_is_wrong_with_a_definition_stands_first_with_what_to_do() -> None:
    one = unit("web", needs_restart=True, rolled_back="it did not come up in 90 s")
    assert text(detail.warnings(one, [ERROR, {**ERROR, "file": "other.toml"}])) == [
        "✗ web.toml:3: service.restart: expected no, got 1",
        "  the last good definition stays in force; e edits the file",
        "↶ rolled back: it did not come up in 90 s",
        "± changed on disk: it runs by its old definition; r restarts it by the new",
    ]
    assert text(detail.warnings(unit("worker@3"), [{**ERROR, "file": "/u/worker@.toml"}]))[0].startswith("✗ /u/worker@.toml:3")
    assert detail.warnings(unit("we"), [ERROR]) == []
    assert "gone" in text(detail.warnings(unit("a", load_state="not-found"), []))[0]
    assert "unmasked" in text(detail.warnings(unit("a", load_state="masked"), []))[0]


def test_the_reasons_are_told_once_each_with_what_comes_next() -> None:
    because = [
        {"what": "exit", "unit": "web", "time_s": NOW_S - 60, "text": "the main process exited with status 3"},
        {"what": "exit", "unit": "web", "time_s": NOW_S - 90, "text": "the main process exited with status 3"},
        {"what": "failed", "unit": "db", "time_s": None, "text": "it failed: timeout"},
    ]
    why = {"unit": "web", "because": because, "next": {"what": "it is started again", "time_s": NOW_S + 8}}
    assert [line[12:] if line.startswith(" " * 10) else line for line in text(detail.why_lines(why, NOW_S))][1:] == [
        "db: it failed: timeout"[2:],
        "next      it is started again in 8s",
    ]
    assert text(detail.why_lines(why, NOW_S))[0].endswith("the main process exited with status 3 (2 times)")


def test_cost_is_shown_with_its_history() -> None:
    usage = Usage()
    for second in range(4):
        usage.record(float(second), second * 500_000_000, 1 << 20)
    shown = text(detail.cost(usage, {"processes": [{"pid": 7, "comm": "nginx"}], "log_lost_bytes": 2048}, 60))
    assert shown[0].endswith("50.0 %  peak 50.0 %")
    assert shown[1].endswith("1.0M  peak 1.0M")
    assert shown[2:] == ["processes 7 nginx", "log       2K of output were lost"]


def test_files_are_shown_as_they_are_with_numbers_and_harmless() -> None:
    definition = {
        "files": [{"path": "/u/web.toml", "text": '[service]\n# note\n  exec_start = "a  b\x1b[31m"\n'}, {"path": "/u/x", "text": ""}]
    }
    assert text(detail.config_lines(definition)) == [
        "/u/web.toml", "   1 [service]", "   2 # note", '   3   exec_start = "a  b"', "", "/u/x",
    ]  # fmt: skip
    odd = {"files": [{"path": "/u/a.toml", "text": "# a\u2028b\n[service]\n"}]}
    assert text(detail.config_lines(odd))[2] == "   2 [service]"  # only a line feed ends a line of TOML
    assert text(detail.config_lines({"files": []})) == ["no file makes this unit"]


@pytest.mark.parametrize("width", [8, 20, 33, 80])
def test_wrapped_lines_lose_nothing_and_fit(width: int) -> None:
    lines = [
        (Cell("because   "), Cell("the main process exited with status 3 and areallylongwordwithoutanyblank" * 3)),
        (Cell("short"),),
        (Cell(""),),
    ]
    found = text(wrap.wrapped(lines, width))
    assert all(len(line) <= width for line in found)
    assert "".join("".join(found).split()) == "".join("".join(text(lines)).split())
    assert wrap.wrapped([()], width) == [wrap.BLANK]


def test_runs_leave_out_what_does_not_fit_and_keep_how_they_ended() -> None:
    runs = [run("web", 1, started_time_s=NOW_S - 100, ended_time_s=NOW_S - 96, attempt=3, trigger="restart")]
    whole = text(detail.run_lines(runs, NOW_S, 80))[0]
    assert whole.endswith("4.0s  ✗ exit 3/NOTIMPLEMENTED  restart  try 3")
    assert text(detail.run_lines(runs, NOW_S, len(whole) - 1))[0] == whole.removesuffix("  try 3")
    assert text(detail.run_lines(runs, NOW_S, 10))[0].endswith("4.0s  ✗ exit 3/NOTIMPLEMENTED")


def test_what_may_not_be_true_any_more_has_no_symbol() -> None:
    assert text([detail.head(unit("a"), NOW_S, is_stale=True)]) == ["? run  for 5m00"]
    assert text([detail.head(unit("a"), NOW_S, ascii=True)]) == ["* run  for 5m00"]


# The pane.

UNITS = [
    brief("api", "failed", "failed", result="exit-code", exec_main_code="exited", exec_main_status=1, n_restarts=3),
    brief("db", needs_restart=True),
]


def app_with_detail(**options: Any) -> SupdApp:
    app = make_app(*UNITS, **options)
    world = supd_of(app).world
    relations: dict[str, Any] = {"api": {"requires": ["db"]}, "db": {"required_by": ["api"]}}
    world.relations = lambda unit: relations.get(unit, {})  # type: ignore[method-assign]  # this world has other units
    world.runs = [run("api", 1, started_time_s=NOW_S - 100, ended_time_s=NOW_S - 99)]
    return app


async def rest(pilot: Any) -> None:
    """The cursor rests, so that what must be asked for is."""
    for _ in range(2):
        time_of(pilot.app).advance(0.6)
        pilot.app.flush()
        await settled(pilot)


def pane_text(app: SupdApp) -> str:
    return app.screen.query_one(TextLines).text


async def test_the_pane_follows_the_cursor_and_tells_why() -> None:
    app = app_with_detail()
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        await rest(pilot)
        await until(pilot, lambda: "because" in pane_text(app))
        assert pane_text(app).startswith("✗ FAIL 1  exit 1/FAILURE")
        assert "the main process exited with status 3" in pane_text(app)
        assert "file      /etc/supd/units/web.toml" not in pane_text(app)
        await press(pilot, "j")
        assert pane_text(app).startswith("● run")
        assert "changed on disk" in pane_text(app)
        assert "because" not in pane_text(app)


async def test_nothing_is_asked_while_the_cursor_moves_on() -> None:
    app = app_with_detail()
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        asked = len([1 for method, _ in supd_of(app).asked if method == "show"])
        await press(pilot, "j", "k", "j", "k")
        assert len([1 for method, _ in supd_of(app).asked if method == "show"]) == asked
        await rest(pilot)
        await until(pilot, lambda: ("show", "api") in supd_of(app).asked)
        assert ("show", "db") not in supd_of(app).asked


async def test_every_tab_shows_its_part_by_key_and_by_mouse() -> None:
    app = app_with_detail()
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        pane = app.screen.query_one(DetailPane)
        await press(pilot, "enter")
        await until(pilot, lambda: app.focused is pane.query_one(TextLines))
        await press(pilot, "left")
        assert pane.tab == "Cfg"
        await rest(pilot)
        await until(pilot, lambda: "   1 [service]" in pane_text(app))
        await press(pilot, "<")
        assert pane.tab == "Runs"
        await rest(pilot)
        await until(pilot, lambda: "1.0s  ✗ exit 3/NOTIMPLEMENTED  request by root" in pane_text(app))
        await press(pilot, "left")
        await rest(pilot)
        await until(pilot, lambda: "└─● db  run  requires" in pane_text(app))
        assert "needed by\n  nothing" in pane_text(app)
        await press(pilot, "left")
        assert (pane.tab, pane.query_one(LogPane).display) == ("Log", True)
        await press(pilot, "<")
        assert pane.tab == "Info"
        head = pane.query_one("#detail-head", Bar)
        await pilot.click(head, offset=(head.text.index("Runs") + 1, 0))
        await settled(pilot)
        assert pane.tab == "Runs"


async def test_the_pane_goes_and_comes_back_and_is_remembered() -> None:
    app = app_with_detail()
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        pane = app.screen.query_one(DetailPane)
        await press(pilot, "i")
        assert (pane.display, app.settings.kept.has_detail) == (False, False)
        await rest(pilot)
        assert ("show", "api") not in supd_of(app).asked, "nobody looks"
        await press(pilot, "i")
        assert (pane.display, app.settings.kept.has_detail) == (True, True)


@pytest.mark.parametrize("key", ["enter", "i"])
async def test_where_there_is_no_room_it_takes_the_whole_screen(key: str) -> None:
    app = app_with_detail()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        assert not app.screen.query_one(DetailPane).display
        await press(pilot, key)
        await until(pilot, lambda: isinstance(app.screen, UnitDetailScreen))
        await rest(pilot)
        await until(pilot, lambda: "because" in pane_text(app))
        await press(pilot, "s")
        await until(pilot, lambda: ("act", ("start", "api")) in supd_of(app).asked)
        await press(pilot, "escape")
        await until(pilot, lambda: not isinstance(app.screen, UnitDetailScreen))
        assert isinstance(app.focused, UnitTable)


async def test_a_unit_that_changes_is_asked_again_twice_a_second_at_most() -> None:
    app = app_with_detail()
    async with app.run_test(size=(160, 48)) as pilot:
        await ready(pilot)
        await rest(pilot)
        await until(pilot, lambda: ("show", "api") in supd_of(app).asked)

        def asked() -> int:
            return sum(question == ("show", "api") for question in supd_of(app).asked)

        before = asked()
        for number in range(3):
            change(app, "api", status_text=str(number))
            said = f"says      {number}"
            await until(pilot, lambda said=said: said in pane_text(app))  # type: ignore[misc]  # a lambda's default has no type
        assert asked() <= before + 1
        await rest(pilot)
        await until(pilot, lambda: asked() > before)


async def test_a_unit_that_is_gone_and_a_refusal_are_said() -> None:
    app = app_with_detail()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, UnitDetailScreen))
        del supd_of(app).world.units["api"]
        supd_of(app).world.ring.mark({"kind": "changed", "unit": "", "units": ["api"]})
        await until(pilot, lambda: "there is no such unit any more" in pane_text(app))


def test_a_few_words_that_do_not_fit_go_on_together() -> None:
    cells = [Cell("✗ FAIL 3"), Cell("  exit 3/NOTIMPLEMENTED"), Cell("  41s ago"), Cell("  12 restarts")]
    assert text(wrap.wrapped([cells], 38)) == ["✗ FAIL 3  exit 3/NOTIMPLEMENTED", "        41s ago  12 restarts"]
