"""What is shown of a line: its columns, its own colours, what was found in it; nothing of it acts on the terminal."""

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from supervisor.tui.logs import levels, paint, sgr
from supervisor.tui.logs.paint import Painting
from supervisor.tui.logs.sgr import PLAIN, Sgr
from supervisor.tui.logs.store import RUN, TEXT, Line

NOON_US = 1_767_268_800_123_456  # 2026-01-01 12:00:00.123456 UTC


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    paint._local.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    paint._local.cache_clear()


def line(text: bytes, *, unit: str = "web", level: int = levels.NONE, kind: int = TEXT, length: int | None = None) -> Line:
    return Line(1, NOON_US, unit, b"\xab" * 16, level, kind, text, len(text) if length is None else length)


def shown(text: bytes, painting: Painting | None = None) -> str:
    return "".join(piece for piece, _ in paint.body(line(text), painting or Painting()))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("plain", [("plain", PLAIN)]),
        ("", []),
        ("a\x1b[31mb\x1b[0mc", [("a", PLAIN), ("b", Sgr(1)), ("c", PLAIN)]),
        ("\x1b[1;38;5;200mx\x1b[22my", [("x", Sgr(200, bold=True)), ("y", Sgr(200))]),
        ("\x1b[38;2;1;2;3;4mx", [("x", Sgr((1, 2, 3), underline=True))]),
        ("\x1b[38:2:1:2:3mx", [("x", Sgr((1, 2, 3)))]),
        ("\x1b[97;103mx\x1b[39mx\x1b[mx", [("x", Sgr(15, 11)), ("x", Sgr(None, 11)), ("x", PLAIN)]),
        ("\x1b[48;5mx", [("x", PLAIN)]),
        ("\x1b[38;5;999mx", [("x", PLAIN)]),
        ("\x1b[7;9;3;2mx", [("x", Sgr(dim=True, italic=True, reverse=True, strike=True))]),
        ("\x1b[2Jx", [("\x1b[2Jx", PLAIN)]),
    ],
)
def test_colours_are_read_and_nothing_else(text: str, pieces: list[tuple[str, Sgr]]) -> None:
    assert sgr.split(text) == pieces


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_no_byte_of_a_line_reaches_the_terminal_as_a_control(raw: bytes) -> None:
    for text, _ in paint.body(line(raw.replace(b"\n", b"")), Painting(found=("a",))):
        assert not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in text)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a\tb\tc", "a       b       c"),
        (b"bell\x07 \x1b[2J \x1b]0;title\x07", "bell\\x07 \\x1b[2J \\x1b]0;title\\x07"),
        (b"carriage\rreturn\r", "carriage\\rreturn"),
        (b"\xff\xfe", "��"),
        ("\u202eevil".encode(), "\\u202eevil"),
        (b"\x1b[31ma\tb\x1b[0m", "a       b"),
    ],
)
def test_what_cannot_be_shown_is_written_out(raw: bytes, text: str) -> None:
    assert shown(raw) == text


def test_a_long_line_is_cut_and_tells_how_much_more_there_is() -> None:
    spans = paint.body(line(b"x" * 5000, length=16_096), Painting())
    assert spans == [("x" * 4096, "text"), ("… +12 kB", "cut")]


@pytest.mark.parametrize(
    ("mode", "before_us", "text"),
    [
        ("time", None, "12:00:00.123"),
        ("full", None, "2026-01-01 12:00:00.123"),
        ("delta", None, "   +0.000"),
        ("delta", NOON_US - 1_500_000, "   +1.500"),
        ("delta", NOON_US - 3_725_000_000, " +1:02:05"),
        ("delta", NOON_US + 2_000, "   -0.002"),
    ],
)
def test_the_time_column_has_one_width_in_each_mode(mode: str, before_us: int | None, text: str) -> None:
    painting = Painting(time_mode=mode, has_levels=False)
    assert paint.prefix(line(b"x"), painting, before_us) == [(text + " ", "time")]
    assert len(text) + 1 == painting.prefix_width


def test_the_columns_before_the_text_are_as_wide_as_is_said() -> None:
    for mode in paint.TIME_MODES:
        for unit_width in (0, 8):
            painting = Painting(time_mode=mode, unit_width=unit_width)
            for unit in ("db", "a-unit-of-a-long-name@instance"):
                spans = paint.prefix(line(b"x", unit=unit, level=levels.WARN), painting)
                assert sum(cell_len(text) for text, _ in spans) == painting.prefix_width


