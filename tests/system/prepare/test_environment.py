"""Variables: the order of systemd.exec(5), asked of systemd 252 where the manual is silent."""

import os
from pathlib import Path
from typing import Any

import pytest

from supervisor.config.mode import FIXED_PATH
from supervisor.daemon import environment
from supervisor.daemon.prepare_error import PrepareError
from supervisor.model.specification import EnvironmentFile
from supervisor.model.states import Phase
from tests.system.prepare.worlds import PORTRAIT, World, command, unit

EXACT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "INVOCATION_ID": "0123456789abcdef0123456789abcdef"}


def test_a_plain_unit_finds_the_base_and_its_invocation_id_and_nothing_else(world: World) -> None:
    assert world.variables(unit()) == EXACT


def test_supds_own_environment_is_not_inherited_by_what_supd_knows_of_itself() -> None:
    launch = {"A": "1", "NOTIFY_SOCKET": "x", "LISTEN_FDS": "2", "LISTEN_PID": "3", "WATCHDOG_USEC": "4", "SUPD_SOCKET": "5", "SUPDX": "6"}
    assert environment.own(launch) == {"A": "1", "SUPDX": "6"}


@pytest.mark.parametrize(
    ("is_system", "expected"),
    [
        (True, {"PATH": FIXED_PATH, "LANG": "C", "LC_TIME": "de"}),
        (False, {"PATH": FIXED_PATH, "LANG": "C", "LC_TIME": "de", "HOME": "/h", "XDG_RUNTIME_DIR": "/r"}),
    ],
    ids=["system", "user"],
)
def test_a_clean_base_has_the_fixed_path_and_the_locale_and_for_a_user_his_session(is_system: bool, expected: dict[str, str]) -> None:
    launch = {"PATH": "/mine", "LANG": "C", "LC_TIME": "de", "HOME": "/h", "XDG_RUNTIME_DIR": "/r", "SECRET": "s"}
    assert environment.clean_base(launch, is_system) == expected


LAYERS = ["base", "known", "pass", "environment", "file"]


@pytest.mark.parametrize("highest", range(len(LAYERS)), ids=LAYERS)
def test_each_layer_overrides_all_before_it(world: World, highest: int) -> None:
    Path(world.directory, "file").write_text("X=file\n")
    said = unit(
        pass_environment=("X",) if highest >= 2 else (),
        environment=(("X", "environment"),) if highest >= 3 else (),
        environment_files=(EnvironmentFile("file"),) if highest >= 4 else (),
    )
    found = world.variables(
        said, environment={"X": "known"} if highest >= 1 else None, base_environment={"X": "base"}, own_environment={"X": "pass"}
    )
    assert found["X"] == LAYERS[highest]


@pytest.mark.parametrize("name", ["MAINPID", "INVOCATION_ID", "NOTIFY_SOCKET", "USER", "RUNTIME_DIRECTORY", "WATCHDOG_USEC"])
def test_the_unit_file_has_the_last_word_even_over_what_supd_knows(world: World, name: str) -> None:
    assert (
        world.variables(unit(environment=((name, "own"),), service={"notify_access": "main"}), environment={"MAINPID": "12"})[name] == "own"
    )


def test_pass_environment_takes_what_is_set_even_empty_and_skips_what_is_not(world: World) -> None:
    found = world.variables(unit(pass_environment=("TOKEN", "EMPTY", "NOT_THERE")))
    assert found == {**EXACT, "TOKEN": "secret", "EMPTY": ""}


@pytest.mark.parametrize(
    ("unset", "is_left"),
    [(("A",), False), (("A=1",), False), (("A=2",), True), (("B",), True), (("A=",), True)],
)
def test_unset_environment_comes_last_and_may_ask_for_a_value(world: World, unset: tuple[str, ...], is_left: bool) -> None:
    assert ("A" in world.variables(unit(environment=(("A", "1"),), unset_environment=unset))) == is_left


@pytest.mark.parametrize(
    ("access", "phase", "is_set"),
    [
        ("none", Phase.START, False),
        ("main", Phase.START, True),
        ("main", Phase.START_PRE, False),
        ("main", Phase.STOP_POST, False),
        ("exec", Phase.START_PRE, True),
        ("all", Phase.RELOAD, True),
        ("all", Phase.START, True),
    ],
)
def test_notify_socket_is_told_to_those_who_may_notify(world: World, access: str, phase: Phase, is_set: bool) -> None:
    found = world.variables(unit(service={"notify_access": access}), phase=phase)
    assert found.get("NOTIFY_SOCKET") == (f"{world.directory}/n/web" if is_set else None)


def test_a_pid_file_is_named_in_pidfile(world: World) -> None:
    assert world.variables(unit(service={"pid_file": "/run/web.pid"}))["PIDFILE"] == "/run/web.pid"
    assert world.variables(unit(service={"pid_file": "web.pid"}))["PIDFILE"] == f"{world.directory}/runtime/web.pid"


