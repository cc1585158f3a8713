"""Where notify sockets lie when the usual place will not do."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.daemon import notifydirectory


@pytest.fixture
def project() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="supd-test-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    record = made / "notify-directory"
    if record.exists():
        notifydirectory.remove(record.read_text().strip())
    shutil.rmtree(made)


def _deep(project: Path) -> Path:
    deep = project / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    return deep


def test_the_usual_place_is_n_in_the_runtime_directory(project: Path) -> None:
    assert notifydirectory.choose(str(project), str(project)) == str(project / "n")


def test_a_path_that_would_be_too_long_lies_elsewhere_and_is_found_again(project: Path) -> None:
    first = notifydirectory.choose(str(_deep(project)), str(project))
    assert len(first) + 9 <= 100
    assert stat.S_IMODE(os.stat(first).st_mode) == 0o711
    assert notifydirectory.choose(str(project / ("d" * 60) / ("e" * 60)), str(project)) == first


def test_a_recorded_directory_that_others_may_write_is_not_used(project: Path) -> None:
    deep = str(_deep(project))
    first = notifydirectory.choose(deep, str(project))
    os.chmod(first, 0o777)
    second = notifydirectory.choose(deep, str(project))
    os.rmdir(first)
    assert second != first


def test_a_recorded_symlink_is_not_used(project: Path) -> None:
    deep = str(_deep(project))
    first = notifydirectory.choose(deep, str(project))
    os.rmdir(first)
    os.symlink("/tmp", first)
    second = notifydirectory.choose(deep, str(project))
    os.unlink(first)
    assert second != first


@pytest.mark.usefixtures("as_root")
def test_root_does_not_put_sockets_where_a_units_user_cannot_go(project: Path) -> None:
    project.chmod(0o700)
    chosen = notifydirectory.choose(str(project), str(project))
    assert not chosen.startswith(str(project))
