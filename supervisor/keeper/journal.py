"""The keeper's table on disk, for the one case in which there is no keeper to ask: its own death (DESIGN, Keeper's death).

A file of JSON lines that the keeper only ever appends to; the next supd reads it, the keeper never does. Lines:

    {"table": {"remembered": {...}, "runs": {run: listing}}, "version": 1}    all of it, first in every file
    {"remember": {...}, "spawn": [[run, unit, phase], ...], "forget": [run, ...]}    one batch, before its ops are carried out
    {"fact": [...]}                                             one report of a run, before it is reported

When the file has grown past a bound it is written anew beside and renamed over; until that succeeds the old one goes on, which is as
whole. Nothing is synced: a dead keeper leaves the
page cache behind, and after a dead machine the file is void (its runs are gone). A disk that takes no more costs the journal,
never a service: that is said once, tried again with the next batch, and said when it is over.
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
        self._is_lacking = False  # and it was said

    def rewrite(self, table: dict[str, Any]) -> None:
        """Begin a new file with the whole table. Where that cannot be, one that is whole goes on."""
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
            _unlink(new)  # what is left of it takes the room that is wanted
            self._limit_bytes = self._size_bytes + REWRITE_AT_LEAST_BYTES
            if self._fd < 0:
                self._say_lacking(f"cannot keep {self.path}: {error.strerror}")
            return
        self.close()
        if self._is_lacking:
            self._is_lacking = False
            say(f"{self.path} is kept again; should the keeper die, the next supd will find its services")
        self._fd = descriptor
        self._size_bytes = len(line)
        self._limit_bytes = max(REWRITE_AT_LEAST_BYTES, REWRITE_FACTOR * len(line))

    @property
    def is_due(self) -> bool:
        """Whether it is time to `rewrite`."""
        return self._fd < 0 or self._size_bytes > self._limit_bytes

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
            self.close()  # it lacks something now
            self._say_lacking(f"cannot write {self.path}: {error.strerror}")

    def _say_lacking(self, text: str) -> None:
        if not self._is_lacking:
            self._is_lacking = True
            say(f"{text}; should the keeper die, the next supd will not find its services")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # it was never made


def _line(record: dict[str, Any]) -> bytes:
    return encode(record) + b"\n"


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
