"""The worlds of these tests."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.prepare.worlds import World


@pytest.fixture
def world() -> Iterator[World]:
    """A system instance's world; below /tmp and open to every user, which pytest's own directories are not."""
    with tempfile.TemporaryDirectory(prefix="prepare") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield World(directory)


@pytest.fixture
def project(world: World) -> World:
    """The same in project mode."""
    world.mode = "project"
    return world
