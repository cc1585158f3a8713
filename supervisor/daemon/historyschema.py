"""The tables of history: their versions, how one version becomes the next, and what is kept for how long.

`user_version` of the file is the number of MIGRATIONS that were applied. A migration, once released, is never edited: a later
one changes what it made. All of them, and their stamp, are one transaction. A file of a later version is left alone.
"""

import sqlite3
from dataclasses import dataclass

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            run_id TEXT PRIMARY KEY, unit TEXT NOT NULL, attempt INTEGER NOT NULL, started_us INTEGER NOT NULL, ended_us INTEGER,
            trigger TEXT NOT NULL, by TEXT NOT NULL, code TEXT, status INTEGER, result TEXT,
            cpu_us INTEGER, memory_peak_bytes INTEGER, read_bytes INTEGER, written_bytes INTEGER)""",
        "CREATE INDEX runs_of_unit ON runs (unit, started_us)",
        "CREATE INDEX runs_by_start ON runs (started_us)",
        """CREATE TABLE jobs (
            number INTEGER PRIMARY KEY, ended_us INTEGER NOT NULL, job INTEGER NOT NULL, unit TEXT NOT NULL, type TEXT NOT NULL,
            result TEXT NOT NULL, text TEXT NOT NULL, took_us INTEGER NOT NULL)""",
        "CREATE TABLE events (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, json TEXT NOT NULL)",
    ),
    (
        "ALTER TABLE runs ADD COLUMN log_begin TEXT",
        "ALTER TABLE runs ADD COLUMN log_end TEXT",
        "CREATE INDEX jobs_of_unit ON jobs (unit, number)",
    ),
)


class LaterVersion(Exception):
    """The file was written by a later supd."""


def migrate(connection: sqlite3.Connection, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Bring the file to the newest version, in one transaction. Raises LaterVersion, sqlite3.Error; the file is unchanged then."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        raise LaterVersion(f"it has version {version}, and this supd knows {len(migrations)} at most")
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept: of each unit, and over all, so many of the newest runs; so many jobs and events; nothing older than the age."""

    runs_per_unit: int = 2_000
    runs: int = 50_000
    jobs: int = 20_000
    events: int = 50_000
    age_us: int = 400 * 86_400_000_000  # a year and a bit, to compare with the same month of last year


_OVER = "result IS NOT NULL"  # a run that is not over is never removed: its end is still to come


def prune(connection: sqlite3.Connection, keep: Retention, now_us: int) -> None:
    """Remove what is beyond the retention. For any unit, what is removed is older than all that stays, runs that are not over excepted."""
    connection.execute(f"DELETE FROM runs WHERE {_OVER} AND started_us < ?", (now_us - keep.age_us,))
    for partition, most in (("PARTITION BY unit ", keep.runs_per_unit), ("", keep.runs)):
        connection.execute(
            f"DELETE FROM runs WHERE {_OVER} AND run_id IN (SELECT run_id FROM (SELECT run_id, ROW_NUMBER() OVER "
            f"({partition}ORDER BY started_us DESC, run_id DESC) AS place FROM runs) WHERE place > ?)",
            (most,),
        )
    connection.execute("DELETE FROM jobs WHERE ended_us < ?", (now_us - keep.age_us,))
    for table, most in (("jobs", keep.jobs), ("events", keep.events)):
        connection.execute(f"DELETE FROM {table} WHERE number <= (SELECT MAX(number) FROM {table}) - ?", (most,))
