"""What a person sees: times, sizes, tables, and colour only where it belongs."""

import io
import os
import subprocess
import sys

import pytest

from supervisor.cli import screen

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Ascii(io.StringIO):
    encoding = "ascii"


SPANS = [
    (0, "0ms"), (0.25, "250ms"), (1, "1s"), (59.9, "59s"), (60, "1min"), (182, "3min 2s"), (3600, "1h"), (7500, "2h 5min"),
    (86400, "1d"), (100_000, "1d 3h"), (40 * 86400, "1month 10d"), (400 * 86400, "1y 1month"),
]  # fmt: skip


@pytest.mark.parametrize(("seconds", "text"), SPANS)
def test_a_span_is_told_in_two_units(seconds: float, text: str) -> None:
    assert screen.span(seconds) == text


def test_the_future_is_not_ago() -> None:
    assert (screen.ago(100, 103), screen.ago(103, 100)) == ("3s ago", "in 3s")


@pytest.mark.parametrize(("number", "text"), [(0, "0B"), (1023, "1023B"), (1536, "1.5K"), (5 * 1024**3, "5.0G"), (3 * 1024**4, "3.0T")])
def test_sizes_have_systemds_letters(number: float, text: str) -> None:
    assert screen.size(number) == text


ENDS = [
    ({"exec_main_code": None, "exec_main_status": None}, ""),
    ({"exec_main_code": "exited", "exec_main_status": 203}, "exited, status 203/EXEC"),
    ({"exec_main_code": "exited", "exec_main_status": 99}, "exited, status 99"),
    ({"exec_main_code": "killed", "exec_main_status": 9}, "killed, signal 9/KILL"),
    ({"exec_main_code": "dumped", "exec_main_status": 11}, "dumped, signal 11/SEGV"),
    ({"exec_main_code": "unknown", "exec_main_status": None}, "ended, its status is unknown"),
]


@pytest.mark.parametrize(("unit", "text"), ENDS, ids=[row[1] or "runs" for row in ENDS])
def test_an_end_is_told_with_its_name(unit: dict[str, object], text: str) -> None:
    assert screen.exit_text(unit) == text


def painted(stream: io.StringIO) -> str:
    out = screen.Screen(stream)
    out.write(f"{out.symbol('failed')} {out.state('failed', 'failed')}")
    return stream.getvalue()


def test_colour_stands_beside_the_word_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert painted(Terminal()) == "\x1b[31;1m×\x1b[0m \x1b[31;1mfailed\x1b[0m (failed)\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert painted(Terminal()) == "× failed (failed)\n"


def test_symbols_become_ascii_where_the_locale_cannot_encode_them() -> None:
    assert painted(Ascii()) == "x failed (failed)\n"
    stream = Ascii()
    screen.Screen(stream).write("● └─ ü")
    assert stream.getvalue() == "* +- \\xfc\n"


def test_every_state_has_a_symbol_of_its_own_without_colour() -> None:
    out = screen.Screen(Ascii())
    assert [out.symbol(state) for state in ("active", "inactive", "failed", "activating")] == ["●", "○", "×", "↻"]
    assert out.symbol("inactive", "bad-setting") == "×"


def test_columns_are_aligned_and_numbers_stand_right() -> None:
    assert screen.table(("UNIT", "PID"), [("web", "4711"), ("a-long-one", "-")], right=(1,)) == [
        "UNIT         PID",
        "web         4711",
        "a-long-one     -",
    ]


READERS = [
    ("nothing is said, as in a container", {}, "● ├─ → … \u00fc\n".encode()),
    ("a locale of today", {"LANG": "C.UTF-8"}, "● ├─ → … \u00fc\n".encode()),
    ("the C locale", {"LC_ALL": "C", "LANG": "C.UTF-8"}, b"* +- > ~ \\xfc\n"),
    ("the C locale as the language, which Python takes for UTF-8", {"LANG": "C"}, b"* +- > ~ \\xfc\n"),
    ("another character set", {"LC_CTYPE": "de_DE.ISO-8859-1"}, b"* +- > ~ \\xfc\n"),
    ("a stream of ASCII in a locale of today", {"LANG": "C.UTF-8", "PYTHONIOENCODING": "ascii"}, b"* +- > ~ \\xfc\n"),
]


@pytest.mark.parametrize(("environ", "sent"), [row[1:] for row in READERS], ids=[row[0] for row in READERS])
def test_who_reads_no_utf8_is_sent_none(environ: dict[str, str], sent: bytes) -> None:
    program = "from supervisor.cli.screen import Screen; Screen().write('● ├─ → … \\xfc')"
    done = subprocess.run([sys.executable, "-c", program], env=environ, cwd=ROOT, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (sent, b"")


def test_a_complaint_is_plain_too() -> None:
    command = [sys.executable, "-m", "supervisor.cli.main", "--socket", "/nonexistent/m\u00fcll", "status"]
    done = subprocess.run(command, env={"LC_ALL": "C"}, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 69
    assert done.stderr.isascii()
    assert b"/nonexistent/m\\xfcll" in done.stderr
