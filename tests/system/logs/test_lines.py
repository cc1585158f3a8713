"""Lines chosen by time, run and pattern: the reader against what a person would do by hand."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.client.logfile import segment_name
from supervisor.client.logfilter import Filter
from supervisor.client.logindex import Entry, name_of
from supervisor.client.loglines import HEAD_BYTES, Line, LocalStream
from supervisor.client.logpages import Reading, backward, forward, streams_of
from supervisor.client.timestamps import parse
from supervisor.model.errors import QuantityError

A, B, C = b"\xaa" * 16, b"\xbb" * 16, b"\xcc" * 16
SECOND_US = 1_000_000

Read = Callable[..., Reading]
Drain = tuple[int, bytes, bytes]  # (second, run, what was written)


def written(directory: Path, *segments: list[Drain]) -> str:
    """A unit's log as supd writes it."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, drains in enumerate(segments, 1):
        text, entries = b"", b""
        for second, run, piece in drains:
            entries += Entry(len(text), second * SECOND_US, run).pack()
            text += piece
        (directory / segment_name(number)).write_bytes(text)
        (directory / name_of(number)).write_bytes(entries)
    return str(directory)


def said(found: Iterable[Line]) -> list[bytes]:
    return [line.text for line in found]


@pytest.fixture
def web(tmp_path: Path) -> str:
    return written(
        tmp_path / "web",
        [(10, A, b"ten\nhalf of "), (20, A, b"a line\ntwenty\n")],
        [(30, B, b"thirty\n"), (40, B, b"Forty\nunfinished")],
    )


ALL = [b"ten", b"half of a line", b"twenty", b"thirty", b"Forty", b"unfinished"]
QUERIES = {
    "everything": (Filter(), ALL),
    "since a moment: a line belongs to the time of its first byte": (Filter(since_us=20 * SECOND_US), ALL[2:]),
    "since a moment between two": (Filter(since_us=25 * SECOND_US), ALL[3:]),
    "since a moment to come": (Filter(since_us=41 * SECOND_US), []),
    "until a moment": (Filter(until_us=20 * SECOND_US), ALL[:3]),
    "between two moments": (Filter(since_us=20 * SECOND_US, until_us=30 * SECOND_US), ALL[2:4]),
    "one run": (Filter(runs=frozenset({B})), ALL[3:]),
    "one run until a moment": (Filter(runs=frozenset({B}), until_us=30 * SECOND_US), [b"thirty"]),
    "a pattern": (Filter(pattern=re.compile(b"t[ew]")), [b"ten", b"twenty"]),
    "a pattern tied to the line's begin": (Filter(pattern=re.compile(b"^t.*y$")), [b"twenty", b"thirty"]),
    "a pattern that could reach over a line's end": (Filter(pattern=re.compile(b"ten\\s+half|n[^q]+w")), []),
    "a pattern for which case does not matter": (Filter(pattern=re.compile(b"(fort|thirt)y", re.IGNORECASE)), [b"thirty", b"Forty"]),
    "plain text for which case does not matter": (Filter(pattern=re.compile(b"FORT", re.IGNORECASE)), [b"Forty"]),
    "plain text in small letters": (Filter(pattern=re.compile(b"fort", re.IGNORECASE)), [b"Forty"]),
    "plain text for which case matters": (Filter(pattern=re.compile(b"fort")), []),
    "a range for which case does not matter": (Filter(pattern=re.compile(b"[e-g]o", re.IGNORECASE)), [b"Forty"]),
    "a pattern in a run": (Filter(pattern=re.compile(b"ty"), runs=frozenset({A})), [b"twenty"]),
}


@pytest.mark.parametrize(("query", "expected"), QUERIES.values(), ids=QUERIES.keys())
def test_which_lines_are_found(web: str, query: Filter, expected: list[bytes]) -> None:
    assert said(forward(streams_of("web", web), None, query)) == expected
    assert said(backward(streams_of("web", web), None, query)) == expected[::-1]


