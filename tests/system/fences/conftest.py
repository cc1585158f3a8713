"""One supd for all units of a module: what is shown are fences, not starts and stops."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.system.supd import Supd

StartOnce = Callable[..., Supd]


@pytest.fixture(scope="module")
def start_once() -> Iterator[StartOnce]:
    """`start_once(units, files, ...)`: a supd that is stopped when the module is done."""
    made: list[Supd] = []

    def start(units: Mapping[str, str], files: Mapping[str, str], uid: int | None = None) -> Supd:
        made.append(Supd(units, files, uid=uid))
        made[-1].start()
        return made[-1]

    yield start
    try:
        for supd in made:
            supd.stop()
    finally:
        for supd in made:
            supd.remove()
