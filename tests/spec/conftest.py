"""What tests of the specification may ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.spec.smalldisk import mounted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    with mounted(tmp_path):
        yield tmp_path
