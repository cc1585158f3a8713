"""shutdown: asks supd to stop everything and end, and shows what it waits for until it has ended.

supd's own words are shown (`status`, "leaving"), so that they are the same here and on its stderr: on a terminal in one line, rewritten;
else a line whenever a unit is waited for that was not. Ctrl-C ends the watching and never the shutdown.
"""

import time

from supervisor.cli.session import INTERRUPTED, OK, Session
from supervisor.client.connection import Exchange
from supervisor.client.errors import BrokenAnswer, NoDaemon

TICK_S = 1.0  # the line shows seconds


def shutdown(session: Session) -> int:
    """Exit status 0 once supd has ended, or at once with --no-block."""
    session.client.shutdown(session.arguments.has("keep_services"))
    if session.arguments.has("no_block"):
        return OK
    watching = _Watching(session)
    try:
        while True:
            try:
                watching.follow()
            except BrokenAnswer:
                continue  # a manager that dies on the way is replaced, and goes on with it
            except NoDaemon:
                return OK
    except KeyboardInterrupt:
        session.complain("no longer watching; the shutdown goes on")
        return INTERRUPTED
    finally:
        watching.clear()


class _Watching:
    """The line that was shown last, and for which units."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._units: set[str] = set()
        self._is_shown = False

    def follow(self) -> None:
        """Show until the connection to supd ends, which raises BrokenAnswer, or NoDaemon where nobody listens any more."""
        # What wakes us between two ticks is the end of this connection alone: events are not looked at.
        stream = Exchange(self._session.client.place, "GET", "/v1/events")
        try:
            while True:
                tick_s = time.monotonic() + TICK_S
                while (left_s := tick_s - time.monotonic()) > 0:
                    stream.receive(left_s)
                self._show(str(self._session.client.status().get("leaving") or ""))
        finally:
            stream.close()

    def _show(self, words: str) -> None:
        screen = self._session.err
        if screen.is_terminal:
            screen.stream.write(f"\r\x1b[K{screen.cut(words)}")
            screen.stream.flush()
            self._is_shown = True
            return
        units = {part.partition(",")[0].strip() for part in words.removeprefix("waiting for ").split(";")} if words else set()
        if units - self._units:
            screen.write(words)
        self._units = units

    def clear(self) -> None:
        if self._is_shown:
            self._session.err.stream.write("\r\x1b[K")
            self._session.err.stream.flush()
