"""The log on the screen, driven by keys: files are real, the supd is in memory."""

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from supervisor.tui.screens.logs import LogsScreen
from supervisor.tui.widgets.bar import Bar
from supervisor.tui.widgets.logpane import LogPane
from supervisor.tui.widgets.logview import LogView
from tests.tui.briefs import brief
from tests.tui.logfiles import NOW_US, RUN_1, RUN_2, UnitLog
from tests.tui.pilot import make_app, press, ready, screen_text, supd_of, time_of, until

DAY = time.strftime("%Y-%m-%d", time.localtime(NOW_US // 1_000_000))


class Logs:
    """An app whose units `web` and `db` have logs in a directory of the test."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.web = UnitLog(str(directory / "web"))
        self.db = UnitLog(str(directory / "db"))
        self.app = make_app(brief("web"), brief("db"), unit="web", **options)
        supd_of(self.app).log_directories = {"web": self.web.directory, "db": self.db.directory}

    async def opened(self, pilot: "Pilot[None]") -> LogPane:
        await ready(pilot)
        await pilot.press("2")
        await until(pilot, lambda: bool(self.app.screen.query(LogPane)) and self.pane.feed is not None and self.pane.feed.is_open, "open")
        await until(pilot, lambda: self.app.focused is self.view, "focus")
        return self.pane

    @property
    def pane(self) -> LogPane:
        return self.app.screen.query_one(LogPane)

    @property
    def view(self) -> LogView:
        return self.app.screen.query_one(LogView)

    @property
    def bar(self) -> str:
        return self.app.screen.query_one("#log-bar", Bar).text

    def shown(self) -> list[str]:
        """The texts of the rows, without their columns."""
        return [line[18:] for line in self.view.lines if line.strip()]


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


async def test_the_newest_lines_are_there_and_new_ones_follow(logs: Logs) -> None:
    logs.web.say(*[f"line {number}" for number in range(50)])
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await logs.opened(pilot)
        await until(pilot, lambda: logs.shown()[-1] == "line 49", "the end")
        assert "follow" in logs.bar
        logs.web.say("fresh")
        await until(pilot, lambda: logs.shown()[-1] == "fresh", "what came")


async def test_a_filter_is_used_while_it_is_typed(logs: Logs) -> None:
    logs.web.say(*[f"line {number} {'timeout' if number % 10 == 0 else 'fine'}" for number in range(50)])
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await logs.opened(pilot)
        await pilot.press("&", *"timeout")
        await until(pilot, lambda: logs.shown() == [f"line {number} timeout" for number in range(0, 50, 10)], "the matches")
        await pilot.press("enter")
        await until(pilot, lambda: logs.app.focused is logs.view, "focus")
        assert "&timeout" in logs.bar
        assert "5 of 50 lines" in logs.bar
        await pilot.press("escape")
        await until(pilot, lambda: len(logs.shown()) == 20, "all again")


TEXTS = [f"line {number}" for number in range(100)]


async def opened(logs: Logs, pilot: "Pilot[None]", last: str = "") -> None:
    """The view of logs with the log of web, painted to its end."""
    await logs.opened(pilot)
    if last:
        await until(pilot, lambda: bool(logs.shown()) and logs.shown()[-1] == last, "the end")


async def test_any_upward_move_pauses_counts_what_comes_and_f_follows_again(logs: Logs) -> None:
    logs.web.say(*TEXTS)
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "line 99")
        await press(pilot, "k")
        before = logs.shown()
        assert "paused" in logs.bar
        logs.web.say("new 1", "new 2")
        await until(pilot, lambda: "+2 new" in logs.bar, "the badge")
        assert logs.shown() == before
        await press(pilot, "f")
        assert logs.shown()[-1] == "new 2"
        assert "follow" in logs.bar


MOVES = [
    (["pageup"], "line 61", "line 80"),
    (["pageup", "pagedown"], "line 80", "line 99"),
    (["ctrl+u"], "line 70", "line 89"),
    (["g"], "line 0", "line 19"),
    (["g", "ctrl+d"], "line 10", "line 29"),
    (["g", "G"], "line 80", "line 99"),
    (["g", "end"], "line 80", "line 99"),
    (["k"] * 25, "line 74", "line 93"),
]


async def test_keys_move_the_window(logs: Logs) -> None:
    logs.web.say(*TEXTS)
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "line 99")
        for keys, first, last in MOVES:
            await press(pilot, "f", *keys)
            assert (logs.shown()[0], logs.shown()[-1]) == (first, last), keys


async def test_the_wheel_scrolls_and_a_click_chooses_a_line(logs: Logs) -> None:
    logs.web.say(*TEXTS)
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "line 99")
        view = logs.view
        view.post_message(events.MouseScrollUp(view, 5, 5, 0, 0, 0, False, False, False))
        await until(pilot, lambda: logs.shown()[-1] == "line 96", "three lines up")
        view.post_message(events.MouseScrollDown(view, 5, 5, 0, 0, 0, False, False, False))
        view.post_message(events.MouseScrollDown(view, 5, 5, 0, 0, 0, False, False, False))
        await until(pilot, lambda: "follow" in logs.bar, "down beyond the end")
        await pilot.click(LogView, offset=(30, 2))
        assert logs.pane.reader.selected_bytes() == b"line 82"
        await pilot.click(LogView, offset=(79, 0))
        assert logs.shown()[0] == "line 0"


async def test_wrap_and_the_place_sideways_and_the_filter_survive_each_other(logs: Logs) -> None:
    logs.web.say("short", "0123456789" * 12, "last")
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "last")
        await press(pilot, "right", "&", *"0123", "enter")
        await until(pilot, lambda: len(logs.shown()) == 1, "the filter")
        assert logs.shown()[0].startswith("89012345")
        await press(pilot, "w")
        assert [len(line) for line in logs.shown()] == [61, 59]
        await press(pilot, "t", "t", "t", "t")
        await press(pilot, "w")
        assert logs.shown()[0].startswith("89012345")
        await press(pilot, "0")
        assert logs.shown()[0].startswith("01234567")
        assert "&0123" in logs.bar


async def test_t_goes_through_the_time_columns(logs: Logs) -> None:
    logs.web.say("one", time_us=NOW_US)
    logs.web.say("two", time_us=NOW_US + 1_500_000)
    shown = []
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "two")
        for _ in range(5):
            shown.append(logs.view.lines[1])
            await press(pilot, "t")
    clock = shown[0].split()[0]
    assert shown == [f" {clock}     two", f" {DAY} {clock}     two", "    +1.500     two", "     two", f" {clock}     two"]


async def test_search_counts_goes_to_the_nearest_and_on_in_both_directions(logs: Logs) -> None:
    logs.web.say(*[f"line {number} {'Hit' if number % 40 == 10 else ''}".rstrip() for number in range(100)])
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await opened(logs, pilot, "line 99")
        await press(pilot, "/", *"hit", "enter")
        await until(pilot, lambda: "3/3" in logs.bar, "the last hit")
        assert logs.pane.reader.selected_bytes() == b"line 90 Hit"
        await press(pilot, "N")
        await until(pilot, lambda: logs.pane.reader.selected_bytes() == b"line 50 Hit", "the one before")
        assert "2/3" in logs.bar
        await press(pilot, "n", "n")
        await until(pilot, lambda: logs.pane.reader.selected_bytes() == b"line 90 Hit", "and no further")
        await press(pilot, "escape")
        assert "hit" not in logs.bar


async def test_exclude_level_and_hide_or_dim(logs: Logs) -> None:
    logs.web.say("INFO a", "ERROR b", "  trace of b", "WARN c", "INFO noise", "plain")
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await opened(logs, pilot, "plain")
        await press(pilot, "\\", *"noise", "enter")
        await until(pilot, lambda: logs.shown() == ["INFO a", "ERROR b", "  trace of b", "WARN c", "plain"], "without noise")
        await press(pilot, "v", "v")
        await until(pilot, lambda: logs.shown() == ["ERROR b", "  trace of b", "WARN c"], "warn and worse")
        assert "lvl ≥ warn" in logs.bar
        await press(pilot, "H")
        await until(pilot, lambda: len(logs.shown()) == 6, "all, the others dimmed")
        reader = logs.pane.reader
        dimmed = [reader.store.line(each).text for each in reader.store.ids() if reader.is_dimmed(reader.store.line(each))]
        assert dimmed == [b"INFO a", b"INFO noise", b"plain"]


async def test_e_goes_to_errors_and_brackets_to_runs(logs: Logs) -> None:
    logs.web.say("a", "ERROR one", "b", run=RUN_1)
    logs.web.say("c", "ERROR two", "d", run=RUN_2)
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await opened(logs, pilot, "d")
        boundary = next(line for line in logs.view.lines if "──" in line)
        assert "web" in boundary
        assert "run 22222222" in boundary
        for key, text in (("E", b"ERROR two"), ("E", b"ERROR one"), ("e", b"ERROR two"), ("[", b""), ("e", b"ERROR two")):
            await press(pilot, key)
            await until(pilot, lambda text=text: logs.pane.reader.selected_bytes() == text, f"{key}: {text!r}")  # type: ignore[misc]  # a lambda's default


async def test_copied_lines_are_the_bytes_that_were_written(logs: Logs) -> None:
    logs.web.say(b"one \x1b[31mred\x1b[0m\ttab\n", b"two \x07 bell\r\n", "three")
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "three")
        await press(pilot, "k", "V", "k", "y")
        assert logs.app.clipboard == "one \x1b[31mred\x1b[0m\ttab\ntwo \x07 bell\r"
        assert logs.pane.reader.anchor is None


async def test_m_marks_a_line_in_the_gutter(logs: Logs) -> None:
    logs.web.say("one", "two")
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "two")
        await press(pilot, "m")
        assert logs.view.lines[1].startswith("▌")
        await press(pilot, "m")
        assert logs.view.lines[1].startswith(" ")


async def test_a_range_of_times_is_chosen_and_a_wrong_one_is_said(logs: Logs) -> None:
    for minutes in range(60, 0, -1):
        logs.web.say(f"{minutes} ago", time_us=NOW_US - minutes * 60_000_000)
    async with logs.app.run_test(size=(100, 30)) as pilot:
        await opened(logs, pilot, "1 ago")
        await press(pilot, "F", *"soonish", "enter")
        assert "'soonish' is no time" in screen_text(logs.app)
        await press(pilot, "f2")
        await until(pilot, lambda: logs.shown() == [f"{minutes} ago" for minutes in range(15, 0, -1)], "the last quarter of an hour")
        assert "since" in logs.bar
        await press(pilot, "F", *["ctrl+u"], *"-30min", "tab", *"-28min", "enter")
        await until(pilot, lambda: logs.shown() == ["30 ago", "29 ago", "28 ago"], "between two times")


async def test_what_is_shown_is_saved_to_a_new_file_only(logs: Logs, tmp_path: Path) -> None:
    logs.web.say("keep 1", "drop", "keep 2")
    there = tmp_path / "there"
    there.write_text("mine")
    async with logs.app.run_test(size=(120, 24)) as pilot:
        await opened(logs, pilot, "keep 2")
        await press(pilot, "&", *"keep", "enter")
        await until(pilot, lambda: len(logs.shown()) == 2, "the filter")
        await press(pilot, "S")
        logs.app.screen.query_one(Input).value = str(there)
        await press(pilot, "enter")
        assert "File exists" in screen_text(logs.app)
        logs.app.screen.query_one(Input).value = str(tmp_path / "new.log")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(logs.app.screen, LogsScreen), "saved")
    assert (tmp_path / "new.log").read_bytes() == b"keep 1\nkeep 2\n"
    assert (tmp_path / "new.log").stat().st_mode & 0o777 == 0o600
    assert there.read_text() == "mine"


async def test_a_line_of_json_is_spread_out_and_copied_as_it_was(logs: Logs) -> None:
    raw = '12:00 {"level":"warn","user":{"name":"ann"}}'
    logs.web.say(raw)
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await opened(logs, pilot, raw)
        await press(pilot, "J")
        text = screen_text(logs.app)
        assert '"name": "ann"' in text
        assert "warn" in text
        await press(pilot, "y")
        assert logs.app.clipboard == raw
        await press(pilot, "escape")
        assert isinstance(logs.app.screen, LogsScreen)


async def test_all_units_are_merged_by_time_and_L_goes_back_to_one(logs: Logs) -> None:
    for number in range(4):
        (logs.web if number % 2 else logs.db).say(f"line {number}", time_us=NOW_US + number * 1_000_000)
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await opened(logs, pilot, "line 3")
        assert logs.shown() == ["line 1", "line 3"]
        await press(pilot, "L")
        await until(pilot, lambda: len(logs.shown()) == 4, "both")
        assert [line[18:].split() for line in logs.view.lines[:4]] == [
            ["db", "line", "0"], ["web", "line", "1"], ["db", "line", "2"], ["web", "line", "3"],
        ]  # fmt: skip
        assert "all units" in logs.bar
        logs.db.say("later", time_us=NOW_US + 9_000_000)
        await until(pilot, lambda: logs.view.lines[4].endswith("db  later"), "what came")
        await press(pilot, "L")
        await until(pilot, lambda: logs.shown() == ["line 1", "line 3"], "web alone")


async def test_marked_units_are_shown_together(logs: Logs) -> None:
    logs.web.say("of web", time_us=NOW_US)
    logs.db.say("of db", time_us=NOW_US + 1)
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        logs.app.marked = {"web", "db"}
        await logs.opened(pilot)
        await until(pilot, lambda: len(logs.shown()) == 2, "both")
        assert "2 units" in logs.bar


async def test_older_lines_are_paged_in_from_disk_without_moving_what_is_read(logs: Logs) -> None:
    logs.web.say(*[f"line {number}" for number in range(3000)])
    logs.web.rotate()
    logs.web.say(*[f"line {number}" for number in range(3000, 6000)])
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "line 5999")
        await press(pilot, "g")
        top = logs.shown()[0]
        await until(pilot, lambda: logs.pane.feed is not None and logs.pane.feed.is_at_begin, "all of it")
        assert logs.shown()[0] == top
        await press(pilot, "g")
        assert logs.shown()[0] == "line 0"
        texts = [logs.pane.reader.store.line(each).text for each in logs.pane.reader.store.ids()]
        assert texts == [b"line %d" % number for number in range(6000)]


async def test_a_filter_looks_further_back_than_memory_until_the_screen_is_full(logs: Logs) -> None:
    logs.web.say(*[f"line {number}{' rare' if number % 1000 == 7 else ''}" for number in range(12_000)])
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "line 11999")
        await press(pilot, "&", *"rare", "enter")
        await until(pilot, lambda: logs.shown() == [f"line {number} rare" for number in range(7, 12_000, 1000)], "all of them")


async def test_a_log_is_read_through_supd_where_its_files_may_not_be_opened(logs: Logs) -> None:
    supd_of(logs.app).served_logs, supd_of(logs.app).log_directories = supd_of(logs.app).log_directories, {}
    logs.web.say(*[f"line {number}" for number in range(1500)])
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "line 1499")
        logs.web.say("fresh")
        await until(pilot, lambda: logs.shown()[-1] == "fresh", "what came")
        await until(pilot, lambda: len(logs.pane.reader.store) == 1501, "all of it")


async def test_while_supd_does_not_answer_its_log_says_so_and_goes_on_afterwards(logs: Logs) -> None:
    supd = supd_of(logs.app)
    supd.served_logs, supd.log_directories = supd.log_directories, {}
    logs.web.say("before")
    async with logs.app.run_test(size=(120, 24)) as pilot:
        await opened(logs, pilot, "before")
        supd.lose("nobody answers")
        await until(pilot, lambda: "nobody answers" in logs.bar, "the trouble")
        logs.web.say("meanwhile")
        supd.restore()
        await until(pilot, lambda: logs.shown()[-1] == "meanwhile", "what came meanwhile")
        assert "nobody answers" not in logs.bar


async def test_a_log_that_is_not_born_yet_is_followed_from_its_first_line(logs: Logs, tmp_path: Path) -> None:
    supd_of(logs.app).log_directories["web"] = str(tmp_path / "later" / "web")
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await logs.opened(pilot)
        await until(pilot, lambda: "nothing was written yet" in screen_text(logs.app), "that there is nothing")
        UnitLog(str(tmp_path / "later" / "web")).say("first")
        await until(pilot, lambda: logs.shown() == ["first"], "its first line")


async def test_long_lines_are_cut_and_controls_are_shown_not_sent(logs: Logs) -> None:
    logs.web.say("x" * 16_384, b"bell \x07 \x1b[2J\n")
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "bell \\x07 \\x1b[2J")
        await press(pilot, "w")
        assert "… +12 kB" in screen_text(logs.app)


async def test_a_pattern_that_is_no_expression_is_meant_as_it_stands(logs: Logs) -> None:
    logs.web.say("call foo(1)", "other")
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "other")
        await press(pilot, "&", *"foo(")
        await until(pilot, lambda: logs.shown() == ["call foo(1)"], "the match")


async def test_with_ascii_nothing_else_is_drawn_around_the_text(tmp_path: Path) -> None:
    logs = Logs(tmp_path, ascii=True)
    logs.web.say("a", run=RUN_1)
    logs.web.say("b", run=RUN_2)
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await opened(logs, pilot, "b")
        await press(pilot, "k")
        assert screen_text(logs.app).isascii()


async def test_the_strip_below_the_table_follows_the_cursor_and_is_put_away(logs: Logs) -> None:
    logs.web.say("of web")
    logs.db.say("of db")
    async with logs.app.run_test(size=(80, 30)) as pilot:
        await ready(pilot)
        await until(pilot, lambda: logs.shown() == ["of web"], "the log of web")
        await press(pilot, "k")
        await until(pilot, lambda: logs.shown() == ["of db"], "the log of db")
        await press(pilot, "tab")
        assert logs.app.focused is logs.view
        await press(pilot, "_")
        assert not logs.view.display or logs.view.region.height == 0
        await press(pilot, "_")
        await until(pilot, lambda: logs.shown() == ["of db"], "back again")


async def test_the_lines_that_are_read_stay_while_the_ring_drops_what_is_around_them_and_can_be_left_downwards(logs: Logs) -> None:
    logs.web.say(*[f"line {number}" for number in range(100)])
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "line 99")
        store = logs.pane.reader.store
        store.capacity_lines = 400
        await press(pilot, "g")
        shown = logs.shown()
        assert shown[0] == "line 0"
        for start in range(100, 2400, 100):
            logs.web.say(*[f"line {number}" for number in range(start, start + 100)])
            await until(pilot, lambda start=start: store.added >= start + 100, "what came")  # type: ignore[misc]  # a lambda's default
        assert logs.shown() == shown
        assert len(store) <= 800
        for _ in range(150):
            expected = int(logs.shown()[-1].split()[1])
            await press(pilot, "pagedown")
            if logs.shown()[-1] == "line 2399":
                break
            await until(pilot, lambda expected=expected: logs.shown()[0] == f"line {expected}", f"after {expected}")  # type: ignore[misc]  # a lambda's default
            await until(pilot, lambda: len(logs.shown()) == 20, "a full screen")
        assert expected >= 2360


async def test_a_log_that_nobody_sees_is_not_followed_and_misses_nothing(logs: Logs) -> None:
    logs.web.say("seen")
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot, "seen")
        pane = logs.pane
        await press(pilot, "1")
        logs.web.say("unseen 1")
        await until(pilot, lambda: pane._is_resting, "rest")
        logs.web.say("unseen 2")
        await press(pilot, "2")
        await until(pilot, lambda: logs.shown() == ["seen", "unseen 1", "unseen 2"], "all of it")
        logs.web.say("seen again")
        await until(pilot, lambda: logs.shown()[-1] == "seen again", "it follows")


async def test_what_was_rotated_away_before_it_was_read_is_said_in_its_place(logs: Logs) -> None:
    logs.web.say("before")
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await opened(logs, pilot, "before")
        logs.web.sequence += 3
        logs.web.say("after")
        await until(pilot, lambda: logs.shown()[-1] == "after", "what came")
        assert "lines are missing here" in logs.view.lines[1]


async def test_an_outage_of_supd_is_a_line_of_the_log(logs: Logs) -> None:
    logs.web.say("before")
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await opened(logs, pilot, "before")
        supd_of(logs.app).lose()
        await until(pilot, lambda: logs.app.link.phase == "lost", "lost")
        logs.web.say("meanwhile")
        await until(pilot, lambda: logs.shown()[-1] == "meanwhile", "files are read all the same")
        supd_of(logs.app).restore()
        logs.app.session.resync()
        await until(pilot, lambda: logs.app.link.phase == "live", "live")
        time_of(logs.app).advance(2.0)
        await until(pilot, lambda: any("answers again after" in line for line in logs.view.lines), "the line")
        assert any("1 line came meanwhile" in line for line in logs.view.lines)


async def test_the_pager_gets_what_is_shown_and_nothing_goes_through_a_shell(
    logs: Logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "my pager"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" > "{tmp_path}/first"\ncp "$2" "{tmp_path}/got"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PAGER", f"'{program}' '$(touch {tmp_path}/owned)'")
    logs.web.say("keep", "drop")
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await opened(logs, pilot, "drop")
        monkeypatch.setattr(logs.app, "suspend", contextlib.nullcontext)  # a driver without a terminal cannot give it away
        await press(pilot, "&", *"keep", "enter")
        await until(pilot, lambda: logs.shown() == ["keep"], "the filter")
        await press(pilot, "p")
        await until(pilot, (tmp_path / "got").exists, "the pager")
    assert (tmp_path / "got").read_bytes() == b"keep\n"
    assert (tmp_path / "first").read_text() == f"$(touch {tmp_path}/owned)\n"
    assert not (tmp_path / "owned").exists()
