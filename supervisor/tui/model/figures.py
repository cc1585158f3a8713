"""CPU and memory of units over time: the last figures, a short history of each, and totals.

supd tells CPU time used so far; a share is made from two of its figures and the time between them. A unit that started anew, or was
not asked for a while, has no share until the second figure. Histories are rings of plain numbers, so that a thousand of them weigh
little and the collector has nothing to look at.
"""

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

HISTORY_SAMPLES = 120  # two minutes of visible units, asked once a second
NSEC_PER_SEC = 1_000_000_000
LONGEST_STEP_S = 30.0  # a share over a longer time would be an average of what nobody looked at

_BLOCKS = " ▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = " .:-=+*#@"


class Ring:
    """The last HISTORY_SAMPLES numbers, oldest first when read."""

    __slots__ = ("_at", "_values")

    def __init__(self) -> None:
        self._values = array("f")
        self._at = 0

    def append(self, value: float) -> None:
        if len(self._values) < HISTORY_SAMPLES:
            self._values.append(value)
        else:
            self._values[self._at] = value
            self._at = (self._at + 1) % HISTORY_SAMPLES

    def last(self, count: int) -> Sequence[float]:
        """At most the newest `count`, oldest first."""
        ordered = self._values[self._at :] + self._values[: self._at]
        return ordered[-count:] if count > 0 else array("f")


class Usage:
    """One unit's figures. `cpu_percent` is of one core; None: not known (yet)."""

    __slots__ = ("_at_s", "_cpu_nsec", "cpu", "cpu_percent", "memory", "memory_bytes")

    def __init__(self) -> None:
        self.cpu_percent: float | None = None
        self.memory_bytes: int | None = None
        self.cpu = Ring()
        self.memory = Ring()
        self._at_s = 0.0
        self._cpu_nsec: int | None = None

    def record(self, at_s: float, cpu_nsec: int | None, memory_bytes: int | None) -> None:
        """`at_s` is monotonic. Less CPU time than before means that the unit was started anew."""
        before, step_s = self._cpu_nsec, at_s - self._at_s
        if step_s == 0 and cpu_nsec == before and memory_bytes == self.memory_bytes:
            return  # the same sample once more: what is known stays known
        if cpu_nsec is None or before is None or cpu_nsec < before or not 0 < step_s <= LONGEST_STEP_S:
            self.cpu_percent = None
        else:
            self.cpu_percent = (cpu_nsec - before) / NSEC_PER_SEC / step_s * 100
            self.cpu.append(self.cpu_percent)
        self.memory_bytes = memory_bytes
        if memory_bytes is not None:
            self.memory.append(float(memory_bytes))
        self._cpu_nsec, self._at_s = cpu_nsec, at_s


class Figures:
    """The figures of all units that were ever asked for. `changed` names those that were recorded since it was last taken."""

    def __init__(self) -> None:
        self._usage: dict[str, Usage] = {}
        self._changed: set[str] = set()
        self.total_cpu = Ring()
        self._total: tuple[float, int] | None = None

    def record(self, at_s: float, units: Mapping[str, Json], is_all: bool = False) -> None:
        """{name: {cpu_usage_nsec, memory_current_bytes}}, as they were at `at_s` (supd's monotonic clock).

        With `is_all` they are every unit that there is: what is missing is forgotten, and the totals get a sample.
        """
        for name, row in units.items():
            usage = self._usage.get(name)
            if usage is None:
                usage = self._usage[name] = Usage()
            usage.record(at_s, row.get("cpu_usage_nsec"), row.get("memory_current_bytes"))
        self._changed.update(units)
        self._total = None
        if is_all:
            for name in [name for name in self._usage if name not in units]:
                del self._usage[name]
            self.total_cpu.append(self.cpu_percent)

    def get(self, name: str) -> Usage | None:
        return self._usage.get(name)

    def take_changed(self) -> frozenset[str]:
        changed = frozenset(self._changed)
        self._changed.clear()
        return changed

    @property
    def cpu_percent(self) -> float:
        """Of all units together, of one core."""
        return self._totals()[0]

    @property
    def memory_bytes(self) -> int:
        return self._totals()[1]

    def _totals(self) -> tuple[float, int]:
        """Asked for with every painting, and another one only with a record."""
        if self._total is None:
            units = self._usage.values()
            self._total = sum(usage.cpu_percent or 0.0 for usage in units), sum(usage.memory_bytes or 0 for usage in units)
        return self._total


def sparkline(values: Sequence[float], width: int, top: float | None = None, ascii: bool = False) -> str:
    """The newest `width` values as blocks, the newest at the right end, padded at the left; `top` is the value of a full block.

    Zero is the lowest block rather than nothing, so that "used nothing" and "not known" differ.
    """
    blocks = _ASCII_BLOCKS if ascii else _BLOCKS
    shown = values[-width:] if width > 0 else []
    highest = max(top or 0.0, max(shown, default=0.0))
    steps = len(blocks) - 2
    line = [blocks[1 + min(steps, round(max(0.0, value) / highest * steps))] if highest > 0 else blocks[1] for value in shown]
    return "".join(line).rjust(width)
