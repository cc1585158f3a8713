"""logs: what units wrote, merged by time; chosen by time, run and pattern; and with -f what they write from now on.

`-o cat` of one unit, unfiltered, copies the very bytes. Every other form goes line by line through `client.logpages`. On a terminal
escape sequences are neutralised unless `--raw`. Units whose files may not be opened (a daemon of another uid) are read through the API,
and while no supd answers the files alone are read.
"""

import os
import sys
import time

from supervisor.cli import loglines
from supervisor.cli.arguments import Arguments, UsageError
from supervisor.cli.session import NO_SUCH_UNIT, OK, Session
from supervisor.client import logpages
from supervisor.client.errors import ApiError, NoDaemon
from supervisor.client.follow import ALL, LocalTail, RemoteTail
from supervisor.client.logfilter import Filter, smart_case
from supervisor.client.loglines import ERR, LocalStream
from supervisor.client.timestamps import parse
from supervisor.model.errors import QuantityError
from supervisor.model.names import OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Pattern

    from supervisor.client.logpages import Reading, Stream

LINES = 1000
LINES_FOLLOWING = 10
REMOTE_PAUSE_S = 1.0  # the API cannot wake us for log bytes


class _Log:
    """One unit's log, and how it may be read."""

    def __init__(self, unit: str, streams: "list[Stream]", tail: LocalTail | RemoteTail) -> None:
        self.unit = unit
        self.streams = streams
        self.tail = tail


def logs(session: Session) -> int:
    arguments = session.arguments
    follows = arguments.has("follow")
    if follows and any(arguments.options.get(name) for name in ("until", "reverse")):
        raise UsageError("-f shows what comes: it goes with neither --until nor --reverse")
    is_selected = any(arguments.text(name) for name in ("since", "until", "run"))
    count = _count(arguments.text("lines", "all" if is_selected else str(LINES_FOLLOWING if follows else LINES)))
    wanted = Filter(*_span(arguments), None, _pattern(arguments.text("grep")))
    arguments.operands = [*arguments.operands, *arguments.many("unit")]
    try:
        status, found = _found(session)
    except NoDaemon:
        status, found = _left(session)
    if not found:
        return status
    wanted.runs = _runs(arguments.text("run"), found)
    is_chosen = is_selected or wanted.pattern is not None or (follows and isinstance(found[0].tail, RemoteTail))
    if _is_exact(session, found, is_chosen):
        _copy(found[0], count, follows)
        return status
    streams = [stream for log in found for stream in log.streams if stream.stream == ERR or not arguments.has("stderr")]
    show = loglines.printer(session, streams)
    if follows:
        _follow(streams, wanted, count, show)
    for line in _past(streams, wanted, count, arguments.has("reverse")):
        show(line)
    sys.stdout.buffer.flush()
    return status


# Where the logs are


def _found(session: Session) -> tuple[int, list[_Log]]:
    status, found = OK, []
    for name in session.names(or_all=True):
        try:
            told = session.client.log(name, 0)
        except ApiError as error:
            session.refused(f"show the log of {name}", error)
            status = NO_SUCH_UNIT
            continue
        found.append(_log(session, str(told["unit"]), str(told["directory"])))
    return status, found


def _log(session: Session, unit: str, directory: str) -> _Log:
    """The files themselves when the daemon is our own and lets us; a path sent by a daemon of another uid is never opened."""
    if session.client.peer_uid == os.geteuid() and os.path.isabs(directory):
        nearest = directory if os.path.isdir(directory) else os.path.dirname(directory)
        if os.access(nearest, os.R_OK | os.X_OK):
            return _local(unit, directory)
    return _Log(unit, logpages.remote_streams(session.client, unit), RemoteTail(session.client, unit))


def _local(unit: str, directory: str) -> _Log:
    return _Log(unit, logpages.streams_of(unit, directory), LocalTail(directory))


def _left(session: Session) -> tuple[int, list[_Log]]:
    """The files alone, while no supd answers. Raises NoDaemon where there are none."""
    from fnmatch import fnmatchcase

    from supervisor.client import leftlogs

    arguments = session.arguments
    logs = leftlogs.directory(arguments.text("socket") or None, os.environ)
    if logs is None:
        session.client.status()  # raises, with what was looked at
        raise NoDaemon("no supd answers")
    session.complain(f"no supd answers; these are the logs in {logs}")
    known = leftlogs.units(logs)
    words = arguments.operands or ["*"]
    names = [name for name in known if any(word == name or (name != OWN and fnmatchcase(name, word)) for word in words)]
    status = OK
    for word in words:
        if word != "*" and not any(fnmatchcase(name, word) for name in known):
            session.complain(f"there is no log of {word}")
            status = NO_SUCH_UNIT
    return status, [_local(name, os.path.join(logs, name)) for name in names]


