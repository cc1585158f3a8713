"""What a person sees: symbols, colours, times and columns.

Colour only on a terminal, never with NO_COLOR or TERM=dumb; every colour stands beside a word or a symbol that says the same. Where the
locale is not of UTF-8, symbols become ASCII, and what has no equivalent is written out as an escape. Foreign text (a unit's status or
output) is neutralised before it comes here.
"""

import os
import sys
import time

from supervisor.client import charset
from supervisor.model.exitstatus import exit_status_name, signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TextIO

_COLOURS = {"green": "32", "red": "31;1", "yellow": "33", "grey": "90", "bold": "1", "": ""}

# The active state decides symbol and colour; the word itself always stands beside them.
_LOOK = {
    "active": ("●", "green"),
    "reloading": ("↻", "green"),
    "activating": ("↻", "yellow"),
    "deactivating": ("↻", "yellow"),
    "failed": ("×", "red"),
    "inactive": ("○", "grey"),
}


class Screen:
    """One output stream and what it can show."""

    def __init__(self, stream: "TextIO | None" = None) -> None:
        self.stream = stream or sys.stdout
        self.is_terminal = self.stream.isatty()
        self.has_colour = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        # Python writes UTF-8 in the C locale too (PEP 540): its encoding alone does not tell what is read at the other end.
        self._is_plain = not (_is_unicode(self.stream.encoding) and charset.is_utf8(charset.given_environ()))

    def write(self, *lines: str) -> None:
        """Whole lines."""
        text = "".join([line + "\n" for line in lines])
        self.stream.write(ascii_of(text) if self._is_plain else text)
        if self.is_terminal:
            self.stream.flush()

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self.has_colour and colour and text else text

    def symbol(self, active_state: str, load_state: str = "loaded") -> str:
        symbol, colour = _LOOK.get(active_state, ("○", ""))
        if load_state not in ("loaded", "masked"):
            symbol, colour = "×", "red"
        return self.paint(symbol, colour)

    def state(self, active_state: str, sub_state: str) -> str:
        """ "active (running)", the coarse state painted."""
        return f"{self.paint(active_state, _LOOK.get(active_state, ('', ''))[1])} ({sub_state})"

    def width(self) -> int:
        """Columns; 0 when not a terminal: nothing is cut then."""
        if not self.is_terminal:
            return 0
        try:
            return os.get_terminal_size(self.stream.fileno()).columns
        except OSError:
            return 80

    def cut(self, line: str) -> str:
        """A plain line, cut to the width of the terminal."""
        width = self.width()
        return line[: width - 1] + "…" if width and len(line) > width else line


def _is_unicode(encoding: str | None) -> bool:
    return (encoding or "ascii").lower().replace("-", "").replace("_", "") in ("utf8", "utf16", "utf32")


def ascii_of(text: str) -> str:
    """The same in ASCII; what has no equivalent is written out as an escape."""
    return charset.plain(text).encode("ascii", "backslashreplace").decode("ascii")


def span(seconds: float) -> str:
    """A length of time as systemctl writes it, two units at most: "3min 2s", "2h 5min", "4 days"."""
    if seconds < 1:
        return f"{max(0, int(seconds * 1000))}ms"
    whole = int(seconds)
    for size, unit, below, unit_below in _UNITS:
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size}{unit}" + (f" {rest}{unit_below}" if rest else "")
    return f"{whole}s"


_UNITS = (
    (365 * 86400, "y", 30 * 86400, "month"),
    (30 * 86400, "month", 86400, "d"),
    (86400, "d", 3600, "h"),
    (3600, "h", 60, "min"),
    (60, "min", 1, "s"),
)


def ago(time_s: float, now_s: float) -> str:
    """ "3min 2s ago", or "in 4s" for what is to come."""
    return f"in {span(time_s - now_s)}" if time_s > now_s else f"{span(now_s - time_s)} ago"


def moment(time_s: float) -> str:
    """ "Sat 2026-11-21 03:22:10 UTC", in the reader's zone."""
    local = time.localtime(time_s)
    return time.strftime("%a %Y-%m-%d %H:%M:%S %Z", local).rstrip()


def size(number: float) -> str:
    """Bytes with one decimal and systemd's letters: "12.5M"."""
    for letter in ("B", "K", "M", "G"):
        if number < 1024:
            return f"{number:.0f}B" if letter == "B" else f"{number:.1f}{letter}"
        number /= 1024
    return f"{number:.1f}T"


def table(heads: tuple[str, ...], rows: "Sequence[tuple[str, ...]]", right: tuple[int, ...] = ()) -> list[str]:
    """Rows in aligned columns, heads first; the last column is as wide as it likes; columns in `right` hold numbers."""
    widths = [max([len(row[column]) for row in (heads, *rows)]) for column in range(len(heads))]
    lines = []
    for row in (heads, *rows):
        cells = [cell.rjust(widths[i]) if i in right else cell.ljust(widths[i]) for i, cell in enumerate(row)]
        lines.append("  ".join(cells).rstrip())
    return lines


def exit_text(unit: "dict[str, Any]") -> str:
    """How the main process ended: "exited, status 203/EXEC", "killed, signal 9/KILL"; empty when it has not."""
    code, status = unit.get("exec_main_code"), unit.get("exec_main_status")
    if code is None:
        return ""
    if code == "unknown" or status is None:
        return "ended, its status is unknown"
    return f"{code}, {'status' if code == 'exited' else 'signal'} {named_status(code, int(status))}"


def named_status(code: str, status: int) -> str:
    """A status with its name, as systemctl prints it: "203/EXEC", "9/KILL"."""
    name = exit_status_name(status) if code == "exited" else signal_name(status)
    return str(status) if name == str(status) else f"{status}/{name}"
