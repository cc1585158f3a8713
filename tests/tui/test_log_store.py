"""The packed store and its index hold what a plain list would: whatever comes, goes, is filtered and paged in."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.tui.logs import levels
from supervisor.tui.logs.filters import Filter
from supervisor.tui.logs.index import LogIndex
from supervisor.tui.logs.patterns import Pattern
from supervisor.tui.logs.reader import LogReader
from supervisor.tui.logs.store import CHUNKS, KEPT_BYTES, NOTE, RUN, Burst, Line, LogStore

RUNS = (bytes(16), b"a" * 16, b"b" * 16)
WORDS = (
    "timeout",
    "TIMEOUT",
    "Ünïcode",
    "ERROR",
    "info:",
    "10.0.0.7",
    "\x1b[31mred\x1b[0m",
    "time\x1b[1mout",
    "",
    "  at x",
    "warn: y",
    "a\xff",
)

texts = st.lists(st.sampled_from(WORDS), max_size=3).map(lambda words: " ".join(words).encode())
bursts = st.builds(
    Burst,
    time_us=st.integers(0, 50),
    unit=st.sampled_from(("web", "db")),
    run=st.sampled_from(RUNS),
    texts=st.lists(texts, min_size=1, max_size=6),
)
patterns = st.sampled_from(("", "timeout", "TIME", "t.m", "ünï", "Ü.ï", "^$", "\\S+:", "10.0", "red", "(", "o|a", "\\d$"))
filters = st.builds(
    Filter,
    include=patterns,
    search=patterns,
    exclude=patterns,
    least_level=st.sampled_from((0, levels.INFO, levels.WARN, levels.ERROR)),
    since_us=st.integers(0, 30),
    until_us=st.one_of(st.none(), st.integers(10, 60)),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(bursts, max_size=3)),
        st.tuples(st.just("prepend"), st.lists(bursts, max_size=2)),
        st.tuples(st.just("note"), st.integers(0, 50)),
        st.tuples(st.just("trim"), st.booleans()),
        st.tuples(st.just("build"), st.integers(1, 5)),
    ),
    max_size=25,
)


def test_lines_that_come_and_go_above_are_neither_passed_over_nor_looked_at_twice() -> None:
    """While a search goes up through memory, older pages are put in above it, and the newest push the oldest out."""
    store = LogStore(capacity_lines=20_000)
    store.append([Burst(1, "web", RUNS[1], [b"line %d" % number for number in range(10_000, 16_000)])], end=0, begin=0)
    reader = LogReader(store)
    reader.search = "line 11000"
    first = 10_000
    for found in reader.seek(Filter(search="line 11000"), -1):
        if found is not None:
            assert store.line(found).text == b"line 11000"
            return
        store.prepend([Burst(1, "web", RUNS[1], [b"line %d" % number for number in range(first - 1700, first)])], begin=0, end=0)
        first -= 1700
    raise AssertionError("it was passed over")


class NaiveLog:
    """The same as a list of what each line says."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, bytes, int, bytes]] = []

    @staticmethod
    def rows(burst: Burst, runs: dict[str, bytes]) -> list[tuple[int, str, bytes, int, bytes]]:
        rows = []
        if burst.run != RUNS[0]:
            before = runs.get(burst.unit)
            if before not in (None, burst.run):
                assert before is not None
                rows.append((burst.time_us, burst.unit, burst.run, RUN, before.hex().encode()))
            runs[burst.unit] = burst.run
        return rows + [(burst.time_us, burst.unit, burst.run, 0, text) for text in burst.texts]


def said(line: Line) -> tuple[int, str, bytes, int, bytes]:
    return (line.time_us, line.unit, line.run, line.kind, line.text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(bursts, max_size=4), max_size=12))
def test_what_was_appended_is_read_back_with_a_line_where_a_run_begins(batches: list[list[Burst]]) -> None:
    store, naive, runs = LogStore(capacity_lines=60), NaiveLog(), dict[str, bytes]()
    for number, batch in enumerate(batches):
        for burst in batch:
            naive.lines += NaiveLog.rows(burst, runs)
        store.append(batch, end=number)
    assert [said(store.line(each)) for each in store.ids()] == naive.lines
    assert len(store) == store.added == len(naive.lines)


@settings(max_examples=100, deadline=None)
@given(steps, filters)
def test_an_index_built_and_extended_in_any_order_holds_what_its_filter_wants(play: list[tuple[str, Any]], wanted: Filter) -> None:
    store = LogStore(capacity_lines=30)
    store.append([Burst(1, "web", RUNS[1], [b"first timeout", b"ERROR second"])], end=0, begin=0)
    index = LogIndex(store, wanted)
    for what, how in play:
        if what == "append":
            store.append(how, end=0)
            index.extend()
        elif what == "prepend":
            store.prepend(how, begin=0, end=0)
        elif what == "note":
            store.note(how, "3 lines lost")
            index.extend()
        elif what == "trim":
            store.trim(next(store.ids()) if how else None)
        else:
            index.build(how)
        check_index_against_itself(index)
    while index.build(3):
        pass
    assert index.is_complete
    expected = [each for each in store.ids() if wanted.matches(store.line(each))]
    assert [index.id_at(position) for position in range(len(index))] == expected
    for each in store.ids():
        assert index.holds(each) == (each in expected)
        assert index.position_of(each) == sum(other < each for other in expected)


