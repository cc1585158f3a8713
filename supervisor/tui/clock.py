"""The time, as the screens ask for it: one object, so that a test can hold it still.

Ages and countdowns are made from `time_s`, waits and rates from `monotonic_s`; nothing below `tui` asks the `time` module itself.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks, both in seconds."""

    def monotonic_s(self) -> float:
        """Never goes back; its zero means nothing."""

    def time_s(self) -> float:
        """Seconds since the epoch, as the API's times are."""


class SystemClock:
    """The machine's own."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def time_s(self) -> float:
        return time.time()