@pytest.mark.parametrize(
    ("known", "execution", "expected"),
    [
        ({}, {}, ["SYSTEMD_EXEC_PID"]),
        ({"WATCHDOG_USEC": "5"}, {}, ["SYSTEMD_EXEC_PID", "WATCHDOG_PID"]),
        ({"WATCHDOG_USEC": "5"}, {"unset_environment": ("WATCHDOG_PID",)}, ["SYSTEMD_EXEC_PID"]),
        ({}, {"environment": (("SYSTEMD_EXEC_PID", "1"),)}, []),
    ],
    ids=["plain", "watchdog", "unset", "set by the unit"],
)
def test_pid_variables_are_left_to_the_child_unless_the_unit_decides(
    world: World, known: dict[str, str], execution: dict[str, Any], expected: list[str]
) -> None:
    assert world.prepare(unit(**execution), environment=known).pid_variables == expected


def test_passed_descriptors_are_counted_and_named(world: World) -> None:
    request = world.prepare(unit(), descriptors=(("socket:web", "http"), ("store:web:1", "stored")))
    assert request.passed == ["socket:web", "store:web:1"]
    assert "LISTEN_FDS=2" in request.environment
    assert "LISTEN_FDNAMES=http:stored" in request.environment
    assert "LISTEN_PID" in request.pid_variables


def test_a_stale_pid_variable_of_the_base_does_not_survive(world: World) -> None:
    assert "SYSTEMD_EXEC_PID" not in world.variables(unit(), base_environment={"SYSTEMD_EXEC_PID": "99"})


# ---- environment files


def test_files_are_read_in_order_and_globs_sorted(world: World) -> None:
    for name, text in {"b.env": "X=b\nB=1\n", "a.env": "X=a\nA=1\n", "last": "L=1\nX=last\n"}.items():
        Path(world.directory, name).write_text(text)
    found = world.variables(unit(environment_files=(EnvironmentFile(f"{world.directory}/*.env"),)))
    assert (found["X"], found["A"], found["B"]) == ("b", "1", "1")
    found = world.variables(unit(environment_files=(EnvironmentFile("*.env"), EnvironmentFile("last"))))
    assert found["X"] == "last"


def test_a_file_is_read_anew_at_each_preparation(world: World) -> None:
    file = Path(world.directory, "env")
    said = unit(environment_files=(EnvironmentFile("env"),))
    file.write_text("X=1")
    assert world.variables(said)["X"] == "1"
    file.write_text("X=2")
    assert world.variables(said)["X"] == "2"


def _missing(path: Path) -> None:
    pass


def _not_utf8(path: Path) -> None:
    path.write_bytes(b"A=\xff\n")


def _with_nul(path: Path) -> None:
    path.write_bytes(b"A=1\0\n")


def _directory(path: Path) -> None:
    path.mkdir()


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(environment.FILE_LIMIT_BYTES + 1)


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (_missing, "no such file or directory"),
        (_not_utf8, "line 1 is not UTF-8"),
        (_with_nul, "line 1 contains a NUL character"),
        (_directory, "is a directory"),
        (_huge, "file too large"),
    ],
)
def test_an_unreadable_file_ends_the_preparation_unless_it_is_optional(world: World, make: object, cause: str) -> None:
    path = Path(world.directory, "env")
    make(path)  # type: ignore[operator]  # a row of the table
    with pytest.raises(PrepareError) as raised:
        world.prepare(unit(environment_files=(EnvironmentFile("env"),)))
    assert (raised.value.step, raised.value.exit_status) == ("ENVIRONMENT", 1)
    assert raised.value.text == (
        f"cannot read environment file {path} of web: {cause}. The command was not run. "
        'Correct the file, or write "-env" if it may be missing.'
    )
    assert world.variables(unit(environment_files=(EnvironmentFile("env", is_optional=True),))) == EXACT


def test_a_pipe_nobody_writes_to_does_not_hold_up_the_preparation(world: World) -> None:
    os.mkfifo(world.directory / "env")
    assert world.variables(unit(environment_files=(EnvironmentFile("env"),))) == EXACT


# ---- the command line and the process itself


def test_the_command_line_is_expanded_with_the_final_environment(world: World) -> None:
    Path(world.directory, "env").write_text("FROM_FILE='a b'\n")
    said = unit(
        main=command("/bin/echo", "$FROM_FILE", "${FROM_FILE}", "$GONE", "$$HOME", "$MAINPID"),
        environment_files=(EnvironmentFile("env"),),
        environment=(("GONE", "x"),),
        unset_environment=("GONE",),
    )
    assert world.prepare(said, environment={"MAINPID": "42"}).argv == ["/bin/echo", "a", "b", "a b", "$HOME", "42"]


def test_the_process_finds_exactly_what_was_prepared(world: World) -> None:
    said = unit(main=PORTRAIT, environment=(("A", "ä\n"),))
    portrait = world.launch(said, environment={"WATCHDOG_USEC": "5"})
    pid = str(portrait["pid"])
    found = {name: value for name, value in portrait["environment"].items() if name != "LC_CTYPE"}  # Python's own doing
    assert found == {**EXACT, "A": "ä\n", "WATCHDOG_USEC": "5", "WATCHDOG_PID": pid, "SYSTEMD_EXEC_PID": pid}
