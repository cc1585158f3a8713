"""Which processes come from a supd: its descendants, and whatever carries its mark in the environment.

supd is a child subreaper, so every process it ever started is its descendant while it lives; after its death the mark finds
those that did not overwrite their environment, and (pid, start time), remembered before, finds the others.
"""

import os
from typing import NamedTuple


class Process(NamedTuple):
    """One process for good: a pid alone may be used again."""

    pid: int
    start_time_ticks: int
    command: str

    def is_alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        stat = _stat(self.pid)
        return stat is not None and stat[1] == self.start_time_ticks and stat[3] not in "ZX"


def _stat(pid: int) -> tuple[int, int, str, str] | None:
    """(parent, start time in ticks, command, state), or None when there is no such process (proc(5), /proc/pid/stat)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            head, _, tail = file.read().rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = tail.split()
    return int(fields[1]), int(fields[19]), head.partition("(")[2], fields[0]


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number, and no zombie."""
    stat = _stat(pid)
    return stat is not None and stat[3] not in "ZX"


def _all() -> dict[int, tuple[int, int, str, str]]:
    found = {}
    for name in os.listdir("/proc"):
        if name.isdecimal() and (stat := _stat(int(name))) is not None:
            found[int(name)] = stat
    return found


def descendants(ancestor: int) -> list[Process]:
    """Every living process below `ancestor`, itself not included."""
    table = _all()
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found, to_visit = [], [ancestor]
    while to_visit:
        for pid in children.get(to_visit.pop(), ()):
            to_visit.append(pid)
            _, start_time_ticks, command, state = table[pid]
            if state not in "ZX":
                found.append(Process(pid, start_time_ticks, command))
    return found


def marked(mark: str) -> list[Process]:
    """Every living process whose environment holds `mark` ("KEY=value")."""
    found = []
    for pid, (_, start_time_ticks, command, state) in _all().items():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read().split(b"\0")
        except OSError:  # gone, or another user's and we are not root
            continue
        if mark.encode() in environment and state not in "ZX":
            found.append(Process(pid, start_time_ticks, command))
    return found
