"""Exec in place: the keeper becomes the keeper of the code now on disk, with the same pid, children and descriptors.

Before anything is given up, that code runs as a child, the *trial*: as a keeper it must read the whole table and write it again to the
same bytes, then as a manager it must load all of its code and make an engine of what is remembered, and leave with 0 in time. A
half-finished upgrade fails there, and only there; what the trial wrote to its stderr last is told. The manager is then killed (it can
die at any moment) and the keeper execs itself with every signal blocked; they are let in when the new one's handlers stand, and its
first look reaps what ended meanwhile.

The table travels as a memfd whose number is in SUPD_KEEPER_TABLE; descriptors keep their numbers.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from supervisor.keeper.lastresort import LastResort
from supervisor.keeper.manager import Manager
from supervisor.keeper.manager import command as manager_command
from supervisor.keeper.reap import End
from supervisor.keeper.runs import Run, Table
from supervisor.keeper.stderr import say
from supervisor.keeper.store import Store

TABLE_VARIABLE = "SUPD_KEEPER_TABLE"
TRIAL_VARIABLE = "SUPD_MANAGER_TRIAL"  # the same for the manager's part of a trial
TRIAL_ARGUMENT = "--trial"
TRIAL_LIMIT_S = 30.0  # on a busy machine Python alone takes seconds to load it all
TRIAL_SAID_MAX_BYTES = 65_536
PACKAGE = "supervisor.keeper"
VERSION = 1

Content = dict[str, Any]


def command(*arguments: str) -> list[str]:
    """The keeper's command line from the code on disk, found as the manager's is."""
    argv = manager_command([])
    return [*argv[:-1], PACKAGE, *arguments]


def encode(content: Content) -> bytes:
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()


def decode(body: bytes) -> Content:
    """Raises ValueError for a table of another version: it is refused, not guessed at."""
    content: Content = json.loads(body)
    if content.get("version") != VERSION:
        raise ValueError(f"the table has version {content.get('version')} and this supd reads {VERSION}")
    return content


def content_of(table: Table, store: Store, more: Content) -> Content:
    """Everything a keeper knows."""
    runs = [
        [r.run, r.unit, r.phase, r.pid, r.start_time_ticks, r.status_fd, r.status.hex(), r.facts, r.is_forgotten]
        for r in table.runs.values()
    ]
    return {
        "version": VERSION,
        "remembered": table.remembered,
        "runs": runs,
        "strangers": table.strangers(),
        "stored": store.listing_with_numbers(),
        **more,
    }


def load(content: Content, table: Table, store: Store, *, is_trial: bool = False) -> list[Run]:
    """Fill an empty table and store; the runs whose status pipe is still open. Descriptors become close-on-exec again.

    A trial was not given the descriptors, and only keeps their numbers.
    """
    table.remembered.update(content["remembered"])
    table.load_strangers(content["strangers"])
    for name, descriptor, is_withheld in content["stored"]:
        if not is_trial:
            os.set_inheritable(descriptor, False)
        store.put(name, descriptor, is_withheld)
    unfinished = []
    for number, unit, phase, pid, ticks, status_fd, status, facts, is_forgotten in content["runs"]:
        run = table.runs[number] = Run(number, unit, phase)
        run.pid, run.start_time_ticks, run.status_fd, run.status = pid, ticks, status_fd, bytes.fromhex(status)
        run.facts, run.is_forgotten = facts, is_forgotten
        if pid:
            table.by_pid[pid] = run
        if status_fd >= 0 and not is_trial:
            os.set_inheritable(status_fd, False)
            unfinished.append(run)
    return unfinished


class Replacement:
    """The way from one keeper to the next: trial, the manager's end, exec."""

    def __init__(self, manager: Manager, table: Table, store: Store, last_resort: LastResort, kill_manager: Callable[[], None]) -> None:
        self._manager = manager
        self._table = table
        self._store = store
        self._last_resort = last_resort
        self._kill_manager = kill_manager
        self._is_due = False
        self.trial_pid = 0
        self._trial_said_fd = -1
        self.trial_ends_at_s: float | None = None  # when a trial that has not ended is ended
        self.journal_path = ""

    def _content(self) -> Content:
        more = {
            "journal": self.journal_path,
            "nofile": list(self._manager.nofile),
            "starts": self._manager.starts,
            "signals": self._table.signals,
            "emptied": self._last_resort.counts,
        }
        return content_of(self._table, self._store, more)

    def try_code(self) -> None:
        """Let the code on disk prove itself; what becomes of it is told by `note_trial`."""
        if not self.trial_pid:
            self._trial_said_fd = os.memfd_create("supd-trial")
            self.trial_pid = start_trial(encode(self._content()), self._trial_said_fd)
            self.trial_ends_at_s = time.monotonic() + TRIAL_LIMIT_S

    def end_trial_if_late(self, now_s: float) -> None:
        """A trial that hangs is a trial that failed."""
        if self.trial_ends_at_s is not None and now_s >= self.trial_ends_at_s:
            self.trial_ends_at_s = None
            os.kill(self.trial_pid, signal.SIGKILL)  # our own unreaped child

    def note_trial(self, end: End) -> None:
        """The trial ended: the manager goes first, or is told why not."""
        is_late, self.trial_ends_at_s, self.trial_pid = self.trial_ends_at_s is None, None, 0
        said = os.pread(self._trial_said_fd, TRIAL_SAID_MAX_BYTES, max(0, os.fstat(self._trial_said_fd).st_size - TRIAL_SAID_MAX_BYTES))
        os.close(self._trial_said_fd)
        if end.code == "exited" and end.status == 0:
            self._is_due = True
            self._kill_manager()
            return
        how = f"left with status {end.status}" if end.code == "exited" else f"was ended by signal {end.status}"
        if is_late:
            how = f"had not answered after {TRIAL_LIMIT_S:g} s"
        words = said.decode("utf-8", "replace").strip()
        why = f": {words.rpartition(chr(10))[2][:500]}" if words else ""
        self._table.notices.append(["reexec_failed", f"the supd now on disk {how} when it was to carry on with what this one knows{why}"])

    def exec_if_due(self) -> None:
        """The manager is gone; if that was for our sake, exec. Returns when it was not, or could not be."""
        if not self._is_due:
            return
        self._is_due = False
        self._table.notices.clear()
        pipes = [run.status_fd for run in self._table.runs.values() if run.status_fd >= 0]
        try:
            become(encode(self._content()), [*self._store.descriptors.values(), *pipes])
        except OSError as error:
            say(f"cannot exec the supd on disk: {error.strerror}; this one goes on")


