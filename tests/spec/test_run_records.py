"""The record of a run, from stories of one unit: when, why, by whom, how it ended, at what cost; and that no crash loses or doubles it."""

from dataclasses import dataclass
from typing import Any

import pytest

from supervisor.daemon.runrecords import AGAIN, RUN_PREFIX, RunRecords, key_of
from supervisor.model import effects as do
from supervisor.model import events as ev
from tests.spec.behaviour import Process, exits, runs
from tests.spec.build import SECOND, unit
from tests.spec.world import World

Json = dict[str, Any]
USAGE = {"utime_us": 3, "stime_us": 2, "maxrss_kb": 4, "inblock": 1, "oublock": 2}


@dataclass
class Book:
    invocation_id: str
    usage: dict[str, int] | None = None
    end: tuple[str, int] | None = None


class Recording:
    """The records of a world, and what its keeper remembers of them. `restart` is a new manager."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.books: dict[int, Book] = {}
        self.remembered: dict[str, str] = {}
        self.rows: dict[str, Json] = {}
        self.jobs: list[Json] = []
        self.jobs_again: list[Json] = []
        world.observers.append(self._see)
        self.restart()

    def restart(self) -> None:
        self._records = RunRecords(self.world.engine.core, self.remembered)
        self._records.attach(self._put)

    def _put(self, entry: tuple[str, Json]) -> None:
        kind, row = entry
        if kind == "run":
            self.rows[row["run_id"]] = row
        else:
            (self.jobs_again if kind == AGAIN else self.jobs).append(row)

    def _see(self, event: ev.Event, effects: list[do.Effect]) -> None:
        if isinstance(event, ev.Exited) and event.run in self.books:
            self.books[event.run].usage, self.books[event.run].end = USAGE, (str(event.code), event.status)
        for effect in effects:
            if isinstance(effect, do.Prepare):
                self.books[effect.run] = Book(effect.invocation_id)
        self.remembered |= self._records.take_in(effects, self.books)

    def written(self) -> None:
        """All that is over is on disk."""
        entries = [*(("run", row) for row in self.rows.values()), *(("job", row) for row in self.jobs + self.jobs_again)]
        done = self._records.on_written([key for entry in entries if (key := key_of(entry))])
        for key in done:
            del self.remembered[key]

    def told(self) -> list[tuple[Any, ...]]:
        return [(row["attempt"], row["trigger"], row["code"], row["status"], row["result"]) for row in self.rows.values()]


STORIES: list[tuple[str, dict[str, Any], list[Process], list[tuple[Any, ...]]]] = [
    ("it goes on", {}, [runs()], [(1, "request", None, None, None)]),
    ("it ends well", {}, [exits(0, after_us=SECOND)], [(1, "request", "exited", 0, "success")]),
    ("it fails", {}, [exits(3, after_us=SECOND)], [(1, "request", "exited", 3, "exit-code")]),
    ("it fails and is started again", {"restart": "on-failure"}, [exits(3, after_us=SECOND), runs()],
     [(1, "request", "exited", 3, "exit-code"), (2, "restart", None, None, None)]),
    ("a oneshot of two commands", {"type": "oneshot"}, [exits(0), exits(4)], [(1, "request", "exited", 4, "exit-code")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "service", "scripts", "expected"), STORIES, ids=[row[0] for row in STORIES])
def test_a_run_is_recorded_with_its_cause_and_its_end(
    name: str, service: dict[str, Any], scripts: list[Process], expected: list[tuple[Any, ...]]
) -> None:
    commands = {"exec_start": ("one", "two")} if service.get("type") == "oneshot" else {}
    world = World(unit("a", **service, **commands))
    recording = Recording(world)
    world.behave("a", *scripts)
    world.start("a")
    world.advance(3 * SECOND)
    assert recording.told() == expected
    assert all(row["by"] == ("a test" if row["trigger"] == "request" else "automatic restart") for row in recording.rows.values())


def test_the_use_of_all_processes_of_a_run_is_added() -> None:
    world = World(unit("a", type="oneshot", exec_start=("one", "two"), exec_start_pre="before"))
    recording = Recording(world)
    world.behave("a", exits(0), exits(0))
    world.start("a")
    (row,) = recording.rows.values()
    assert (row["cpu_us"], row["memory_peak_bytes"], row["read_bytes"], row["written_bytes"]) == (15, 4096, 3 * 512, 3 * 1024)


def test_a_unit_that_is_pulled_in_was_started_as_a_dependency() -> None:
    world = World(unit("a", requires=("b",)), unit("b"))
    recording = Recording(world)
    world.start("a")
    assert {row["unit"]: row["trigger"] for row in recording.rows.values()} == {"a": "request", "b": "dependency"}


def test_a_job_is_recorded_with_its_result_and_the_time_it_took() -> None:
    world = World(unit("a", type="oneshot"))
    recording = Recording(world)
    world.behave("a", exits(0, after_us=2 * SECOND))
    world.start("a")
    world.advance(2 * SECOND)
    assert [(job["unit"], job["type"], job["result"], job["took_us"]) for job in recording.jobs] == [("a", "start", "done", 2 * SECOND)]


def test_the_keeper_remembers_a_job_from_its_end_on_until_that_is_on_disk() -> None:
    world = World(unit("a", type="oneshot"))
    recording = Recording(world)
    world.behave("a", exits(0, after_us=SECOND), exits(3))
    world.start("a")
    assert not any(key.startswith("job:") for key in recording.remembered), "it is not over yet"
    world.advance(SECOND)
    world.start("a")
    world.advance(SECOND)
    ended, recording.jobs = recording.jobs, []
    assert [job["result"] for job in ended] == ["done", "failed"]
    recording.restart()  # the manager died before anything was written
    assert recording.jobs_again == ended
    recording.written()
    assert recording.remembered == {}
    recording.jobs_again.clear()
    recording.restart()
    assert recording.jobs_again == []


def test_the_keeper_remembers_a_run_until_its_end_is_on_disk() -> None:
    world = World(unit("a"))
    recording = Recording(world)
    world.behave("a", exits(3, after_us=SECOND))
    world.start("a")
    (run_id,) = recording.rows
    recording.written()
    assert list(recording.remembered) == [RUN_PREFIX + run_id], "it is not over yet"
    world.advance(SECOND)
    recording.rows.clear()
    recording.restart()  # the manager died before anything was written
    assert recording.told() == [(1, "request", "exited", 3, "exit-code")]
    recording.written()
    assert recording.remembered == {}
    recording.rows.clear()
    recording.restart()
    assert recording.rows == {}


def test_a_run_that_outlives_its_manager_is_one_run_and_its_use_is_added_once() -> None:
    world = World(unit("a"))
    recording = Recording(world)
    world.behave("a", exits(3, after_us=2 * SECOND))
    world.start("a")
    world.advance(SECOND)
    world.crash()
    recording.restart()
    world.advance(SECOND)
    assert [(row["result"], row["cpu_us"]) for row in recording.rows.values()] == [("exit-code", 5)]
