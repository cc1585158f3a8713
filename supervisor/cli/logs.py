"""logs: what units wrote. Bytes go through unchanged, except on a terminal, where they may not act (unless --raw)."""

import os
import sys

from supervisor.cli import loglines
from supervisor.cli.arguments import UsageError
from supervisor.cli.session import NO_SUCH_UNIT, OK, Session
from supervisor.client.errors import ApiError, NoDaemon
from supervisor.client.follow import ALL, LocalTail, RemoteTail
from supervisor.client.terminal import neutralise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Pattern

LINES = 1000
LINES_FOLLOWING = 10


def logs(session: Session) -> int:
    arguments = session.arguments
    follows = arguments.has("follow")
    if follows and loglines.is_asked_for(arguments):
        raise UsageError("-f shows what comes: it goes with neither --since, --until, --run, --reverse nor -o short-iso or json")
    is_selected = any(arguments.text(name) for name in ("since", "until", "run"))
    count = _count(arguments.text("lines", "all" if is_selected else str(LINES_FOLLOWING if follows else LINES)))
    pattern = _pattern(arguments.text("grep"))
    arguments.operands = [*arguments.operands, *arguments.many("unit")]
    try:
        status, sources = _sources(session)
    except NoDaemon:
        status, sources = _left_sources(session)
    tails = {source.unit: source.tail for source in sources}
    directories = {unit: tail.directory for unit, tail in tails.items() if isinstance(tail, LocalTail)}
    if loglines.is_asked_for(arguments) or (len(sources) > 1 and not follows and len(directories) == len(sources)):
        _show_lines(session, tails, directories, None if count == ALL else count, pattern)
        return status
    is_exact = arguments.text("output", "short") == "cat" and pattern is None and not (session.out.is_terminal and not arguments.has("raw"))
    for source in sources:
        _show_past(source, count, pattern, is_exact)
    sys.stdout.buffer.flush()
    if follows and sources:
        _follow(session, sources, pattern, is_exact)
    return status


def _show_lines(
    session: Session,
    tails: "dict[str, LocalTail | RemoteTail]",
    directories: dict[str, str],
    count: int | None,
    pattern: "Pattern[bytes] | None",
) -> None:
    if unread := [unit for unit in tails if unit not in directories]:
        raise UsageError(f"times and runs are read from the log files, and those of {', '.join(unread)} may not be read by this user")
    loglines.show(session, directories, count, pattern)
    sys.stdout.buffer.flush()


class _Source:
    """One unit's tail and what of its last line has come so far."""

    def __init__(self, unit: str, tail: LocalTail | RemoteTail, show: "Callable[[bytes], None]") -> None:
        self.unit = unit
        self.tail = tail
        self.show = show
        self.unfinished = b""

    def whole_lines(self, piece: bytes) -> list[bytes]:
        """The lines that are complete with this piece, without line ends."""
        *lines, self.unfinished = (self.unfinished + piece).split(b"\n")
        return lines


def _left_sources(session: Session) -> tuple[int, list["_Source"]]:
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
    names = [name for name in known if any(fnmatchcase(name, word) for word in words)]
    status = OK
    for word in words:
        if word != "*" and not any(fnmatchcase(name, word) for name in known):
            session.complain(f"there is no log of {word}")
            status = NO_SUCH_UNIT
    return status, [_source(session, name, names, LocalTail(os.path.join(logs, name))) for name in names]


def _source(session: Session, name: str, names: list[str], tail: LocalTail | RemoteTail) -> "_Source":
    arguments = session.arguments
    prefixes = len(names) > 1 and arguments.text("output", "short") == "short"
    width = max([len(one) for one in names], default=0)
    prefix = f"{session.out.paint(name.ljust(width), 'bold')} | ".encode() if prefixes else b""
    return _Source(name, tail, _printer(prefix, session.out.is_terminal and not arguments.has("raw")))


def _sources(session: Session) -> tuple[int, list[_Source]]:
    status, sources = OK, []
    names = session.names(or_all=True)
    for name in names:
        try:
            directory = str(session.client.log(name, 0)["directory"])
        except ApiError as error:
            session.refused(f"show the log of {name}", error)
            status = NO_SUCH_UNIT
            continue
        sources.append(_source(session, name, names, _tail(session, name, directory)))
    return status, sources


def _tail(session: Session, name: str, directory: str) -> LocalTail | RemoteTail:
    """The files themselves when the daemon is our own and lets us; a path sent by a daemon of another uid is never opened."""
    if session.client.peer_uid == os.geteuid() and os.path.isabs(directory):
        nearest = directory if os.path.isdir(directory) else os.path.dirname(directory)
        if os.access(nearest, os.R_OK | os.X_OK):
            return LocalTail(directory)
    return RemoteTail(session.client, name)


def _printer(prefix: bytes, neutral: bool) -> "Callable[[bytes], None]":
    write = sys.stdout.buffer.write

    def show(line: bytes) -> None:
        if neutral:
            line = neutralise(line.removesuffix(b"\r").decode("utf-8", "replace")).encode()
        write(prefix + line + b"\n")

    return show


def _show_past(source: _Source, count: int, pattern: "Pattern[bytes] | None", is_exact: bool) -> None:
    if is_exact:
        for piece in source.tail.last(count):
            sys.stdout.buffer.write(piece)
        return
    if pattern is None:
        for piece in source.tail.last(count):
            for line in source.whole_lines(piece):
                source.show(line)
    else:
        from collections import deque

        found: deque[bytes] = deque(maxlen=min(count, sys.maxsize))
        for piece in source.tail.last(ALL):
            found.extend(line for line in source.whole_lines(piece) if pattern.search(line))
        for line in found:
            source.show(line)


def _follow(session: Session, sources: list[_Source], pattern: "Pattern[bytes] | None", is_exact: bool) -> None:
    """For ever: print what came, then sleep until a watched file or directory changes."""
    from supervisor.client.inotify import Watch

    watch = Watch()
    pauses = [source.tail.pause_s for source in sources if source.tail.pause_s is not None]
    while True:
        for source in sources:
            for path in source.tail.watched_paths():
                watch.add(path)  # before the look, so that no change falls between look and sleep
            for piece in source.tail.more():
                if is_exact:
                    sys.stdout.buffer.write(piece)
                    continue
                for line in source.whole_lines(piece):
                    if pattern is None or pattern.search(line):
                        source.show(line)
            for path in source.tail.watched_paths():
                watch.add(path)
        sys.stdout.buffer.flush()
        watch.wait(min(pauses) if pauses else None)


def _count(text: str) -> int:
    if text == "all":
        return ALL
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise UsageError(f"--lines needs a number or \"all\", not {text!r}")


def _pattern(text: str) -> "Pattern[bytes] | None":
    if not text:
        return None
    import re

    try:
        # Smart case, as journalctl has it: without a capital letter, case does not matter.
        return re.compile(text.encode(), re.IGNORECASE if text == text.lower() else 0)
    except re.error as error:
        raise UsageError(f"--grep: {text!r} is not a regular expression: {error}") from None
