"""Who needs whom: the relations of one unit as lines of a tree, the order of a start, and the path that took longest or holds it up.

Blockers come first: among the units that one needs, those that are not up stand above those that are. A unit met a second time is
shown once more, without what is below it, so that every tree ends. Pure.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from supervisor.client.relations import BACKWARD, FORWARD
from supervisor.tui.model.impact import Relations

Json = dict[str, Any]
Briefs = Callable[[str], Json | None]

LINES_MAX = 2000  # of one tree: more than anybody reads, and a net of many units has more paths than there are atoms
_PULLED_IN = ("requires", "binds_to", "wants", "upholds")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `lead` draws the branches before the unit, `kind` is the relation that leads here, `note` what is told behind it."""

    unit: str
    lead: str = ""
    kind: str = ""
    note: str = ""


def needs(root: str, relations: Relations, rank: Callable[[str], int]) -> list[Line]:
    """What the unit needs or hangs on, downwards. `rank`: the lower, the more it stands in the way."""
    return _tree(root, relations, FORWARD, rank)


def needed_by(root: str, relations: Relations, rank: Callable[[str], int]) -> list[Line]:
    """Who needs the unit."""
    return _tree(root, relations, BACKWARD, rank)


def _tree(root: str, relations: Relations, kinds: Iterable[str], rank: Callable[[str], int]) -> list[Line]:
    lines: list[Line] = []
    shown: set[str] = set()
    # A stack instead of recursion: a chain of units may be longer than Python's.
    waiting: list[tuple[str, str, str, str]] = [(root, "", "", "")]
    while waiting and len(lines) < LINES_MAX:
        unit, branch, below, kind = waiting.pop()
        children = _neighbours(unit, relations, kinds)
        is_again = unit in shown
        lines.append(Line(unit, branch, kind, "shown above" if is_again and children else ""))
        if is_again:
            continue
        shown.add(unit)
        ordered = sorted(children, key=lambda other: (rank(other), other))
        for number, other in reversed(list(enumerate(ordered))):
            is_last = number == len(ordered) - 1
            waiting.append((other, below + ("└─" if is_last else "├─"), below + ("  " if is_last else "│ "), children[other]))
    if waiting:
        lines.append(Line("", note=f"and more: the tree is cut after {LINES_MAX} lines"))
    return lines


def _neighbours(unit: str, relations: Relations, kinds: Iterable[str]) -> dict[str, str]:
    """The units one step away, each with the first kind that leads there."""
    found: dict[str, str] = {}
    edges = relations.get(unit, {})
    for kind in kinds:
        for other in edges.get(kind, []):
            found.setdefault(other, kind)
    return found


def blocked_by(briefs: Iterable[Json]) -> dict[str, int]:
    """How many units wait for each unit, over however many others. Those of whom nobody waits are left out."""
    waits = {str(brief["id"]): list((brief.get("job") or {}).get("waits_for") or ()) for brief in briefs}
    waiting_on: dict[str, set[str]] = {}
    for unit, others in waits.items():
        for other in others:
            waiting_on.setdefault(other, set()).add(unit)
    found = {}
    for unit in waiting_on:
        seen: set[str] = set()
        queue = [unit]
        while queue:
            for other in waiting_on.get(queue.pop(), ()):
                if other not in seen and other != unit:
                    seen.add(other)
                    queue.append(other)
        found[unit] = len(seen)
    return found


def start_order(root: str, relations: Relations) -> list[list[str]]:
    """In which steps the unit and all that it pulls in start: those of a step together, once what they are ordered after has started.

    Units ordered in a circle make the last step.
    """
    members = {root: None}
    queue = [root]
    while queue:
        for other in _neighbours(queue.pop(), relations, _PULLED_IN):
            if other not in members:
                members[other] = None
                queue.append(other)
    before = {unit: {other for other in relations.get(unit, {}).get("after", []) if other in members} for unit in members}
    steps: list[list[str]] = []
    while before:
        ready = sorted(unit for unit, others in before.items() if not others & before.keys())
        steps.append(ready or sorted(before))
        for unit in steps[-1]:
            del before[unit]
    return steps


@dataclass(frozen=True, slots=True)
class Link:
    """A unit on the path, with when it was up (seconds since the epoch) and how long its start took; None: not known."""

    unit: str
    up_time_s: float | None = None
    took_s: float | None = None
    waits: bool = False


def critical_path(root: str, relations: Relations, brief_of: Briefs) -> list[Link]:
    """What held the unit's start up the longest, backwards from it: of the units it comes after, the one that was up last, and so on.

    Where it waits in the queue it is instead the way to what it waits for, for that is what holds it up now.
    """
    path: list[Link] = []
    unit: str | None = root
    seen: set[str] = set()
    while unit is not None and unit not in seen:
        seen.add(unit)
        brief = brief_of(unit) or {}
        waits_for = [other for other in (brief.get("job") or {}).get("waits_for") or () if other not in seen]
        up_s, began_s = brief.get("active_enter_time_s"), brief.get("inactive_exit_time_s")
        is_up = brief.get("active_state") in ("active", "reloading")
        took_s = up_s - began_s if is_up and up_s is not None and began_s is not None and up_s >= began_s else None
        path.append(Link(unit, up_s if is_up else None, took_s, bool(waits_for)))
        before = _latest_before(unit, began_s, relations, brief_of) if is_up else None
        unit = min(waits_for, default=before)
    return path


def _latest_before(unit: str, began_s: float | None, relations: Relations, brief_of: Briefs) -> str | None:
    """Of the units that this one comes after, the last to be up before it began."""
    latest: tuple[float, str] | None = None
    for other in relations.get(unit, {}).get("after", []):
        brief: Mapping[str, Any] = brief_of(other) or {}
        up_s = brief.get("active_enter_time_s")
        if up_s is None or began_s is None or up_s > began_s + 0.001:
            continue
        latest = max(latest, (up_s, other)) if latest else (up_s, other)
    return latest[1] if latest else None
