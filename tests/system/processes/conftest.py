"""The process tests' nursery, in both ways of tracking."""

from collections.abc import Iterator

import pytest

from supervisor.daemon.processes import Processes, TrackingUnavailable
from supervisor.daemon.reactor import Registrations
from tests.system.processes.world import World


def _has_cgroups() -> bool:
    try:
        Processes("test-probe", Registrations(), 1, "cgroup").close()
    except TrackingUnavailable:
        return False
    return True


@pytest.fixture(params=["cgroup", "scan"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Both ways of tracking answer every test alike."""
    if request.param == "cgroup" and not _has_cgroups():
        pytest.skip("no cgroup2 mount lets this user make a directory")
    made = World(request.param)
    yield made
    made.close()


@pytest.fixture
def scanning_world() -> Iterator[World]:
    made = World("scan")
    yield made
    made.close()
