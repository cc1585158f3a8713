"""The shown lines into a file of one's own: asked for by name, never written over another file."""

import os
import re

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from supervisor.tui.logs.reader import LogReader
from supervisor.tui.model.format import count
from supervisor.tui.widgets.pager import saved

_FILE_MODE = 0o600  # logs hold secrets more often than anybody thinks


class LogSave(ModalScreen[None]):
    """Asks for the name, writes, says how much."""

    DEFAULT_CSS = """
    LogSave > .dialogue { width: 72; max-width: 100%; }
    LogSave .dialogue Input { height: 1; border: none; padding: 0; background: $boost; margin: 0 0 1 0; }
    LogSave .dialogue Static { width: 100%; }
    LogSave .wrong { color: $error; }
    """
    BINDINGS = [Binding("escape", "leave", "leave", id="save.leave")]

    def __init__(self, reader: LogReader, title: str) -> None:
        super().__init__()
        self._reader = reader
        self._name = re.sub(r"[^A-Za-z0-9@_.-]+", "-", title).strip("-.") or "supd"

    def compose(self) -> ComposeResult:
        lines = len(self._reader.view.index)
        with Vertical(classes="dialogue"):
            yield Static(Text(f"Save {count(lines)} lines to"), classes="dialogue--title")
            field = Input(f"{self._name}.log", compact=True)
            field.cursor_blink = False
            yield field
            yield Static(Text(""), classes="wrong")
            yield Static(Text("Enter saves, Esc does not; all there ever was: supctl logs -n all"), classes="dialogue--hint")

    def action_leave(self) -> None:
        self.dismiss()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        path = os.path.expanduser(event.value.strip())
        if not path:
            return
        try:
            size = save(self._reader, path)
        except OSError as error:
            self.query_one(".wrong", Static).update(Text(f"cannot write {path}: {error.strerror}"))
            return
        self.notify(f"saved {count(len(self._reader.view.index))} lines, {count(size)} bytes to {os.path.abspath(path)}")
        self.dismiss()


def save(reader: LogReader, path: str) -> int:
    """How many bytes were written to a new file. Raises OSError, FileExistsError among them."""
    size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
    with open(descriptor, "wb") as file:
        for piece in saved(reader):
            size += file.write(piece)
    return size
