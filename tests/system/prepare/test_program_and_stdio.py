"""Which file a command means, and where its three standard descriptors lead."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor.daemon.prepare import Preparer
from supervisor.daemon.prepare_error import PrepareError
from supervisor.model.specification import Condition, Directory, EnvironmentFile, Limit, Unit
from tests.system.prepare.worlds import ORDINARY, World, command, own, unit

READ = os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC
WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOCTTY | os.O_CLOEXEC


@pytest.fixture
def tool(world: World) -> Path:
    path = world.directory / "bin" / "tool"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_an_absolute_path_is_taken_as_it_is_even_if_nothing_is_there(world: World) -> None:
    assert world.prepare(unit(main=command("/no/such/program"))).path == "/no/such/program"


def test_a_bare_name_is_looked_up_in_the_fixed_path_whatever_the_unit_says(world: World, tool: Path) -> None:
    request = world.prepare(unit(main=command("sh", "-c", "x"), environment=(("PATH", str(tool.parent)),)))
    assert request.path in ("/usr/bin/sh", "/bin/sh")
    assert request.argv == ["sh", "-c", "x"]
    with pytest.raises(PrepareError) as raised:
        world.prepare(unit(main=command("tool"), environment=(("PATH", str(tool.parent)),)))
    assert (raised.value.step, raised.value.exit_status) == ("EXEC", 203)
    assert raised.value.text == (
        'cannot run "tool" of web: no such program in the search path /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin. '
        "Install it, or write its absolute path in the unit."
    )


def test_in_a_project_a_bare_name_is_looked_up_in_the_units_final_path(project: World, tool: Path) -> None:
    (project.directory / "env").write_text(f"PATH=relative::{tool.parent}\n")
    said = unit(main=command("tool"), environment=(("PATH", "/nowhere"),), environment_files=(EnvironmentFile("env"),))
    assert project.prepare(said).path == str(tool)


def test_a_file_that_may_not_be_executed_is_said(project: World, tool: Path) -> None:
    tool.chmod(0o644)
    with pytest.raises(PrepareError, match=f"the file found there is not executable in the search path {tool.parent}"):
        project.prepare(unit(main=command("tool"), environment=(("PATH", str(tool.parent)),)))


@pytest.mark.parametrize("path", ["./bin/tool", "bin/tool"])
def test_a_relative_path_is_refused_as_systemd_does_but_means_the_working_directory_in_a_project(world: World, path: str) -> None:
    with pytest.raises(PrepareError, match="a program is an absolute path or a bare name") as raised:
        world.prepare(unit(main=command(path)))
    assert raised.value.exit_status == 203
    world.mode = "project"
    assert world.prepare(unit(main=command(path))).path == f"{world.directory}/bin/tool"
    assert world.prepare(unit(main=command(path), working_directory="sub")).path == f"{world.directory}/sub/bin/tool"


@pytest.mark.parametrize(
    ("execution", "expected"),
    [
        ({}, [["null"], ["stored", "log:web"], ["stdout"]]),
        ({"standard_error": "log"}, [["null"], ["stored", "log:web"], ["stored", "log:web/stderr"]]),
        ({"standard_output": "unit:db"}, [["null"], ["stored", "log:db"], ["stdout"]]),
        ({"standard_output": "unit:db", "standard_error": "unit:db"}, [["null"], ["stored", "log:db"], ["stdout"]]),
        ({"standard_output": "unit:db", "standard_error": "log"}, [["null"], ["stored", "log:db"], ["stored", "log:web/stderr"]]),
        ({"standard_error": "unit:db"}, [["null"], ["stored", "log:web"], ["stored", "log:db"]]),
        ({"standard_output": "null"}, [["null"], ["null"], ["stdout"]]),
        ({"standard_output": "null", "standard_error": "log"}, [["null"], ["null"], ["stored", "log:web/stderr"]]),
        ({"standard_output": "inherit"}, [["null"], ["inherit"], ["stdout"]]),
        ({"standard_input": "file:/in"}, [["open", "/in", READ, 0], ["stored", "log:web"], ["stdout"]]),
        ({"standard_output": "file:/out"}, [["null"], ["open", "/out", WRITE, 0o644], ["stdout"]]),
        ({"standard_output": "append:/out", "umask": 0o077}, [["null"], ["open", "/out", WRITE | os.O_APPEND, 0o600], ["stdout"]]),
        (
            {"standard_output": "truncate:/out", "standard_error": "truncate:/out"},
            [["null"], ["open", "/out", WRITE | os.O_TRUNC, 0o644], ["stdout"]],
        ),
        (
            {"standard_output": "file:out", "standard_error": "append:/err"},
            [["null"], ["open", "{world}/out", WRITE, 0o644], ["open", "/err", WRITE | os.O_APPEND, 0o644]],
        ),
    ],
)
def test_standard_descriptors(world: World, execution: dict[str, Any], expected: list[Any]) -> None:
    request = world.prepare(unit(**execution))
    wanted = json.loads(json.dumps(expected).replace("{world}", str(world.directory)))
    assert [request.stdin, request.stdout, request.stderr] == wanted


# ---- what may be done inline


@pytest.mark.parametrize(
    ("one", "is_immediate"),
    [
        (unit(), True),
        (unit(nice=5, limits=(Limit("CORE", 0, 0),), environment=(("A", "1"),), umask=0o77), True),
        (unit(user="root"), False),
        (unit(group="root"), False),
        (unit(supplementary_groups=("adm",)), False),
        (unit(environment_files=(EnvironmentFile("x"),)), False),
        (unit(directories=(Directory("state", "x"),)), False),
        (unit(credentials=(("a", "/b"),)), False),
        (unit(working_directory="~"), False),
        (Unit("group", "target"), True),
        (Unit("group", "target", conditions=(Condition("path_exists", "/"),)), False),
        (Unit("group", "target", asserts=(Condition("path_exists", "/"),)), False),
    ],
)
def test_only_what_cannot_block_is_immediate(world: World, one: Unit, is_immediate: bool) -> None:
    assert Preparer(world.context()).is_immediate(one) == is_immediate


def test_conditions_are_asked_with_the_modes_base_and_directory(world: World) -> None:
    preparer = Preparer(world.context(own=ORDINARY))
    one = Unit("group", "target", conditions=(Condition("path_exists", "file"), Condition("environment", "LANG")))
    assert preparer.check_conditions(one) == (False, True, 'condition_path_exists = "file"')
    (world.directory / "file").write_text("")
    assert preparer.check_conditions(one) == (True, True, "")


def test_preparing_a_plain_unit_loads_nothing_heavy() -> None:
    """Before the first spawn every module costs: the manager prepares the boot's first units with no more than this."""
    program = """
import sys
from supervisor.daemon.prepare import Context, Preparer
from supervisor.model.effects import Prepare
from supervisor.model.specification import Command, Execution, Service, Unit
from supervisor.model.states import Phase
run = Command("sh", ("sh", "-c", "exit"))
unit = Unit("web", "service", service=Service(exec_start=(run,), notify_access="main"), execution=Execution())
context = Context("project", {"PATH": "/bin"}, {}, "/", {}, lambda unit: "/n/1")
assert Preparer(context).is_immediate(unit)
assert Preparer(context).prepare(Prepare("web", 1, Phase.START, run, "0" * 32), unit).path == "/bin/sh"
print(*sorted(name.removeprefix("supervisor.daemon.") for name in sys.modules if name.startswith("supervisor.daemon.")))
print(*sorted({"asyncio", "logging", "pydantic", "subprocess", "pwd", "grp", "glob", "shutil", "threading"} & set(sys.modules)))
"""
    root = Path(__file__).parents[3]
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=True)
    ours, heavy = result.stdout.split("\n")[:2]
    assert ours == "environment files prepare prepare_error program stdio"
    assert heavy == ""


def test_a_unit_with_nothing_to_run_is_a_mistake_of_the_caller(world: World) -> None:
    with pytest.raises(ValueError, match="a target has nothing to run"):
        world.prepare(Unit("group", "target"), command=command("/bin/true"), own=own())
