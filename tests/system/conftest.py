"""Fixtures of the system tests: a real supd for a test, and what it said when the test fails."""

import os
from collections.abc import Callable, Generator, Iterator

import pytest

from tests.system.supd import Supd

_running = pytest.StashKey[list[Supd]]()

StartSupd = Callable[..., Supd]


def running(item: pytest.Item) -> list[Supd]:
    """The supds of a test, which are asked when it fails."""
    return item.stash.setdefault(_running, [])


@pytest.fixture
def make_supd(request: pytest.FixtureRequest) -> Iterator[StartSupd]:
    """`make_supd(units, files, ...)`: a project that is not started yet. At the end it is stopped, and nothing may be left of it."""
    made = running(request.node)

    def make(*arguments: object, **options: object) -> Supd:
        made.append(Supd(*arguments, **options))  # type: ignore[arg-type]  # passed through to the one constructor
        return made[-1]

    yield make
    try:
        for supd in made:
            if supd.is_running:
                supd.stop()
    finally:
        for supd in made:
            supd.remove()


@pytest.fixture
def start_supd(make_supd: StartSupd) -> StartSupd:
    """As `make_supd`, and started."""

    def start(*arguments: object, **options: object) -> Supd:
        supd = make_supd(*arguments, **options)
        supd.start()
        return supd

    return start


@pytest.fixture
def as_root() -> None:
    """For a test that changes users."""
    if os.getuid() != 0:
        pytest.skip("this test starts processes as other users: run it as root")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Before a failed test's supd is taken down, ask it what a person would ask."""
    report = yield
    if report.failed:
        for supd in item.stash.get(_running, []):
            report.sections.append(("supd", supd.diagnosis()))
    return report
