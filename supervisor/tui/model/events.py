"""The journal of supd as a list: who did what, what failed, what was started again, what changed on disk. Newest first. Pure.

Kinds are gathered in groups, for nobody filters by the thirty words that supd has for what happens.
"""

import time
from collections import deque
from collections.abc import Collection, Iterable
from typing import Any

from supervisor.tui.model.format import moment
from supervisor.tui.model.rows import Cell, Column, Row, cell
from supervisor.tui.model.runs import person

Json = dict[str, Any]

EVENTS_KEPT = 5_000
_RESET = "reset"

# group -> (key in the menu, what it is, the kinds in it)
GROUPS: dict[str, tuple[str, str, frozenset[str]]] = {
    "people": ("p", "what somebody asked for", frozenset({"intent", "enabled", "kill", "scale", "shutdown"})),
    "faults": ("f", "failures, restarts, limits", frozenset({
        "failed", "spawn", "start-limit", "watchdog", "timeout", "restart", "dependency", "condition", "probe", "rollback", "action",
        "cycle", "recovered", "on-failure", "transaction", "ended",
    })),
    "files": ("d", "definitions and unit files", frozenset({"definition", "plan", "rollback", "unit-files", "enabled"})),
    "states": ("s", "changes of state", frozenset({"state"})),
    "jobs": ("j", "jobs", frozenset({"job", "job-finished", "propagated"})),
    "service": ("n", "what services say", frozenset({"notify", "status", "main-pid", "reload"})),
    "stream": ("m", "gaps in this journal", frozenset({"reset", "gap"})),
}  # fmt: skip
_STYLES = {
    "failed": frozenset({"failed", "spawn", "start-limit", "watchdog", "unit-files", "reset", "gap"}),
    "warning": frozenset({"timeout", "restart", "dependency", "condition", "probe", "rollback", "action", "cycle", "transaction"}),
    "accent": GROUPS["people"][2] | {"definition", "plan"},
    "dim": GROUPS["states"][2] | GROUPS["jobs"][2],
}
_STYLE_OF = {kind: style for style, kinds in reversed(_STYLES.items()) for kind in kinds}

COLUMNS = (
    Column("TIME", 12, "time"),
    Column("UNIT", 40, "unit", least=12),
    Column("KIND", 13, "kind", rank=1),
    Column("WHAT", 0),
)


class Journal:
    """The newest events, each once, in the order in which they happened. A row is made once, when it is first asked for."""

    def __init__(self) -> None:
        self._events: deque[Json] = deque(maxlen=EVENTS_KEPT)
        self._ids: set[str] = set()
        self._rows: dict[int, Row] = {}
        self._day = -1
        self.total = 0  # events ever taken
        self.version = 0  # another one with every change

    def __len__(self) -> int:
        return len(self._events)

    def fill(self, past: Iterable[Json]) -> None:
        """What happened before, oldest first; it goes before what came meanwhile, and what is there already stays once."""
        here = list(self._events)
        earlier = [event for event in past if str(event.get("id")) not in self._ids]
        self._events.clear()
        self._ids.clear()
        for event in sorted((*earlier, *here), key=lambda event: float(event.get("time_s") or 0)):  # of one moment: in the order they came
            self._keep(event)
        self.version += 1

    def add(self, event: Json) -> None:
        if str(event.get("id", "")) in self._ids and event["kind"] != _RESET:
            return
        self._keep(event)
        self.version += 1

    def _keep(self, event: Json) -> None:
        if len(self._events) == EVENTS_KEPT:
            oldest = self._events[0]
            self._ids.discard(str(oldest.get("id", "")))
            self._rows.pop(oldest["_n"], None)
        if "_n" not in event:
            self.total += 1
            event = {**event, "_n": self.total}
        self._events.append(event)
        if event.get("id") and event["kind"] != _RESET:  # its id is that of the event before it
            self._ids.add(str(event["id"]))

    def rows(self, groups: Collection[str], unit: str | None, now_s: float) -> list[Row]:
        """Newest first; of these groups (all when empty) and of this unit (all when None)."""
        day = time.localtime(now_s).tm_yday
        if day != self._day:
            self._rows.clear()  # times of another day are written otherwise
            self._day = day
        kinds = frozenset[str]().union(*(GROUPS[group][2] for group in groups))
        return [
            self._row(event, now_s)
            for event in reversed(self._events)
            if (not kinds or event["kind"] in kinds) and (unit is None or event.get("unit") == unit)
        ]

    def _row(self, event: Json, now_s: float) -> Row:
        row = self._rows.get(event["_n"])
        if row is None:
            row = self._rows[event["_n"]] = _row(event, now_s)
        return row


def _row(event: Json, now_s: float) -> Row:
    kind, unit = str(event["kind"]), str(event.get("unit") or "")
    style = _STYLE_OF.get(kind, "")
    if kind == "unit-files" and not event.get("errors"):
        style = "accent"
    if kind == "state" and event.get("active_state") == "failed":
        style = "failed"
    cells = (Cell(moment(event.get("time_s"), now_s)), cell(unit or "supd", "strong" if unit else "dim"), cell(kind, style))
    return Row(str(event["_n"]), (*cells, cell(text_of(event), style)), (event.get("time_s") or 0.0, unit, kind, None), unit)


def text_of(event: Json) -> str:
    """What is told of an event, on one line."""
    kind = event["kind"]
    if kind == _RESET:
        return "events before this are not known here: everything was fetched anew"
    if kind == "gap":
        return "events were not read in time; they follow"
    text = str(event.get("text") or "")
    if kind == "unit-files" and event.get("errors"):
        return f"{error_line(event['errors'][0])}; {text}"
    if kind in ("plan", "enabled") and event.get("by"):
        return f"{text}, by {person(str(event['by']))}"
    return text


def error_line(error: Json) -> str:
    """An error in a unit file: "web.toml:12: service.restart: expected ..., got ... (did you mean ...?)"."""
    place = ":".join(str(part) for part in (error.get("file"), error.get("line")) if part)
    key = f"{error['key']}: " if error.get("key") else ""
    hint = f" ({error['hint']})" if error.get("hint") else ""
    return f"{place}: {key}{error['message']}{hint}"
