"""History on a real disk: what is written can be asked for, nothing is kept for ever, and no disk can hold up supd."""

import asyncio
import os
import resource
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.daemon import history as history_module
from supervisor.daemon import historyrows
from supervisor.daemon.history import History, HistoryError
from supervisor.daemon.historyschema import MIGRATIONS, LaterVersion, Retention, migrate, prune
from supervisor.daemon.runrecords import AGAIN
from tests.spec.smalldisk import fill

STORED = Path(__file__).parent / "data"
DAY_US = 86_400_000_000
Json = dict[str, Any]


def run(number: int, unit: str = "web", **more: Any) -> tuple[str, Json]:
    row: Json = {
        "run_id": f"{number:032x}", "unit": unit, "attempt": 1, "started_us": number * 1_000_000, "ended_us": number * 1_000_000 + 500_000,
        "trigger": "request", "by": "uid 0 (root) pid 7", "code": "exited", "status": 0, "result": "success", "cpu_us": 10,
        "memory_peak_bytes": 4096, "read_bytes": 0, "written_bytes": 512, "log_begin": "1:0", "log_end": "1:7",
    }  # fmt: skip
    return "run", {**row, **more}


def goes_on(number: int, unit: str = "web") -> tuple[str, Json]:
    return run(number, unit, ended_us=None, result=None, code=None, status=None)


def event(number: int) -> tuple[str, Json]:
    return "event", {"id": f"e-{number}", "time_s": float(number), "unit": "web", "kind": "state", "text": f"event {number}"}


