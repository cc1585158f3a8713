"""Time spans, sizes and percentages, held to what systemd 252 answered."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.model.errors import QuantityError
from supervisor.model.quantities import USEC_INFINITY, format_size, format_time_span, parse_percent, parse_size, parse_time_span

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "generated-timespan.json").read_text())


@pytest.mark.parametrize("row", REFERENCE["parse"], ids=lambda row: repr(row["input"]))
def test_a_time_span_is_read_as_systemd_reads_it(row: dict[str, Any]) -> None:
    if not row["valid"]:
        with pytest.raises(QuantityError):
            parse_time_span(row["input"])
        return
    span_us = parse_time_span(row["input"])
    assert (USEC_INFINITY if span_us is None else span_us) == row["usec"]
    assert format_time_span(span_us) == row["human"]


@pytest.mark.parametrize("row", REFERENCE["format_timespan"], ids=lambda row: f"{row['usec']}/{row['accuracy_usec']}")
def test_a_time_span_is_printed_as_systemd_prints_it(row: dict[str, Any]) -> None:
    assert format_time_span(row["usec"], row["accuracy_usec"]) == row["text"]


@pytest.mark.parametrize("text", ["infinity", " infinity "])
def test_infinity_is_none(text: str) -> None:
    assert parse_time_span(text) is None
    assert format_time_span(None) == "infinity"


@pytest.mark.parametrize("text", ["infinityx", "infinity 1s", "x", "-1", "1 infinity", "9" * 30])
def test_these_are_no_time_spans(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_time_span(text)


def test_a_number_without_a_unit_counts_the_given_one() -> None:
    assert parse_time_span("5", default_unit_us=1) == 5


@given(st.integers(0, 10**17))
def test_a_printed_time_span_reads_back(span_us: int) -> None:
    assert parse_time_span(format_time_span(span_us)) == span_us


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("1000", 1000),
        ("1K", 1024),
        ("64M", 64 * 2**20),
        ("1.5G", 1610612736),
        ("1 M", 2**20),
        ("1G 500M", 2**30 + 500 * 2**20),
        ("2B", 2),
        ("1T", 2**40),
        ("1P", 2**50),
        ("1E", 2**60),
    ],
)
def test_a_size_counts_by_1024(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "x", "-1", "1KB", "1M 1G", "5 5", "1k", "16E"])
def test_these_are_no_sizes(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_size(text)


@pytest.mark.parametrize(("size_bytes", "text"), [(0, "0B"), (999, "999B"), (1024, "1K"), (1536, "1.5K"), (64 * 2**20, "64M")])
def test_a_size_is_printed_short(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text


def test_percentages_go_from_0_to_100() -> None:
    assert parse_percent("12.5%") == 0.125
    for text in ("101%", "50", "-1%", "%"):
        with pytest.raises(QuantityError):
            parse_percent(text)
