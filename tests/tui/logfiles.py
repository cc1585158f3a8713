"""A unit's log on disk, written line by line as the daemon's segments hold it, for what reads logs."""

import os

from supervisor.client.logfile import segment_name
from supervisor.client.logindex import Entry, name_of
from tests.tui.briefs import NOW_S

RUN_1 = b"\x11" * 16
RUN_2 = b"\x22" * 16
NOW_US = int(NOW_S * 1e6)


class UnitLog:
    """One segment after another in `directory`."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.sequence = 1
        os.makedirs(directory, exist_ok=True)

    def say(self, *lines: str | bytes, run: bytes = RUN_1, time_us: int = NOW_US) -> None:
        """Write these lines, as one drain at this time. A string gets its newline; bytes are written as they are."""
        path = os.path.join(self.directory, segment_name(self.sequence))
        with open(path, "ab") as text, open(os.path.join(self.directory, name_of(self.sequence)), "ab") as index:
            index.write(Entry(text.tell(), time_us, run).pack())
            index.flush()
            text.write(b"".join(line if isinstance(line, bytes) else f"{line}\n".encode() for line in lines))

    def rotate(self) -> None:
        self.sequence += 1
