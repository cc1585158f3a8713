"""Requests to stop supd (SIGTERM, SIGINT), and what is done when no manager is there to follow them in order.

Invariants:
- A request stays on somebody's books until the manager has read it: what was sent counts as unheard until the link is empty, and is asked
  again of the next manager when the link ends before that.
- Only a second request, and only while the first is unheard and no manager lives (or one that does not read for long), ends every run from
  here: SIGTERM, then SIGKILL, and supd leaves when the last one has.
"""

import fcntl
import os
import signal
import struct
import termios
import time
from collections.abc import Callable

from supervisor.keeper.manager import Manager
from supervisor.keeper.runs import Run, Table
from supervisor.keeper.stderr import say

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
END_LIMIT_S = 10.0  # runs that were told to end without a manager have this long before SIGKILL
UNHEARD_LIMIT_S = 5.0  # a living manager that has not read a request to stop for this long counts as absent

_SIOCOUTQ = termios.TIOCOUTQ  # the same number: bytes sent and not yet read by the other end


def send(run: Run, number: int) -> None:
    """Send a signal to a run. One that has ended needs none; a refusal is said.

    Our own unreaped child: the number is still its own, and a pidfd, for which there may be no descriptor, would say no more.
    """
    if not run.pid:
        return
    try:
        os.kill(run.pid, number)
    except ProcessLookupError:
        pass  # its end is on the way
    except OSError as error:
        say(f"cannot send signal {number} to {run.unit} (pid {run.pid}): {error.strerror}")


class StopRequests:
    """One per keeper."""

    def __init__(self, manager: Manager, table: Table, kill_manager: Callable[[], None]) -> None:
        self._manager = manager
        self._table = table
        self._kill_manager = kill_manager
        self._asked_s: float | None = None
        self._unheard: list[int] = []  # signals sent to this manager and not known to be read
        self.kill_at_s: float | None = None  # all runs were told to end; after this, SIGKILL

    def note(self, number: int) -> bool:
        """supd was asked to stop; whether it now ends without a manager."""
        self._forget_heard()
        now_s = time.monotonic()
        is_unheard = any(earlier in STOP_SIGNALS for earlier in self._table.signals + self._unheard)
        asked_s, self._asked_s = self._asked_s, self._asked_s if is_unheard else now_s
        if is_unheard and asked_s is not None and (not self._manager.pid or now_s - asked_s >= UNHEARD_LIMIT_S):
            self._end_all()
        elif number not in self._table.signals:
            self._table.signals.append(number)
        return self.kill_at_s is not None

    def note_sent(self) -> None:
        """The signals in the table are about to go to the manager."""
        self._forget_heard()
        self._unheard += self._table.signals

    def ask_again(self) -> None:
        """The link ended before the manager read what it was sent."""
        self._table.signals[:0] = [number for number in self._unheard if number not in self._table.signals]
        self._unheard.clear()

    def is_over(self, now_s: float) -> bool:
        """Whether every run has ended that was told to; the stubborn are killed when it is time."""
        if self.kill_at_s is None:
            return False
        if now_s >= self.kill_at_s:
            self._signal_all(signal.SIGKILL)
            self.kill_at_s = now_s + END_LIMIT_S
        return not self._table.by_pid

    def _forget_heard(self) -> None:
        if self._unheard and self._manager.link is not None:
            unread = struct.unpack("i", fcntl.ioctl(self._manager.link.fileno(), _SIOCOUTQ, b"\0" * 4))[0]
            if not unread:
                self._unheard.clear()

    def _end_all(self) -> None:
        if self.kill_at_s is not None:
            return
        say("asked to stop again while no manager answers: SIGTERM to every run, then supd leaves")
        self.kill_at_s = time.monotonic() + END_LIMIT_S
        self._kill_manager()
        self._signal_all(signal.SIGTERM)
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        for run in list(self._table.by_pid.values()):
            send(run, number)