def test_level_and_unit_have_their_looks_and_a_unit_always_the_same() -> None:
    spans = paint.prefix(line(b"x", unit="api-007", level=levels.ERROR), Painting(time_mode="off", unit_width=8))
    assert spans == [("ERR ", "level-error"), ("api-007  ", "unit-5")]
    assert len({paint.unit_look(f"api-{number:03d}") for number in range(50)}) == paint.UNIT_COLOURS


def test_what_is_found_is_shown_over_the_texts_own_colours() -> None:
    spans = paint.body(line(b"a time\x1b[31mout b\x1b[0m TIMEOUT"), Painting(found=("timeout",)))
    assert spans == [("a ", "text"), ("time", "found"), ("out", "found"), (" b", Sgr(1)), (" ", "text"), ("TIMEOUT", "found")]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.text("ab漢é ", min_size=1, max_size=9), st.sampled_from(("text", "found"))), max_size=6),
    st.integers(2, 20),
)
def test_wrapping_loses_no_character_and_no_row_is_too_wide(spans: list[tuple[str, paint.Look]], width: int) -> None:
    rows = paint.wrapped(spans, width)
    assert [(letter, look) for row in rows for text, look in row for letter in text] == [
        (letter, look) for text, look in spans for letter in text
    ]
    assert all(sum(cell_len(text) for text, _ in row) <= width for row in rows)
    for row, following in pairwise(rows):
        used = sum(cell_len(text) for text, _ in row)
        assert used + cell_len(following[0][0][0]) > width


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.text("abc", min_size=1, max_size=5), st.sampled_from(("text", "x"))), max_size=5),
    st.lists(st.integers(0, 24), max_size=8),
)
def test_marking_places_changes_looks_only_there(spans: list[tuple[str, paint.Look]], cuts: list[int]) -> None:
    whole = "".join(text for text, _ in spans)
    ends = sorted({min(cut, len(whole)) for cut in cuts})
    places = list(zip(ends[::2], ends[1::2], strict=False))
    looks = [look for text, look in spans for _ in text]
    for begin, end in places:
        looks[begin:end] = ["found"] * (end - begin)
    marked = paint.with_found(spans, places)
    assert "".join(text for text, _ in marked) == whole
    assert [look for text, look in marked for _ in text] == looks


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.text("ab漢é ", min_size=1, max_size=9), st.sampled_from(("text", "found"))), max_size=6),
    st.integers(0, 20),
    st.integers(1, 20),
)
def test_cropping_shows_the_cells_asked_for(spans: list[tuple[str, paint.Look]], start: int, width: int) -> None:
    cells: list[tuple[str, paint.Look]] = []
    for text, look in spans:
        for letter in text:
            cells += [(letter, look), ("", look)] if cell_len(letter) == 2 else [(letter, look)]
    wanted = cells[start : start + width]
    if wanted and wanted[0][0] == "":
        wanted[0] = (" ", wanted[0][1])
    if wanted and cell_len(wanted[-1][0]) == 2:
        wanted[-1] = (" ", wanted[-1][1])
    kept, used = paint.cropped(spans, start, width)
    assert [(letter, look) for text, look in kept for letter in text] == [each for each in wanted if each[0]]
    assert used == len(wanted)


def test_a_boundary_tells_how_the_run_before_it_ended() -> None:
    boundary = line(b"cd" * 16, unit="api-007", kind=RUN)
    asked: list[tuple[str, str]] = []

    def run_text(unit: str, run: str) -> str:
        asked.append((unit, run))
        return "exited 137"

    [(text, look)] = paint.landmark(boundary, Painting(), 70, run_text)
    assert text == "── api-007  exited 137  12:00:00  run abababab ".ljust(70, "─")
    assert (look, asked) == ("run", [("api-007", "cd" * 16)])
    [(text, _)] = paint.landmark(boundary, Painting(is_ascii=True), 60, lambda unit, run: "")
    assert text == "-- api-007  a new run  12:00:00  run abababab ".ljust(60, "-")


@pytest.mark.parametrize(("name", "width", "text"), [("db", 4, "db  "), ("api-worker@12", 8, "api…r@12"), ("abcd", 4, "abcd")])
def test_a_name_too_long_loses_its_middle(name: str, width: int, text: str) -> None:
    assert paint.fitted(name, width) == text
