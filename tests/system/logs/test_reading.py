"""The last lines of a log, and text that cannot act on a terminal."""

import os
from pathlib import Path
from unicodedata import category, name

import pytest

from supervisor.client.logfile import last_lines_raw, segments, tail_offset
from supervisor.client.logpages import LAST_LIMIT_BYTES, last_texts, streams_of
from supervisor.client.terminal import neutralise
from tests.system.logs.conftest import Pumping


def last_lines(directory: Path, count: int) -> list[str]:
    return last_texts(streams_of("web", str(directory)), count)


LAST = {
    "nothing": (b"", 3, []),
    "no line asked for": (b"a\n", 0, []),
    "fewer than asked for": (b"a\nb\n", 3, ["a", "b"]),
    "as many as asked for": (b"a\nb\n", 2, ["a", "b"]),
    "more than asked for": (b"a\nb\nc\n", 2, ["b", "c"]),
    "a last line without its newline": (b"a\nb\nc", 2, ["b", "c"]),
    "empty lines are lines": (b"a\n\n\n", 2, ["", ""]),
    "a carriage return before the newline goes": (b"a\r\nb\rc\r\n", 2, ["a", "b\\rc"]),
    "bytes that are not UTF-8 are replaced": (b"\xff\xfe\n", 1, ["\ufffd\ufffd"]),
    "lines longer than a block": (b"x" * 40_000 + b"\n" + b"y" * 40_000 + b"\n", 1, ["y" * 40_000]),
    "a newline at a block's edge": (b"a\n" + b"y" * (16 * 1024 - 1) + b"\n", 1, ["y" * (16 * 1024 - 1)]),
}


@pytest.mark.parametrize(("content", "count", "expected"), LAST.values(), ids=LAST.keys())
def test_last_lines(tmp_path: Path, content: bytes, count: int, expected: list[str]) -> None:
    (tmp_path / "00000001.log").write_bytes(content)
    assert last_lines(tmp_path, count) == expected


def test_last_lines_go_over_segments(tmp_path: Path) -> None:
    for sequence, content in ((1, b"a\nb\n"), (2, b""), (3, b"c\n"), (10, b"d\n")):
        (tmp_path / f"{sequence:08d}.log").write_bytes(content)
    (tmp_path / "notes.txt").write_text("no segment")
    (tmp_path / "x.log").write_text("no segment either")
    assert segments(str(tmp_path)) == [1, 2, 3, 10]
    assert last_lines(tmp_path, 3) == ["b", "c", "d"]
    assert last_lines_raw(str(tmp_path), 100) == b"a\nb\nc\nd\n"


def test_a_unit_that_never_wrote_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "web", 10) == []


def test_no_more_is_read_backwards_than_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "00000001.log"
    path.write_bytes(b"x" * 100_000)
    with path.open("rb") as file:
        assert tail_offset(file.fileno(), 5, limit_bytes=1000) == (99_000, 1)


def test_a_screen_is_given_no_more_than_it_can_hold(tmp_path: Path) -> None:
    (tmp_path / "00000001.log").write_bytes((b"x" * ((1 << 20) - 1) + b"\n") * 6)
    assert sum(len(text) for text in last_lines(tmp_path, 10)) <= LAST_LIMIT_BYTES


def test_the_last_lines_cannot_act_on_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "00000001.log").write_bytes(b"one\ntwo\n\x1b[31mred\x1b[0m \x1b]0;title\x07\n")
    assert last_lines(tmp_path, 2) == ["two", "red \\x1b]0;title\\x07"]


def test_what_a_run_left_without_its_newline_is_no_part_of_the_next_one_s_first_line(pumping: Pumping) -> None:
    fd = pumping.pump.open_pipe("web")
    for run, text in (("1" * 32, b"says\nbreaks o"), ("2" * 32, b"begins\n")):
        pumping.pump.begin_run("web", run)
        os.write(fd, text)
    pumping.pump.drain("web")
    assert last_lines(pumping.directory / "web", 3) == ["says", "breaks o", "begins"]


NEUTRAL = {
    "plain text": ("GET / 200", "GET / 200"),
    "other scripts": ("größer 日本 😀", "größer 日本 😀"),
    "a tab and a newline": ("a\tb\nc", "a\tb\nc"),
    "colour is dropped": ("\x1b[1;38;5;196mred\x1b[0m", "red"),
    "colour with colons is dropped": ("\x1b[4:3mwavy\x1b[m", "wavy"),
    "clearing the screen is shown": ("\x1b[2J", "\\x1b[2J"),
    "a title is shown": ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
    "an unfinished colour is shown": ("\x1b[31", "\\x1b[31"),
    "a colour of absurd length is shown": ("\x1b[" + "1;" * 100 + "m", "\\x1b[" + "1;" * 100 + "m"),
    "eight-bit controls are shown": ("\x9b2J", "\\x9b2J"),
    "backspaces are shown": ("rm -rf /\b\b", "rm -rf /\\b\\b"),
    "a carriage return is shown": ("evil\rgood", "evil\\rgood"),
    "a NUL and a DEL are shown": ("\0\x7f", "\\x00\\x7f"),
    "an override of direction is shown": ("\u202eexe.txt", "\\u202eexe.txt"),
    "an isolate is shown": ("\u2066x\u2069", "\\u2066x\\u2069"),
    "what has no width is shown": ("a\u200bb\ufeffc\u2060d\u200de", "a\\u200bb\\ufeffc\\u2060d\\u200de"),
    "blank letters are shown": ("a\u3164b\u115fc\u034fd\xade", "a\\u3164b\\u115fc\\u034fd\\xade"),
    "tags are shown": ("a\U000e0041", "a\\U000e0041"),
    "a separator of lines is shown": ("a\u2028b", "a\\u2028b"),
    "half a pair is shown": ("a\udcff", "a\\udcff"),
    "a selector of pictures is dropped": ("\u2714\ufe0f done", "\u2714 done"),
}


@pytest.mark.parametrize(("text", "expected"), NEUTRAL.values(), ids=NEUTRAL.keys())
def test_neutralise(text: str, expected: str) -> None:
    assert neutralise(text) == expected


def test_no_character_of_the_neutralised_can_be_a_control() -> None:
    everything = "".join(chr(code) for code in range(0x110000) if chr(code) not in "\t\n")
    shown = neutralise(everything)
    assert not [c for c in shown if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0]
    assert {category(c) for c in shown if not c.isprintable()} <= {"Cf", "Cn", "Co", "Zs"}
    # What is left of the format characters stands before or around other letters and is seen: signs of numbers and years, joined glyphs.
    assert {name(c).partition(" ")[0] for c in shown if category(c) == "Cf"} == {"ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN"}
