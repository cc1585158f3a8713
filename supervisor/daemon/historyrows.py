"""History's rows and questions: how an entry is written, and what may be asked of the file. All of it runs in history's own thread."""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from supervisor.daemon.runrecords import AGAIN

Json = dict[str, Any]

_RUN_COLUMNS = (
    "run_id", "unit", "attempt", "started_us", "ended_us", "trigger", "by", "code", "status", "result",
    "cpu_us", "memory_peak_bytes", "read_bytes", "written_bytes", "log_begin", "log_end",
)  # fmt: skip
_JOB_COLUMNS = ("ended_us", "job", "unit", "type", "result", "text", "took_us")


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(':' + column for column in columns)})"


# A record may come again, after a crash of the manager: the later one says all that the earlier one said.
_UPDATES = ", ".join(f"{column} = excluded.{column}" for column in _RUN_COLUMNS[1:])
_PUT_RUN = f"{_insert('runs', _RUN_COLUMNS)} ON CONFLICT (run_id) DO UPDATE SET {_UPDATES} WHERE runs.ended_us IS NULL"
_NO_PLACES: Json = {"log_begin": None, "log_end": None}
_PUT_JOB = _insert("jobs", _JOB_COLUMNS)
# Ids of jobs begin anew with each boot of the machine, so the moment belongs to what tells jobs apart.
_PUT_JOB_AGAIN = (
    f"INSERT INTO jobs ({', '.join(_JOB_COLUMNS)}) SELECT {', '.join(':' + column for column in _JOB_COLUMNS)} "
    "WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE unit = :unit AND job = :job AND ended_us = :ended_us)"
)
_PUT_EVENT = "INSERT OR IGNORE INTO events (id, json) VALUES (:id, :json)"


def put(connection: sqlite3.Connection, entries: Iterable[tuple[str, Json]]) -> None:
    """Write entries (`runrecords.Entry`) in their order."""
    for kind, row in entries:
        if kind == "run":
            connection.execute(_PUT_RUN, _NO_PLACES | row)  # a manager of before may have remembered it without them
        elif kind == "job":
            connection.execute(_PUT_JOB, row)
        elif kind == AGAIN:
            connection.execute(_PUT_JOB_AGAIN, row)
        else:
            connection.execute(_PUT_EVENT, {"id": row["id"], "json": json.dumps(row, separators=(",", ":"))})


def close_lost(connection: sqlite3.Connection, open_ids: Iterable[str]) -> None:
    """Runs that nobody knows any more (supd was killed, or the machine went down) ended, and nobody saw how."""
    connection.execute("CREATE TEMP TABLE open_runs (run_id TEXT PRIMARY KEY)")
    connection.executemany("INSERT OR IGNORE INTO open_runs VALUES (?)", [(run_id,) for run_id in open_ids])
    connection.execute(
        "UPDATE runs SET result = 'unknown', code = 'unknown' WHERE result IS NULL AND run_id NOT IN (SELECT run_id FROM open_runs)"
    )
    connection.execute("DROP TABLE open_runs")


def runs(connection: sqlite3.Connection, unit: str | None, limit: int) -> list[Json]:
    """The newest `limit` runs, of one unit or of all, oldest first, as the API gives them."""
    where, values = ("WHERE unit = ?", [unit]) if unit is not None else ("", [])
    found = connection.execute(
        f"SELECT {', '.join(_RUN_COLUMNS)} FROM runs {where} ORDER BY started_us DESC, run_id DESC LIMIT ?", [*values, limit]
    ).fetchall()
    return [_run(dict(zip(_RUN_COLUMNS, row, strict=True))) for row in reversed(found)]


def _run(row: Json) -> Json:
    return {
        "run_id": row["run_id"],
        "unit": row["unit"],
        "attempt": row["attempt"],
        "started_time_s": row["started_us"] / 1e6,
        "ended_time_s": None if row["ended_us"] is None else row["ended_us"] / 1e6,
        "trigger": row["trigger"],
        "by": row["by"],
        "exec_main_code": row["code"],
        "exec_main_status": row["status"],
        "result": row["result"],
        "cpu_usage_nsec": None if row["cpu_us"] is None else row["cpu_us"] * 1000,
        "memory_peak_bytes": row["memory_peak_bytes"],
        "io_read_bytes": row["read_bytes"],
        "io_write_bytes": row["written_bytes"],
        "log_begin": row["log_begin"],
        "log_end": row["log_end"],
    }


def jobs(connection: sqlite3.Connection, unit: str | None, limit: int) -> list[Json]:
    """The newest `limit` jobs that ended, of one unit or of all, oldest first, as the API gives them."""
    where, values = ("WHERE unit = ?", [unit]) if unit is not None else ("", [])
    found = connection.execute(
        f"SELECT {', '.join(_JOB_COLUMNS)} FROM jobs {where} ORDER BY number DESC LIMIT ?", [*values, limit]
    ).fetchall()
    rows = [dict(zip(_JOB_COLUMNS, row, strict=True)) for row in reversed(found)]
    return [
        {
            "ended_time_s": row["ended_us"] / 1e6,
            "id": row["job"],
            "unit": row["unit"],
            "type": row["type"],
            "result": row["result"],
            "text": row["text"],
            "took_s": row["took_us"] / 1e6,
        }
        for row in rows
    ]


def events(connection: sqlite3.Connection, limit: int) -> list[Json]:
    """The newest `limit` events, oldest first."""
    found = connection.execute("SELECT json FROM events ORDER BY number DESC LIMIT ?", [limit]).fetchall()
    return [json.loads(row[0]) for row in reversed(found)]
