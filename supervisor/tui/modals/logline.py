"""One line of a log, whole: what it says, spread out where it is JSON, with its time, unit and run above it."""

import json

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from supervisor.client.logindex import NO_RUN
from supervisor.client.terminal import neutralise
from supervisor.tui.logs import levels, paint
from supervisor.tui.logs.patterns import without_colour
from supervisor.tui.logs.store import Line
from supervisor.tui.model.format import count

_INDENT = 2


class LogLine(ModalScreen[None]):
    """A panel over the log. `y` copies the line as it was written."""

    DEFAULT_CSS = """
    LogLine > .dialogue { width: 90%; max-width: 140; max-height: 90%; }
    LogLine VerticalScroll { height: auto; max-height: 100%; }
    LogLine .dialogue Static { width: 100%; }
    """
    BINDINGS = [
        Binding("escape,q,J,enter", "close", "close", id="panel.close"),
        Binding("y", "copy", "copy", id="panel.copy"),
        Binding("j,down", "scroll(1)", show=False, id="panel.down"),
        Binding("k,up", "scroll(-1)", show=False, id="panel.up"),
    ]

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def compose(self) -> ComposeResult:
        line = self._line
        level = f"  {levels.NAMES[line.level]}" if line.level else ""
        run = f"  run {line.run.hex()[:8]}" if line.run != NO_RUN else ""
        size = f"  {count(line.length)} bytes"
        cut = "" if len(line.text) == line.length else f", the first {count(len(line.text))} are here; all of it is in the log's file"
        head = f"{paint.time_text(line.time_us, paint.TIME_FULL)}  {line.unit}{level}{run}{size}{cut}"
        with Vertical(classes="dialogue"):
            yield Static(Text(head), classes="dialogue--title")
            with VerticalScroll():
                yield Static(Text(spread_out(line.text)))
            yield Static(Text("y copies the line as it was written, Esc closes"), classes="dialogue--hint")

    def action_close(self) -> None:
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_copy(self) -> None:
        from supervisor.tui.widgets.clipboard import copy

        if copy(self.app, self._line.text):
            self.notify(f"copied {count(len(self._line.text))} bytes", timeout=2)
        else:
            self.notify("the line is longer than a terminal's clipboard takes; S saves it to a file", severity="warning")


def spread_out(raw: bytes) -> str:
    """A line as several: JSON with one field each, anywhere in the line; other text as it is. Nothing in it acts on the terminal."""
    text = without_colour(raw).removesuffix(b"\r").decode("utf-8", "replace")
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if start >= 0:
        try:
            value, end = json.JSONDecoder().raw_decode(text[start:])
        except (ValueError, RecursionError):
            return neutralise(text)
        if isinstance(value, dict | list) and value:
            shown = json.dumps(value, indent=_INDENT, ensure_ascii=False)
            parts = [text[:start].rstrip(), shown, text[start + end :].strip()]
            return neutralise("\n".join(part for part in parts if part))
    return neutralise(text)
