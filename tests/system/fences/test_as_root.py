"""Each key of the execution context that sets a fence, and what a process behind it says of itself. systemd.exec(5)."""

import grp
import json
import os
from typing import Any

import pytest

from tests.system.fences.conftest import StartOnce
from tests.system.fences.portrait import PORTRAIT
from tests.system.keeper.harness import interpreter_for
from tests.system.users import NOBODY

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="most fences are root's to set: run this test as root")

CHOWN, KILL, NET_BIND = 1 << 0, 1 << 5, 1 << 10
AS_NOBODY = f'user = "{NOBODY}"\ngroup = "{NOBODY}"\n'
DIRECTORIES = "".join(f'{base}_directory = "own"\n{base}_directory_mode = "0{mode}"\n' for base, mode in (("runtime", 700), ("state", 750)))

# name, keys, what the portrait must hold
FENCES: list[tuple[str, str, dict[str, Any]]] = [
    ("limit-nofile", 'limit_nofile = "64:128"', {"limits.nofile": [64, 128]}),
    ("limit-core", "limit_core = 0", {"limits.core": [0, 0]}),
    ("limit-stack", 'limit_stack = "4M:infinity"', {"limits.stack": [4 << 20, -1]}),
    ("limit-nproc", "limit_nproc = 77", {"limits.nproc": [77, 77]}),
    ("nice", "nice = 7", {"nice": 7}),
    ("nice-up", "nice = -3", {"nice": -3}),
    ("affinity", 'cpu_affinity = "0"', {"affinity": [0]}),
    ("io-idle", 'io_scheduling_class = "idle"', {"io_priority": 3 << 13}),
    ("io-level", 'io_scheduling_class = "best-effort"\nio_scheduling_priority = 6', {"io_priority": 2 << 13 | 6}),
    ("oom", "oom_score_adjust = 500", {"oom": 500}),
    ("umask", 'umask = "0077"', {"umask": "0o77"}),
    ("user", AS_NOBODY, {"uids": [NOBODY] * 3, "gids": [NOBODY] * 3, "effective": 0, "ambient": 0}),
    ("groups", AS_NOBODY + 'supplementary_groups = ["daemon", "mail"]', {"groups": "daemon mail"}),
    ("bounding", 'capability_bounding_set = ["CAP_CHOWN", "CAP_KILL"]', {"bounding": CHOWN | KILL, "effective": CHOWN | KILL}),
    (
        "ambient",
        AS_NOBODY + 'ambient_capabilities = ["CAP_NET_BIND_SERVICE"]',
        {"uids": [NOBODY] * 3, "ambient": NET_BIND, "effective": NET_BIND},
    ),
    ("nnp", "no_new_privileges = true", {"no_new_privileges": True}),
    ("directories", DIRECTORIES, {"directories.runtime": ["0o700", 0, 0], "directories.state": ["0o750", 0, 0]}),
    ("owners", AS_NOBODY + 'cache_directory = "its"\nlogs_directory = "its"', {"directories.cache": ["0o755", NOBODY, NOBODY]}),
    (
        "credential",
        AS_NOBODY + 'load_credential = { token = "secret" }',
        {"credentials": {"token": "open sesame"}, "credentials_mode": ["0o500", NOBODY]},
    ),
    ("all-at-once", AS_NOBODY + 'nice = 5\numask = "0027"\nlimit_nofile = 99\nno_new_privileges = true', {"nice": 5, "umask": "0o27"}),
    ("none", "", {"nice": 0, "no_new_privileges": False, "credentials": {}, "directories": {}, "umask": "0o22"}),
]


@pytest.fixture(scope="module")
def portraits(start_once: StartOnce) -> dict[str, dict[str, Any]]:
    """What each unit's process said of itself."""
    program = f'exec_start = "{interpreter_for(NOBODY)} -I -S portrait.py"\n'
    units = {name: "[task]\n" + program + keys + "\n" for name, keys, _ in FENCES}
    supd = start_once(units, {"portrait.py": PORTRAIT, "secret": "open sesame"})
    os.chmod(supd.path("secret"), 0o600)
    supd.supctl("start", *units)
    return {name: json.loads(supd.log(name)) for name in units}


@pytest.mark.parametrize(("name", "expected"), [(name, expected) for name, _, expected in FENCES], ids=[name for name, _, _ in FENCES])
def test_a_fence_holds_for_the_process_behind_it(portraits: dict[str, dict[str, Any]], name: str, expected: dict[str, Any]) -> None:
    if name == "groups":
        expected = {"groups": sorted({NOBODY, *(grp.getgrnam(group).gr_gid for group in expected["groups"].split())})}
    assert {key: value_at(portraits[name], key) for key in expected} == expected


def value_at(portrait: dict[str, Any], key: str) -> Any:
    value: Any = portrait
    for part in key.split("."):
        value = value[part]
    return value
