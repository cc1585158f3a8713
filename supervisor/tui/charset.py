"""Whether the terminal shows more than ASCII, as far as its environment tells, and what is sent to one that does not.

Decides: a locale that names another character set than UTF-8 (`LC_ALL=C` among them), and a terminal whose font has no symbols (the
console of Linux), get plain characters without being asked with `--ascii`. Where no locale is set at all, as in most containers, the
terminal is a modern one more often than not, and symbols are sent. Never: asks the terminal, which might not answer.
"""

import codecs
from collections.abc import Mapping
from typing import TextIO

from rich.cells import cell_len

_PLAIN_TERMINALS = ("linux", "vt100", "vt102", "vt220", "ansi", "cons25", "sun")
_ERRORS = "supd-cells"


def given_environ() -> dict[str, str]:
    """The environment as it was handed to this process: Python itself sets LC_CTYPE where the locale is C (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:
        pairs = [entry.decode("utf-8", "surrogateescape").partition("=") for entry in file.read().split(b"\0")]
    return {name: value for name, _, value in pairs if name}


def is_utf8(environ: Mapping[str, str]) -> bool:
    """Whether what is written is read as UTF-8: by the locale (locale(7)), or because it goes to a browser; nothing said is yes."""
    if environ.get("TEXTUAL_DRIVER"):
        return True
    locale = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environ.get(name))), "")
    codeset = locale.partition("@")[0].rpartition(".")[2]
    return not locale or codeset.lower().replace("-", "") == "utf8"


def has_symbols(environ: Mapping[str, str]) -> bool:
    """Whether the terminal can be expected to show the symbols of the screens."""
    if environ.get("TEXTUAL_DRIVER"):
        return True
    return is_utf8(environ) and environ.get("TERM", "") not in _PLAIN_TERMINALS


def write_ascii(stream: TextIO) -> None:
    """Send ASCII alone from now on: bytes of UTF-8 may be controls to who does not read them as UTF-8 (0x9B begins a sequence).

    What cannot be sent becomes a `?` for each cell, so that nothing behind it moves.
    """
    codecs.register_error(_ERRORS, _as_cells)
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="ascii", errors=_ERRORS)


def _as_cells(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "?" * cell_len(error.object[error.start : error.end]), error.end
