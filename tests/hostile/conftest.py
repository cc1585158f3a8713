"""One supd for each way of tracking that a module names in TRACKINGS, besieged by one child after the other."""

from collections.abc import Iterator

import pytest

from tests.hostile.siege import ERRAND, NEIGHBOUR, Siege
from tests.hostile.units import FILES, UNITS
from tests.system.conftest import pytest_runtest_makereport, running  # noqa: F401  # what supd said when a test fails
from tests.system.supd import Supd


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "besieged" in metafunc.fixturenames:
        metafunc.parametrize("besieged", metafunc.module.TRACKINGS, indirect=True, scope="module")


@pytest.fixture(scope="module")
def besieged(request: pytest.FixtureRequest) -> Iterator[Siege]:
    supd = Supd({"neighbour": NEIGHBOUR, "errand": ERRAND, **UNITS}, FILES, tracking=request.param)
    try:
        supd.start()
        yield Siege(supd)
        supd.stop()
    finally:
        supd.remove()


@pytest.fixture
def siege(request: pytest.FixtureRequest, besieged: Siege) -> Siege:
    running(request.node).append(besieged.supd)
    return besieged
