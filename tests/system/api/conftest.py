"""One server of the fake world per test, on a socket below a short directory (sun_path ends at 108 bytes)."""

import shutil
import tempfile
from collections.abc import Iterator

import pytest

from tests.system.api.fake_world import RunningServer


@pytest.fixture
def short_directory() -> Iterator[str]:
    path = tempfile.mkdtemp(prefix="api", dir="/tmp")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def server(short_directory: str) -> Iterator[RunningServer]:
    with RunningServer(short_directory).running() as running:
        yield running
