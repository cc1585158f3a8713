"""Which lines a log fetches next because of what is on the screen: those that are missing on it, then older ones, then those just below.

Decides only; whoever asks begins the page. None is named while one is on its way, and none for lines that lie further off than half the
window that memory keeps around a place: they would be dropped again at once. While the end is followed nothing below is missing.
"""

from collections.abc import Callable, Coroutine
from functools import partial

from supervisor.tui.link.logfeed import LogFeed
from supervisor.tui.logs.filters import Filter
from supervisor.tui.logs.reader import LogReader
from supervisor.tui.logs.store import Chunk

_NEAR_LINES = 200  # so near the end of what is in memory, more is fetched


def next_page(reader: LogReader, feed: LogFeed) -> Callable[[], Coroutine[None, None, object]] | None:
    """The page of `feed` to fetch now for who looks at `reader`, to be begun by the caller; None when nothing is to be fetched."""
    view = reader.view
    if not feed.is_open or feed.is_paging:
        return None
    position, total = view.position()
    near = min(_NEAR_LINES, feed.store.window_lines // 2)
    is_short = total < view.rows and reader.index.is_complete
    if (before_hole := _hole_within(reader, 0)) is not None:
        return partial(feed.fill, before_hole)
    if (is_short or (not view.follows and position < near)) and not feed.is_at_begin:
        return partial(feed.page_back, reader.wanted if reader.hides else Filter())
    if (before_hole := _hole_within(reader, near)) is not None:
        return partial(feed.fill, before_hole)
    return None


def _hole_within(reader: LogReader, lines: int) -> Chunk | None:
    """The chunk before the first hole on the screen or so many lines below it; none while the end is followed."""
    view = reader.view
    position, total = view.position()
    if view.follows or not total:
        return None
    last = view.index.id_at(min(total, position + view.rows + lines) - 1)
    return reader.store.hole_between(view.index.id_at(position), last)
