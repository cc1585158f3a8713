"""A project of units that hypothesis made: what `supctl cat --json` shows of each is what its file says, every key of it."""

import json
import math
import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from supervisor.config.load import load
from supervisor.config.mode import project
from tests.config import trees
from tests.system.conftest import StartSupd

UNITS = 60
OTHERS = {"db": '[service]\nexec_start = "sleep 1000"\n', "group": "[target]\n", "worker@": '[service]\nexec_start = "sleep 1000"\n'}


def made(tmp_path: Any) -> dict[str, str]:
    """The texts of so many units that load together, none of them enabled."""
    (tmp_path / "units").mkdir()
    for name, text in OTHERS.items():
        (tmp_path / "units" / f"{name}.toml").write_text(text)
    found: dict[str, str] = {}

    @settings(
        max_examples=UNITS * 5,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(trees.likely_good())
    def make(tree: dict[str, Any]) -> None:
        name = f"made{len(found)}"
        for key in ("aliases", "wanted_by", "required_by", "instances"):
            tree.get("unit", {}).pop(key, None)
        tree.setdefault("unit", {})["enabled"] = False
        path = tmp_path / "units" / f"{name}.toml"
        path.write_text(trees.text_of(tree))
        if len(found) < UNITS and not load(project([str(tmp_path / "units")])).errors:
            found[name] = path.read_text()
        else:
            path.unlink()

    make()
    return found


def test_cat_shows_every_key_as_the_file_has_it(start_supd: StartSupd, tmp_path: Any) -> None:
    texts = made(tmp_path)
    assert len(texts) == UNITS
    supd = start_supd({**OTHERS, **texts})
    assert supd.get("/v1/status")["load_errors"] == []
    out = supd.supctl("cat", *texts, "--json").stdout
    try:
        definitions = json.loads(out)
    except json.JSONDecodeError as error:
        pytest.fail(f"no JSON: {error}: {out[error.pos - 100 : error.pos + 100]}")
    shown = {definition["unit"]: definition for definition in definitions}
    for unit, text in texts.items():
        assert shown[unit]["files"][0]["text"] == text
        values = {key: one["value"] for key, one in shown[unit]["values"].items() if one["origin"] not in ("default", "implied")}
        for table, keys in tomllib.loads(text).items():
            for key, value in keys.items():
                within = value.items() if isinstance(value, dict) else [("", value)]
                for name, item in within:
                    place = ".".join(part for part in (table, key, name) if part)
                    assert place in values, (unit, place)
                    assert values[place] == ("infinity" if item == math.inf else item), (unit, place)
