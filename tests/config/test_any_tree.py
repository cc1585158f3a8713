"""Whatever a unit file holds: it is a unit, or every fault is named with file and key. And a unit comes out as it went in."""

import json
import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.cli.origins import values
from supervisor.config.load import load
from supervisor.config.mode import Mode
from supervisor.config.result import LoadResult
from supervisor.model.codec import decode_unit, encode_unit
from tests.config import projects, trees
from tests.config.trees import Tree

PROFILE = settings.get_profile("generated")
GENERATED = settings(PROFILE, max_examples=max(PROFILE.max_examples // 2, 1))  # each loads a set of files
# Not enabled: two enabled units that conflict are a fault of neither alone.
OTHERS = {"db.toml": f"[unit]\nenabled = false\n{projects.SERVICE}", "group.toml": "[target]\n", "worker@.toml": projects.SERVICE}
SHARED_NAME = "a name can belong to one unit only"
NO_MAIN_TABLE = ("one of [service], [task] or [target] is needed", "a unit is one thing")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mode]:
    root = tmp_path_factory.mktemp("project")
    return root / "units" / "web.toml", projects.write_units(root, OTHERS)


def loaded(project: tuple[Path, Mode], raw: bytes) -> LoadResult:
    path, mode = project
    path.write_bytes(raw)
    return load(mode)


def hold(path: Path, result: LoadResult, tree: Tree | None) -> None:
    """Every fault is one of this file, at a line of it, and of a key that it has or lacks."""
    lines = path.read_bytes().count(b"\n") + 1
    for problem in result.errors:
        assert problem.file == str(path)
        assert 0 <= problem.line <= lines
        assert problem.message and "\n" not in problem.text()
        assert tree is None or problem.key or "" in tree or any(words in problem.message for words in NO_MAIN_TABLE), problem
        if tree is not None and problem.key.partition(".")[0] in tree:
            assert problem.line, f"{problem} has no line"
    unit = result.units.get("web")
    of_itself = [problem for problem in result.errors if SHARED_NAME not in problem.text()]  # a name of two units is no fault of one alone
    assert unit is None or unit.is_unusable == bool(of_itself)


@GENERATED
@given(st.one_of(trees.near(), trees.likely_good()))
def test_a_tree_is_a_unit_or_each_fault_has_its_file_and_key(project: tuple[Path, Mode], tree: Tree) -> None:
    text = trees.text_of(tree)
    result = loaded(project, text.encode())
    hold(project[0], result, tomllib.loads(text))


@GENERATED
@given(trees.likely_good())
def test_a_good_unit_comes_out_as_it_went_in(project: tuple[Path, Mode], tree: Tree) -> None:
    text = trees.text_of(tree)
    result = loaded(project, text.encode())
    if result.errors:
        return  # what its keys say does not fit together
    unit = result.units["web"]
    stored = json.dumps(encode_unit(unit))
    assert decode_unit(json.loads(stored)) == unit
    definition = {
        "unit": "web",
        "files": [{"path": str(project[0]), "text": text}],
        "origins": result.origins["web"],
        "specification": json.loads(stored),
    }
    shown = {key: one["value"] for key, one in values(definition).items() if one["origin"] not in ("default", "implied")}
    for table, keys in tree.items():
        for key, value in keys.items():
            within = (
                {f"{table}.{key}.{name}": item for name, item in value.items()} if isinstance(value, dict) else {f"{table}.{key}": value}
            )
            for name, item in within.items():
                assert shown.get(name, item) == ("infinity" if item == math.inf else item), name


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """The text of a tree, with some bytes put in and some taken out."""
    raw = trees.text_of(draw(trees.near())).encode()
    pieces = st.one_of(
        st.binary(max_size=6), st.sampled_from([b'"', b"'", b"'''", b"[", b"]]", b"{", b"=", b"\n", b"\r", b"\0", b"#", b".", b"\\u00"])
    )
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(pieces) + raw[at + draw(st.integers(0, 5)) :]
    return raw


@GENERATED
@given(st.one_of(spoilt(), st.binary(max_size=100)))
def test_whatever_bytes_a_file_holds_it_is_read_or_explained(project: tuple[Path, Mode], raw: bytes) -> None:
    hold(project[0], loaded(project, raw), None)
