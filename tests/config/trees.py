"""TOML trees of unit files, generated from the schema: values that a key takes, and values near to those."""

import datetime
from functools import cache
from typing import Any

import tomli_w
from hypothesis import strategies as st
from pydantic import ValidationError

from supervisor.config import mode
from supervisor.config.decode import _MODELS
from supervisor.config.kinds import Context
from supervisor.config.schema import KeyInfo, keys_of
from supervisor.config.specifiers import Specifiers

Tree = dict[str, Any]

# fmt: off
WORDS = [
    "web", "db", "worker@1", "group", "no", "yes", "always", "on-failure", "oneshot", "simple", "notify", "forking", "main", "all",
    "none", "control-group", "mixed", "process", "restart", "normal", "direct", "exit", "0022", "0700", "SIGTERM", "SIGRTMIN+1",
    "TEMPFAIL", "15", "1024", "infinity", "64M", "1.5G", "5s", "1min", "50%", "/tmp", "~", "-/x", "/a//b", "%t/x", "%%", "null", "log",
    "inherit", "file:/tmp/x", "append:/tmp/x", "root", "0", "CAP_KILL", "best-effort", "idle", "0-1", "terminate", "abort", "ignore",
    "reload", "give-up", "delay", "a.b", "A", "B_1", "http://localhost/", "localhost:80", "true", "sleep", "|!/etc", "!/etc",
    "replace",
]
CANDIDATES: list[Any] = [
    *WORDS, "sleep 1000", "-/bin/sh -c 'exit 0'", "/bin/x $A ${B} \\x41 ; true", "Fri *-*-* 10:00", "", " ", "a b", "é\x1b[2J", "x" * 3000,
    True, False, 0, 1, -1, 5, 2**31, 2**63, -(2**63), 0.5, -0.0, 1e300, float("inf"), float("nan"), datetime.date(2020, 2, 29),
    datetime.time(1, 2, 3), [], {}, [[]], ["web", "db"], ["sleep 1", "true"], [1, 2], ["A", 1],
    [{}], {"A": "1", "B": "x y"},
    {"A": 1}, {"A": {"B": "C"}}, {"": ""}, {"tcp": "localhost:80"}, {"http": "http://x/", "interval_sec": 1},
    [{"exec": "true"}], {"token": "/etc/hostname"},
]
# fmt: on
UNITS: list[Any] = ["db", "group", "worker@1", [], ["group", "db"]]  # that there are
CANDIDATES += UNITS[-1:]
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.datetimes(), st.sampled_from(WORDS))
VALUES = st.one_of(
    st.sampled_from(CANDIDATES),
    st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)), max_leaves=5),
)


@cache
def keys(table: str) -> list[KeyInfo]:
    return [info for info in keys_of(table, _MODELS[table]) if info.is_supported]


@cache
def taken(table: str, name: str, kind: str) -> list[int]:
    """Positions of the candidates that this key takes, when nothing else is asked."""
    context = Context("x", mode.project(["/project/units"]), Specifiers("x", mode.project(["/project/units"])))
    found = []
    for index, value in enumerate(CANDIDATES):
        if kind == "list of units" and value not in UNITS:
            continue  # a name, but of no unit that there is
        try:
            _MODELS[table].model_validate({name: value}, context=context)
        except ValidationError:
            continue
        found.append(index)
    return found


@st.composite
def good_tables(draw: st.DrawFn, table: str) -> Tree:
    """A table in which each value by itself is one that its key takes."""
    if not keys(table):
        return {}
    chosen = draw(st.lists(st.sampled_from(keys(table)), max_size=4, unique_by=lambda info: info.name))
    return {info.name: CANDIDATES[draw(st.sampled_from(found))] for info in chosen if (found := taken(table, info.name, info.kind))}


@st.composite
def likely_good(draw: st.DrawFn) -> Tree:
    """A unit that says one thing only, with values that fit their keys; what several keys must agree on is left to luck."""
    main = draw(st.sampled_from(["service", "service", "task", "target"]))
    tree = {main: draw(good_tables(main)), "unit": draw(good_tables("unit")), "log": draw(good_tables("log"))}
    if main != "target":
        tree[main].setdefault("exec_start", "sleep 1000")
    return {table: keys for table, keys in tree.items() if keys or table == main}


@st.composite
def near(draw: st.DrawFn) -> Tree:
    """A tree of which a few values, keys or tables are anything at all."""
    tree = draw(likely_good())
    for _ in range(draw(st.integers(1, 3))):
        table = draw(st.sampled_from([*tree, "service", "unit", "log", "flow"]))
        if draw(st.integers(0, 9)) == 0:
            tree[draw(st.one_of(st.just(table), TEXTS))] = draw(VALUES)
        elif isinstance(within := tree.setdefault(table, {}), dict):
            known = [info.name for info in keys(table)] if table in _MODELS else []
            within[draw(st.one_of(st.sampled_from([*known, "exec_strat", "a.b"]), TEXTS))] = draw(VALUES)
    return tree


def text_of(tree: Tree) -> str:
    return tomli_w.dumps(tree)
