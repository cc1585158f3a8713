"""What became of a unit file in an editor, as lines to be read: the difference, the mistakes, the plan. Pure."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from supervisor.client.terminal import neutralise
from supervisor.tui.model.rows import Cell, cell

Json = dict[str, Any]
Line = Sequence[Cell]

_STYLES = {"+": "running", "-": "failed", "@": "accent"}
_WORDS = {
    "added": "is known now",
    "removed": "is forgotten: its file is gone",
    "live": "takes its new definition without a restart",
    "reload": "is reloaded",
    "restart": "is restarted",
    "start": "is started",
    "stop": "is stopped",
    "needs-restart": "goes on by its old definition",
    "needs-stop": "goes on though its file is gone",
}
LEFT_ALONE = frozenset({"needs-restart", "needs-stop"})  # actions that wait until somebody says `apply`


def diff_lines(before: str, after: str) -> list[Line]:
    """The lines that differ, with three around them."""
    found: list[Line] = []
    for number, text in enumerate(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")):
        if number < 2:
            continue  # names of files, which are one and the same
        found.append((Cell(neutralise(text.expandtabs(4)), _STYLES.get(text[:1], "")),))
    return found


def mistake_lines(mistakes: Iterable[str]) -> list[Line]:
    """What would not load, a line each: "web.toml:12: service.restart: expected ..., got ..."."""
    return [(Cell("✗ ", "failed"), cell(one, "failed")) for one in mistakes]


def plan_lines(units: dict[str, Json]) -> list[Line]:
    """What is done to which unit, and for which keys."""
    lines: list[Line] = []
    for name, change in sorted(units.items()):
        action = str(change["action"])
        keys = ", ".join(map(str, change.get("changed") or ()))
        style = "warning" if action in ("restart", "stop", *LEFT_ALONE) else ""
        lines.append(
            (cell(name, "strong"), Cell(f"  {_WORDS.get(action, action)}", style), Cell(f"  ({neutralise(keys)})" if keys else "", "dim"))
        )
    return lines or [(Cell("nothing: what runs is what the unit files say", "dim"),)]
