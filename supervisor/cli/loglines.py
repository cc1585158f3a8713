"""logs, where lines are chosen or told apart: by time, run or pattern, of one unit or of several merged by time.

Runs are set apart by a line of their own, except in JSON and in `cat`. Works on the files alone: whoever may not read them is told so.
"""

import sys
import time

from supervisor.cli.arguments import Arguments, UsageError
from supervisor.cli.session import Session
from supervisor.client import loglines
from supervisor.client.logindex import NO_RUN
from supervisor.client.loglines import Line, Query
from supervisor.client.terminal import neutralise
from supervisor.client.timestamps import parse
from supervisor.client.wire import compose
from supervisor.model.errors import QuantityError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from re import Pattern

SELECTING = ("since", "until", "run", "reverse")
OUTPUTS = ("short-iso", "json")


def is_asked_for(arguments: Arguments) -> bool:
    """Whether the options can only be answered with times and runs."""
    return any(arguments.options.get(name) for name in SELECTING) or arguments.text("output") in OUTPUTS


def show(session: Session, directories: dict[str, str], count: int | None, pattern: "Pattern[bytes] | None") -> None:
    """Print the wanted lines of these units. `count` None: all of them. Raises UsageError for a time or run that is none."""
    arguments = session.arguments
    sources = []
    for unit, directory in directories.items():
        run = _run(arguments.text("run"), unit, directory)
        sources.append(loglines.lines(unit, directory, Query(*_span(arguments), run, pattern, count)))
    found: Iterable[Line] = loglines.merged(sources)
    if count is not None:
        found = _last(found, count)
    if arguments.has("reverse"):
        found = reversed(list(found))
    show_line = _printer(session, max([len(unit) for unit in directories], default=0), len(directories) > 1)
    for line in found:
        show_line(line)


def _last(found: "Iterable[Line]", count: int) -> "Iterable[Line]":
    from collections import deque

    return deque(found, maxlen=min(count, sys.maxsize))


def _span(arguments: Arguments) -> tuple[int, int | None]:
    now_us = time.time_ns() // 1000
    found: list[int | None] = []
    for name in ("since", "until"):
        text = arguments.text(name)
        try:
            found.append(parse(text, now_us) if text else None)
        except QuantityError as error:
            raise UsageError(f"--{name}: {error}") from None
    return found[0] or 0, found[1]


def _run(text: str, unit: str, directory: str) -> bytes | None:
    """The run that `--run` means for this unit; None without the option."""
    if not text:
        return None
    known = loglines.runs(directory)
    if text == "0" or (text[0] == "-" and text[1:].isascii() and text[1:].isdigit()):
        back = int(text.removeprefix("-"))
        if back >= len(known):
            raise UsageError(f"--run {text}: the log of {unit} holds {len(known)} runs")
        return known[-1 - back]
    matching = [run for run in known if run.hex().startswith(text.lower())]
    if len(matching) != 1:
        which = "no run" if not matching else "several runs"
        raise UsageError(f"--run {text}: the log of {unit} holds {which} of that id")
    return matching[0]


def _printer(session: Session, width: int, has_several: bool) -> "Callable[[Line], None]":
    output = session.arguments.text("output", "short")
    is_raw = session.arguments.has("raw") or not session.out.is_terminal
    write = sys.stdout.buffer.write
    last_runs: dict[str, bytes] = {}

    def text_of(line: Line) -> bytes:
        return line.text if is_raw else neutralise(line.text.removesuffix(b"\r").decode("utf-8", "replace")).encode()

    def show_json(line: Line) -> None:
        run = line.run.hex() if line.run != NO_RUN else ""
        row = {"time_us": line.time_us, "unit": line.unit, "run": run, "text": line.text.decode("utf-8", "replace")}
        write(compose(row).encode() + b"\n")

    def show_text(line: Line) -> None:
        before = last_runs.get(line.unit, NO_RUN)
        if line.run != NO_RUN:
            last_runs[line.unit] = line.run
        if before not in (NO_RUN, line.run) and line.run != NO_RUN and output != "cat":
            write(f"-- {line.unit}: run {line.run.hex()} --\n".encode())
        if line.begins:
            write(_prefix(session, output, line, width if has_several else 0))
        write(text_of(line) + (b"\n" if line.ends else b""))

    return show_json if output == "json" else show_text


def _prefix(session: Session, output: str, line: Line, width: int) -> bytes:
    if output == "short-iso":
        moment = time.localtime(line.time_us // 1_000_000)
        zone = time.strftime("%z", moment)
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}{zone[:3]}:{zone[3:]} {line.unit}: ".encode()
    if output == "cat" or not width:
        return b""
    return f"{session.out.paint(line.unit.ljust(width), 'bold')} | ".encode()
