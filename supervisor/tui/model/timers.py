"""Tasks, and whatever has a next time, as a list: when it comes next, when it was last, how long it took and how that ended. Pure.

A timer that supd knows has a next time and the number of runs that were missed; a task that nobody starts by itself has neither.
"""

from collections.abc import Iterable
from typing import Any

from supervisor.tui.model.format import precise_span, short_ago, short_span
from supervisor.tui.model.rows import Cell, Column, Row, cell
from supervisor.tui.model.runs import ending
from supervisor.tui.model.states import state_text
from supervisor.tui.model.units import Unit

Json = dict[str, Any]

COLUMNS = (
    Column("NEXT", 10, "next"),
    Column("UNIT", 48, "unit", least=16),
    Column("STATE", 14, "state"),
    Column("LAST", 11, "last", is_right=True),
    Column("TOOK", 7, "took", is_right=True, rank=1),
    Column("RESULT", 32, "result", least=12),
    Column("TRIES", 6, "tries", is_right=True, rank=3),
    Column("MISSED", 7, "missed", is_right=True, rank=4),
    Column("DESCRIPTION", 0, "description", rank=2),
)


def belongs(brief: Json) -> bool:
    return brief.get("kind") in ("task", "flow", "timer") or brief.get("next_time_s") is not None


def rows(units: Iterable[Unit], now_s: float, ascii: bool = False) -> list[Row]:
    """What comes next stands first, then what ran last; what never ran stands at the end, by name."""
    found = [_row(unit, now_s, ascii) for unit in units if belongs(unit.brief)]
    return sorted(found, key=_default_order)


def _default_order(row: Row) -> tuple[int, float, str]:
    next_s, last_s = row.order[0], row.order[3]
    if next_s is not None:
        return (0, next_s, row.key)
    return (1, -last_s, row.key) if last_s is not None else (2, 0.0, row.key)


def _row(unit: Unit, now_s: float, ascii: bool) -> Row:
    brief, look = unit.brief, unit.look
    next_s, last_s, took_s = brief.get("next_time_s"), last_time_s(brief), took(brief)
    coming = "-" if next_s is None else "now" if next_s <= now_s else f"in {short_span(next_s - now_s)}"
    result = _result(brief)
    symbol = look.ascii if ascii else look.symbol
    missed = brief.get("missed")
    return Row(
        unit.name,
        (
            Cell(coming, "accent" if next_s is not None else "dim"),
            cell(unit.name, "strong"),
            cell(f"{symbol} {state_text(look, brief, now_s)}", look.style),
            Cell("-" if last_s is None else short_ago(now_s - last_s)),
            Cell(precise_span(took_s)),
            result,
            Cell(str(brief.get("n_restarts") or 0), "warning" if brief.get("n_restarts") else "dim"),
            Cell("-" if missed is None else str(missed), "failed" if missed else "dim"),
            cell(brief.get("description") or "", "dim"),
        ),
        (
            next_s, unit.name, look.rank, last_s, took_s, result.text, brief.get("n_restarts") or 0, missed,
            str(brief.get("description") or ""),
        ),
        unit.name,
    )  # fmt: skip


def last_time_s(brief: Json) -> float | None:
    """When it last ended; where it goes on, when it began."""
    if brief.get("active_state") in ("activating", "deactivating"):
        began_s: float | None = brief.get("inactive_exit_time_s")
        return began_s
    ended_s: float | None = brief.get("inactive_enter_time_s") or brief.get("active_enter_time_s")
    return ended_s


def took(brief: Json) -> float | None:
    """How long its last run took; None while it goes on, or where it never ran."""
    began_s, ended_s = brief.get("inactive_exit_time_s"), brief.get("inactive_enter_time_s")
    if brief.get("sub_state") == "exited":
        ended_s = brief.get("active_enter_time_s")
    return ended_s - began_s if began_s is not None and ended_s is not None and ended_s >= began_s else None


def _result(brief: Json) -> Cell:
    if last_time_s(brief) is None:
        return Cell("never ran", "dim")
    if brief.get("active_state") in ("activating", "deactivating"):
        return Cell("goes on", "warning")
    return ending(brief)
