"""The event stream: a ring of recent events with ids `<epoch>-<seq>`, readers with bounded queues, and the server-sent-event form.

Laws:
- A reader that gives a known id gets every event after it, in order, once. An id of another epoch, or one that has left the ring, is
  answered by one `reset` that carries a snapshot; the events after the snapshot follow. A reader without an id gets only new events.
- The publisher never waits for a reader: a queue that is full ends its reader with one `gap`.
- `epoch` changes whenever numbering begins anew, so an old id can never mean a new event.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

RING_EVENTS = 4096
QUEUE_EVENTS = 1024
HEARTBEAT_S = 1.0
HEARTBEAT = b":\n\n"  # a comment, which every reader of server-sent events skips


class EventRing:
    """Recent events and those who read along. `snapshot` gives the content of a `reset`."""

    def __init__(
        self, epoch: str, snapshot: Callable[[], list[Json]], ring_events: int = RING_EVENTS, queue_events: int = QUEUE_EVENTS
    ) -> None:
        self.epoch = epoch
        self._snapshot = snapshot
        self._ring: deque[Json] = deque(maxlen=ring_events)
        self._queue_events = queue_events
        self._seq = 0
        self._readers: set[Reader] = set()

    def publish(self, event: Json) -> Json:
        """Number the event, keep it, and hand it to every reader. Returns it with its id."""
        self._seq += 1
        numbered = {"id": f"{self.epoch}-{self._seq}", **event}
        self._ring.append(numbered)
        for reader in tuple(self._readers):
            reader.offer(numbered)
        return numbered

    def recent(self, count: int) -> list[Json]:
        """The last `count` events, oldest first."""
        return list(self._ring)[-count:] if count > 0 else []

    def mark(self, mark: Json) -> None:
        """Hand something that is no event, and is not kept, to the readers that want such marks."""
        for reader in tuple(self._readers):
            if reader.has_marks:
                reader.offer(mark)

    @property
    def has_mark_readers(self) -> bool:
        return any(reader.has_marks for reader in self._readers)

    def since(self, last_id: str | None, has_marks: bool = False) -> "Reader":
        """A reader of the events after `last_id` (see the head of the module), entered before this returns, so none is lost between."""
        reader = Reader(self._after(last_id), self._queue_events, self._readers.discard, has_marks)
        self._readers.add(reader)
        return reader

    def _after(self, last_id: str | None) -> list[Json]:
        if last_id is None:
            return []
        oldest = self._seq - len(self._ring)
        epoch, _, number = last_id.rpartition("-")
        if epoch == self.epoch and number.isascii() and number.isdigit() and len(number) < 19 and oldest <= int(number) <= self._seq:
            return list(self._ring)[int(number) - oldest :]
        return [{"id": f"{self.epoch}-{self._seq}", "kind": "reset", "unit": "", "snapshot": self._snapshot()}]


class Reader:
    """An async iterator over one queue; once the queue overflowed it holds what came before, then `gap`, then ends. `aclose` leaves."""

    def __init__(self, earlier: list[Json], limit_events: int, leave: Callable[["Reader"], None], has_marks: bool) -> None:
        self.has_marks = has_marks
        self._events: deque[Json] = deque(earlier)
        self._limit_events = len(earlier) + limit_events
        self._leave = leave
        self._is_full = False
        self._is_over = False
        self._wake = asyncio.Event()

    def offer(self, event: Json) -> None:
        if self._is_full:
            return
        if len(self._events) >= self._limit_events:
            self._is_full = True
            text = "events were lost because they were not read in time; connect again with the last id"
            event = {"kind": "gap", "unit": "", "text": text}
        self._events.append(event)
        self._wake.set()

    def __aiter__(self) -> "Reader":
        return self

    async def __anext__(self) -> Json:
        if self._is_over:
            raise StopAsyncIteration
        while not self._events:
            self._wake.clear()
            await self._wake.wait()
        event = self._events.popleft()
        if event["kind"] == "gap":
            self._is_over = True
            self._leave(self)
        return event

    async def aclose(self) -> None:
        self._is_over = True
        self._leave(self)


def as_server_sent(event: Json) -> bytes:
    """One event in the form of the HTML standard's "Server-sent events"; JSON has no newline, so one data line is enough."""
    lines = [f"id: {event['id']}"] if "id" in event else []
    kind = str(event.get("kind", "message"))
    lines += [f"event: {kind if kind.isprintable() else 'message'}", "data: " + json.dumps(event, separators=(",", ":"))]
    return ("\n".join(lines) + "\n\n").encode()
