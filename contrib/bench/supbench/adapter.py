"""The contract between the benchmarks and one supervisor.

A peer is a subclass with a name, write_config() and argv(); the rest has defaults. Services are called s0000, s0001, ...;
names() lists them. An adapter asks its peer for: always restart, no back-off, no minimum uptime, and where it rotates logs,
at ROTATE_BYTES with KEEP old files, so that nothing of a benchmark may go missing.
"""

import contextlib
import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from . import cage
from .measure import Stamps

ROTATE_BYTES = 16 << 20
KEEP = 80

Command = Callable[[int], list[str]]  # the command line of service number i


class Adapter(ABC):
    name: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()  # programs that must exist
    note: ClassVar[str] = ""
    only_in: ClassVar[tuple[str, ...]] = ()  # the benchmarks it is for; none named: all
    boot_timeout_s: ClassVar[float] = 120.0

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.n = 0
        self.cage: cage.Cage | None = None

    @abstractmethod
    def write_config(self, n: int, command: Command, log: bool) -> None:
        """Configure n services. log: capture stdout to files below self.logs; else discard it as cheaply as the peer can."""

    @abstractmethod
    def argv(self) -> list[str]:
        """The command that boots the supervisor in the foreground."""

    def version(self) -> str:
        return "?"

    def status_cmd(self, name: str | None = None) -> list[str] | None:
        """The peer's own client asked for one service, or for all."""
        return None

    def restart_cmd(self, name: str) -> list[str] | None:
        return None

    @property
    def logs(self) -> Path:
        return self.directory / "log"

    def log_files(self) -> list[Path]:
        return [p for p in self.logs.rglob("*") if p.is_file() and not p.is_symlink()]

    # What all share.

    def names(self) -> list[str]:
        return [f"s{i:04d}" for i in range(self.n)]

    def prepare(self, n: int, command: Command, log: bool = False) -> None:
        self.n = n
        self.logs.mkdir(parents=True, exist_ok=True)
        self.write_config(n, command, log)

    def start(self) -> None:
        self.cage = cage.Cage(self.argv(), cwd=self.directory, out=self.directory / "out.txt")

    def stop(self) -> None:
        if self.cage is not None:
            self.cage.kill()
            self.cage = None

    def is_alive(self) -> bool:
        return self.cage is not None and os.path.exists(f"/proc/{self.cage.child}")

    def booted(self, stamps: Stamps, tick_s: float = 0.001) -> bool:
        """Wait until every service has stamped its start; False when that does not happen in time or the supervisor is gone."""
        return stamps.wait(self.n, self.boot_timeout_s, tick_s, self.is_alive)

    def complaint(self) -> str:
        """The last line the supervisor printed: why a boot failed."""
        with contextlib.suppress(OSError, IndexError):
            return (self.directory / "out.txt").read_text(errors="replace").splitlines()[-1]
        return "it printed nothing"

    def pids(self) -> list[int]:
        """The services that run now."""
        return [p.pid for p in cage.tree([self.cage.pid]) if p.is_service] if self.cage else []

    def usage(self) -> cage.Usage:
        return cage.usage([self.cage] if self.cage else [])

    def log_lines(self) -> int:
        """Complete lines in all captured logs."""
        return sum(count_lines(p) for p in self.log_files())

    def log_bytes(self) -> int:
        seen = {}  # by inode: a rotation may be under way
        for p in self.log_files():
            with contextlib.suppress(FileNotFoundError):
                st = p.stat()
                seen[st.st_ino] = st.st_size
        return sum(seen.values())

    def wait_log(self, want_bytes: int, stall_s: float = 3.0) -> tuple[int, float]:
        """Until the logs hold want_bytes or stop growing: (bytes, time of the last growth)."""
        seen, at = -1, time.monotonic()
        while seen < want_bytes and time.monotonic() - at < stall_s:
            now = self.log_bytes()
            if now != seen:
                seen, at = now, time.monotonic()
            time.sleep(0.01)
        return seen, at

    @classmethod
    def missing(cls) -> str | None:
        gone = [p for p in cls.needs if not shutil.which(p)]
        return f"not installed: {', '.join(gone)}" if gone else None


def count_lines(path: Path) -> int:
    with open(path, "rb", buffering=0) as f:
        total = 0
        while block := f.read(1 << 20):
            total += block.count(b"\n")
        return total


def first_line(argv: Sequence[str]) -> str:
    out = subprocess.run(argv, capture_output=True, text=True, check=False)
    return ((out.stdout + out.stderr).strip().splitlines() or ["?"])[0]