def job(number: int) -> tuple[str, Json]:
    row = {"ended_us": time.time_ns() // 1000, "job": number, "unit": "web", "type": "start", "result": "done", "text": "", "took_us": 3}
    return "job", row


class Written:
    """Which runs were given back, and when all that were expected have been."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._came = Event()

    def __call__(self, ids: list[str]) -> None:
        self.ids += ids
        self._came.set()

    def wait(self) -> list[str]:
        assert self._came.wait(10), "no run was written within 10 s"
        return self.ids


def opened(directory: Path, open_ids: list[str] | None = None, written: Callable[[list[str]], object] = lambda ids: None) -> History:
    keep = Retention(age_us=100_000 * DAY_US)  # the runs here are of 1970
    return History(str(directory), open_ids or [], written, lambda delay_s, act: act(), keep)


def asked(history: History, unit: str | None = None, limit: int = 1000) -> list[Json]:
    return asyncio.run(history.runs(unit, limit))


def ids(runs: list[Json]) -> list[int]:
    return [int(found["run_id"], 16) for found in runs]


# -- writing and asking ------------------------------------------------------------------------------------------------


def test_a_question_sees_all_that_was_noted_before_it(tmp_path: Path) -> None:
    history = opened(tmp_path)
    for number in range(1, 6):
        history.put(run(number, "web" if number % 2 else "db"))
    assert ids(asked(history)) == [1, 2, 3, 4, 5]
    assert ids(asked(history, "db")) == [2, 4]
    assert ids(asked(history, limit=2)) == [4, 5]
    assert asked(history, "nosuch") == []
    history.close(10)


def test_a_run_is_told_with_the_names_of_the_design(tmp_path: Path) -> None:
    history = opened(tmp_path)
    history.put(run(3, code="killed", status=9, result="signal"))
    assert asked(history) == [
        {
            "run_id": f"{3:032x}", "unit": "web", "attempt": 1, "started_time_s": 3.0, "ended_time_s": 3.5, "trigger": "request",
            "by": "uid 0 (root) pid 7", "exec_main_code": "killed", "exec_main_status": 9, "result": "signal", "cpu_usage_nsec": 10_000,
            "memory_peak_bytes": 4096, "io_read_bytes": 0, "io_write_bytes": 512, "log_begin": "1:0", "log_end": "1:7",
        }
    ]  # fmt: skip
    history.close(10)


def test_a_job_is_told_as_the_api_gives_it(tmp_path: Path) -> None:
    history = opened(tmp_path)
    history.put(job(7))
    (found,) = asyncio.run(history.jobs("web", 10))
    assert found.pop("ended_time_s") == pytest.approx(time.time(), abs=60)
    assert found == {"id": 7, "unit": "web", "type": "start", "result": "done", "text": "", "took_s": 3e-6}
    assert asyncio.run(history.jobs("db", 10)) == []
    history.close(10)


def test_a_run_that_a_manager_of_before_remembered_without_its_places_is_taken(tmp_path: Path) -> None:
    history = opened(tmp_path)
    kind, row = run(1)
    history.put((kind, {key: value for key, value in row.items() if not key.startswith("log_")}))
    assert [(found["result"], found["log_begin"]) for found in asked(history)] == [("success", None)]
    history.close(10)


def test_a_record_that_comes_again_changes_nothing(tmp_path: Path) -> None:
    history = opened(tmp_path)
    for entry in (goes_on(1), run(1), run(1), goes_on(1), event(1), event(1)):
        history.put(entry)
    runs, events = asked(history), asyncio.run(history.events(10))
    history.close(10)
    assert [(found["result"], found["ended_time_s"]) for found in runs] == [("success", 1.5)]
    assert [found["id"] for found in events] == ["e-1"]


def test_a_job_that_a_manager_of_before_may_have_written_is_written_once(tmp_path: Path) -> None:
    history, written = opened(tmp_path), job(1)[1]
    for kind, row in (("job", written), (AGAIN, written), (AGAIN, {**written, "job": 2}), (AGAIN, {**written, "ended_us": 5})):
        history.put((kind, row))
    jobs = asyncio.run(history.jobs("web", 10))
    history.close(10)
    assert [(found["id"], found["ended_time_s"] == 5e-6) for found in jobs] == [(1, False), (2, False), (1, True)]


def test_only_runs_that_are_over_are_given_back_and_only_once_they_are_on_disk(tmp_path: Path) -> None:
    written = Written()
    history = opened(tmp_path, written=written)
    history.put(goes_on(1))
    history.put(run(2))
    assert written.wait() == [f"run:{2:032x}"]
    with sqlite3.connect(history.path) as other:
        assert other.execute("SELECT count(*) FROM runs WHERE run_id = ?", [f"{2:032x}"]).fetchone() == (1,)
    other.close()
    history.close(10)


def test_what_was_noted_is_there_for_the_next_supd_and_for_its_owner_alone(tmp_path: Path) -> None:
    history = opened(tmp_path)
    for entry in (run(1), job(1), event(1)):
        history.put(entry)
    history.close(10)
    assert stat.S_IMODE(os.stat(history.path).st_mode) == 0o600
    again = opened(tmp_path)
    assert ids(asked(again)) == [1]
    assert [found["text"] for found in asyncio.run(again.events(10))] == ["event 1"]
    again.close(10)


def test_a_run_that_nobody_knows_any_more_ended_unseen(tmp_path: Path) -> None:
    history = opened(tmp_path)
    for number in (1, 2):
        history.put(goes_on(number))
    history.close(10)
    again = opened(tmp_path, [f"{2:032x}"])
    assert [(found["result"], found["exec_main_code"]) for found in asked(again)] == [("unknown", "unknown"), (None, None)]
    again.put(run(1))  # it was known after all: the truth replaces the guess
    assert [found["result"] for found in asked(again)] == ["success", None]
    again.close(10)


# -- disks that fail ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"this is no database, and longer than a header of one hundred bytes" * 4, id="text"),
        pytest.param(b"SQLite format 3\0" + b"\xff" * 5000, id="a header and noise"),
    ],
)
def test_a_damaged_file_is_put_aside_and_a_new_one_begun(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "history.db").write_bytes(content)
    history = opened(tmp_path)
    history.put(run(1))
    assert ids(asked(history)) == [1]
    assert history.notes()[0].endswith(f"the file is kept as {history.path}.damaged, and a new one was begun")
    assert Path(f"{history.path}.damaged").read_bytes() == content
    history.close(10)


def test_a_file_damaged_while_it_is_in_use_costs_what_was_in_it_and_no_more(tmp_path: Path) -> None:
    history = opened(tmp_path)
    history.put(run(1))
    asked(history)
    with sqlite3.connect(history.path) as other:
        other.execute("DROP TABLE runs")
    other.close()
    history.put(run(2))
    assert ids(asked(history)) == [2]
    assert "no such table" in history.notes()[0]
    history.close(10)


def test_the_file_of_a_later_supd_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "history.db") as later:
        later.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    later.close()
    before = (tmp_path / "history.db").read_bytes()
    history = opened(tmp_path)
    history.put(run(1))
    with pytest.raises(HistoryError, match="move it away"):
        asked(history)
    history.close(10)
    connection = sqlite3.connect(tmp_path / "history.db")
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    assert len(before) == (tmp_path / "history.db").stat().st_size


def test_a_directory_that_is_gone_holds_up_nothing_and_what_was_held_is_written_once_it_is_back(tmp_path: Path) -> None:
    directory, written = tmp_path / "gone", Written()
    history = opened(directory, written=written)
    history.put(run(1))
    with pytest.raises(HistoryError, match="No such file or directory"):
        asked(history)
    expected = f"cannot open {history.path}: No such file or directory; what happens now is held and written later"
    assert (history.notes(), written.ids) == ([expected], [])
    directory.mkdir()
    history.put(run(2))
    assert (ids(asked(history)), history.notes()) == ([1, 2], [])
    history.close(10)
    assert written.ids == [f"run:{1:032x}", f"run:{2:032x}"]


def test_a_full_disk_is_told_and_nothing_is_lost_when_there_is_room_again(tmp_path: Path) -> None:
    history = opened(tmp_path)
    history.put(run(1))
    assert ids(asked(history)) == [1]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        history.put(run(2))
        with pytest.raises(HistoryError, match="cannot write"):
            asked(history)
        assert "held and written later" in history.notes()[0]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    history.put(run(3))
    assert (ids(asked(history)), history.notes()) == ([1, 2, 3], [])
    history.close(10)


def test_on_a_full_disk_it_is_read_and_what_comes_is_written_when_there_is_room_again(disk: Path) -> None:
    history = opened(disk)
    history.put(run(1))
    assert ids(asked(history)) == [1]
    filler = fill(disk)
    for number in range(2, 200):
        history.put(run(number))
    is_over = Event()
    with ThreadPoolExecutor() as pool:  # whatever room a closed file gives back is somebody else's at once
        others = pool.submit(lambda: [fill(disk) for _ in iter(is_over.is_set, True)])
        try:
            assert [ids(asked(history)) for _ in range(50)] == [[1]] * 50
        finally:
            is_over.set()
        others.result()
    assert history.notes() == [f"cannot write {history.path}: database or disk is full; what happens now is held and written later"]
    filler.unlink()
    assert (ids(asked(history)), history.notes()) == (list(range(1, 200)), [])
    history.close(10)


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[History, sqlite3.Connection]:
    """A history in which run 1 is written and run 2 is not, and who holds the lock on its file."""
    monkeypatch.setattr(history_module, "LOCK_WAIT_S", 0.0)
    history = opened(tmp_path)
    history.put(run(1))
    assert ids(asked(history)) == [1]
    holder = sqlite3.connect(history.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    history.put(run(2))
    return history, holder


def test_while_somebody_locks_the_file_it_is_read_and_the_trouble_told_until_all_is_written(
    locked: tuple[History, sqlite3.Connection],
) -> None:
    history, holder = locked
    assert ids(asked(history)) == [1]
    assert history.notes() == [f"cannot write {history.path}: database is locked; what happens now is held and written later"]
    holder.close()
    assert (ids(asked(history)), history.notes()) == ([1, 2], [])
    history.close(10)


def test_what_is_still_held_at_the_end_is_written(locked: tuple[History, sqlite3.Connection], tmp_path: Path) -> None:
    history, holder = locked
    asked(history)
    holder.close()
    history.close(10)
    assert ids(asked(opened(tmp_path))) == [1, 2]


def test_what_cannot_be_held_any_longer_is_given_up_counted_and_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "HELD_MAX", 2)
    written = Written()
    history = opened(tmp_path / "gone", written=written)
    for number in range(1, 6):
        history.put(run(number))
    with pytest.raises(HistoryError):
        asked(history)
    assert "; 3 records of history are lost so far" in history.notes()[0]
    assert ids([{"run_id": key.removeprefix("run:")} for key in written.ids]) == [1, 2, 3]
    history.close(10)


# -- versions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_a_database_of_every_version_is_taken_over(tmp_path: Path, version: int) -> None:
    shutil.copy(STORED / f"history-{version}.db", tmp_path / "history.db")
    history = opened(tmp_path)
    runs, events = asked(history), asyncio.run(history.events(10))
    history.close(10)
    told = [(found["unit"], found["result"], found["cpu_usage_nsec"]) for found in runs]
    assert told == [("bad", "exit-code", 36_301_000), ("web", "unknown", None)]
    assert [found["text"] for found in events] == ["dead -> start"]
    assert [found["log_end"] for found in runs] == ([None, None] if version == 1 else ["1:12", None])
    assert history.notes() == []


def test_a_migration_is_done_whole_or_not_at_all(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    migrate(connection)
    historyrows.put(connection, [run(1)])
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, (*MIGRATIONS, ("ALTER TABLE runs ADD COLUMN colour TEXT", "this is no SQL")))
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    migrate(connection, (*MIGRATIONS, ("ALTER TABLE runs ADD COLUMN colour TEXT",)))
    assert connection.execute("SELECT colour FROM runs").fetchall() == [(None,)]
    with pytest.raises(LaterVersion):
        migrate(connection)
    connection.close()


# -- retention ---------------------------------------------------------------------------------------------------------

NOW_US = 1000 * DAY_US


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(900, 1000), st.booleans()), max_size=40),
    per_unit=st.integers(0, 6),
    most=st.integers(0, 12),
    days=st.integers(0, 100),
)
def test_of_any_history_the_newest_stay_and_what_goes_on_always(
    rows: list[tuple[str, int, bool]], per_unit: int, most: int, days: int
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    made = [(goes_on if is_on else run)(number, unit) for number, (unit, _, is_on) in enumerate(rows)]
    for (_, row), (_, day, _) in zip(made, rows, strict=True):
        row["started_us"] = day * DAY_US
    historyrows.put(connection, made)
    keep = Retention(runs_per_unit=per_unit, runs=most, age_us=days * DAY_US)
    prune(connection, keep, NOW_US)
    kept = {row[0] for row in connection.execute("SELECT run_id FROM runs")}
    over = {row["run_id"]: (row["started_us"], row["run_id"]) for _, row in made if row["result"]}
    assert {row["run_id"] for _, row in made} - set(over) <= kept
    for unit in "abc":
        mine = [over[row["run_id"]] for _, row in made if row["unit"] == unit and row["result"]]
        stayed = [place for place in mine if place[1] in kept]
        assert len(stayed) <= min(per_unit, most)
        assert stayed == [] or not [place for place in mine if place[1] not in kept and place > min(stayed)]
    assert len(kept & set(over)) <= most
    assert all(over[run_id][0] >= NOW_US - keep.age_us for run_id in kept & set(over))
    prune(connection, keep, NOW_US)
    assert {row[0] for row in connection.execute("SELECT run_id FROM runs")} == kept
    connection.close()


def test_within_the_bounds_nothing_is_removed() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    historyrows.put(connection, [entry for number in range(1, 6) for entry in (run(number), job(number), event(number))])
    now_us = time.time_ns() // 1000
    prune(connection, Retention(runs_per_unit=5, runs=5, jobs=5, events=5, age_us=now_us), now_us)
    counts = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("runs", "jobs", "events")]
    prune(connection, Retention(runs_per_unit=5, runs=5, jobs=3, events=2, age_us=now_us), now_us)
    fewer = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("runs", "jobs", "events")]
    connection.close()
    assert (counts, fewer) == ([5, 5, 5], [5, 3, 2])
