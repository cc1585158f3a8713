"""supd's own log: what it says of itself goes where the output of a unit goes, with segments, index and caps, under a name no unit has.

Its pipe is the keeper's like any other, so the last words of a manager that died are in it, and the keeper writes there too. Each
manager's life is a run of it. A line is `level: text`.

Never waits: a pipe that is full is moved to its segment on the spot, and what even then finds no room is counted as lost.
"""

import os

from supervisor.daemon.link import KeeperLink
from supervisor.daemon.logs import LogPump
from supervisor.model.names import OWN
from supervisor.model.specification import Log

_STORED = f"log:{OWN}"
_KEPT = Log(max_size_bytes=16 << 20, keep=8)
_LINE_MAX_BYTES = 4096  # PIPE_BUF: so much is written whole or not at all (pipe(7))


class OwnLog:
    """The writing end. `open` makes it, or takes over that of the manager before."""

    def __init__(self, pump: LogPump) -> None:
        self._pump = pump
        self._fd = -1

    @classmethod
    def open(cls, pump: LogPump, link: KeeperLink) -> "OwnLog":
        """Raises OSError when there can be no pipe."""
        log = cls(pump)
        pump.configure(OWN, _KEPT)
        held = link.stored.pop(_STORED, None)
        if held is not None:
            pump.adopt(OWN, held)
        log._fd = os.dup(pump.open_pipe(OWN))  # an end of its own: the pump may close before the last word is said
        if held is None:
            link.send({}, [["store", _STORED, False]], [log._fd])
        pump.begin_run(OWN, os.urandom(16).hex())
        return log

    def write(self, level: str, text: str) -> None:
        """One line, from any thread."""
        line = f"{level}: {text}".encode("utf-8", "replace")[: _LINE_MAX_BYTES - 1] + b"\n"
        for _ in range(2):
            try:
                os.write(self._fd, line)
                return
            except BlockingIOError:
                self._pump.drain(OWN)  # ten thousand units speak at once, and nobody pumps yet
        self._pump.note_lost(OWN, len(line), "the log of supd itself could not be written")