def check_index_against_itself(index: LogIndex) -> None:
    found = [index.id_at(position) for position in range(len(index))]
    assert found == sorted(set(found))
    assert [index.position_of(each) for each in found] == list(range(len(found)))
    assert all(index.wanted.matches(index.store.line(each)) for each in found)


def test_the_first_slice_looks_at_the_newest_lines() -> None:
    store = LogStore(capacity_lines=100)
    for number in range(20):
        store.append([Burst(number, "web", RUNS[1], [b"hit %d" % number] + [b"miss"] * 4)], end=number)
    index = LogIndex(store, Filter(include="hit"))
    index.build(5)
    assert [store.line(index.id_at(position)).text for position in range(len(index))] == [b"hit 19"]


@settings(max_examples=60, deadline=None)
@given(st.lists(bursts, min_size=1, max_size=6), patterns, st.data())
def test_a_pattern_finds_in_a_chunk_what_it_finds_line_by_line(batch: list[Burst], typed: str, data: st.DataObject) -> None:
    store, pattern = LogStore(), Pattern(typed)
    store.append(batch, end=0)
    chunk = store.chunks[0]
    start = data.draw(st.integers(0, len(chunk)))
    stop = data.draw(st.integers(start, len(chunk)))
    expected = [place for place in range(start, stop) if pattern.matches(chunk.raw(place))]
    assert list(pattern.places(chunk, start, stop)) == expected


@pytest.mark.parametrize(
    ("typed", "text", "is_found"),
    [
        ("timeout", b"a TIMEOUT", True),
        ("Timeout", b"a TIMEOUT", False),
        ("time\\S+", b"TIMEOUT", True),
        ("foo(", b"call foo(1)", True),
        ("a|b", b"xbx", True),
        ("timeout", b"time\x1b[31mout\x1b[0m", True),
        ("31m", b"\x1b[31mred", False),
        ("ü.", "über".encode(), True),
        ("[ü]x", "üx".encode(), True),
        ("[ü]x", b"\xc3x", False),
    ],
)
def test_what_a_typed_pattern_means(typed: str, text: bytes, is_found: bool) -> None:
    assert Pattern(typed).matches(text) is is_found


def filled(lines: int, store: LogStore, batch: int = 5) -> LogStore:
    for number in range(0, lines, batch):
        store.append([Burst(number, "web", RUNS[1], [b"%d" % each for each in range(number, number + batch)])], end=number + batch, begin=0)
        store.trim()
    return store


def test_what_is_too_much_goes_by_chunks_and_the_newest_stay() -> None:
    store = filled(1_000, LogStore(capacity_lines=100))
    kept = [int(store.line(each).text) for each in store.ids()]
    assert kept == list(range(kept[0], 1_000))
    assert 95 <= len(kept) <= 100
    assert store.chunks[0].begin == kept[0]


def test_bytes_are_bounded_as_lines_are() -> None:
    store = LogStore(capacity_lines=100_000, capacity_bytes=1 << 20)
    for number in range(400):
        store.append([Burst(number, "web", RUNS[1], [b"x" * 9_999])], end=number)
        store.trim()
    assert store.size_bytes <= 1 << 20
    assert len(store) > 90


def test_the_place_where_somebody_reads_stays_and_the_hole_behind_it_is_filled() -> None:
    store = filled(100, LogStore(capacity_lines=100))
    reading = next(store.ids())
    for number in range(100, 1_000, 5):
        store.append([Burst(number, "web", RUNS[1], [b"%d" % each for each in range(number, number + 5)])], end=number + 5)
        store.trim(reading)
    assert store.line(reading).text == b"0"
    holes = [place for place, chunk in enumerate(store.chunks) if place and not chunk.is_joined]
    assert len(holes) == 1
    before, after = store.chunks[holes[0] - 1], store.chunks[holes[0]]
    begin, goal = before.end, after.begin
    assert isinstance(begin, int)
    assert isinstance(goal, int)
    assert begin < goal
    while begin < goal:
        stop = min(begin + 40, goal)
        page = [Burst(begin, "web", RUNS[1], [b"%d" % each for each in range(begin, stop)])]
        filled_in = store.fill(before, page, stop, is_complete=stop == goal)
        assert filled_in is not None
        before, begin = filled_in, stop
    texts = [int(store.line(each).text) for each in store.ids()]
    assert texts == list(range(1_000))
    assert all(chunk.is_joined for chunk in store.chunks[1:])


def test_behind_a_hole_is_what_is_there_now() -> None:
    store = filled(100, LogStore(capacity_lines=100))
    first, second, third = store.chunks[:3]
    assert store.behind_hole(first) is None
    second.is_joined = False
    assert store.behind_hole(first) is second
    store.chunks.remove(second)
    third.is_joined = False
    assert store.behind_hole(first) is third
    assert store.behind_hole(second) is None
    assert store.behind_hole(store.chunks[-1]) is None


