"""`supctl reexec` onto the code now on disk: a good upgrade touches nothing, a bad one is refused with its error and changes nothing."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import supervisor
from tests.system.arrival import ends_in_time
from tests.system.supd import Supd

SLEEPS = '[service]\nexec_start = "sleep 1000"\n'
UNITS = 200
CODE = Path(supervisor.__file__).parent


class Installed:
    """A supd that runs from a copy of the code, which is upgraded under it."""

    def __init__(self, units: dict[str, str]) -> None:
        self.supd = Supd(units)
        self.code = Path(self.supd.path("site", "supervisor"))
        shutil.copytree(CODE, self.code, ignore=shutil.ignore_patterns("__pycache__", "tui"))
        self.supd.environment["PYTHONPATH"] = str(self.code.parent)

    def start(self) -> None:
        self.supd.start()
        for unit in self.units():
            self.supd.wait_until(unit, "active")

    def units(self) -> list[str]:
        return [str(unit["id"]) for unit in self.supd.get("/v1/units")]

    def pids(self) -> dict[str, int]:
        return {unit["id"]: unit["main_pid"] for unit in self.supd.get("/v1/units?full=true")}

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a piece of the code; `old` must be there."""
        text = (self.code / path).read_text()
        assert old in text
        (self.code / path).write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    found = Installed({"web": SLEEPS})
    try:
        found.start()
        yield found
        found.supd.stop()
    finally:
        found.supd.remove()


# What a half-finished upgrade may look like: (file, what is replaced in it, by what, what is said of it). None: the file is missing.
BAD: dict[str, tuple[str, str, str | None, str]] = {
    "a syntax error in the keeper": ("keeper/loop.py", "import gc", "import gc, (", "SyntaxError: "),
    "a module of the keeper that is missing": ("keeper/reap.py", "", None, "No module named 'supervisor.keeper.reap'"),
    "a keeper that leaves": ("keeper/loop.py", "import gc", "raise SystemExit(3)", "left with status 3"),
    "a keeper that hangs": ("keeper/loop.py", "import gc", "import time\ntime.sleep(1000)", "had not answered after 30 s"),
    "a keeper that is killed": ("keeper/loop.py", "import gc", "import os\nos.kill(os.getpid(), 9)", "was ended by signal 9"),
    "a keeper that writes otherwise": (
        "keeper/reexec.py",
        'separators=(",", ":"), ',
        "",
        "it would write the table otherwise than it was written",
    ),
    "a table of another version": (
        "keeper/reexec.py",
        "\nVERSION = 1\n",
        "\nVERSION = 2\n",
        "the table has version 1 and this supd reads 2",
    ),
    "a syntax error in the manager": ("daemon/shell.py", "import os", "import os, (", "SyntaxError: "),
    "a module that only the API needs": ("daemon/api/routes.py", "", None, "No module named 'supervisor.daemon.api.routes'"),
    "a library that is not there": ("daemon/history.py", "import asyncio", "import notinstalled", "No module named 'notinstalled'"),
    "a manager that cannot read a record": ("engine/record.py", "def load_state(", "def load_state_(", "cannot import name 'load_state'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_half_finished_upgrade_is_refused_with_its_error_and_changes_nothing(installed: Installed, case: str) -> None:
    path, old, new, told = BAD[case]
    supd, file = installed.supd, installed.code / path
    before = supd.get("/v1/version"), installed.pids()
    good = file.read_text()
    if new is None:
        file.unlink()
    else:
        installed.edit(path, old, new)
    try:
        refused = supd.supctl("reexec", expect=None)
    finally:
        file.write_text(good)
    assert refused.returncode != 0
    assert told in refused.stderr and "supd goes on as it is" in refused.stderr, refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stderr.splitlines()[1:] == [
        "  next: make the installation of supd whole (pip install --force-reinstall), then supctl reexec again"
    ]
    assert (supd.get("/v1/version"), installed.pids()) == before


def test_after_a_refusal_the_code_that_was_mended_is_taken(installed: Installed) -> None:
    before = installed.supd.get("/v1/version"), installed.pids()
    installed.supd.supctl("reexec")
    after = installed.supd.get("/v1/version")
    assert after["keeper_pid"] == before[0]["keeper_pid"] and after["manager_pid"] != before[0]["manager_pid"]
    assert installed.pids() == before[1]


def test_two_hundred_units_are_upgraded_and_no_pid_changes() -> None:
    installed = Installed({f"unit-{number}": SLEEPS for number in range(UNITS)})
    supd = installed.supd
    try:
        installed.start()
        pids, keeper = installed.pids(), supd.keeper_pid
        (installed.code / "__init__.py").write_text('__version__ = "99.1"\n')
        told = supd.supctl("reexec").stdout
        assert told == f"supd {supervisor.__version__} is now supd 99.1, in the same process {keeper}.\n"
        assert supd.get("/v1/version")["version"] == "99.1"
        assert len(pids) == UNITS and all(pids.values()) and installed.pids() == pids
        assert {unit["n_restarts"] for unit in supd.get("/v1/units?full=true")} == {0}
        # The definitions that an older version stored are in force: nothing of them is taken for a change.
        assert supd.json("apply", "--plan") == {"units": {}, "errors": []}
        supd.stop(within_s=60)
    finally:
        supd.remove()


def test_what_a_later_supd_left_running_is_not_touched() -> None:
    supd = Supd({"web": SLEEPS})
    try:
        supd.start()
        pid = supd.wait_until("web", "active")["main_pid"]
        manager = supd.get("/v1/version")["manager_pid"]
        os.kill(supd.keeper_pid, signal.SIGKILL)
        supd.wait_for_end()
        assert ends_in_time(manager, 10)
        journal = Path(supd.path(".supd", "journal"))
        first, _, rest = journal.read_text().partition("\n")
        later = json.dumps({**json.loads(first), "version": 2, "new": "?"}) + "\n" + rest
        journal.write_text(later)
        refused = supd.run("supd", "--units", "units")
        assert refused.returncode == 1
        assert "has version 2, and this supd reads 1. Nothing is touched" in refused.stderr
        assert journal.read_text() == later
        journal.write_text(first + "\n" + rest)
        supd.start()
        assert supd.show("web")["main_pid"] == pid
        supd.stop()
    finally:
        supd.remove()
