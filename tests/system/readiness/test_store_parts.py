"""The store's promises to a run that is being prepared, and the question whether two descriptors are one open file."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.daemon import openfiles
from supervisor.daemon.fdstore import FdStore
from supervisor.daemon.reactor import Registrations


@pytest.fixture
def descriptors() -> Iterator[Callable[[], int]]:
    """Makes memfds, each an open file of its own."""
    made: list[int] = []

    def make() -> int:
        made.append(os.memfd_create("test"))
        return made[-1]

    yield make
    for descriptor in made:
        try:
            os.close(descriptor)
        except OSError:
            pass  # the store had it and has closed it


def test_what_a_run_was_promised_is_dropped_only_after_its_spawn(descriptors: Callable[[], int]) -> None:
    sent: list[Any] = []
    store = FdStore(Registrations(), lambda ops, _: sent.extend(ops))
    store.add("web", [descriptors(), descriptors()], "state", 2, is_watched=True)
    assert sent == [["store", "fd:web:1:1:state", False], ["store", "fd:web:2:1:state", False]]
    sent.clear()
    assert store.lend("web", 7) == [("fd:web:1:1:state", "state"), ("fd:web:2:1:state", "state")]
    store.remove("web", "state")
    assert (sent, store.count("web")) == ([], 0)
    assert store.give_back(7) == [["drop", "fd:web:1:1:state"], ["drop", "fd:web:2:1:state"]]
    assert store.give_back(7) == []


def test_what_several_runs_were_promised_is_dropped_after_the_last_of_their_spawns(descriptors: Callable[[], int]) -> None:
    sent: list[Any] = []
    store = FdStore(Registrations(), lambda ops, _: sent.extend(ops))
    for unit in ("web", "db"):
        store.add(unit, [descriptors()], "state", 2, is_watched=True)
    sent.clear()
    for run in (7, 8):
        store.lend("web", run)
    store.remove("web", "state")
    assert (store.give_back(7), sent) == ([], [])
    store.drop_all("db")  # of which no run was promised anything
    assert sent == [["drop", "fd:db:2:1:state"]]
    assert store.give_back(8) == [["drop", "fd:web:1:1:state"]]


def test_what_goes_when_no_run_waits_for_it_any_more_is_dropped_at_once(descriptors: Callable[[], int]) -> None:
    sent: list[Any] = []
    store = FdStore(Registrations(), lambda ops, _: sent.extend(ops))
    store.add("web", [descriptors()], "state", 1, is_watched=True)
    sent.clear()
    store.lend("web", 7)
    assert (store.give_back(7), store.give_back(99)) == ([], [])
    store.remove("web", "state")
    assert sent == [["drop", "fd:web:1:1:state"]]


def test_an_adopted_descriptor_keeps_its_name_and_numbers_go_on(descriptors: Callable[[], int]) -> None:
    sent: list[Any] = []
    store = FdStore(Registrations(), lambda ops, _: sent.extend(ops))
    store.adopt("fd:a:b@c:41:0:conn", descriptors())  # a unit's name may hold colons, an FDNAME may not
    store.add("a:b@c", [descriptors()], "", 2, is_watched=False)
    assert sent == [["store", "fd:a:b@c:42:0:stored", False]]
    assert store.lend("a:b@c", 1) == [("fd:a:b@c:41:0:conn", "conn"), ("fd:a:b@c:42:0:stored", "stored")]


def asked_of_the_kernel(one: int, other: int) -> bool:
    return openfiles.is_same_open_file(one, other)


def judged_by_inode(one: int, other: int) -> bool:
    return openfiles._compare_by_inode(one, other)


@pytest.mark.parametrize("question", [asked_of_the_kernel, judged_by_inode])
def test_duplicates_are_one_open_file_and_the_ends_of_a_pipe_are_not(question: Callable[[int, int], bool]) -> None:
    reader, writer = os.pipe()
    other = os.dup(reader)
    assert (question(reader, other), question(reader, writer)) == (True, False)
    for descriptor in (reader, writer, other):
        os.close(descriptor)


def test_two_openings_of_one_file_or_device_are_two_open_files(tmp_path: Path) -> None:
    for path in (tmp_path / "file", Path("/dev/null")):
        first, second = os.open(path, os.O_RDWR | os.O_CREAT), os.open(path, os.O_RDWR)
        assert not openfiles.is_same_open_file(first, second)
        os.close(first)
        os.close(second)
    null = os.open("/dev/null", os.O_RDWR)
    assert not judged_by_inode(null, null)  # without the kernel's word, devices count as different
    os.close(null)
