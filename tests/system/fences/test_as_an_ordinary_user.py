"""An ordinary user's supd: what needs root is refused by the name of its key before anything starts; the rest holds."""

import json
import os
import resource

import pytest

from tests.system.fences.conftest import StartOnce
from tests.system.fences.portrait import PORTRAIT
from tests.system.keeper.harness import interpreter_for
from tests.system.supd import Supd
from tests.system.users import NOBODY

UID = NOBODY if os.getuid() == 0 else None

# key, value, the exit status of its step
REFUSED = [
    ("user", '"root"', 217),
    ("group", '"root"', 216),
    ("supplementary_groups", '["root"]', 216),
    ("nice", "-5", 201),
    ("io_scheduling_class", '"realtime"', 211),
    ("oom_score_adjust", "-500", 206),
    ("ambient_capabilities", '["CAP_SYS_ADMIN"]', 218),
    ("capability_bounding_set", '["CAP_CHOWN"]', 218),
    ("limit_nofile", f'"10:{resource.getrlimit(resource.RLIMIT_NOFILE)[1] + 1}"', 205),
]
ALLOWED = 'nice = 6\numask = "0077"\nlimit_core = 0\noom_score_adjust = 900\nno_new_privileges = true\nruntime_directory = "own"\n'


@pytest.fixture(scope="module")
def supd(start_once: StartOnce) -> Supd:
    program = f'exec_start = "{interpreter_for(UID)} -I -S portrait.py"\n'
    units = {key: f"[task]\nexec_start = '/bin/touch started-{key}'\n{key} = {value}\n" for key, value, _ in REFUSED}
    units["allowed"] = "[task]\n" + program + ALLOWED
    return start_once(units, {"portrait.py": PORTRAIT}, uid=UID)


@pytest.mark.parametrize(("key", "status"), [(key, status) for key, _, status in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_needs_root_is_refused_by_name(supd: Supd, key: str, status: int) -> None:
    said = supd.supctl("start", key, expect=1)
    beginning = f"cannot set {key} of {key}" if key.startswith("limit_") else f"cannot give {key} {key} ="
    assert beginning in said.stdout + said.stderr
    shown = supd.show(key)
    assert (shown["active_state"], shown["exec_main_code"], shown["exec_main_status"]) == ("failed", "exited", status)
    assert key in supd.supctl("why", key).stdout
    assert not os.path.exists(supd.path(f"started-{key}"))


def test_what_needs_no_privilege_holds(supd: Supd) -> None:
    supd.supctl("start", "allowed")
    portrait = json.loads(supd.log("allowed"))
    assert (portrait["nice"], portrait["umask"], portrait["oom"], portrait["no_new_privileges"]) == (6, "0o77", 900, True)
    assert portrait["limits"]["core"] == [0, 0]
    assert portrait["directories"]["runtime"][1:] == [os.getuid() if UID is None else UID] * 2