def memfd_of(body: bytes) -> int:
    descriptor = os.memfd_create("supd-table")
    view = memoryview(body)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor


def start_trial(body: bytes, said_fd: int) -> int:
    """Start the code on disk as a child that reads this table and proves it; its pid. 0 from it is yes. Its stderr is `said_fd`."""
    table_fd = memfd_of(body)
    try:
        argv = command(TRIAL_ARGUMENT, *sys.argv[1:])
        pid = os.fork()
        if pid:
            return pid
        try:
            os.set_inheritable(table_fd, True)
            os.dup2(said_fd, 2)
            signal.set_wakeup_fd(-1)
            os.execve(argv[0], argv, os.environ | {TABLE_VARIABLE: str(table_fd)})
        finally:
            os._exit(127)
    finally:
        os.close(table_fd)


def read_table(variable: str = TABLE_VARIABLE) -> bytes:
    """The body that an earlier keeper left, taken out of the environment."""
    descriptor = int(os.environ.pop(variable))
    try:
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, size, 0)
    finally:
        os.close(descriptor)


def run_trial(arguments: list[str]) -> NoReturn:
    """What the child does: as a keeper, this code would carry on with the table without losing a byte of it; then the manager's turn."""
    body = read_table()
    content = decode(body)
    table, store = Table(), Store()
    load(content, table, store, is_trial=True)
    more = {key: content[key] for key in content.keys() - {"version", "remembered", "runs", "strangers", "stored"}}
    from supervisor.keeper.loop import Keeper  # all of the keeper's code must load

    if not callable(Keeper) or encode(content_of(table, store, more)) != body:
        sys.exit("it would write the table otherwise than it was written")
    table_fd = memfd_of(body)
    os.set_inheritable(table_fd, True)
    argv = manager_command(arguments)
    os.execve(argv[0], argv, os.environ | {TRIAL_VARIABLE: str(table_fd)})


def become(body: bytes, descriptors: list[int]) -> None:
    """Exec the code on disk in this process. Returns only by OSError."""
    table_fd = memfd_of(body)
    inherited = [table_fd, *descriptors]
    try:
        for descriptor in inherited:
            os.set_inheritable(descriptor, True)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        argv = command(*sys.argv[1:])
        os.execve(argv[0], argv, os.environ | {TABLE_VARIABLE: str(table_fd)})
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for descriptor in inherited:
            os.set_inheritable(descriptor, False)
        os.close(table_fd)
