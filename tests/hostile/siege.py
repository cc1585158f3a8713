"""A supd under siege: a hostile unit does its worst, twice, and supd serves the others, ends it whole, and is no bigger afterwards."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from tests.system.arrival import Deadline
from tests.system.supd import Json, Supd

CHILDREN = os.path.join(os.path.dirname(__file__), "children")
CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))  # where the children find what they share
# Allocators give back in steps, and the history of events fills up to its bound: what grows with every round is more than this.
GROWTH_MAX_BYTES = 4 << 20

NEIGHBOUR = """
[service]
type = "notify"
notify_access = "main"
exec_start = "/bin/sh -c 'systemd-notify --ready --status=calm; exec sleep 100000'"
"""
ERRAND = """
[unit]
enabled = false
start_limit_interval_sec = 0
[service]
type = "oneshot"
exec_start = "/bin/echo done"
"""


def child(name: str, keys: str = "") -> str:
    """The text of a unit that runs children/NAME.py; a start is done when it says so."""
    type_ = "" if "type =" in keys else 'type = "notify"\nnotify_access = "all"\n'
    start = f'exec_start = "python3 -S {CHILDREN}/{name}.py"\nenvironment = {{ PYTHONPATH = "{CHECKOUT}" }}\n'
    return f"[unit]\nenabled = false\nstart_limit_interval_sec = 0\n[service]\n{type_}{start}timeout_stop_sec = 1\n{keys}\n"


def ends(shown: Json) -> tuple[str, str]:
    return shown["active_state"], shown["result"]


class Size(NamedTuple):
    """Of keeper and manager together."""

    descriptors: Counter[str]  # by what they are
    memory_bytes: int


class Siege:
    def __init__(self, supd: Supd) -> None:
        self.supd = supd
        self.neighbour = supd.wait_until("neighbour", "active")
        supd.supctl("history")  # its file is opened with the first rows: before anything is counted

    def _own(self) -> tuple[int, int]:
        return self.supd.keeper_pid, self.supd.get("/v1/version")["manager_pid"]

    def _descriptors(self) -> Counter[str]:
        found: Counter[str] = Counter()
        with open("/proc/net/unix", encoding="utf-8") as file:
            sockets = {fields[6]: " ".join(fields[4:6] + fields[7:]) for line in file if (fields := line.split())}
        for who, pid in zip(("keeper", "manager"), self._own(), strict=True):
            for number in os.listdir(f"/proc/{pid}/fd"):
                with suppress(FileNotFoundError):
                    kind, _, inode = os.readlink(f"/proc/{pid}/fd/{number}").partition(":[")
                    found[f"{who}: {kind} {sockets.get(inode.rstrip(']'), '')}"] += 1
        return found

    def _memory_bytes(self) -> int:
        total = 0
        for pid in self._own():
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                total += next(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon:"))
        return total

    def size(self, at_most: Counter[str] | None = None, within_s: float = 20.0) -> Size:
        """As it is once no descriptors beyond `at_most` are open, or never are."""
        deadline = Deadline(within_s)
        found = self._descriptors()
        while at_most is not None and found - at_most and deadline.remaining_s():
            found = self._descriptors()  # each look is a request that supd answers
        return Size(found, self._memory_bytes())

    def others_are_served(self) -> None:
        """Somebody else's start is done, and the neighbour is as it was."""
        self.supd.supctl("start", "errand")
        shown = self.supd.show("neighbour")
        same = ("main_pid", "n_restarts", "active_state", "status_text", "invocation_id")
        assert {key: shown[key] for key in same} == {key: self.neighbour[key] for key in same}

    def nothing_is_left(self, unit: str) -> None:
        assert self.supd.show(unit)["pids"] == []
        left = [one for one in self.supd.processes() if one.pid != self.neighbour["main_pid"]]
        assert left == [], f"{unit} is stopped, and there are {left}"

    def withstands(self, unit: str, during: Callable[[], object] = lambda: None, *, waits: bool = True) -> Json:
        """Twice: start it, `during`, serve the others, stop it. What the unit is in the end."""
        sizes: list[Size] = []
        for _ in range(2):
            if waits:
                self.supd.supctl("start", unit)
            else:
                self.supd.supctl("start", "--no-block", unit)
            during()
            self.others_are_served()
            self.supd.supctl("stop", unit)
            self.nothing_is_left(unit)
            sizes.append(self.size(at_most=sizes[0].descriptors if sizes else None))
        first, second = sizes
        more = second.descriptors - first.descriptors
        assert not more, f"descriptors that the second round left: {more}"
        growth_bytes = second.memory_bytes - first.memory_bytes
        assert growth_bytes < GROWTH_MAX_BYTES, f"the second round left {growth_bytes} bytes"
        return self.supd.show(unit)
