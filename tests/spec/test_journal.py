"""The keeper's journal on a disk that fills up: a service never waits for it, and a person is told once, and once when it is over."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from supervisor.keeper.journal import REWRITE_AT_LEAST_BYTES, Journal
from tests.spec.smalldisk import fill

LACKING = "No space left on device; should the keeper die, the next supd will not find its services"
TABLE: dict[str, Any] = {"remembered": {}, "runs": {}}


class Said:
    """What the keeper said to a person, line by line."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def new(self) -> list[str]:
        return [line.removeprefix("supd: ") for line in self._capfd.readouterr().err.splitlines()]


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    return Said(capfd)


def _note(journal: Journal, table: dict[str, Any], key: str) -> None:
    """One batch, as the keeper's loop notes it."""
    if journal.is_due:
        journal.rewrite(table)
    journal.note_batch({key: "x" * 4096}, [])


def _keys(path: Path) -> set[str]:
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return {key for line in lines for key in line.get("remember", line.get("table", {}).get("remembered", {}))}


def test_a_full_disk_is_said_once_and_once_when_it_is_over(disk: Path, said: Said) -> None:
    journal = Journal(str(disk / "journal"))
    journal.rewrite(TABLE)
    filler = fill(disk)
    for number in range(20):
        _note(journal, TABLE, f"unit:{number}")
    assert said.new() == [f"cannot write {journal.path}: {LACKING}"]
    filler.unlink()
    whole = {"remembered": {f"unit:{number}": "x" for number in range(20)}, "runs": {}}
    _note(journal, whole, "unit:20")
    assert _keys(disk / "journal") == {f"unit:{number}" for number in range(21)}
    assert said.new() == [f"{journal.path} is kept again; should the keeper die, the next supd will find its services"]
    fill(disk)
    for number in range(20):
        _note(journal, TABLE, f"unit:{number}")
    assert len(said.new()) == 1, "another time it is said again"


def test_a_disk_that_is_full_from_the_beginning_is_tried_again(disk: Path, said: Said) -> None:
    filler = fill(disk)
    journal = Journal(str(disk / "journal"))
    journal.rewrite({"remembered": {"boot": "x" * 4096}, "runs": {}})
    _note(journal, TABLE, "unit:1")
    assert [line.partition(": ")[2] for line in said.new()] == [LACKING]
    assert os.listdir(disk) == ["filler"], "half a journal takes no room"
    filler.unlink()
    _note(journal, TABLE, "unit:2")
    assert _keys(disk / "journal") == {"unit:2"}
    assert len(said.new()) == 1


def test_one_that_cannot_be_written_anew_goes_on_while_it_has_room(disk: Path, said: Said) -> None:
    journal = Journal(str(disk / "journal"))
    journal.rewrite(TABLE)
    for _ in range(REWRITE_AT_LEAST_BYTES // 4096):
        journal.note_batch({"unit:1": "x" * 4096}, [])
    table = {"remembered": {"unit:1": "x" * REWRITE_AT_LEAST_BYTES}, "runs": {}}  # there is no room for two
    assert journal.is_due
    _note(journal, table, "unit:2")
    assert (_keys(disk / "journal"), said.new()) == ({"unit:1", "unit:2"}, [])
