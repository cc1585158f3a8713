"""What `supctl status` and its like load. Modules are counted, not time."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.client import wire

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Of the standard library: what every Python has loaded before the first line runs, and these.
ALLOWED = {"_socket", "_json", "time", "os", "os.path", "posixpath", "genericpath", "stat", "_stat", "_collections_abc"}

FORBIDDEN = ("json", "re", "argparse", "socket", "http", "typing", "dataclasses", "asyncio", "enum", "logging", "collections", "functools")

PROGRAM = """
import sys
sys.path.insert(0, {root!r})
before = set(sys.modules)
from supervisor.cli.main import main
status = main({argv!r})
sys.stdout.flush()
print("|".join([str(status), *sorted(set(sys.modules) - before)]))
"""


def loaded(argv: list[str]) -> tuple[int, set[str]]:
    """The exit status and the modules that a bare interpreter has loaded more for it."""
    program = PROGRAM.format(root=ROOT, argv=argv)
    done = subprocess.run([sys.executable, "-S", "-E", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    status, *modules = done.stdout.splitlines()[-1].split("|")
    return int(status), set(modules)


@pytest.mark.parametrize("verb", ["status", "is-active", "show", "start", "stop"])
def test_the_fast_path_loads_nothing_that_it_does_not_use(verb: str) -> None:
    status, modules = loaded(["--socket", "/nonexistent/supd.sock", verb, "web"])
    assert status == 69
    assert modules & set(FORBIDDEN) == set()
    assert {name for name in modules if not name.startswith("supervisor")} <= ALLOWED
    ours = {name for name in modules if name.startswith("supervisor.")}
    assert not [name for name in ours if name.split(".")[1] not in ("cli", "client", "model")]
    assert len(ours) <= 20


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_our_json_is_the_standard_librarys(value: object) -> None:
    assert wire.compose(value) == json.dumps(value)
    assert wire.parse(json.dumps(value, indent=1).encode()) == value


@pytest.mark.parametrize("text", [b"", b"{", b"[1,]", b"1 2", b"NaN", b"{'a': 1}", b'"\n"', b"\xff"])
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        wire.parse(text)
