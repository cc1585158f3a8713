"""The specification store: what goes in comes out, it holds exactly as long as nothing changed, and reading it loads no parser."""

import json
import os
import subprocess
import sys
import time
import typing
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config import load_units, overrides, store
from supervisor.config.mode import Mode
from supervisor.model import codec
from supervisor.model.specification import Unit
from tests.config.projects import SERVICE, write_units

LONG_AGO_S = 1_000_000_000


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that a specification is made of."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is type(None):
        return st.none()
    if kind is str:
        return st.text(max_size=8)
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(-(2**63), 2**64)
    if kind is float:
        return st.floats(allow_nan=False)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(one) for one in arguments))
    return st.one_of(*(values(one) for one in arguments))


def built(kind: Any) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    required = {"Command": ("path", "argv"), "Condition": ("kind", "argument"), "Probe": ("stage", "kind", "target")}
    required |= {"Directory": ("base", "path"), "EnvironmentFile": ("path",), "Limit": ("resource", "soft", "hard"), "Unit": ("id", "kind")}
    names = required.get(kind.__name__, ())
    inner = {one.name: strategy(hints[one.name]) for one in fields(kind)}
    if kind is Unit:
        inner["kind"] = st.just("target")
    return st.fixed_dictionaries(
        {name: inner[name] for name in names}, optional={name: one for name, one in inner.items() if name not in names}
    ).map(lambda given_fields: kind(**given_fields))


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        return st.deferred(lambda: built(kind))
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return st.lists(strategy(arguments[0]), max_size=2).map(tuple)
    if origin is not None and origin is not tuple:
        return st.one_of(*(strategy(one) for one in arguments))
    return values(kind)


@given(strategy(Unit))
def test_a_unit_comes_back_equal_through_json(unit: Unit) -> None:
    assert codec.decode_unit(json.loads(json.dumps(codec.encode_unit(unit)))) == unit


def test_what_is_default_is_left_out() -> None:
    assert codec.encode_unit(Unit("web", "target")) == {"id": "web", "kind": "target"}


@pytest.fixture
def stored(tmp_path: Path) -> Mode:
    """A project whose set is stored, with files old enough to be trusted."""
    where = write_units(tmp_path, {"web.toml": SERVICE, "web.toml.d/10.toml": '[unit]\ndescription = "%H"\n', "worker@.toml": SERVICE})
    wait_until_settled(where)
    return where


def wait_until_settled(where: Mode) -> None:
    """Load until the set was kept: what was changed a moment ago is not trusted yet."""
    deadline = time.monotonic() + 10
    while not load_units(where).is_stored:
        assert time.monotonic() < deadline, "the set was never stored"


def test_a_stored_set_is_the_loaded_set(stored: Mode) -> None:
    again = load_units(stored)
    assert again.is_stored
    os.unlink(os.path.join(stored.state_directory, store.STORE_FILE))
    fresh = load_units(stored)
    assert not fresh.is_stored
    assert (again.units, again.origins, again.files, again.templates) == (fresh.units, fresh.origins, fresh.files, fresh.templates)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("a unit file changed", lambda where: Path(where.unit_directories[0], "web.toml").write_text(SERVICE + "nice = 3\n")),
        ("a unit file came", lambda where: Path(where.unit_directories[0], "new.toml").write_text(SERVICE)),
        ("a unit file went", lambda where: Path(where.unit_directories[0], "web.toml").unlink()),
        ("a drop-in changed", lambda where: Path(where.unit_directories[0], "web.toml.d", "10.toml").write_text("")),
        ("a drop-in came", lambda where: Path(where.unit_directories[0], "web.toml.d", "20.toml").write_text("")),
        ("permissions changed", lambda where: os.chmod(Path(where.unit_directories[0], "web.toml"), 0o600)),
        ("a unit was disabled", lambda where: overrides.write_enabled(where.state_directory, "web", "disabled")),
        ("a template was scaled", lambda where: overrides.write_instances(where.state_directory, "worker", 2)),
        ("the store was damaged", lambda where: Path(where.state_directory, store.STORE_FILE).write_text("{")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_stored_set_no_longer_holds_when(stored: Mode, what: str, change: Any) -> None:
    before = store.read(stored)
    assert before is not None and store.has_same_sources(before)
    change(stored)
    assert store.read(stored) is None
    assert store.has_same_sources(before) == (what == "the store was damaged")


def test_a_set_with_errors_is_not_stored(tmp_path: Path) -> None:
    where = write_units(tmp_path, {"web.toml": "[service]\n"})
    os.utime(tmp_path / "units" / "web.toml", (LONG_AGO_S, LONG_AGO_S))
    assert load_units(where).errors
    assert not os.path.exists(os.path.join(where.state_directory, store.STORE_FILE))


def test_a_boot_from_the_store_loads_no_parser(stored: Mode) -> None:
    program = (
        "import sys; before = set(sys.modules); from supervisor.config import load_units, mode, expansion, environment_file;"
        f"result = load_units(mode.project([{stored.unit_directories[0]!r}]));"
        "assert result.is_stored and result.units;"
        "heavy = {'pydantic', 'tomllib', 'asyncio', 'logging', 'pathlib', 'subprocess'};"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "[]"


def test_an_instance_of_a_stored_template_is_read_from_its_file(stored: Mode) -> None:
    result = store.read(stored)
    assert result is not None
    unit = result.instantiate("worker@9")
    assert unit is not None
    assert unit.id == "worker@9"


def test_the_last_good_set_is_there_whatever_the_files_say_by_now(stored: Mode) -> None:
    good = load_units(stored)
    Path(stored.unit_directories[0], "web.toml").write_text("this is no TOML")
    assert load_units(stored).errors
    last_good = store.read_last_good(stored)
    assert last_good is not None
    assert last_good.units == good.units


def test_a_set_whose_files_changed_a_moment_ago_is_the_last_good_one_at_once(stored: Mode) -> None:
    Path(stored.unit_directories[0], "fresh.toml").write_text(SERVICE)
    assert "fresh" in load_units(stored).units
    last_good = store.read_last_good(stored)
    assert last_good is not None
    assert "fresh" in last_good.units