# What is wanted


def _count(text: str) -> int:
    if text == "all":
        return ALL
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise UsageError(f'--lines needs a number or "all", not {text!r}')


def _pattern(text: str) -> "Pattern[bytes] | None":
    if not text:
        return None
    import re

    try:
        return smart_case(text)
    except re.error as error:
        raise UsageError(f"--grep: {text!r} is not a regular expression: {error}") from None


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


def _runs(text: str, found: list[_Log]) -> frozenset[bytes] | None:
    """The run that `--run` means, of each unit that has one; None without the option. Raises UsageError when no unit has."""
    if not text:
        return None
    known = {log.unit: list(dict.fromkeys(run for stream in log.streams for run in stream.runs())) for log in found}
    whose = f"the log of {found[0].unit} holds" if len(found) == 1 else "the logs of these units hold"
    if text == "0" or (text[0] == "-" and text[1:].isascii() and text[1:].isdigit()):
        back = int(text.removeprefix("-"))
        chosen = frozenset(runs[-1 - back] for runs in known.values() if back < len(runs))
        if not chosen:
            most = max(len(runs) for runs in known.values())
            raise UsageError(f"--run {text}: {whose} {most or 'no'} run{'' if most == 1 else 's'}{' at most' if len(found) > 1 else ''}")
        return chosen
    chosen = frozenset(run for runs in known.values() for run in runs if run.hex().startswith(text.lower()))
    if len(chosen) != 1:
        raise UsageError(f"--run {text}: {whose} {'several runs' if chosen else 'no run'} of that id")
    return chosen


# Showing


def _is_exact(session: Session, found: list[_Log], is_chosen: bool) -> bool:
    """Whether the bytes themselves are what is wanted: of one unit with one stream, all of them, and no screen to be protected."""
    arguments = session.arguments
    if arguments.text("output") != "cat" or is_chosen or any(arguments.has(name) for name in ("stderr", "reverse")) or len(found) > 1:
        return False
    has_own_stderr = any(chunk.lines for chunk in found[0].streams[1].backward())
    return not has_own_stderr and (arguments.has("raw") or not session.out.is_terminal)


def _copy(log: _Log, count: int, follows: bool) -> None:
    write = sys.stdout.buffer.write
    for piece in log.tail.last(count):
        write(piece)
    sys.stdout.buffer.flush()
    if not follows:
        return
    from supervisor.client.inotify import Watch

    watch = Watch()
    tails = [log.tail, LocalTail(os.path.join(log.tail.directory, ERR))] if isinstance(log.tail, LocalTail) else [log.tail]
    while True:
        for tail in tails:  # a standard error that is kept apart may be born at any time
            for path in tail.watched_paths():
                watch.add(path)  # before the look, so that no change falls between look and sleep
            for piece in tail.more():
                write(piece)
            for path in tail.watched_paths():
                watch.add(path)
        sys.stdout.buffer.flush()
        watch.wait(log.tail.pause_s)


def _past(streams: "list[Stream]", wanted: Filter, count: int, is_reversed: bool) -> "loglines.Lines":
    if count >= ALL:
        read = logpages.backward if is_reversed else logpages.forward
        return iter(read(streams, None, wanted, in_time=True))
    found = logpages.backward(streams, None, wanted, in_time=True).take(count)
    return iter(found if is_reversed else found[::-1])


def _follow(streams: "list[Stream]", wanted: Filter, count: int, show: "loglines.Show") -> None:
    """For ever: show the past, then what came, then sleep until a watched file or directory changes."""
    from supervisor.client.inotify import Watch

    if count >= ALL:
        reading = logpages.forward(streams, None, wanted)
    else:
        here = logpages.end_of(streams)  # before the past is shown: what comes meanwhile comes after it
        for line in logpages.backward(streams, here, wanted).take(count)[::-1]:
            show(line)
        reading = logpages.forward(streams, here, wanted)
    watch = Watch()
    local = [stream for stream in streams if isinstance(stream, LocalStream)]
    pause_s = None if len(local) == len(streams) else REMOTE_PAUSE_S
    while True:
        for stream in local:
            for path in stream.watched_paths():
                watch.add(path)  # before the look, so that no change falls between look and sleep
        _show_whole(reading, show)
        sys.stdout.buffer.flush()
        watch.wait(pause_s)


def _show_whole(reading: "Reading", show: "loglines.Show") -> None:
    for line in reading:
        if line.ends:  # a line that is being written is shown when it is whole
            show(line)