def test_a_hole_is_worth_filling_only_where_the_lines_would_be_kept() -> None:
    store = filled(100, LogStore(capacity_lines=100))
    first, *_, last = store.ids()
    assert store.hole_between(first, last) is None
    store.chunks[1].is_joined = False
    assert store.hole_between(first, last) is store.chunks[0]
    assert store.hole_between(store.chunks[1].first_id, last) is None
    store.chunks[1].is_joined = True
    store.chunks[-1].is_joined = False  # further off than what is kept around the first
    assert store.hole_between(first, last) is None
    assert store.hole_between(store.chunks[-2].first_id, last) is store.chunks[-2]


@pytest.mark.parametrize("line_bytes", [8, 9_999])
def test_a_reader_far_back_makes_the_whole_no_larger(line_bytes: int) -> None:
    store = LogStore(capacity_lines=1_000, capacity_bytes=1 << 20)
    text = b"x" * line_bytes

    def write(batches: int) -> None:
        for _ in range(batches):
            store.append([Burst(0, "web", RUNS[1], [text] * 5)], end=0)
            store.trim(reading)

    reading = None
    write(300)
    reading = list(store.ids())[len(store) // 2]
    write(600)
    slack = 2 / CHUNKS  # the window's ends are chunks, and so are the newest's
    assert len(store) <= store.capacity_lines * (1 + slack)
    assert store.size_bytes <= store.capacity_bytes * (1 + slack)
    assert store.line(reading).text == text


def test_an_id_that_is_gone_is_never_given_again() -> None:
    store = LogStore(capacity_lines=40)
    seen: dict[int, bytes] = {}
    for number in range(300):
        store.append([Burst(number, "web", RUNS[1], [b"%d" % number])], end=number)
        store.trim()
        for each in store.ids():
            text = store.line(each).text
            assert seen.setdefault(each, text) == text
    with pytest.raises(KeyError):
        store.line(next(iter(seen)))


def test_a_page_before_the_oldest_line_tells_where_the_run_changed() -> None:
    store = LogStore()
    store.append([Burst(50, "web", RUNS[2], [b"new"])], end=1, begin=0)
    store.prepend([Burst(10, "web", RUNS[1], [b"old"])], begin=-1, end=0)
    assert [(line.kind, line.text) for line in map(store.line, store.ids())] == [(0, b"old"), (RUN, RUNS[1].hex().encode()), (0, b"new")]
    assert store.chunks[1].is_joined


def test_a_line_too_long_to_keep_says_how_long_it_was() -> None:
    store = LogStore()
    store.append([Burst(1, "web", RUNS[1], [b"a", b"x" * (KEPT_BYTES + 5), b"b"])], end=0)
    lines = [store.line(each) for each in store.ids()]
    assert [(len(line.text), line.length) for line in lines] == [(1, 1), (KEPT_BYTES, KEPT_BYTES + 5), (1, 1)]


def test_what_the_reader_has_to_say_is_shown_whatever_is_filtered() -> None:
    store = LogStore()
    store.append([Burst(1, "web", RUNS[1], [b"a"])], end=0)
    store.note(2, "3 lines lost")
    index = LogIndex(store, Filter(include="nothing of the kind", least_level=levels.ERROR))
    while index.build():
        pass
    assert [store.line(index.id_at(position)).kind for position in range(len(index))] == [NOTE]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        (b"2026-01-01 12:00:00 INFO started", levels.INFO),
        (b"WARNING:root:low disk", levels.WARN),
        (b"[error] no such file", levels.ERROR),
        (b"time=1 level=warn msg=x", levels.WARN),
        (b'{"level":"debug","msg":"ERROR in the text"}', levels.DEBUG),
        (b'{"time":1,"level":50,"msg":"x"}', levels.ERROR),
        (b"<4>careful", levels.WARN),
        (b"error: cannot open x", levels.ERROR),
        (b"Traceback (most recent call last):", levels.ERROR),
        (b"ValueError: x", levels.ERROR),
        (b"panic: runtime error", levels.FATAL),
        (b"INFO set level=error", levels.INFO),
        (b"CRITICAL disk", levels.FATAL),
        (b"  at line 3", levels.CONTINUES),
        (b"ERRORS=0 and no errors", levels.NONE),
        (b"informational text: errors happen", levels.NONE),
        (b"GET /error/42 200", levels.NONE),
        (b"", levels.NONE),
    ],
)
def test_the_level_a_line_tells(text: bytes, level: int) -> None:
    assert levels.detect(text) == level


def test_a_stack_trace_has_the_level_of_the_line_it_belongs_to() -> None:
    store = LogStore()
    store.append([Burst(1, "web", RUNS[1], [b"ERROR no", b"  File x", b"\tline", b"plain"]), Burst(1, "db", RUNS[1], [b" lone"])], end=0)
    expected = [levels.ERROR, levels.ERROR, levels.ERROR, levels.NONE, levels.NONE]
    ids = list(store.ids())
    assert [store.line(each).level for each in reversed(ids)] == list(reversed(expected))
    assert [store.line(each).level for each in ids] == expected
