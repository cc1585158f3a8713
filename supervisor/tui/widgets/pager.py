"""The lines that are shown, in the reader a person likes best: $PAGER, else lnav, else less.

The program gets the terminal; the loop, the connection and the logs go on meanwhile. It is started without a shell, from a file that only
we may read and that is gone afterwards.
"""

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator

from textual.app import App

from supervisor.tui.logs import paint
from supervisor.tui.logs.reader import LogReader
from supervisor.tui.logs.store import RUN, TEXT, Line
from supervisor.tui.widgets.terminal import run_in_terminal


async def show_in_pager(app: App[None], reader: LogReader) -> None:
    """Until it is left; what kept it from starting is said."""
    command = pager_command()
    if not command:
        app.notify("cannot open a pager: neither $PAGER nor lnav nor less is there", severity="error")
        return
    with tempfile.NamedTemporaryFile(prefix="supd-log-", suffix=".log") as file:
        for piece in saved(reader):
            file.write(piece)
        file.flush()
        try:
            await run_in_terminal(app, *command, file.name)
        except OSError as error:
            app.notify(f"cannot start {command[0]}: {error.strerror}", severity="error")


def pager_command() -> list[str]:
    """The command without the file; empty when there is none."""
    try:
        chosen = shlex.split(os.environ.get("PAGER", ""))
    except ValueError:
        chosen = []
    for command in (chosen, ["lnav"], ["less", "-R", "+G"]):
        if command and shutil.which(command[0]):
            return command
    return []


def saved(reader: LogReader) -> Iterator[bytes]:
    """The shown lines as a file: bytes as they were written; with several units, time and unit before each.

    A line of which memory keeps only the begin ends with how much is missing: all of it is in the unit's own log.
    """
    has_prefix = len(reader.units) > 1
    index = reader.view.index
    for start in range(0, len(index), 1000):
        lines = [reader.store.line(each) for each in index.ids(start, 1000)]
        yield b"".join(_saved(line, has_prefix) for line in lines)


def _saved(line: Line, has_prefix: bool) -> bytes:
    if line.kind != TEXT:
        return b"-- %s --\n" % (f"{line.unit}: run {line.run.hex()}".encode() if line.kind == RUN else line.text)
    before = f"{paint.time_text(line.time_us, paint.TIME_FULL)} {line.unit}: ".encode() if has_prefix else b""
    missing = line.length - len(line.text)
    return before + line.text + (b" [... %d bytes more are in the log]" % missing if missing else b"") + b"\n"
