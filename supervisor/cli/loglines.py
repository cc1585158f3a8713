"""How `supctl logs` prints a line, in each of its forms.

`short` is journalctl's: "Nov 27 13:55:01 web: text", whether into a terminal or into a file. `short-iso` has the whole date and the
zone, `json` is one object a line, `cat` the text alone. A line of a standard error that is kept apart says so. In the short forms a
line of its own shows where a unit's next run begins.
"""

import sys
import time
from codecs import getincrementaldecoder

from supervisor.cli.session import Session
from supervisor.client.logindex import NO_RUN
from supervisor.client.loglines import ERR, Line
from supervisor.client.terminal import neutralise
from supervisor.client.wire import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from supervisor.client.logpages import Stream

    Show = Callable[[Line], None]
    Lines = Iterator[Line]

OUTPUTS = ("short", "short-iso", "cat", "json")


def printer(session: Session, streams: "Sequence[Stream]") -> "Show":
    """What prints a line of these streams in the form that was asked for."""
    output = session.arguments.text("output", "short")
    return {"cat": _as_text, "json": _as_json}.get(output, _with_time)(session, _Texts(session, streams))


class _Texts:
    """The text of a line as the output may have it: whole, and harmless where it is a terminal."""

    def __init__(self, session: Session, streams: "Sequence[Stream]") -> None:
        self._streams = {(stream.unit, stream.stream): stream for stream in streams}
        self._is_raw = session.arguments.has("raw") or not session.out.is_terminal

    def write(self, line: Line) -> None:
        if line.size_bytes <= len(line.text):
            text = line.text if self._is_raw else _harmless(line.text.removesuffix(b"\r"))
            sys.stdout.buffer.write(text)
            return
        for piece in self.pieces(line):
            sys.stdout.buffer.write(piece if self._is_raw else _harmless(piece))

    def pieces(self, line: Line) -> "Iterator[bytes]":
        return self._streams[line.unit, line.stream].whole(line)


def _harmless(text: bytes) -> bytes:
    return neutralise(text.decode("utf-8", "replace")).encode()


def _as_text(session: Session, texts: _Texts) -> "Show":
    open_line: Line | None = None

    def show(line: Line) -> None:
        nonlocal open_line
        if open_line is not None and not (line.continues and (line.unit, line.stream) == (open_line.unit, open_line.stream)):
            sys.stdout.buffer.write(b"\n")  # what was said next is no part of it
        texts.write(line)
        has_newline = line.next_offset > line.offset + line.size_bytes or session.out.is_terminal
        if has_newline:
            sys.stdout.buffer.write(b"\n")
        open_line = None if has_newline else line  # it was cut, or is not over yet

    return show


def _as_json(session: Session, texts: _Texts) -> "Show":
    write = sys.stdout.buffer.write

    def show(line: Line) -> None:
        run = line.run.hex() if line.run != NO_RUN else ""
        row = {"time_us": line.time_us, "unit": line.unit, "stream": line.stream, "run": run, "text": ""}
        if line.size_bytes <= len(line.text):
            row["text"] = line.text.decode("utf-8", "replace")
            write(compose(row).encode() + b"\n")
            return
        # However long it is, one piece of it is in memory. The text comes last, so its end is the object's.
        write(compose(row).encode().removesuffix(b'"}'))
        decoder = getincrementaldecoder("utf-8")("replace")
        for piece in texts.pieces(line):
            write(compose(decoder.decode(piece)).encode()[1:-1])
        write(compose(decoder.decode(b"", True)).encode()[1:-1] + b'"}\n')

    return show


def _with_time(session: Session, texts: _Texts) -> "Show":
    write = sys.stdout.buffer.write
    is_iso = session.arguments.text("output", "short") == "short-iso"
    last_runs: dict[str, bytes] = {}
    stamp, stamp_s = "", -1

    def show(line: Line) -> None:
        nonlocal stamp, stamp_s
        before = last_runs.get(line.unit, NO_RUN)
        if line.run != NO_RUN and before != line.run:
            last_runs[line.unit] = line.run
            if before != NO_RUN:
                write(f"-- {line.unit}: run {line.run.hex()} --\n".encode())
        if line.time_us // 1_000_000 != stamp_s:
            stamp_s = line.time_us // 1_000_000
            stamp = _iso(stamp_s) if is_iso else time.strftime("%b %d %H:%M:%S", time.localtime(stamp_s))
        name = line.unit if line.stream != ERR else f"{line.unit}/{ERR}"
        write(f"{stamp} {session.out.paint(name, 'bold')}: ".encode())
        texts.write(line)
        write(b"\n")

    return show


def _iso(time_s: int) -> str:
    moment = time.localtime(time_s)
    zone = time.strftime("%z", moment)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}{zone[:3]}:{zone[3:]}"
