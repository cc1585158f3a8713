"""Whether the terminal shows more than ASCII, as far as its environment tells, and what is sent to one that does not.

Decides: a locale that is not of UTF-8 (`client.charset`), and a terminal whose font has no symbols (the console of Linux), get plain
characters without being asked with `--ascii`; a browser gets everything.
"""

import codecs
from collections.abc import Mapping
from typing import TextIO

from rich.cells import cell_len

from supervisor.client import charset

_PLAIN_TERMINALS = ("linux", "vt100", "vt102", "vt220", "ansi", "cons25", "sun")
_ERRORS = "supd-cells"


def is_utf8(environ: Mapping[str, str]) -> bool:
    """Whether what is written is read as UTF-8: by the locale, or because it goes to a browser."""
    return bool(environ.get("TEXTUAL_DRIVER")) or charset.is_utf8(environ)


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