def test_a_line_has_the_time_and_the_run_of_its_first_byte(web: str) -> None:
    found = [(line.time_us // SECOND_US, line.run) for line in forward(streams_of("web", web))]
    assert found == [(10, A), (10, A), (20, A), (30, B), (40, B), (40, B)]


LEFT_OPEN = {
    "short": [b"what it sa", b"hello\n", b"bye"],
    "longer than what is read at once": [b"x" * (1 << 19), b"y" * (1 << 19) + b"\n", b"z" * (1 << 19)],
}


@pytest.mark.parametrize("said_by", LEFT_OPEN.values(), ids=LEFT_OPEN.keys())
@pytest.mark.parametrize("pattern", [None, re.compile(b"[a-z]"), re.compile(b"^[a-z]")], ids=["all", "by blocks", "line by line"])
def test_a_run_that_left_its_last_line_open_has_no_part_in_the_next_ones_first(
    tmp_path: Path, said_by: list[bytes], pattern: re.Pattern[bytes] | None
) -> None:
    first, second, third = said_by
    streams = streams_of("web", written(tmp_path / "web", [(1, A, first), (2, B, second + third), (3, C, b"new\n")]))
    expected = [(A, first, True), (B, second[:-1], True), (B, third, True), (C, b"new", True)]
    for read, told in ((forward, expected), (backward, expected[::-1])):
        assert [(line.run, line.text, line.ends) for line in read(streams, None, Filter(pattern=pattern))] == told
        for run in (A, B, C):
            assert said(read(streams, None, Filter(runs=frozenset({run}), pattern=pattern))) == [text for by, text, _ in told if by == run]
        page, found = read(streams, None, Filter(pattern=pattern)), []
        while more := page.take(1):
            found += said(more)
            page = read(streams, page.cursor, Filter(pattern=pattern))
        assert found == [text for _, text, _ in told]
    (tmp_path / "web" / segment_name(1)).write_bytes(first + second + third + b"open")
    assert [(line.text, line.ends) for line in forward(streams)][2:] == [(third, True), (b"open", False)]
    assert [(line.text, line.ends) for line in backward(streams)][:2] == [(b"open", False), (third, True)]


def test_units_are_merged_by_time(tmp_path: Path) -> None:
    web = written(tmp_path / "web", [(1, A, b"w1\nw1 too\n"), (3, A, b"w3\n")])
    db = written(tmp_path / "db", [(2, B, b"d2\n"), (3, B, b"d3\n")])
    streams = streams_of("web", web) + streams_of("db", db)
    assert said(forward(streams)) == [b"w1", b"w1 too", b"d2", b"w3", b"d3"]
    assert said(backward(streams)) == [b"d3", b"w3", b"d2", b"w1 too", b"w1"]


def test_a_standard_error_that_is_kept_apart_is_merged_and_named(tmp_path: Path) -> None:
    web = written(tmp_path / "web", [(1, A, b"out\n"), (3, A, b"out again\n")])
    written(tmp_path / "web" / "stderr", [(2, A, b"error\n")])
    assert [(line.stream, line.text) for line in forward(streams_of("web", web))] == [
        ("stdout", b"out"), ("stderr", b"error"), ("stdout", b"out again"),
    ]  # fmt: skip


def test_runs_are_named_oldest_first(web: str) -> None:
    assert LocalStream("web", web).runs() == [A, B]


def test_without_an_index_lines_have_the_time_of_the_file(web: str) -> None:
    os.unlink(os.path.join(web, name_of(1)))
    os.utime(os.path.join(web, segment_name(1)), (25, 25))
    found = [line.time_us // SECOND_US for line in forward(streams_of("web", web))]
    assert found == [25, 25, 25, 30, 40, 40]


@pytest.mark.parametrize("read", [forward, backward], ids=["oldest first", "newest first"])
@pytest.mark.parametrize("end", [b"\nafter\n", b"\n", b""], ids=["with a line after it", "the last line", "the last line and not over"])
def test_of_a_line_of_ten_megabytes_the_head_is_given_and_the_rest_on_request(tmp_path: Path, read: Read, end: bytes) -> None:
    long = b"x" * (10 << 20) + b"tail"
    web = written(tmp_path / "web", [(1, A, b"short\n" + long + end)])
    (stream, _) = streams = streams_of("web", web)
    (found,) = [line for line in read(streams) if line.size_bytes > 100]
    assert (len(found.text), found.size_bytes, found.ends) == (HEAD_BYTES, len(long), end != b"")
    assert b"".join(stream.whole(found)) == long
    assert max(len(piece) for piece in stream.whole(found)) <= HEAD_BYTES
    assert said(read(streams, None, Filter(pattern=re.compile(b"xtail")))) == [long[:HEAD_BYTES]]
    assert said(read(streams, None, Filter(pattern=re.compile(b"^tail")))) == []


def test_a_long_line_is_read_in_bounded_memory(tmp_path: Path) -> None:
    web = written(tmp_path / "web", [(1, A, b"")])
    os.truncate(os.path.join(web, segment_name(1)), 200 << 20)  # zeros, none of them on the disk
    program = f"""
from supervisor.client.logpages import backward, forward, streams_of
for read in (forward, backward):
    (line,) = read(streams_of("web", {web!r}))
    assert line.size_bytes == 200 << 20
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")]
print(peak)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert int(ran.stdout) < 64 << 10  # KiB


_TEXTS = st.lists(st.tuples(st.sampled_from([b"a", b"bb", b"", b"a b", b"\xff", b"x" * 300]), st.booleans()), max_size=25)
_PATTERNS = st.sampled_from([None, b"a", b"b+", b"^a", b"b$", b"x*", b"[^a]", b"\\s", b".", b"a.b", b"a|x", b""])


@settings(max_examples=150, deadline=None)
@given(_TEXTS, _PATTERNS, st.integers(0, 25), st.integers(0, 25))
def test_any_drains_are_read_as_a_person_would(pieces: list[tuple[bytes, bool]], pattern: bytes | None, since: int, until: int) -> None:
    drains = [(second, A, text + b"\n" * ends) for second, (text, ends) in enumerate(pieces, 1) if text or ends]
    expression = re.compile(pattern) if pattern is not None else None
    whole = b"".join(text for _, _, text in drains)
    expected, offset = [], 0
    for line in whole.removesuffix(b"\n").split(b"\n") if whole else []:
        ends, second = 0, 0
        for at, _, text in drains:
            if ends <= offset:
                second = at
            ends += len(text)
        if since <= second <= until and (expression is None or expression.search(line)):
            expected.append(line)
        offset += len(line) + 1
    with tempfile.TemporaryDirectory() as directory:
        web = written(Path(directory) / "web", drains)
        query = Filter(since * SECOND_US, until * SECOND_US, None, expression)
        assert said(forward(streams_of("web", web), None, query)) == expected
        assert said(backward(streams_of("web", web), None, query)) == expected[::-1]


_STREAM = st.lists(
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from([b"a\n", b"b\n\nc\n", b"half", b"d" * 40_000 + b"\n"])), max_size=4), max_size=4
)


def in_order(stream: list[list[tuple[int, bytes]]]) -> list[list[Drain]]:
    """Segments whose times rise."""
    seconds = iter(sorted(second for segment in stream for second, _ in segment))
    return [[(next(seconds), A, text) for _, text in segment] for segment in stream]


Named = tuple[str, tuple[int, int]]


def named(found: Iterable[Line], *, whole: bool = False) -> list[Named]:
    """Which lines these are; `whole`: without one that may still grow."""
    return [(line.stream, line.place) for line in found if line.ends or not whole]


@settings(max_examples=150, deadline=None)
@given(_STREAM, _STREAM, st.lists(st.integers(1, 7), min_size=1, max_size=30), st.integers(0, 40))
def test_pages_of_any_size_from_any_cursor_leave_no_line_out_and_repeat_none(
    out: list[list[tuple[int, bytes]]], err: list[list[tuple[int, bytes]]], counts: list[int], place: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        web = written(Path(directory) / "web", *in_order(out))
        written(Path(directory) / "web" / "stderr", *in_order(err))
        streams = streams_of("web", web)
        every = named(forward(streams))
        assert len(set(every)) == len(every)
        assert named(backward(streams)) == every[::-1]
        for stream, text in (("stdout", out), ("stderr", err)):
            parts = [line.text for line in forward(streams) if line.stream == stream]
            assert b"".join(parts) == b"".join(piece for segment in text for _, piece in segment).replace(b"\n", b"")
        over = named(forward(streams), whole=True)
        assert in_pages(lambda cursor: forward(streams, cursor), counts, len(over)) == over
        assert in_pages(lambda cursor: backward(streams, cursor), counts, len(over)) == over[::-1]
        reading = forward(streams)
        before = named(reading.take(place), whole=True)
        assert named(backward(streams, reading.cursor)) == before[::-1]
        assert sorted(before + named(forward(streams, reading.cursor))) == sorted(every)


def in_pages(read: Callable[[Any], Reading], counts: list[int], most: int) -> list[Named]:
    """The lines in pages of these sizes, each read anew from the cursor of the one before."""
    found: list[Named] = []
    cursor = None
    for count in counts * (most + 2):  # each stream may end with a line that may still grow: backwards these come first
        reading = read(cursor)
        found += named(reading.take(count), whole=True)
        cursor = reading.cursor
        if len(found) >= most:
            return found
    return found


def test_looking_ends_at_its_limit_and_goes_on_from_there(tmp_path: Path) -> None:
    web = written(tmp_path / "web", [(1, A, b"needle\n" + b"hay\n" * 1_000_000)])
    for read in (forward, backward):
        reading = read(streams_of("web", web), None, Filter(pattern=re.compile(b"needle")))
        looks = 0
        found: list[Line] = []
        while not reading.is_over or not looks:
            found += reading.take(10, 500_000)
            looks += 1
        assert said(found) == [b"needle"]
        assert looks > 5


NOW_US = 1_767_323_096_000_000  # 2026-01-02 03:04:56 UTC
STAMPS = {
    "now": NOW_US,
    "-5min": NOW_US - 300 * SECOND_US,
    "+1h": NOW_US + 3600 * SECOND_US,
    "5min ago": NOW_US - 300 * SECOND_US,
    "@1767323096": NOW_US,
    "@1767323096.5": NOW_US + 500_000,
    "2026-01-02 03:04:56 UTC": NOW_US,
    "2026-01-02 03:04:56.25 UTC": NOW_US + 250_000,
    "2026-01-02T03:04:56Z": NOW_US,
    "2026-01-02 03:04 UTC": NOW_US - 56 * SECOND_US,
    "2026-01-02 UTC": NOW_US - 11096 * SECOND_US,
    "03:04:56 UTC": NOW_US,
}


@pytest.mark.parametrize(("text", "expected_us"), STAMPS.items(), ids=STAMPS.keys())
def test_a_time_stamp_is_read(text: str, expected_us: int) -> None:
    assert parse(text, NOW_US) == expected_us


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-02-30", "25:00", "12", "2026-01-02 03", "-", "- ", "@", "infinity ago"])
def test_what_is_no_time_stamp_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        parse(text, NOW_US)


def test_local_days_follow_each_other_over_the_end_of_summer_time() -> None:
    program = """
import time
from supervisor.client.timestamps import parse
now_us = 1792922400_000000  # Sunday 2026-10-25, a day of 25 hours, 11:00 in Berlin
for text in ("today", "tomorrow", "yesterday", "2026-10-25", "2026-10-25 11:00"):
    print((parse(text, now_us) - now_us) // 3600_000000)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], env={"TZ": "Europe/Berlin"}, capture_output=True, text=True, check=True, timeout=20
    )
    assert ran.stdout.split() == ["-12", "13", "-36", "-12", "0"]


def test_since_seeks_and_does_not_read_the_whole(tmp_path: Path) -> None:
    drains = [(second, A, b"line %d\n" % second * 10) for second in range(1, 20_000)]
    web = written(tmp_path / "web", drains)
    before = _read_bytes()
    found = said(forward(streams_of("web", web), None, Filter(since_us=19_999 * SECOND_US)))
    assert found == [b"line 19999"] * 10
    assert _read_bytes() - before < 200_000


def test_the_last_lines_are_found_without_reading_the_others(tmp_path: Path) -> None:
    web = written(tmp_path / "web", [(1, A, b"old\n" * 3_000_000)], [(2, A, b"new\n")])
    before = _read_bytes()
    assert said(backward(streams_of("web", web)).take(3)) == [b"new", b"old", b"old"]
    assert _read_bytes() - before < 200_000


def _read_bytes() -> int:
    """How much this process has read so far."""
    with open("/proc/self/io", encoding="ascii") as file:
        return int(file.readline().split()[1])


def test_now_is_a_time_of_today() -> None:
    now_us = time.time_ns() // 1000
    assert parse("today", now_us) <= now_us < parse("tomorrow", now_us)
