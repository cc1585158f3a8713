"""The next line of a kind, from the cursor on: through what is in memory, and upwards through older pages from disk.

Gives way after each slice, so that keys are not kept waiting; may be cancelled at any time. Never: moves the cursor.
"""

import asyncio

from supervisor.tui.link.logfeed import LogFeed
from supervisor.tui.logs.filters import Filter
from supervisor.tui.logs.reader import LogReader

_AGAIN_S = 0.05


async def next_line(reader: LogReader, feed: LogFeed | None, wanted: Filter, step: int, *, kind: int, is_first: bool) -> int | None:
    """The id of the next line down (`step` 1) or up (-1), None when there is none. `is_first`: the cursor's own line counts.

    `reader.view.sought` is where it is in older pages, so that they stay in memory around it; the caller clears it.
    """
    start = reader.view.cursor
    if is_first and start is not None and reader.index.holds(start) and wanted.matches(reader.store.line(start)):
        return start
    while reader.index.build():  # what a filter has not looked at yet would be passed over
        await asyncio.sleep(0)
    while True:
        for found in reader.seek(wanted, step, kind=kind, start=start):
            if found is not None:
                reader.view.sought = found
                return found
            await asyncio.sleep(0)
        if step > 0 or feed is None or feed.is_at_begin:
            return None
        start = reader.view.sought = reader.index.id_at(0) if len(reader.index) else start
        if not await feed.page_back(reader.wanted if reader.hides else Filter()):
            await asyncio.sleep(_AGAIN_S)  # another page is on its way
        while reader.work():
            await asyncio.sleep(0)
