"""Whatever a list shows of a unit, whoever watches is told when it changes: also of what is no event (a process was forked, a job waits).

Events are what a person may want to read, and are kept. Here it is only said which units look different, in marks that are not
numbered and not kept: a reader that comes back fetches everything anyway. Nothing is computed while nobody reads marks.
"""

from typing import Any

from supervisor.daemon.api.stream import EventRing
from supervisor.engine import Engine

Json = dict[str, Any]


class Glances:
    """What every unit looked like when somebody was last told of it."""

    def __init__(self, engine: Engine, ring: EventRing) -> None:
        self._engine = engine
        self._ring = ring
        self._seen: dict[str, Json | None] = {}

    def tell(self) -> None:
        """After the engine has handled something: one mark for all that changed."""
        stirred = self._engine.take_stirred()
        if not self._ring.has_mark_readers:
            self._seen.clear()
            return
        changed = sorted(name for name in stirred if self._differs(name))
        if changed:
            self._ring.mark({"kind": "changed", "unit": "", "units": changed})

    def _differs(self, name: str) -> bool:
        brief = self._engine.brief(name) if self._engine.knows(name) else None
        if brief is not None and (job := brief["job"]) is not None:
            brief["job"] = {**job, "since_s": None}  # made from the time of asking, which is no change
        if name in self._seen and self._seen[name] == brief:
            return False
        self._seen[name] = brief
        return True
