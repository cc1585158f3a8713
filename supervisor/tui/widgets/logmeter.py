"""What is told about a log while it runs: how fast it grows, that supd was away, why there is nothing to see. Values and texts only."""

from supervisor.tui.link.logfeed import LogFeed
from supervisor.tui.logs.store import LogStore
from supervisor.tui.model.format import count
from supervisor.tui.model.linkstate import LIVE, LOST, LinkState

_RATE_S = 1.0


class LogRate:
    """Told once a second: a number that changes in each frame is read by nobody."""

    def __init__(self) -> None:
        self.lines = 0  # in memory
        self.lines_a_second: float | None = None  # not known yet
        self._at_s = 0.0
        self._added = 0

    def measure(self, store: LogStore, now_s: float) -> None:
        """Look at the store; `now_s` is monotonic."""
        if now_s - self._at_s >= _RATE_S:
            self.lines_a_second = (store.added - self._added) / (now_s - self._at_s) if self._at_s else None
            self._at_s, self._added, self.lines = now_s, store.added, len(store)


class LogOutage:
    """What came while supd was away is told in the log, where it was."""

    def __init__(self) -> None:
        self._added_when_lost: int | None = None

    def heard(self, link: LinkState, added: int, label: str) -> str:
        """The line to write now, "" for none. `added`: lines of the store so far."""
        if link.phase == LOST and self._added_when_lost is None:
            self._added_when_lost = added
        elif link.phase == LIVE and link.outage is not None and self._added_when_lost is not None:
            came, self._added_when_lost = added - self._added_when_lost, None
            lines = f"{count(came)} {'line' if came == 1 else 'lines'}"
            return f"{label} answers again after {link.outage.seconds:.1f} s: {lines} came meanwhile"
        return ""


def nothing_text(feed: LogFeed | None) -> str:
    """Why no line is shown, where none is."""
    if feed is None:
        return "no unit is chosen"
    if not feed.is_open:
        return feed.trouble or "opening the log"
    if len(feed.store):
        return "no line matches; Esc clears the filter" if feed.is_at_begin else "no line matches yet; looking further back"
    return "nothing was written yet"
