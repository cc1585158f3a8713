"""History: the one thread that writes and reads the database of runs, jobs and events. The loop never waits for it.

Laws:
- Entries are gathered on the loop's thread and handed over together, a fifth of a second after the first: while something happens
  no second thread wakes, which would take the interpreter's lock from the loop. At most WAITING_MAX wait to be written.
- What cannot be written (a full disk, a file that somebody has locked) is held, up to HELD_MAX, and tried again with the next entries,
  before the next question and at the end; beyond that the oldest is given up and counted. The record of a run or job is asked back
  from the keeper only when it is written or given up.
- A damaged file is put aside as `history.db.damaged` and a new one begun; the file of a later supd is left alone and nothing is
  recorded. supd goes on in every case, and `notes` says what is wrong.
- A question sees everything that was noted before it was asked.

Imported after the first spawn, for sqlite3 is heavy.
"""

import asyncio
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple

from supervisor.daemon import historyrows
from supervisor.daemon.historyschema import LaterVersion, Retention, migrate, prune
from supervisor.daemon.runrecords import Entry, key_of

Json = dict[str, Any]
FILE_NAME = "history.db"
WAITING_MAX = 20_000
HELD_MAX = 5_000
BATCH_MAX = 5_000
GATHER_S = 0.2
ANSWER_S = 10.0  # a disk that hangs hangs a question no longer
LOCK_WAIT_S = 1.0  # somebody else may look at the file with sqlite3 itself
PRUNE_EVERY = 1_000  # entries between two looks at the retention
# SQLite's primary result codes (sqlite.org/rescode.html) that say the file is not what we wrote; ERROR: a table of ours is not there.
_DAMAGED = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class HistoryError(Exception):
    """History cannot be read now. The text is a sentence."""


class Question(NamedTuple):
    ask: Callable[[sqlite3.Connection], Any]
    answer: Callable[[Any, HistoryError | None], object]


