"""What an exit means: clean or not, by type and by phase (systemd.exec(5), PROCESS EXIT CODES; SEMANTICS 5.3, 5.5)."""

from typing import Any

import pytest

from supervisor.model.states import Phase
from tests.spec.behaviour import Process, cannot_exec, daemonizes, dies_by, exits, runs, says_ready
from tests.spec.build import SECOND, unit
from tests.spec.world import World

CLEAN_SIGNALS = {1, 2, 13, 15}  # SIGHUP, SIGINT, SIGPIPE, SIGTERM


@pytest.mark.parametrize("signal", [n for n in range(1, 65) if n not in (17, 18, 19, 20, 21, 22, 23, 28, 32, 33)])
@pytest.mark.parametrize("type_", ["simple", "exec", "oneshot"])
def test_a_signal_is_clean_for_a_main_process_that_is_no_oneshot(type_: str, signal: int) -> None:
    world = World(unit("a", type=type_))
    world.behave("a", dies_by(signal, after_us=SECOND))
    world.start("a")
    world.advance(SECOND)
    expected = "success" if signal in CLEAN_SIGNALS and type_ != "oneshot" else "signal"
    assert world.result("a") == expected
    assert world.show("a")["exec_main_code"] == "killed"
    assert world.show("a")["exec_main_status"] == signal


@pytest.mark.parametrize("code", [0, 1, 2, 7, 64, 78, 143, 200, 203, 217, 255])
@pytest.mark.parametrize("type_", ["simple", "exec", "oneshot", "notify"])
def test_only_code_0_is_clean(type_: str, code: int) -> None:
    world = World(unit("a", type=type_))
    world.behave("a", Process(lives_us=SECOND, status=code, says=((0, {"READY": "1"}),)))
    world.start("a")
    world.advance(SECOND)
    assert world.result("a") == ("success" if code == 0 else "exit-code")
    assert (world.show("a")["exec_main_code"], world.show("a")["exec_main_status"]) == ("exited", code)


CONTROL_PHASES: dict[Phase, dict[str, Any]] = {
    Phase.START_PRE: {"exec_start_pre": "x"},
    Phase.START_POST: {"exec_start_post": "x"},
    Phase.STOP_POST: {"exec_stop_post": "x"},
}


@pytest.mark.parametrize("signal", sorted(CLEAN_SIGNALS))
@pytest.mark.parametrize("phase", CONTROL_PHASES)
def test_no_signal_is_clean_for_a_control_process(phase: Phase, signal: int) -> None:
    world = World(unit("a", **CONTROL_PHASES[phase]))
    world.behave("a", dies_by(signal), phase=phase)
    world.start("a")
    world.stop("a")
    assert world.state("a") == ("failed", "failed", "signal")


@pytest.mark.parametrize("line", ["exec_start_pre", "exec_start", "exec_start_post", "exec_stop", "exec_stop_post"])
@pytest.mark.parametrize("end", [exits(3), dies_by(9), cannot_exec()], ids=["exit 3", "SIGKILL", "cannot exec"])
def test_a_dash_makes_any_failure_of_its_line_harmless(line: str, end: Process) -> None:
    keys: dict[str, Any] = {line: "-x"}
    if line == "exec_start":
        keys["type"] = "oneshot"
    world = World(unit("a", **keys))
    world.behave("a", end, phase=Phase(line.removeprefix("exec_").replace("_", "-")))
    world.start("a")
    world.stop("a")
    assert world.state("a") == ("inactive", "dead", "success")


@pytest.mark.parametrize(
    ("first", "skips"),
    [("exit 0", False), ("exit 1", True), ("exit 254", True)],
)
def test_an_exec_condition_of_1_to_254_skips_the_start_without_a_failure(first: str, skips: bool) -> None:
    world = World(unit("a", exec_condition="ask", exec_stop_post="sweep"))
    world.behave("a", exits(int(first.split()[1])), phase=Phase.CONDITION)
    answer = world.start("a")
    if skips:
        assert world.active("a") == "inactive"
        assert world.result("a") in ("exec-condition", "success")
        assert world.starts("a") == 0
        assert world.job_result(answer) in ("done", "skipped")
    else:
        assert world.active("a") == "active"


