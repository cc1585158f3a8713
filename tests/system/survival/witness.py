"""A service that keeps books of its own life, so that whoever judges supd need not believe supd. Run by units; stdlib only.

    witness.py KIND NAME DIRECTORY

The book is DIRECTORY/NAME, only ever appended to, one write(2) a line: `WORD INVOCATION_ID MONOTONIC_NS ...`

    start PID GENERATION    the life has begun
    wrote COUNT             so many lines of output are out (noted after each batch of at most PIPE_BUF bytes, which is written whole)
    term                    SIGTERM came
    end STATUS              the last word: nothing is written after it, and the process leaves with this status
    doubled                 another process of this name lives (it holds a lock that only death releases)

Every line of output is wholly determined: `line` gives it. SIGTERM ends it in good order, SIGUSR1 is a crash, SIGUSR2 a flood.
KIND: `plain`; `told` says READY=1; `stubborn` does not heed SIGTERM; `task` writes and ends.
"""

import fcntl
import os
import signal
import socket
import sys
import time

BATCH_LINES = 40  # of 100 bytes: within PIPE_BUF, so that a batch is written whole or not at all
IDLE_S = 0.25
FLOOD_LINES = 4_000
TASK_LINES = 1_000
LAST_WORDS_LINES = 7
CRASH_STATUS = 3


def line(invocation_id: str, number: int) -> bytes:
    """Line `number` (from 0) of a life: 100 bytes."""
    return b"%s %09d %s\n" % (invocation_id.encode(), number, b"." * 56)


class Witness:
    """One life."""

    def __init__(self, kind: str, name: str, directory: str) -> None:
        self._kind = kind
        self._invocation_id = os.environ["INVOCATION_ID"]
        self._lines = 0
        self._book = os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = os.open(os.path.join(directory, f".{name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)

    def _note(self, word: str, *more: object) -> None:
        os.write(self._book, " ".join([word, self._invocation_id, str(time.monotonic_ns()), *map(str, more)]).encode() + b"\n")

    def _speak(self, lines: int) -> None:
        for first in range(self._lines, self._lines + lines, BATCH_LINES):
            last = min(first + BATCH_LINES, self._lines + lines)
            os.write(1, b"".join([line(self._invocation_id, number) for number in range(first, last)]))
            self._note("wrote", last)
        self._lines += lines

    def _end(self, status: int) -> None:
        self._speak(LAST_WORDS_LINES)
        self._note("end", status)
        os._exit(status)

    def live(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._note("doubled")
        self._note("start", os.getpid(), os.environ.get("GENERATION", "0"))
        if self._kind == "task":
            self._speak(TASK_LINES)
            self._end(0)
        if self._kind == "told":
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
        while True:
            came = signal.sigtimedwait(SIGNALS, IDLE_S)
            if came is None:
                self._speak(2)
            elif came.si_signo == signal.SIGUSR1:
                self._end(CRASH_STATUS)
            elif came.si_signo == signal.SIGUSR2:
                self._speak(FLOOD_LINES)
            elif self._kind == "stubborn":
                self._note("term")
            else:
                self._note("term")
                self._end(0)


SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    Witness(*sys.argv[1:4]).live()
