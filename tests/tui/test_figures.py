"""CPU shares, histories and sparklines; and the short words for times and sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.tui.model.figures import HISTORY_SAMPLES, LONGEST_STEP_S, NSEC_PER_SEC, Figures, Ring, Usage, sparkline
from supervisor.tui.model.format import count, fit, one_line, percent, short_size, short_span


def sample(name: str, cpu_s: float | None, memory: int | None = None) -> dict[str, dict[str, object]]:
    return {name: {"cpu_usage_nsec": None if cpu_s is None else int(cpu_s * NSEC_PER_SEC), "memory_current_bytes": memory}}


def test_a_share_needs_two_figures_and_is_of_one_core() -> None:
    figures = Figures()
    figures.record(10.0, sample("web", 5.0, 1024))
    web = figures.get("web")
    assert web is not None
    assert (web.cpu_percent, web.memory_bytes) == (None, 1024)
    figures.record(12.0, sample("web", 6.0, 2048))
    assert (web.cpu_percent, web.memory_bytes) == (50.0, 2048)
    assert list(web.memory.last(9)) == [1024.0, 2048.0]


NO_SHARE = [
    ("a unit that started anew", (10.0, 5.0), (11.0, 1.0)),
    ("nobody looked for a while", (10.0, 5.0), (10.0 + LONGEST_STEP_S + 1, 6.0)),
    ("no time went by", (10.0, 5.0), (10.0, 6.0)),
    ("it is down", (10.0, 5.0), (11.0, None)),
]


@pytest.mark.parametrize(("first", "second"), [row[1:] for row in NO_SHARE], ids=[row[0] for row in NO_SHARE])
def test_no_share_is_made_up(first: tuple[float, float], second: tuple[float, float | None]) -> None:
    figures = Figures()
    for at_s, cpu_s in (first, second):
        figures.record(at_s, sample("web", cpu_s))
    web = figures.get("web")
    assert web is not None
    assert web.cpu_percent is None
    assert not web.cpu.last(9)


def test_the_same_sample_told_twice_takes_no_share_away() -> None:
    figures = Figures()
    for at_s, cpu_s in ((10.0, 5.0), (12.0, 6.0), (12.0, 6.0)):
        figures.record(at_s, sample("web", cpu_s, 1024))
    usage = figures.get("web")
    assert usage is not None
    assert (usage.cpu_percent, list(usage.cpu.last(9)), list(usage.memory.last(9))) == (50.0, [50.0], [1024.0, 1024.0])


def test_totals_forget_what_is_gone() -> None:
    figures = Figures()
    for at_s in (1.0, 2.0):
        figures.record(at_s, {**sample("web", at_s / 2, 100), **sample("db", at_s / 4, 50)}, is_all=True)
    assert (figures.cpu_percent, figures.memory_bytes) == (75.0, 150)
    figures.record(3.0, sample("db", 0.75, 50), is_all=True)
    assert (figures.cpu_percent, figures.memory_bytes) == (25.0, 50)
    assert figures.get("web") is None
    assert list(figures.total_cpu.last(3)) == [0.0, 75.0, 25.0]
    assert figures.take_changed() == {"web", "db"}
    assert figures.take_changed() == frozenset()


@given(st.lists(st.integers(0, 1000), max_size=3 * HISTORY_SAMPLES), st.integers(0, 2 * HISTORY_SAMPLES))
def test_a_ring_is_the_tail_of_a_list(values: list[int], wanted: int) -> None:
    ring = Ring()
    for value in values:
        ring.append(float(value))
    kept = values[-HISTORY_SAMPLES:]
    assert list(ring.last(wanted)) == (kept[-wanted:] if wanted else [])


LINES = [
    ([0, 1, 2, 4], 4, None, "▁▃▅█"),
    ([0, 1, 2, 4], 2, None, "▅█"),
    ([4], 3, None, "  █"),
    ([0, 0], 2, None, "▁▁"),
    ([1, 2], 2, 4, "▃▅"),
    ([], 2, None, "  "),
]


@pytest.mark.parametrize(("values", "width", "top", "line"), LINES)
def test_a_sparkline(values: list[float], width: int, top: float | None, line: str) -> None:
    assert sparkline(values, width, top) == line
    assert sparkline(values, width, top, ascii=True).isascii()


def test_a_usage_that_was_never_recorded_has_no_share() -> None:
    assert Usage().cpu_percent is None


SPANS = [(-3, "0s"), (0.9, "0s"), (59.9, "59s"), (60, "1m00"), (131, "2m11"), (3600, "1h00"), (11160, "3h06"), (86400, "1d00h"),
         (1047600, "12d03h"), (100 * 86400, "100d"), (3 * 365 * 86400, "3y")]  # fmt: skip
SIZES = [(None, "-"), (0, "0B"), (1023, "1023B"), (1024, "1K"), (812 << 20, "812M"), (1.5 * (1 << 20), "1.5M"), (3.9 * (1 << 30), "3.9G"),
         (1 << 41, "2.0T")]  # fmt: skip


@pytest.mark.parametrize(("seconds", "text"), SPANS)
def test_a_span_in_six_cells(seconds: float, text: str) -> None:
    assert short_span(seconds) == text


@given(st.floats(0, 90 * 365 * 86400))
def test_no_span_of_a_life_is_wider(seconds: float) -> None:
    assert len(short_span(seconds)) <= 6


@pytest.mark.parametrize(("number", "text"), SIZES)
def test_a_size_in_five_cells(number: float | None, text: str) -> None:
    assert short_size(number) == text


def test_shares_counts_and_cuts() -> None:
    assert [percent(None), percent(0), percent(61.24), percent(99.96), percent(214)] == ["-", "0.0", "61.2", "100", "214"]
    assert count(1204) == "1,204"
    assert [fit("abc", 3), fit("abcd", 3), fit("abcd", 1), fit("abcd", 0)] == ["abc", "ab…", "…", ""]
    assert one_line("a\tb\n\x1b[31mc\x07") == "a b c\\x07"
