"""The audit trail: one JSON object a line for every changing request and every refusal, with the peer as the kernel named it.

Laws:
- A request never waits for the trail and never fails because of it: records go to a thread of their own through a bounded queue.
- What could not be written is counted, said in `status` while it lasts, and noted in the trail itself as soon as that can be written.
- The trail and the one before it (`.1`) are at most FILE_BYTES_MAX each, readable by the owner alone, and never hold half a record.
- A stranger cannot use it up: refusals are recorded REFUSALS_MAX times a minute for each uid, the others are counted. Changes always are.

The thread sleeps until there is a record; it starts with the first.
"""

import errno
import json
import os
import threading
import time
from collections.abc import Callable
from queue import Empty, Full, Queue
from typing import Any

Json = dict[str, Any]

FILE_NAME = "audit.log"
FILE_BYTES_MAX = 1024 * 1024
QUEUE_MAX = 4096
REFUSALS_MAX = 20
REFUSALS_WINDOW_S = 60.0
_UIDS_MAX = 1024


class Refusals:
    """How many refusals of one uid are told: REFUSALS_MAX in each window, and then how many were not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[int, tuple[float, int]] = {}  # uid to the window's begin and the refusals in it

    def count(self, uid: int) -> int | None:
        """One more refusal: None when it is not to be told, else how many were not told since the last that was."""
        now_s = self._clock()
        begin_s, number = self._windows.get(uid, (now_s, 0))
        untold = 0
        if now_s - begin_s >= REFUSALS_WINDOW_S:
            untold = max(number - REFUSALS_MAX, 0)
            begin_s, number = now_s, 0
        if len(self._windows) >= _UIDS_MAX and uid not in self._windows:
            self._windows.clear()  # more users than anybody has: memory is bounded, a few refusals more are told
        self._windows[uid] = (begin_s, number + 1)
        return untold if number < REFUSALS_MAX else None


class Trail:
    """The file `audit.log` of a state directory. `record` and `notes` are for the loop's thread."""

    def __init__(self, state_directory: str) -> None:
        self._path = os.path.join(state_directory, FILE_NAME)
        self._queue: Queue[Json | None] = Queue(QUEUE_MAX)
        self._thread: threading.Thread | None = None
        # Each of these only grows, by one thread alone: no lock is needed to add them up.
        self._dropped = 0  # the loop's: the queue was full
        self._unwritten = 0  # the writer's
        self._told = 0  # the writer's: of both, noted in the trail
        self._trouble = ""

    def record(self, entry: Json) -> None:
        """Write this some time soon. Never blocks, never raises."""
        try:
            self._queue.put_nowait(entry)
        except Full:
            self._dropped += 1
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="audit", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread is to be had now: what waits is written when there is one
                self._trouble = f"no thread can be started to write {self._path}"
                return
            self._thread = thread

    @property
    def _lost(self) -> int:
        return self._dropped + self._unwritten - self._told

    def notes(self) -> list[str]:
        """What a person should know of the trail now."""
        lost = self._lost
        if not (self._trouble or lost):
            return []
        cause = self._trouble or f"the disk is too slow for {self._path}"
        return [f"{cause}; {lost} records of who asked what are lost so far" if lost else cause]

    def close(self, limit_s: float) -> None:
        """Write what waits, for so long at most; nothing is recorded after this."""
        if self._thread is None:
            return
        try:
            self._queue.put(None, timeout=limit_s)
        except Full:
            return
        self._thread.join(limit_s)

    # -- the writer's thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch = [self._queue.get()]
            while len(batch) < QUEUE_MAX:
                try:
                    batch.append(self._queue.get_nowait())
                except Empty:
                    break
            is_open = None not in batch
            entries = [entry for entry in batch if entry is not None]
            if entries:
                self._write(entries)

    def _write(self, entries: list[Json]) -> None:
        lines = [_line(entry) for entry in entries]
        try:
            if lost := self._lost:
                self._put([_line({"time_s": time.time(), "verb": "audit", "result": "lost", "lost": lost})])
                self._told += lost
            self._put(lines)
            self._trouble = ""
        except OSError as error:
            self._trouble = f"cannot write {self._path}: {error.strerror}"
            self._unwritten += len(lines)

    def _put(self, lines: list[bytes]) -> None:
        """Take lines off the list as they reach the file. Raises OSError."""
        while lines:
            del lines[: self._append(lines)]

    def _append(self, lines: list[bytes]) -> int:
        """Write as many whole lines as the file has room for; it is put aside when that is none. Returns how many."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            before = os.fstat(descriptor).st_size
            if before and before + len(lines[0]) > FILE_BYTES_MAX:
                os.rename(self._path, f"{self._path}.1")
                return 0
            data, number = bytearray(), 0
            while number < len(lines) and (not number or before + len(data) + len(lines[number]) <= FILE_BYTES_MAX):
                data += lines[number]
                number += 1
            try:
                if os.write(descriptor, data) < len(data):
                    raise OSError(errno.ENOSPC, "the disk is full")  # a file takes a part when there is no room for the rest
            except OSError:
                os.ftruncate(descriptor, before)
                raise
            return number
        finally:
            os.close(descriptor)


def _line(entry: Json) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
