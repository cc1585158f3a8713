"""Environment files, held to what systemd 252 made of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.environment_file import EnvironmentFileError, decode, parse

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "syntax-reference.json").read_text())


@pytest.mark.parametrize("row", REFERENCE["environment_file"], ids=lambda row: repr(row["content"]))
def test_a_file_means_what_it_means_to_systemd(row: dict[str, Any]) -> None:
    if row["env"] is None:
        with pytest.raises(EnvironmentFileError):
            parse(row["content"])
        return
    rejected: list[str] = []
    assert dict(parse(row["content"], rejected)) == row["env"]
    assert bool(rejected) == bool(row["warnings"])


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("# A=1\n; B=2\nC=3", [("C", "3")]),
        ("# a comment \\\nA=1", [("A", "1")]),
        ("A=1\r\nB=2\r\n", [("A", "1"), ("B", "2")]),
        ("A=1\nB=2\nA=3", [("B", "2"), ("A", "3")]),
        ("A=a\\ \n", [("A", "a ")]),
        ("A=a \\\n b\n", [("A", "a  b")]),
        ('A="a\\\nb"', [("A", "ab")]),
        ('A="\\n\\$\\`\\\\"', [("A", "\\n$`\\")]),
        ("A='\\n'", [("A", "\\n")]),
        ("A=\"x\"'y'z", [("A", "xyz")]),
        ("A=$HOME", [("A", "$HOME")]),
        ("no assignment\nA=1", [("A", "1")]),
    ],
)
def test_each_rule_by_itself(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse(text) == pairs


def test_what_is_not_utf8_is_named_by_line() -> None:
    with pytest.raises(EnvironmentFileError, match="line 2 is not UTF-8"):
        decode(b"A=1\nB=\xff")


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]*", fullmatch=True), st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]))
    )
)
def test_double_quoted_values_come_back(pairs: dict[str, str]) -> None:
    text = ""
    for name, value in pairs.items():
        for special in '\\"`$':
            value = value.replace(special, "\\" + special)
        text += f'{name}="{value}"\n'
    assert dict(parse(text)) == pairs
