"""The log on the screen, driven by keys: files are real, the supd is in memory."""

from pathlib import Path

from textual import events
from textual.widgets import Input

from supervisor.tui.logs.store import KEPT_BYTES
from supervisor.tui.modals.logsave import save
from supervisor.tui.screens.logs import LogsScreen
from supervisor.tui.widgets.logview import LogView
from tests.tui.logfiles import NOW_US, RUN_1, RUN_2
from tests.tui.logscreen import DAY, TEXTS, Logs, opened
from tests.tui.pilot import press, ready, screen_text, time_of, until


async def test_the_newest_lines_are_there_and_new_ones_follow(logs: Logs) -> None:
    logs.web.say(*[f"line {number}" for number in range(50)])
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await logs.opened(pilot)
        await until(pilot, lambda: logs.shown()[-1:] == ["line 49"], "the end")
        assert "follow" in logs.bar
        logs.web.say("fresh")
        await until(pilot, lambda: logs.shown()[-1:] == ["fresh"], "what came")


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


async def test_without_its_filter_a_log_stands_where_it_stood_or_where_one_went(logs: Logs) -> None:
    logs.web.say(*[f"line {number} {'timeout' if number % 10 == 0 else 'fine'}" for number in range(200)])
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await opened(logs, pilot, "line 199 fine")
        await press(pilot, *["pageup"] * 4, *["k"] * 5)
        before, line = logs.shown(), logs.pane.reader.selected_bytes()
        await press(pilot, "&", *"timeout", "enter")
        await until(pilot, lambda: len(logs.shown()) == 20, "the matches")
        await press(pilot, "escape")
        await until(pilot, lambda: logs.shown() == before, "as it was")
        assert logs.pane.reader.selected_bytes() == line
        await press(pilot, "&", *"timeout", "enter")
        await until(pilot, lambda: len(logs.shown()) == 20, "the matches")
        await press(pilot, *["j"] * 5)
        line = logs.pane.reader.selected_bytes()
        row = logs.shown().index(line.decode())
        await press(pilot, "escape")
        await until(pilot, lambda: any("fine" in shown for shown in logs.shown()), "with what is around it")
        assert logs.shown()[row].encode() == line == logs.pane.reader.selected_bytes()


async def test_what_is_no_expression_is_said_to_be_meant_as_it_is_typed(logs: Logs) -> None:
    logs.web.say("call(1)", "call 2")
    async with logs.app.run_test(size=(100, 24)) as pilot:
        await opened(logs, pilot, "call 2")
        await press(pilot, "&", *"call(")
        await until(pilot, lambda: logs.shown() == ["call(1)"], "the match")
        await until(pilot, lambda: "as text, for: missing ), unterminated subpattern at position 4" in screen_text(logs.app), "why")
        await press(pilot, *".)")
        await until(pilot, lambda: "as text" not in screen_text(logs.app), "an expression")


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


async def test_more_than_a_clipboard_takes_is_refused_aloud_and_stays_selected(logs: Logs) -> None:
    logs.web.say("x" * 50_000, "y" * 50_000)
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await opened(logs, pilot)
        await until(pilot, lambda: len(logs.pane.reader.store) == 2, "both lines")
        await press(pilot, "k", "V", "j", "y")
        assert logs.app.clipboard == ""
        [told] = [note.message for note in logs.app._notifications]
        assert told == "2 lines, 100,001 bytes are more than a terminal's clipboard takes; select fewer, or S saves all"
        assert logs.pane.reader.anchor is not None


async def test_what_a_log_holds_when_it_is_opened_is_no_rate(logs: Logs) -> None:
    logs.web.say(*TEXTS)
    async with logs.app.run_test(size=(120, 24)) as pilot:
        await opened(logs, pilot, TEXTS[-1])
        for _ in range(2):
            time_of(logs.app).advance(1.5)
            logs.app.flush()
        assert "/s" not in logs.bar
        logs.web.say("one", "two", "three")
        await until(pilot, lambda: logs.shown()[-1] == "three", "what came")
        time_of(logs.app).advance(1.5)
        logs.app.flush()
        assert " 2/s" in logs.bar


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


async def test_a_line_that_memory_keeps_in_part_is_saved_with_a_mark(logs: Logs, tmp_path: Path) -> None:
    logs.web.say("short", "x" * (KEPT_BYTES + 1234), "last")
    async with logs.app.run_test(size=(120, 24)) as pilot:
        await opened(logs, pilot, "last")
        save(logs.pane.reader, str(tmp_path / "all.log"))
    lines = (tmp_path / "all.log").read_bytes().splitlines()
    assert [len(line) for line in lines] == [5, KEPT_BYTES + len(" [... 1234 bytes more are in the log]"), 4]
    assert lines[1].endswith(b"x [... 1234 bytes more are in the log]")


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


async def test_the_log_of_another_unit_leaves_nothing_of_the_one_before(logs: Logs) -> None:
    async with logs.app.run_test(size=(80, 24)) as pilot:
        logs.web.say("one", "two")
        await opened(logs, pilot, "two")
        logs.app.show_logs(["db"])
        await until(pilot, lambda: logs.pane.feed is not None and logs.pane.feed.is_open and not len(logs.pane.feed.store), "the other log")
        await until(pilot, lambda: "nothing was written yet" in screen_text(logs.app), "what is said instead")
        assert "   one" not in screen_text(logs.app)
        assert [line.strip() for line in logs.view.lines if line.strip()] == ["nothing was written yet"]