@pytest.mark.parametrize(
    ("end", "result"),
    [(exits(255), "exit-code"), (dies_by(9), "signal"), (dies_by(15), "signal"), (runs(), "timeout")],
    ids=["exit 255", "SIGKILL", "SIGTERM", "time-out"],
)
def test_an_exec_condition_fails_the_start_by_255_a_signal_or_a_time_out(end: Process, result: str) -> None:
    world = World(unit("a", exec_condition="ask", timeout_start_us=SECOND))
    world.behave("a", end, phase=Phase.CONDITION)
    answer = world.start("a")
    world.advance(5 * SECOND)
    assert world.state("a") == ("failed", "failed", result)
    assert world.starts("a") == 0
    assert world.job_result(answer) == "failed"


@pytest.mark.parametrize(
    ("line", "phase"),
    [("exec_start_pre", Phase.START_PRE), ("exec_start_post", Phase.START_POST)],
)
def test_a_failing_start_command_skips_exec_stop_and_runs_exec_stop_post(line: str, phase: Phase) -> None:
    world = World(unit("a", exec_stop="please", exec_stop_post="sweep", **{line: "x"}))
    world.behave("a", exits(1), phase=phase)
    answer = world.start("a")
    assert "stop" not in world.spawns("a")
    assert world.spawns("a")[-1] == "stop-post"
    assert world.state("a") == ("failed", "failed", "exit-code")
    assert world.job_result(answer) == "failed"
    assert world.processes("a") == []


@pytest.mark.parametrize("type_", ["exec", "notify", "oneshot", "forking"])
@pytest.mark.parametrize(
    ("step", "errno", "status"),
    [("exec", 2, 203), ("user", 0, 217), ("group", 0, 216), ("chdir", 2, 200), ("namespace", 1, 226)],
)
def test_a_step_that_fails_before_exec_is_an_exit_with_systemd_s_status_and_fails_the_start(
    step: str, errno: int, status: int, type_: str
) -> None:
    world = World(unit("a", type=type_))
    world.behave("a", Process(spawn_fails=(step, errno, status)))
    answer = world.start("a")
    assert world.state("a") == ("failed", "failed", "exit-code")
    assert world.job_result(answer) == "failed"
    if type_ != "forking":
        assert (world.show("a")["exec_main_code"], world.show("a")["exec_main_status"]) == ("exited", status)


def test_a_simple_service_is_up_although_its_program_is_missing() -> None:
    world = World(unit("a", type="simple"))
    world.behave("a", cannot_exec())
    answer = world.start("a")
    assert world.job_result(answer) == "done"
    assert world.state("a") == ("failed", "failed", "exit-code")


@pytest.mark.parametrize("type_", ["simple", "exec", "notify", "oneshot"])
def test_a_fork_that_fails_is_a_lack_of_resources(type_: str) -> None:
    world = World(unit("a", type=type_))
    world.behave("a", Process(spawn_fails=("fork", 11, 0)))
    answer = world.start("a")
    assert world.state("a") == ("failed", "failed", "resources")
    assert world.job_result(answer) == "failed"


@pytest.mark.parametrize("phase", list(Phase))
def test_a_preparation_that_fails_ends_its_phase_like_a_failed_command(phase: Phase) -> None:
    line = "exec_" + phase.value.replace("-", "_")
    keys = {} if phase is Phase.START else {line: "x"}
    world = World(unit("a", **keys))
    world.behave("a", exits(0, prepare_fails=("user", 217)), phase=phase)
    world.start("a")
    if phase is Phase.RELOAD:
        assert world.job_result(world.reload("a")) == "failed"
        assert world.active("a") == "active"
        return
    world.stop("a")
    expected = ("inactive", "dead") if phase is Phase.CONDITION else ("failed", "failed")
    assert (world.active("a"), world.sub("a")) == expected
    assert world.processes("a") == []


def test_an_oom_kill_has_its_own_result() -> None:
    world = World(unit("a"))
    world.behave("a", Process(lives_us=SECOND, code=dies_by(9).code, status=9, oom_killed=True))
    world.start("a")
    world.advance(SECOND)
    assert world.state("a") == ("failed", "failed", "oom-kill")


