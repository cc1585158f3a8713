"""What a person reads when a unit file is wrong: each golden file, or set of files, with the exact text beside it."""

import shutil
from pathlib import Path

import pytest

from supervisor.config import check, mode

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.toml"))
SETS = sorted(path for path in (GOLDEN / "sets").iterdir() if path.is_dir())


def shown(root: Path) -> str:
    return check(mode.project([str(root / "units")])).text(str(root / "units")).replace(str(root), "PROJECT") + "\n"


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_wrong_file_is_explained_in_these_words(tmp_path: Path, file: Path) -> None:
    (tmp_path / "units").mkdir()
    shutil.copy(file, tmp_path / "units")
    assert shown(tmp_path) == file.with_suffix(".txt").read_text()


@pytest.mark.parametrize("directory", SETS, ids=lambda path: path.name)
def test_a_wrong_set_is_explained_in_these_words(tmp_path: Path, directory: Path) -> None:
    shutil.copytree(directory, tmp_path / "units")
    assert shown(tmp_path) == directory.with_suffix(".txt").read_text()


def test_the_json_form_has_the_same_errors(tmp_path: Path) -> None:
    (tmp_path / "units").mkdir()
    shutil.copy(GOLDEN / "backoff_rules.toml", tmp_path / "units")
    found = check(mode.project([str(tmp_path / "units")]))
    assert not found.is_good
    assert found.json()["errors"] == [
        {
            "file": str(tmp_path / "units" / "backoff_rules.toml"),
            "line": 3,
            "key": "service.restart_sec",
            "message": "it is longer than restart_max_delay_sec",
            "hint": "",
        }
    ]


def test_a_check_of_one_file_knows_the_units_beside_it_and_tells_of_that_file_only(tmp_path: Path) -> None:
    (tmp_path / "web.toml").write_text('[unit]\nrequires = ["db"]\n[service]\nexec_start = "/bin/true"\n')
    (tmp_path / "db.toml").write_text('[service]\nexec_start = "/bin/true"\n')
    (tmp_path / "broken.toml").write_text("[service\n")
    found = check(mode.system(), [str(tmp_path / "web.toml")])
    assert (found.is_good, found.units) == (True, 1)
    assert not check(mode.system(), [str(tmp_path / "broken.toml")]).is_good


def test_a_check_of_a_file_that_is_not_there_or_no_toml_says_so(tmp_path: Path) -> None:
    (tmp_path / "web.service").write_text("")
    found = check(mode.system(), [str(tmp_path / "gone.toml"), str(tmp_path / "web.service")])
    assert [problem.message for problem in found.errors] == ["there is no such file", "a unit file's name ends in .toml"]
