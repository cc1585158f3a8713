"""The keepers of these tests."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.keeper.harness import Keeper

NOBODY = 65534


@pytest.fixture
def start_keeper() -> Iterator[Callable[..., Keeper]]:
    """Starts a keeper, as often as called; all end with the test."""
    keepers: list[Keeper] = []
    with tempfile.TemporaryDirectory(prefix="keeper", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)

        def start(**options: Any) -> Keeper:
            own = Path(directory, str(len(keepers)))
            own.mkdir()
            keepers.append(Keeper(own, **options))
            return keepers[-1]

        try:
            yield start
        finally:
            for keeper in keepers:
                keeper.close()


@pytest.fixture
def keeper(start_keeper: Callable[..., Keeper]) -> Keeper:
    """A keeper with its first manager connected."""
    return start_keeper()


@pytest.fixture
def ordinary_keeper(start_keeper: Callable[..., Keeper]) -> Keeper:
    """The same, as a user without any privilege."""
    return start_keeper(uid=NOBODY if os.geteuid() == 0 else None)
