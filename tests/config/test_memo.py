"""Only what changed is parsed; and whatever is remembered, the set is the same as one that is read for the first time."""

import os
import random
import tomllib
from pathlib import Path
from time import time_ns

import pytest

from supervisor.config import mode
from supervisor.config.load import load
from supervisor.config.memo import Memo

FILES = {
    "base.toml": '[service]\nrestart = "always"\n',
    "web.toml": 'include = ["base.toml"]\n[unit]\nrequires = ["db"]\n[service]\nexec_start = "/bin/web"\n',
    "db.toml": '[service]\nexec_start = "/bin/db %H"\n',
    "worker@.toml": '[unit]\ninstances = 3\n[service]\nexec_start = "/bin/worker %i"\n',
    "web.toml.d/10-more.toml": '[service]\nenvironment = { A = "1" }\n',
    **{f"u{number}.toml": f'[service]\nexec_start = "/bin/u{number}"\n' for number in range(20)},
}
TEXTS = (
    '[service]\nexec_start = "/bin/other"\n', '[unit]\nwants = ["db"]\n[service]\nexec_start = "/bin/x"\n', "[service\n", "",
    '[service]\nexec_start = "/bin/x"\nrestart = "allways"\n', '[unit]\nrequires = ["nobody"]\n[task]\nexec_start = "/bin/t"\n',
    'include = ["base.toml"]\n[service]\nexec_start = "/bin/y"\n',
)  # fmt: skip
LATER_NS = 3600 * 10**9  # every file has long been as it is


@pytest.fixture
def units(tmp_path: Path) -> Path:
    root = tmp_path / "units"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The text of each file that is parsed."""
    texts: list[str] = []
    parse = tomllib.loads

    def loads(text: str) -> dict[str, object]:
        texts.append(text)
        return parse(text)

    monkeypatch.setattr(tomllib, "loads", loads)
    return texts


def long_after() -> int:
    return time_ns() + LATER_NS


def test_a_change_of_one_file_parses_that_one_and_a_change_of_none_parses_none(units: Path, parsed: list[str]) -> None:
    memo, project = Memo(long_after), mode.project([str(units)])
    load(project, memo=memo)
    assert sorted(parsed) == sorted(FILES.values())
    parsed.clear()
    load(project, memo=memo)
    assert parsed == []
    (units / "u7.toml").write_text(TEXTS[0])
    assert load(project, memo=memo).units["u7"].service is not None
    assert parsed == [TEXTS[0]]


def test_a_file_that_changed_a_moment_ago_is_looked_at_again(units: Path, parsed: list[str]) -> None:
    memo, project = Memo(lambda: max(os.stat(units / name).st_ctime_ns for name in FILES)), mode.project([str(units)])
    load(project, memo=memo)
    parsed.clear()
    load(project, memo=memo)
    assert FILES["u19.toml"] in parsed  # the last that was written


@pytest.mark.parametrize("seed", range(20))
def test_a_set_that_is_remembered_is_as_one_that_is_read_for_the_first_time(units: Path, seed: int) -> None:
    chance, memo, project = random.Random(seed), Memo(long_after), mode.project([str(units)])
    for _ in range(12):
        file = units / chance.choice([*FILES, "new.toml", "db.toml.d/5.toml", "web.toml.d/20.toml"])
        act = chance.choice(("write", "write", "remove", "move"))
        if act == "write":
            file.parent.mkdir(exist_ok=True)
            file.write_text(chance.choice((*TEXTS, *FILES.values())))
        elif file.exists():
            if act == "remove":
                file.unlink()
            else:
                file.rename(file.with_name(f"moved{chance.randrange(3)}.toml"))
        remembered, fresh = load(project, memo=memo), load(project)
        assert remembered == fresh
