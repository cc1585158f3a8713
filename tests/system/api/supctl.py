"""supctl as a person runs it: a process of its own, with pipes or on a terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

DEADLINE_S = 20

COMMAND = [sys.executable, "-m", "supervisor.cli.main"]


@dataclass(frozen=True)
class Ran:
    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


def run(socket_path: str, line: str, **environment: str) -> Ran:
    """Run one command line against a socket."""
    done = subprocess.run(
        [*COMMAND, "--socket", socket_path, *line.split()],
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode())


class Going:
    """A supctl that goes on, on a pipe or a terminal; `until` waits for what it prints."""

    def __init__(self, socket_path: str, line: str, on_terminal: bool = False) -> None:
        if on_terminal:
            self._reading, writing = pty.openpty()
        else:
            self._reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [*COMMAND, "--socket", socket_path, *line.split()],
            stdout=writing,
            stderr=writing,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "TERM": "xterm", "NO_COLOR": "1"},
        )
        os.close(writing)
        self.said = b""

    def until(self, text: bytes) -> bytes:
        """Everything said once `text` was. Fails at the deadline or the end."""
        deadline_s = time.monotonic() + DEADLINE_S
        while text not in self.said:
            readable, _, _ = select.select([self._reading], [], [], max(0, deadline_s - time.monotonic()))
            assert readable, f"{text!r} was not said within {DEADLINE_S} s; only {self.said!r}"
            assert self._read(), f"it ended without saying {text!r}; only {self.said!r}"
        return self.said

    def _read(self) -> bool:
        try:
            piece = os.read(self._reading, 65536)
        except OSError:
            piece = b""  # a terminal whose other end is closed
        self.said += piece
        return bool(piece)

    def __del__(self) -> None:
        # A test that failed midway must not leave a process behind, nor have the next test blamed for it.
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(DEADLINE_S)

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Its exit status, once it has ended by itself or by `interrupt`."""
        deadline_s = time.monotonic() + DEADLINE_S
        while select.select([self._reading], [], [], max(0, deadline_s - time.monotonic()))[0] and self._read():
            pass
        status = self._process.wait(DEADLINE_S)
        os.close(self._reading)
        return status
