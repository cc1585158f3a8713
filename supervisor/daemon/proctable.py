"""What /proc says about processes: the one place that reads it.

A process is known by (pid, start time): a pid alone may name another process a moment later. A zombie is no process here: it
runs nothing, holds nothing, and only waits to be reaped (a leader that left while its threads go on is not a zombie).

Never: judges whose process one is (`attribution`), and never fails because a process ended while it was read about.
"""

import errno
import os
from typing import NamedTuple

_ENVIRONMENT_LIMIT_BYTES = 1 << 20
_LOOKS_MAX = 16
LACKING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})  # of an open: nothing is said of what was to be looked at
_MARKER = b"INVOCATION_ID="
_MARKER_LENGTH = 32


class Process(NamedTuple):
    """One living process (`proc_pid_stat(5)`)."""

    pid: int
    parent: int
    group: int
    session: int
    start_time_ticks: int  # clock ticks since boot
    comm: str


def read_process(pid: int, accepts_zombie: bool = False, *, must_know: bool = False) -> Process | None:
    """The process `pid`, or None when there is none or it is a zombie (who asks whose a dead sender was wants that too).

    `must_know`: OSError where a look cannot be had for want of a descriptor, which otherwise shows nobody.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if must_know and error.errno in LACKING:
            raise
        return None
    try:
        raw = os.read(descriptor, 4096)
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
    return _parse(pid, raw, accepts_zombie)


class Usage(NamedTuple):
    """What one process holds and has used."""

    resident_bytes: int
    cpu_nsec: int


_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICK_NSEC = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def usage_of(pid: int) -> Usage | None:
    """Memory and CPU time of one process (fields 24, 14 and 15 of `proc_pid_stat(5)`), None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return Usage(int(fields[21]) * _PAGE_BYTES, (int(fields[11]) + int(fields[12])) * _TICK_NSEC)


def end_of(pid: int) -> int | None:
    """How the zombie `pid` ended, as wait(2) tells it (field 52 of `proc_pid_stat(5)`); None where that cannot be seen."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        is_ours = os.geteuid() in (0, os.stat(f"/proc/{pid}").st_uid)
    except OSError:
        return None
    return int(fields[49]) if fields[0] == b"Z" and is_ours else None


def _parse(pid: int, raw: bytes, accepts_zombie: bool) -> Process | None:
    # The name may hold anything, blanks and parentheses included: the last parenthesis ends it.
    head, _, tail = raw.rpartition(b")")
    fields = tail.split(None, 20)
    if len(fields) < 20:
        return None
    state, threads = fields[0], int(fields[17])
    if state in b"ZXx" and threads <= 1 and not accepts_zombie:
        return None
    comm = head.partition(b"(")[2].decode("utf-8", "replace")
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]), comm)


class Snapshot(NamedTuple):
    """Every living process, by pid. `is_torn`: forks went on as fast as we looked, so a process born meanwhile may be missing."""

    table: dict[int, Process]
    is_torn: bool


def scan() -> Snapshot:
    """Look at /proc until a look shows nothing new and no pid was given since the look before it.

    One look is not one instant: a process that forks and ends while we are elsewhere in the list shows neither itself nor its
    child, and a pid is given before its process can be seen. But whoever is not to be seen yet by a look that began after the
    last pid was given has a parent in the middle of fork, which was there to be read before and lives still.

    Raises OSError for want of a descriptor.
    """
    table: dict[int, Process] = {}
    seen: set[str] = set()
    newest = _newest_pid()
    for _ in range(_LOOKS_MAX):
        before = newest
        # What was read once need not be read again: that it may have ended since is for the next scan to see.
        unseen = {name for name in os.listdir("/proc") if name.isdigit()} - seen
        seen |= unseen
        for name in unseen:
            if (process := read_process(int(name), must_know=True)) is not None:
                table[process.pid] = process
        newest = _newest_pid()
        if newest == before and not unseen:
            return Snapshot(table, False)
    return Snapshot(table, True)


def _newest_pid() -> bytes:
    """The pid that was given last in our pid namespace (`proc_loadavg(5)`)."""
    with open("/proc/loadavg", "rb", 0) as file:
        return file.read(256).split()[4]


def invocation_marker(pid: int) -> str:
    """The INVOCATION_ID the process was executed with, or "" if there is none or we may not read it.

    A process whose first thread has ended shows it by those that go on.
    """
    if marker := _marker_in(f"/proc/{pid}/environ"):
        return marker
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return ""
    others = (thread for thread in threads if thread != str(pid))
    return next((marker for thread in others if (marker := _marker_in(f"/proc/{pid}/task/{thread}/environ"))), "")


def _marker_in(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        pieces = []
        left = _ENVIRONMENT_LIMIT_BYTES
        while left > 0 and (piece := os.read(descriptor, min(left, 65536))):
            pieces.append(piece)
            left -= len(piece)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    for entry in b"".join(pieces).split(b"\0"):
        if entry.startswith(_MARKER):
            return entry[len(_MARKER) :][:_MARKER_LENGTH].decode("ascii", "replace")
    return ""
