"""The last resort: while nobody pumps logs, a full pipe is emptied so that no service waits for ever for a manager that cannot be.

Armed when a manager ends, disarmed when the next one says that it pumps: a keeper with a manager never wakes up for this. What is emptied
is counted by the name of the descriptor until a manager says that it has told so. Only descriptors named `log:` are ever read, and only
those that are full: a pipe with room keeps its bytes for the next manager.
"""

import os
import select

from supervisor.keeper.store import Store

UNPUMPED_LIMIT_S = 10.0
PAUSE_S = 0.1  # between two looks, while there is no manager
_READ_BYTES = 1 << 20  # the largest pipe a log gets


class LastResort:
    """`at_s`: when to look next, by the monotonic clock; None while a manager pumps. `counts`: bytes emptied, by name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.at_s: float | None = None
        self.counts: dict[str, int] = {}

    def arm(self, now_s: float) -> None:
        """There is no manager from now on; no harm when that is known."""
        if self.at_s is None:
            self.at_s = now_s + UNPUMPED_LIMIT_S

    def disarm(self) -> None:
        self.at_s = None

    def tend(self, now_s: float) -> None:
        """Empty what is full, if it is time."""
        if self.at_s is None or now_s < self.at_s:
            return
        self.at_s = now_s + PAUSE_S
        names = {descriptor: name for name, descriptor in self._store.descriptors.items() if name.startswith("log:")}
        poll = select.poll()
        for descriptor in names:
            poll.register(descriptor, select.POLLIN | select.POLLOUT)
        for descriptor, events in poll.poll(0):
            # The descriptor is open both ways: one that takes no more is full, whatever the sizes of the writes were.
            if events & select.POLLIN and not events & select.POLLOUT:
                count = len(os.read(descriptor, _READ_BYTES))
                self.counts[names[descriptor]] = self.counts.get(names[descriptor], 0) + count

    def note_told(self, counts: dict[str, int]) -> None:
        """A manager has told of so many bytes."""
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) - count
            if self.counts[name] <= 0:
                del self.counts[name]
