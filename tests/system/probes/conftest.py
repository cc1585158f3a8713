"""What the tests of probes share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.probes.asking import Asking


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    made = Asking(tmp_path)
    yield made
    made.close()