def test_success_codes_count_for_the_main_process_of_every_type() -> None:
    from tests.spec.build import statuses

    for type_ in ("simple", "exec", "oneshot", "notify"):
        world = World(unit("a", type=type_, success_exit_status=statuses(42, signals=[10])))
        world.behave("a", says_ready(lives_us=SECOND, status=42))
        world.start("a")
        world.advance(SECOND)
        assert (type_, *world.state("a")) == (type_, "inactive", "dead", "success")


def test_a_program_that_need_not_succeed_need_not_be_there() -> None:
    world = World(unit("a", type="oneshot", exec_start=["-nowhere", "next"], restart="on-failure"))
    world.behave("a", cannot_exec(), exits(0))
    world.start("a")
    assert world.state("a") == ("inactive", "dead", "success")
    assert world.programs("a") == ["nowhere", "next"]
    world = World(unit("a", type="oneshot", exec_start="-nowhere"))
    world.behave("a", cannot_exec())
    world.start("a")
    assert (world.show("a")["exec_main_code"], world.show("a")["exec_main_status"]) == ("exited", 0)


def test_the_parent_of_a_forking_service_leaves_no_main_status() -> None:
    world = World(unit("a", type="forking"))
    world.behave("a", daemonizes())
    world.start("a")
    assert (world.sub("a"), world.show("a")["exec_main_code"]) == ("running", None)


@pytest.mark.parametrize("type_", ["simple", "exec", "idle", "oneshot", "notify", "forking"])
@pytest.mark.parametrize(
    ("end", "status"),
    [(cannot_exec(), 203), (Process(spawn_fails=("user", 0, 217)), 217), (Process(prepare_fails=("user", 217)), 217)],
    ids=["no program", "no user", "no user, found out before the fork"],
)
def test_only_types_that_do_not_wait_for_exec_are_up_before_it_fails(end: Process, status: int, type_: str) -> None:
    world = World(unit("a", type=type_, exec_stop="stop", exec_start_post="post"))
    world.behave("a", end)
    world.start("a")
    was_up = type_ in ("simple", "idle")
    assert ("post" in world.programs("a")) == was_up
    world = World(unit("a", type=type_, exec_stop="stop"))
    world.behave("a", end)
    answer = world.start("a")
    assert world.job_result(answer) == ("done" if was_up else "failed")
    assert world.state("a") == ("failed", "failed", "exit-code")
    assert (world.show("a")["exec_main_code"], world.show("a")["exec_main_status"]) == ("exited", status)


def test_a_start_that_failed_says_which_command_it_was() -> None:
    world = World(unit("a", type="oneshot"))
    world.behave("a", exits(75))
    answer = world.start("a")
    assert world.finished[answer.job].text == "exec_start (run) left with status 75 (TEMPFAIL)"


def test_a_reload_that_failed_is_not_told_as_the_service_s_own_failure() -> None:
    world = World(unit("a", exec_reload="reload"))
    world.behave("a", exits(0, after_us=10 * SECOND))
    world.behave("a", exits(3), phase=Phase.RELOAD)
    world.start("a")
    world.reload("a")
    because = [reason["text"] for reason in world.engine.why("a", world._instant())["because"]]
    assert "exec_reload (reload) left with status 3 (NOTIMPLEMENTED)" in because


def test_what_the_main_process_did_on_a_stop_counts_while_a_command_goes_on() -> None:
    world = World(unit("a", exec_start_post="post"))
    world.behave("a", runs(handles={15: 3}))
    world.behave("a", runs(dies_in_us=SECOND), phase=Phase.START_POST)
    world.start("a")
    world.stop("a")
    assert world.sub("a") == "stop-sigterm"
    world.advance(SECOND)
    assert world.state("a") == ("failed", "failed", "exit-code")


@pytest.mark.parametrize(("signal", "name"), [(9, "KILL"), (29, "IO"), (34, "RTMIN+0"), (35, "RTMIN+1"), (64, "RTMIN+30")])
def test_exec_stop_post_is_told_the_signal_by_systemd_s_name_of_it(signal: int, name: str) -> None:
    world = World(unit("a", exec_stop_post="sweep"))
    world.behave("a", dies_by(signal, after_us=SECOND))
    world.start("a")
    world.advance(SECOND)
    told = world.environment("a", Phase.STOP_POST)
    assert (told["SERVICE_RESULT"], told["EXIT_CODE"], told["EXIT_STATUS"]) == ("signal", "killed", name)
