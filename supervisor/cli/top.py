"""top: CPU and memory per unit, from /proc by the pids that supd names; nothing is asked of /proc for units that are down."""

import os
import time

from supervisor.cli.screen import size, table
from supervisor.cli.session import OK, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

DELAY_S = 2
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Usage:
    """What the processes of a unit used so far (`cpu_s`) and hold now (`memory_bytes`)."""

    __slots__ = ("cpu_s", "memory_bytes", "processes")

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self.memory_bytes = 0
        self.processes = 0


def top(session: Session) -> int:
    arguments = session.arguments
    delay_s = arguments.number("delay", DELAY_S) or 1
    is_once = not session.out.is_terminal and "iterations" not in arguments.options
    left = 2 if is_once else arguments.number("iterations", 0)
    before: dict[str, Usage] = {}
    looked_s = 0.0
    while True:
        units = [unit for unit in session.client.units(arguments.operands, full=True) if unit["active_state"] not in ("inactive", "failed")]
        usage = _look(units)
        now_s = time.monotonic()
        rows = [_row(unit, usage[unit["id"]], before.get(unit["id"]), now_s - looked_s) for unit in units]
        left -= 1
        if not is_once or left == 0:
            _print(session, sorted(rows, key=lambda row: (-(row["cpu_percent"] or 0), -row["memory_bytes"])))
        if left == 0:
            return OK
        before, looked_s = usage, now_s
        time.sleep(delay_s if not is_once else 0.5)


def _row(unit: "Json", usage: Usage, before: Usage | None, elapsed_s: float) -> "Json":
    share = None if before is None else max(0.0, usage.cpu_s - before.cpu_s) / elapsed_s * 100
    return {
        "unit": unit["id"],
        "main_pid": unit["main_pid"],
        "processes": usage.processes,
        "cpu_percent": None if share is None else round(share, 1),
        "memory_bytes": usage.memory_bytes,
        "status_text": unit.get("status_text") or "",
    }


def _print(session: Session, rows: "list[Json]") -> None:
    out = session.out
    if session.arguments.is_json:
        session.print_json(rows)
        return
    if out.is_terminal:
        out.stream.write("\x1b[H\x1b[J")
    cells = [
        (
            str(row["unit"]),
            str(row["main_pid"] or "-"),
            str(row["processes"]),
            "-" if row["cpu_percent"] is None else f"{row['cpu_percent']:.1f}%",
            size(row["memory_bytes"]),
        )
        for row in rows
    ]
    out.write(*[out.cut(line) for line in table(("UNIT", "PID", "PROCESSES", "CPU", "MEMORY"), cells, right=(1, 2, 3, 4))])


def _look(units: "list[Json]") -> dict[str, Usage]:
    """The usage of each unit: of the pids supd names, or else of its main and control process with their descendants."""
    processes = _processes()
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in processes.items():
        children.setdefault(parent, []).append(pid)
    found = {}
    for unit in units:
        usage = found[unit["id"]] = Usage()
        named = [pid for pid in unit.get("pids") or () if pid in processes]
        for pid in named or _with_descendants([unit["main_pid"], unit.get("control_pid") or 0], children):
            if pid in processes:
                _, cpu_s, memory_bytes = processes[pid]
                usage.cpu_s += cpu_s
                usage.memory_bytes += memory_bytes
                usage.processes += 1
    return found


def _with_descendants(roots: list[int], children: dict[int, list[int]]) -> list[int]:
    found: list[int] = []
    queue = [pid for pid in roots if pid]
    while queue:
        pid = queue.pop()
        if pid not in found:
            found.append(pid)
            queue += children.get(pid, ())
    return found


def _processes() -> dict[int, tuple[int, float, int]]:
    """Every process: parent, CPU seconds, resident bytes (proc(5), /proc/PID/stat, fields 4, 14, 15 and 24)."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b") ")[2].split()
        except OSError:
            continue  # gone since the directory was read
        if len(fields) > 21:
            found[int(name)] = (int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS_PER_S, int(fields[21]) * _PAGE_BYTES)
    return found
