"""Waiting for children: what ended, how, at what cost. It looks before it reaps, for a zombie still has its start time."""

import os
from typing import NamedTuple

_CODES = {os.CLD_EXITED: "exited", os.CLD_KILLED: "killed", os.CLD_DUMPED: "dumped"}


class End(NamedTuple):
    """One child's end. `status` is the exit code, or the signal's number when `code` is killed or dumped."""

    pid: int
    start_time_ticks: int
    code: str
    status: int
    usage: dict[str, int]


def start_time_ticks(pid: int) -> int:
    """Field 22 of /proc/PID/stat: with the pid it names a process for ever. 0 where /proc does not tell."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        # The second field is the name in parentheses and may hold blanks and parentheses itself.
        return int(os.read(descriptor, 4096).rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0
    finally:
        os.close(descriptor)


def next_end() -> End | None:
    """Reap one child that ended; None when none has. Never waits."""
    try:
        seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    if seen is None:
        return None
    started = start_time_ticks(seen.si_pid)
    _, _, used = os.wait4(seen.si_pid, os.WNOHANG)
    usage = {
        "utime_us": round(used.ru_utime * 1_000_000),
        "stime_us": round(used.ru_stime * 1_000_000),
        "maxrss_kb": used.ru_maxrss,
        "minflt": used.ru_minflt,
        "majflt": used.ru_majflt,
        "inblock": used.ru_inblock,
        "oublock": used.ru_oublock,
    }
    return End(seen.si_pid, started, _CODES[seen.si_code], seen.si_status, usage)
