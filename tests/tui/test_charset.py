"""Who gets plain characters without asking for them, and that nobody who reads no UTF-8 is sent any."""

import io

import pytest

from supervisor.client.charset import given_environ
from supervisor.tui.charset import has_symbols, is_utf8, write_ascii

TERMINALS = [
    ("nothing is said, as in a container", {"TERM": "xterm"}, True, True),
    ("a locale of today", {"LANG": "de_DE.UTF-8", "TERM": "xterm"}, True, True),
    ("the same, spelt otherwise", {"LANG": "en_US.utf8", "TERM": "xterm"}, True, True),
    ("the C locale", {"LC_ALL": "C", "LANG": "de_DE.UTF-8", "TERM": "xterm"}, False, False),
    ("the C locale as the language", {"LANG": "C", "TERM": "xterm"}, False, False),
    ("POSIX", {"LC_CTYPE": "POSIX", "LANG": "C.UTF-8", "TERM": "xterm"}, False, False),
    ("another character set", {"LANG": "de_DE.ISO-8859-1@euro", "TERM": "xterm"}, False, False),
    ("the one that counts is UTF-8", {"LC_ALL": "C.UTF-8", "LANG": "C", "TERM": "xterm"}, True, True),
    ("an empty one does not count", {"LC_ALL": "", "LANG": "C.UTF-8", "TERM": "xterm"}, True, True),
    ("the console of Linux", {"LANG": "C.UTF-8", "TERM": "linux"}, True, False),
    ("a browser, whatever the machine is set to", {"TEXTUAL_DRIVER": "x:WebDriver", "LC_ALL": "C", "TERM": "linux"}, True, True),
]


@pytest.mark.parametrize(("environ", "reads_utf8", "shows_symbols"), [row[1:] for row in TERMINALS], ids=[row[0] for row in TERMINALS])
def test_what_the_terminal_shows(environ: dict[str, str], reads_utf8: bool, shows_symbols: bool) -> None:
    assert (is_utf8(environ), has_symbols(environ)) == (reads_utf8, shows_symbols)


def test_what_is_no_ascii_becomes_a_sign_for_each_cell() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8")
    write_ascii(stream)
    stream.write("\x1b[1mgr\u00f6\u00dfer \u6f22\u5b57\x1b[0m \u015b2J|")  # the last would be C5 9B: a control sequence to some
    stream.flush()
    assert raw.getvalue() == b"\x1b[1mgr??er ????\x1b[0m ?2J|"


def test_the_environment_is_the_one_that_was_given() -> None:
    assert "PATH" in given_environ()
