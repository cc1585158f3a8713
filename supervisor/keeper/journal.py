"""The keeper's table on disk, for the one case in which there is no keeper to ask: its own death (DESIGN, Keeper's death).

A file of JSON lines that the keeper only ever appends to; the next supd reads it, the keeper never does. Lines:

    {"table": {"remembered": {...}, "runs": {run: listing}}, "version": 1}    all of it, first in every file
    {"remember": {...}, "spawn": [[run, unit, phase], ...], "forget": [run, ...]}    one batch, before its ops are carried out
    {"fact": [...]}                                             one report of a run, before it is reported

When the file has grown past a bound it is written anew beside and renamed over. Nothing is synced: a dead keeper leaves the
page cache behind, and after a dead machine the file is void (its runs are gone). A disk that takes no more costs the journal,
never a service: that is said once, and tried again at the next rewriting.
"""

import os
from typing import Any

from supervisor.keeper.messages import encode
from supervisor.keeper.stderr import say

VERSION = 1
REWRITE_AT_LEAST_BYTES = 4 * 1024 * 1024
REWRITE_FACTOR = 4  # times the size of the table


class Journal:
    """The open journal of one keeper."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1
        self._size_bytes = 0
        self._limit_bytes = 0

    def rewrite(self, table: dict[str, Any]) -> None:
        """Begin a new file with the whole table."""
        line = _line({"table": table, "version": VERSION})
        new = f"{self.path}.new"
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_APPEND, 0o600)
            try:
                _write(descriptor, line)
                os.rename(new, self.path)
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            say(f"cannot keep {self.path}: {error.strerror}; should the keeper die, the next supd will not find its services")
            self.close()
            return
        self.close()
        self._fd = descriptor
        self._size_bytes = len(line)
        self._limit_bytes = max(REWRITE_AT_LEAST_BYTES, REWRITE_FACTOR * len(line))

    @property
    def is_too_long(self) -> bool:
        """Whether it is time to `rewrite`."""
        return self._size_bytes > self._limit_bytes

    def note_batch(self, remembered: dict[str, str], ops: list[list[Any]]) -> None:
        """What a batch is about to change. Environments stay out of the file: they hold secrets."""
        record: dict[str, Any] = {"remember": remembered} if remembered else {}
        spawns = [[op[1]["run"], op[1]["unit"], op[1]["phase"]] for op in ops if op[0] == "spawn"]
        forgets = [op[1] for op in ops if op[0] == "forget"]
        if spawns:
            record["spawn"] = spawns
        if forgets:
            record["forget"] = forgets
        if record:
            self._append(_line(record))

    def note_fact(self, fact: list[Any]) -> None:
        """What happened to a run."""
        self._append(_line({"fact": fact}))

    def _append(self, line: bytes) -> None:
        if self._fd < 0:
            return
        try:
            _write(self._fd, line)
            self._size_bytes += len(line)
        except OSError as error:
            say(f"cannot write {self.path}: {error.strerror}; should the keeper die, the next supd will not find its services")
            self._size_bytes = self._limit_bytes + 1
            self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _line(record: dict[str, Any]) -> bytes:
    return encode(record) + b"\n"


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
