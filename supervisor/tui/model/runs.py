"""The history of runs as a list: when, of what, by whose wish, how long, how it ended and what it took. Newest first. Pure."""

from collections.abc import Iterable
from typing import Any

from supervisor.tui.model.format import moment, precise_span, short_size
from supervisor.tui.model.rows import Cell, Column, Row, cell
from supervisor.tui.model.states import ended_text

Json = dict[str, Any]

RUN_CHARACTERS = 8  # of 32: enough to tell runs of one screen apart
_NSEC_PER_SEC = 1e9
_TOLD_BY_THE_PROCESS = frozenset({"exit-code", "signal", "core-dump"})

COLUMNS = (
    Column("STARTED", 12, "started"),
    Column("UNIT", 48, "unit", least=16),
    Column("TRY", 4, "attempt", is_right=True, rank=4),
    Column("CAUSE", 32, "cause", rank=2, least=16),
    Column("RAN", 7, "ran", is_right=True),
    Column("RESULT", 32, "result", least=16),
    Column("CPU", 6, "cpu", is_right=True, rank=3),
    Column("PEAK", 6, "memory", is_right=True, rank=1),
    Column("RUN", RUN_CHARACTERS, rank=5),
)


def rows(runs: Iterable[Json], now_s: float) -> list[Row]:
    """`runs` as the API gives them, oldest first."""
    return [_row(run, now_s) for run in reversed(list(runs))]


def _row(run: Json, now_s: float) -> Row:
    is_over = run.get("ended_time_s") is not None
    ran_s = (run["ended_time_s"] if is_over else now_s) - run["started_time_s"]
    cpu_s = None if run.get("cpu_usage_nsec") is None else run["cpu_usage_nsec"] / _NSEC_PER_SEC
    result = result_cell(run)
    return Row(
        str(run["run_id"]),
        (
            Cell(moment(run["started_time_s"], now_s)),
            cell(run["unit"], "strong"),
            Cell(str(run["attempt"]), "warning" if run["attempt"] > 1 else ""),
            cell(cause(run)),
            Cell(precise_span(ran_s), "" if is_over else "running"),
            result,
            Cell(precise_span(cpu_s)),
            Cell(short_size(run.get("memory_peak_bytes"))),
            Cell(str(run["run_id"])[:RUN_CHARACTERS], "dim"),
        ),
        (
            run["started_time_s"], str(run["unit"]), run["attempt"], cause(run), ran_s, result.text, cpu_s, run.get("memory_peak_bytes"),
            None,
        ),
        str(run["unit"]),
    )  # fmt: skip


def cause(run: Json) -> str:
    """By whose wish it began: "boot", "restart", "dependency", "request by ann"."""
    by = person(str(run.get("by") or ""))
    return f"{run['trigger']} by {by}" if run["trigger"] == "request" and by else str(run["trigger"])


def person(by: str) -> str:
    """Who "uid 1000 (ann) pid 4711" is: "ann"; the uid where there is no name; anything else as it is."""
    if not by.startswith("uid "):
        return by
    name = by.partition("(")[2].partition(")")[0]
    return name or " ".join(by.split()[:2])


def result_cell(run: Json) -> Cell:
    """How it ended, or that it goes on."""
    return Cell("● runs", "running") if run.get("result") is None else ending(run)


def ending(ended: Json) -> Cell:
    """The result of a run, or the last one of a unit; where its process told it by its end, that."""
    result, how = str(ended.get("result")), ended_text(ended)
    if result == "success":
        return Cell("✓ ok", "dim")
    return cell(f"✗ {how if how and result in _TOLD_BY_THE_PROCESS else result}", "failed")
