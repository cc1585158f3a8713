"""A supd under siege: a hostile unit does its worst, twice, and supd serves the others, ends it whole, and is no bigger afterwards."""

import os
from collections.abc import Callable
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

    descriptors: int
    memory_bytes: int


class Siege:
    def __init__(self, supd: Supd) -> None:
        self.supd = supd
        self.neighbour = supd.wait_until("neighbour", "active")

    def _own(self) -> tuple[int, int]:
        return self.supd.keeper_pid, self.supd.get("/v1/version")["manager_pid"]

    def _descriptors(self) -> int:
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self._own())

    def _memory_bytes(self) -> int:
        total = 0
        for pid in self._own():
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                total += next(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon:"))
        return total

    def size(self, at_most: int | None = None, within_s: float = 20.0) -> Size:
        """As it is once no more than `at_most` descriptors are open, or never are."""
        deadline = Deadline(within_s)
        while at_most is not None and self._descriptors() > at_most and deadline.remaining_s():
            pass  # each look is a request that supd answers
        return Size(self._descriptors(), self._memory_bytes())

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
        assert second.descriptors <= first.descriptors
        assert second.memory_bytes - first.memory_bytes < GROWTH_MAX_BYTES
        return self.supd.show(unit)
