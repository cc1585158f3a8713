"""A small file that is replaced as a whole, or not at all."""

import errno
import os
import resource
import stat
from pathlib import Path

import pytest

from supervisor.config.wholefile import replace_file


def test_the_new_text_takes_the_old_ones_place_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("old", encoding="utf-8")
    (tmp_path / "kept.json.new").write_text("left by a crash, and longer than what follows", encoding="utf-8")
    replace_file(str(path), "néw")
    assert path.read_text(encoding="utf-8") == "néw"
    assert os.listdir(tmp_path) == ["kept.json"]
    replace_file(str(tmp_path / "fresh.json"), "new")
    assert stat.S_IMODE((tmp_path / "fresh.json").stat().st_mode) == 0o600


def test_what_cannot_be_written_leaves_the_old_text_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("old", encoding="utf-8")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))  # as a disk on which ten bytes are left
    try:
        with pytest.raises(OSError) as raised:
            replace_file(str(path), "new" * 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.errno == errno.EFBIG
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["kept.json"]


def test_a_link_that_somebody_put_in_the_way_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious", encoding="utf-8")
    (tmp_path / "kept.json.new").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError) as raised:
        replace_file(str(tmp_path / "kept.json"), "new")
    assert raised.value.errno == errno.ELOOP
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "precious"
