"""The audit trail on a real disk: bounded, private, whole records only, and honest about what it lost."""

import json
import os
import resource
import stat
from pathlib import Path
from typing import Any

import pytest

from supervisor.daemon import audit
from supervisor.daemon.audit import Refusals, Trail


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_is_a_line_and_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    trail = Trail(str(tmp_path))
    trail.record({"verb": "start", "unit": "web"})
    trail.record({"verb": "stop", "unit": "a\nb\x1b[31m"})
    trail.close(10)
    path = tmp_path / "audit.log"
    assert records(path) == [{"verb": "start", "unit": "web"}, {"verb": "stop", "unit": "a\nb\x1b[31m"}]
    assert "\x1b" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert trail.notes() == []


def test_without_a_record_there_is_no_file_and_no_thread(tmp_path: Path) -> None:
    trail = Trail(str(tmp_path))
    trail.close(10)
    assert list(tmp_path.iterdir()) == []


def test_the_trail_goes_on_where_another_manager_ended(tmp_path: Path) -> None:
    for number in range(3):
        trail = Trail(str(tmp_path))
        trail.record({"n": number})
        trail.close(10)
    assert [record["n"] for record in records(tmp_path / "audit.log")] == [0, 1, 2]


def test_it_is_bounded_by_one_old_file_and_no_record_is_torn_or_lost_between_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "FILE_BYTES_MAX", 1000)
    trail = Trail(str(tmp_path))
    for number in range(200):
        trail.record({"n": number})
    trail.close(10)
    old, new = records(tmp_path / "audit.log.1"), records(tmp_path / "audit.log")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.log", "audit.log.1"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    numbers = [record["n"] for record in (*old, *new)]
    assert numbers == list(range(numbers[0], 200))


def test_a_directory_that_is_gone_is_noted_and_the_loss_is_told_once_it_is_back(tmp_path: Path) -> None:
    directory = tmp_path / "gone"
    trail = Trail(str(directory))
    trail._write([{"n": 0}, {"n": 1}])
    path = directory / "audit.log"
    assert trail.notes() == [f"cannot write {path}: No such file or directory; 2 records of who asked what are lost so far"]
    directory.mkdir()
    trail._write([{"n": 2}])
    told, record = records(path)
    assert (told["result"], told["lost"], record) == ("lost", 2, {"n": 2})
    assert trail.notes() == []


def test_a_full_disk_leaves_whole_records_only(tmp_path: Path) -> None:
    trail = Trail(str(tmp_path))
    trail._write([{"n": 0}])
    path = tmp_path / "audit.log"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 5, before[1]))
    try:
        trail._write([{"n": 1}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert records(path) == [{"n": 0}]
    assert "1 records" in trail.notes()[0]


def test_a_link_put_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "audit.log").symlink_to(tmp_path / "elsewhere")
    trail = Trail(str(tmp_path))
    trail.record({"n": 0})
    trail.close(10)
    assert not (tmp_path / "elsewhere").exists()
    assert "Too many levels of symbolic links" in trail.notes()[0]


def test_a_disk_that_hangs_holds_up_nobody_and_what_finds_no_room_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is a pipe that nobody reads: opening it hangs like a disk can."""
    monkeypatch.setattr(audit, "QUEUE_MAX", 3)
    path = tmp_path / "audit.log"
    os.mkfifo(path)
    trail = Trail(str(tmp_path))
    for number in range(20):
        trail.record({"n": number})
    assert trail.notes()[0].startswith(f"the disk is too slow for {path}; ")
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # the disk answers again; what comes next finds a file
    path.unlink()
    trail.close(10)
    written = os.read(reader, 65536).decode().splitlines() + (path.read_text().splitlines() if path.exists() else [])
    os.close(reader)
    entries = [json.loads(line) for line in written]
    lost = sum(entry.get("lost", 0) for entry in entries)
    assert lost + len([entry for entry in entries if "n" in entry]) == 20


def test_refusals_are_told_so_often_and_then_counted() -> None:
    now = [0.0]
    refusals = Refusals(lambda: now[0])
    assert [refusals.count(1000) for _ in range(audit.REFUSALS_MAX)] == [0] * audit.REFUSALS_MAX
    assert [refusals.count(1000) for _ in range(7)] == [None] * 7
    assert refusals.count(1001) == 0
    now[0] = audit.REFUSALS_WINDOW_S
    assert refusals.count(1000) == 7
    assert refusals.count(1000) == 0


def test_a_thousand_users_do_not_fill_the_memory() -> None:
    refusals = Refusals(lambda: 0.0)
    for uid in range(5000):
        assert refusals.count(uid) == 0
    assert len(refusals._windows) <= 1024
