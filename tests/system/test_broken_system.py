"""A system in which everything is broken that breaks at night, looked at with supctl: each fault is named, with the next step."""

import pytest

from tests.system.conftest import StartSupd
from tests.system.supd import Supd

UNITS = {
    "missing": '[service]\nexec_start = "/usr/bin/gunikorn app"\n',
    "unprepared": '[service]\nexec_start_pre = "/bin/sh -c \'echo no config; exit 4\'"\nexec_start = "/bin/sleep 1000"\n',
    "speechless": '[unit]\nenabled = false\n[service]\nstandard_output = "append:/nonexistent/x.log"\nexec_start = "/bin/true"\n',
    "crashing": '[unit]\nstart_limit_burst = 2\n[service]\nrestart = "always"\nrestart_sec = 0\nexec_start = "/bin/sh -c \'exit 3\'"\n',
    "needy": '[unit]\ndepends_on = ["missing"]\n[service]\nexec_start = "/bin/sleep 1000"\n',
    "down": '[unit]\nenabled = false\n[service]\nexec_start = "/bin/sleep 1000"\n',
    "well": '[service]\nexec_start = "/bin/sleep 1000"\nkill_signal = "SIGINT"\n',
}


@pytest.fixture
def broken(start_supd: StartSupd) -> Supd:
    supd = start_supd(UNITS)
    for unit in ("missing", "unprepared"):
        supd.wait_until(unit, "failed")
    supd.wait_for("crashing", "given up", lambda shown: "times within" in shown["failed_text"])
    return supd


def test_every_fault_is_named_with_the_next_step(broken: Supd) -> None:
    overview = broken.supctl("status").stdout
    assert "State: degraded" in overview
    assert "cannot execute /usr/bin/gunikorn: No such file or directory" in overview
    assert "was started 2 times within 10 s" in overview

    start = broken.supctl("start", "unprepared", expect=1).stderr
    assert "exec_start_pre (/bin/sh) left with status 4" in start
    assert "    no config\n" in start
    assert start.endswith("  next: supctl why unprepared, supctl logs unprepared\n")

    start = broken.supctl("start", "speechless", expect=1).stderr
    assert "cannot open its standard output /nonexistent/x.log: No such file or directory (step STDOUT, status 209/STDOUT)" in start

    start = broken.supctl("start", "needy", expect=1).stderr
    assert start.startswith("supctl: cannot start needy: missing did not start\n  because: missing: cannot execute /usr/bin/gunikorn")

    assert broken.supctl("kill", "down", expect=1).stderr == "supctl: cannot kill down: it has no process\n"
    assert "did you mean crashing?" in broken.supctl("status", "crahsing", expect=4).stderr


def test_a_bad_file_is_told_wherever_its_unit_is_asked_for(broken: Supd) -> None:
    broken.write("units/new.toml", '[unit]\nreqires = ["well"]\n[service]\nexec_start = "/bin/true"\n')
    broken.write("units/well.toml", '[service]\nexec_start = "/bin/sleep 1000"\nnonsense = 1\n')
    broken.supctl("reload-units", expect=1)
    fault = f'{broken.path("units/new.toml")}:2: unit.reqires: unknown key in [unit] (did you mean "requires"?)'
    assert fault in broken.supctl("status").stdout
    assert fault in broken.supctl("status", "new", expect=4).stderr
    assert fault in broken.supctl("start", "new", expect=5).stderr
    assert "service.nonsense: unknown key in [service]" in broken.supctl("status", "well").stdout


def test_values_and_candidates_come_from_the_running_supd(broken: Supd) -> None:
    values = broken.json("cat", "well")["values"]
    assert values["service.kill_signal"] == {"value": "SIGINT", "origin": f"{broken.path('units/well.toml')}:3"}
    assert values["unit.on_change"] == {"value": "restart", "origin": "implied"}  # project mode
    assert values["service.restart"] == {"value": "no", "origin": "default"}
    offered = broken.supctl("__complete", "stop", "").stdout.splitlines()
    assert [line.partition("\t")[0] for line in offered] == ["well"]
