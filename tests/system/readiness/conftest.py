"""Fixtures of the tests of readiness: services that do what they are told."""

from collections.abc import Callable, Iterator

import pytest

from tests.system.conftest import StartSupd
from tests.system.readiness.told import Told

StartTold = Callable[[dict[str, str]], Told]


@pytest.fixture
def start_told(make_supd: StartSupd) -> Iterator[StartTold]:
    """`start_told(units)`: a supd with these units, whose services may run `told.service(...)`."""
    made: list[Told] = []

    def start(units: dict[str, str]) -> Told:
        told = Told(make_supd(units))
        made.append(told)
        told.make(*units)
        told.supd.start()
        return told

    yield start
    for told in made:
        told.close()
