"""What the screen of logs does with the files and the supd behind it: paging, filters over the past, loss, rotation, the pager."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from supervisor.client.logindex import NO_RUN
from supervisor.tui.link.logfeed import LogFeed
from supervisor.tui.logs.filters import Filter
from supervisor.tui.logs.reader import LogReader
from supervisor.tui.logs.store import Burst, LogStore
from tests.tui.logfiles import NOW_US, RUN_1, RUN_2, UnitLog
from tests.tui.logscreen import Logs, opened
from tests.tui.pilot import press, ready, screen_text, supd_of, time_of, until


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


async def test_a_store_that_is_full_is_not_filled_with_pages_that_it_would_drop_again(logs: Logs) -> None:
    logs.web.say(*[f"line {number}" for number in range(12_000)])
    changed = asyncio.Event()
    feed = LogFeed(("web",), supd_of(logs.app), changed.set)
    feed.store.capacity_lines = feed.wanted_lines = 5_000
    following = asyncio.create_task(feed.run())
    async with asyncio.timeout(10):
        while not feed.is_filled:
            await changed.wait()
            changed.clear()
            feed.store.trim()
    following.cancel()
    assert not feed.is_at_begin
    assert 0 < len(feed.store) < 5_000


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
        for start in range(100, 1200, 100):
            logs.web.say(*[f"line {number}" for number in range(start, start + 100)])
            await until(pilot, lambda start=start: store.added >= start + 100, "what came")  # type: ignore[misc]  # a lambda's default
        assert logs.shown() == shown
        assert len(store) <= 800
        screen = numbers(logs)
        while screen[-1] < 1199:
            before = screen
            await press(pilot, "pagedown")
            # What is not in memory is read while its place is on the screen already, marked as a hole.
            await until(pilot, lambda: is_whole(numbers(logs)), f"all lines after {before[-1]}")
            screen = numbers(logs)
            assert screen[0] == min(before[-1], 1180)


def numbers(logs: Logs) -> list[int]:
    return [int(line.split()[1]) for line in logs.shown()]


def is_whole(screen: list[int]) -> bool:
    return screen == list(range(screen[0], screen[0] + 20))


async def test_lines_that_are_not_in_memory_or_not_wanted_leave_a_mark_where_they_are_missing(logs: Logs) -> None:
    store = LogStore()
    store.append([Burst(NOW_US, "web", NO_RUN, [b"line %d" % number for number in range(3)])], None)
    store.prepend([Burst(NOW_US - 2, "web", NO_RUN, [b"old 1", b"old 2", b"odd 3"])], None, None)
    store.prepend([Burst(NOW_US - 3, "web", NO_RUN, [b"oldest"])], None, None)
    async with logs.app.run_test(size=(80, 24)) as pilot:
        await logs.opened(pilot)
        reader = LogReader(store)
        logs.view.show(reader)
        assert marked(logs) == []
        store.chunks[1].is_joined = False
        logs.view.forget()
        assert marked(logs) == ["old 1"]
        reader.want(Filter(exclude="odd"))
        while reader.work():
            pass
        logs.view.forget()
        assert marked(logs) == ["old 1", "line 0"]


def marked(logs: Logs) -> list[str]:
    """The rows that say that lines are missing before them."""
    return [line[18:] for line in logs.view.lines if line[:1] == "┆"]


async def test_a_search_goes_through_more_pages_than_memory_holds(logs: Logs) -> None:
    logs.web.say(*[f"line {number}" for number in range(20_000)])
    async with logs.app.run_test(size=(80, 24)) as pilot:
        pane = await logs.opened(pilot)
        pane.reader.store.capacity_lines = 2_000
        await press(pilot, "/", *"line 17$", "enter")
        await until(pilot, lambda: pane.reader.selected_bytes() == b"line 17", "the line, long after it was dropped")
        assert {"line 16", "line 17", "line 18"} <= set(logs.shown())
        await press(pilot, "f")
        await until(pilot, lambda: logs.shown()[-1:] == ["line 19999"], "the end")


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