class History:
    """The database of one state directory. All but `_run` and what it calls is for the loop's thread.

    `on_written` is called with the keys (`key_of`) of what is written with its end or given up, in the thread (on the loop's when
    too much waits); `call_later(delay_s, act)` is the loop's.
    """

    def __init__(
        self,
        state_directory: str,
        open_ids: list[str],
        on_written: Callable[[list[str]], object],
        call_later: Callable[[float, Callable[[], object]], object],
        keep: Retention | None = None,
    ) -> None:
        self.path = os.path.join(state_directory, FILE_NAME)
        self._open_ids: list[str] | None = open_ids  # None once the runs of a supd that died are closed
        self._on_written = on_written
        self._keep = keep or Retention()
        self._call_later = call_later
        self._gathered: list[Entry] = []
        self._queue: SimpleQueue[list[Entry] | Question | None] = SimpleQueue()
        self._held: deque[Entry] = deque()
        self._connection: sqlite3.Connection | None = None
        self._until_prune = 0
        # Each of these is written by one thread alone.
        self._put_count = 0  # the loop's
        self._dropped = 0  # the loop's: too many waited
        self._taken_count = 0  # the writer's
        self._given_up = 0  # the writer's
        self._trouble = ""
        self._put_aside = ""
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    # -- on the loop's thread --------------------------------------------------------------------------------------

    def put(self, entry: Entry) -> None:
        """Write this some time soon. Never blocks, never raises."""
        if self._put_count - self._taken_count >= WAITING_MAX:
            self._dropped += 1
            self._tell_written([entry])
            return
        self._put_count += 1
        self._gathered.append(entry)
        if len(self._gathered) == 1:
            self._call_later(GATHER_S, self._hand_over)

    def _hand_over(self) -> None:
        if self._gathered:
            entries, self._gathered = self._gathered, []
            self._queue.put(entries)

    async def runs(self, unit: str | None, limit: int) -> list[Json]:
        """The newest runs, oldest first. Raises HistoryError."""
        found: list[Json] = await self._ask(lambda connection: historyrows.runs(connection, unit, limit))
        return found

    async def jobs(self, unit: str | None, limit: int) -> list[Json]:
        """The newest jobs that ended, oldest first. Raises HistoryError."""
        found: list[Json] = await self._ask(lambda connection: historyrows.jobs(connection, unit, limit))
        return found

    async def events(self, limit: int) -> list[Json]:
        """The newest events, oldest first. Raises HistoryError."""
        found: list[Json] = await self._ask(lambda connection: historyrows.events(connection, limit))
        return found

    async def _ask(self, ask: Callable[[sqlite3.Connection], Any]) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: HistoryError | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._hand_over()
        self._queue.put(Question(ask, lambda result, error: loop.call_soon_threadsafe(settle, result, error)))
        try:
            return await asyncio.wait_for(future, ANSWER_S)
        except TimeoutError:
            raise HistoryError(f"the disk is too slow for {self.path}") from None

    def notes(self) -> list[str]:
        """What a person should know of history now."""
        found = [self._put_aside] if self._put_aside else []
        lost = self._dropped + self._given_up
        if self._trouble or lost:
            cause = self._trouble or f"the disk was too slow for {self.path}"
            consequence = f"{lost} records of history are lost so far" if lost else "what happens now is held and written later"
            found.append(f"{cause}; {consequence}")
        return found

    def close(self, limit_s: float) -> None:
        """Write what waits, for so long at most; nothing is noted after this."""
        self._hand_over()
        self._queue.put(None)
        self._thread.join(limit_s)

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, Question):
                self._answer(item)
                continue
            for start in range(0, len(item), BATCH_MAX):
                self._write(item[start : start + BATCH_MAX])
            self._taken_count += len(item)
        self._write([])
        if self._connection is not None:
            self._connection.close()

    def _write(self, entries: list[Entry]) -> None:
        self._held.extend(entries)
        if self._held and self._attempt(self._write_held) is None:
            while len(self._held) > HELD_MAX:
                self._given_up += 1
                self._tell_written([self._held.popleft()])

    def _write_held(self, connection: sqlite3.Connection) -> bool:
        connection.execute("BEGIN IMMEDIATE")
        historyrows.put(connection, self._held)
        self._until_prune -= len(self._held)
        if self._until_prune <= 0:
            prune(connection, self._keep, time.time_ns() // 1000)
            self._until_prune = PRUNE_EVERY
        connection.execute("COMMIT")
        self._tell_written(self._held)
        self._held.clear()
        return True

    def _tell_written(self, entries: "deque[Entry] | list[Entry]") -> None:
        if over := [key for entry in entries if (key := key_of(entry))]:
            self._on_written(over)

    def _answer(self, question: Question) -> None:
        self._write([])  # what could not be written before it was asked may be now
        result = self._attempt(question.ask)
        question.answer(result, None if result is not None else HistoryError(f"{self._trouble or 'history cannot be read'}"))

    def _attempt(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """What `work` returns; None when it cannot be done now. A damaged file is put aside, and `work` done with a new one."""
        for _ in range(2):
            try:
                result = work(self._connected())
            except LaterVersion as error:
                self._trouble = f"cannot use {self.path}: {error}; move it away to have history again"
                return None
            except sqlite3.Error as error:
                self._give_back(error)
                if not self._is_damaged(error) or not self._set_aside(error):
                    self._trouble = f"cannot write {self.path}: {error}"
                    return None
            except OSError as error:
                self._trouble = f"cannot open {self.path}: {error.strerror}"
                return None
            else:
                if not self._held:  # else it can be read, and still not be written
                    self._trouble = ""
                return result
        return None

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            # Made here, so that nobody else can ever read it: SQLite's own companions of the file take its mode.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            connection = sqlite3.connect(self.path, timeout=LOCK_WAIT_S, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                migrate(connection)
                if self._open_ids is not None:
                    historyrows.close_lost(connection, self._open_ids)
            except BaseException:
                connection.close()
                raise
            self._connection, self._open_ids = connection, None
        return self._connection

    def _give_back(self, error: sqlite3.Error) -> None:
        """After an error: end the transaction, if there is one, and open the file anew next time, for it may be another by then.

        Not on a full disk: what is open can be read on, and to open it takes room.
        """
        connection = self._connection
        if connection is not None and _code(error) == sqlite3.SQLITE_FULL:
            connection.rollback()
        elif connection is not None:
            self._connection = None
            connection.close()

    @staticmethod
    def _is_damaged(error: sqlite3.Error) -> bool:
        return _code(error) in _DAMAGED

    def _set_aside(self, error: sqlite3.Error) -> bool:
        aside = f"{self.path}.damaged"
        try:
            for suffix in ("-wal", "-shm"):
                try:
                    os.rename(self.path + suffix, aside + suffix)
                except FileNotFoundError:
                    pass
            os.rename(self.path, aside)
        except OSError:
            return False
        self._put_aside = f"history was damaged ({error}): the file is kept as {aside}, and a new one was begun"
        return True


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; that of OK for errors of the module itself, which have none."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 0xFF
