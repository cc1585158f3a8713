"""The reference's parsers, ready to be asked."""

from collections.abc import Iterator

import pytest

from tests.parsers.systemd import Systemd, directory


@pytest.fixture(scope="session")
def systemd() -> Iterator[Systemd]:
    if directory() is None:
        pytest.skip("Debian's libsystemd-shared 252 is not installed: `.ci/packages` installs what tests/system/apt.txt names")
    made = Systemd()
    yield made
    made.close()
