"""Restart=: which end of a service leads to a new start (systemd.service(5), Restart= and the table there; SEMANTICS 5.5)."""

import json
import signal as signals
from pathlib import Path
from typing import Any

import pytest

from supervisor.model.specification import Condition, StatusSet, Unit
from supervisor.model.states import Phase
from tests.spec.behaviour import SIGABRT, SIGKILL, SIGSEGV, SIGTERM, Process, dies_by, exits, runs, says_ready
from tests.spec.build import MS, SECOND, statuses, unit
from tests.spec.world import World

POLICIES = ("no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog")

# The table of the manual: a row for each way to end, a column for each policy in the order above.
TABLE = {
    "clean exit code": "-XX----",
    "clean signal": "-XX----",
    "unclean exit code": "-X-X---",
    "unclean signal": "-X-XXX-",
    "core dump": "-X-XXX-",
    "time-out": "-X-XX--",
    "watchdog": "-X-XX-X",
}

ENDS: dict[str, tuple[Process, str]] = {
    "clean exit code": (exits(0, after_us=SECOND), "success"),
    "clean signal": (dies_by(SIGTERM, after_us=SECOND), "success"),
    "unclean exit code": (exits(1, after_us=SECOND), "exit-code"),
    "unclean signal": (dies_by(SIGKILL, after_us=SECOND), "signal"),
    "core dump": (dies_by(SIGSEGV, after_us=SECOND, dumps_core=True), "core-dump"),
}


def _world(type_: str, policy: str, end: str) -> tuple[World, str]:
    """A world in which the service `a` ends this way within two seconds of its start, and the result it must have."""
    keys: dict[str, Any] = {"type": type_, "restart": policy, "restart_us": 100 * SECOND}
    if end == "time-out":
        world = World(unit("a", **keys, runtime_max_us=SECOND))
        return world, "timeout"
    if end == "watchdog":
        world = World(unit("a", **keys, watchdog_us=SECOND))
        return world, "watchdog"
    world = World(unit("a", **keys))
    process, result = ENDS[end]
    if type_ == "notify":
        process = Process(lives_us=process.lives_us, code=process.code, status=process.status, says=((0, {"READY": "1"}),))
    if type_ == "forking":
        process = Process(lives_us=0, leaves=(process,))
    world.behave("a", process)
    return world, result


@pytest.mark.parametrize("type_", ["simple", "exec", "idle", "notify", "forking"])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("end", TABLE)
def test_a_running_service_restarts_as_the_manual_s_table_says(end: str, policy: str, type_: str) -> None:
    world, result = _world(type_, policy, end)
    world.start("a")
    world.advance(10 * SECOND)
    expected = TABLE[end][POLICIES.index(policy)] == "X"
    assert (world.sub("a") == "auto-restart") == expected
    assert world.result("a") == result
    if not expected:
        assert world.active("a") == ("inactive" if result == "success" else "failed")


ONESHOT_TABLE = {
    "clean exit code": "-----",
    "SIGTERM, which is unclean for a oneshot": "-XXX-",
    "unclean exit code": "-X---",
    "unclean signal": "-XXX-",
    "time-out": "-XX--",
}
ONESHOT_POLICIES = ("no", "on-failure", "on-abnormal", "on-abort", "on-watchdog")


@pytest.mark.parametrize("remains", [False, True])
@pytest.mark.parametrize("policy", ONESHOT_POLICIES)
@pytest.mark.parametrize("end", ONESHOT_TABLE)
def test_a_oneshot_restarts_only_after_a_failure(end: str, policy: str, remains: bool) -> None:
    world = World(unit("a", type="oneshot", restart=policy, restart_us=100 * SECOND, timeout_start_us=SECOND, remain_after_exit=remains))
    world.behave(
        "a",
        {
            "clean exit code": exits(0),
            "SIGTERM, which is unclean for a oneshot": dies_by(SIGTERM),
            "unclean exit code": exits(3),
            "unclean signal": dies_by(SIGKILL),
            "time-out": runs(),
        }[end],
    )
    world.start("a")
    world.advance(10 * SECOND)
    expected = ONESHOT_TABLE[end][ONESHOT_POLICIES.index(policy)] == "X"
    assert (world.sub("a") == "auto-restart") == expected


LISTS: list[tuple[str, dict[str, StatusSet], Process, str, bool, str]] = [
    # name, lists, end, policy, restarts, result
    ("a success code counts as clean", {"success_exit_status": statuses(3)}, exits(3), "on-failure", False, "success"),
    ("a success code restarts on success", {"success_exit_status": statuses(3)}, exits(3), "on-success", True, "success"),
    ("a success signal counts as clean", {"success_exit_status": statuses(signals=[9])}, dies_by(9), "on-failure", False, "success"),
    ("another code stays unclean", {"success_exit_status": statuses(3)}, exits(4), "on-failure", True, "exit-code"),
    ("a code is not the signal of that number", {"success_exit_status": statuses(9)}, dies_by(9), "on-failure", True, "signal"),
    ("a signal is not the code of that number", {"success_exit_status": statuses(signals=[9])}, exits(9), "on-failure", True, "exit-code"),
    ("a prevented code never restarts", {"restart_prevent_exit_status": statuses(3)}, exits(3), "always", False, "exit-code"),
    ("a prevented signal never restarts", {"restart_prevent_exit_status": statuses(signals=[9])}, dies_by(9), "always", False, "signal"),
    ("a prevented clean exit never restarts", {"restart_prevent_exit_status": statuses(0)}, exits(0), "always", False, "success"),
    ("a forced code restarts in spite of the policy", {"restart_force_exit_status": statuses(3)}, exits(3), "no", True, "exit-code"),
    ("a forced clean exit restarts in spite of the policy", {"restart_force_exit_status": statuses(0)}, exits(0), "no", True, "success"),
    ("a forced signal restarts", {"restart_force_exit_status": statuses(signals=[15])}, dies_by(15), "on-abnormal", True, "success"),
    (
        "prevent beats force",
        {"restart_prevent_exit_status": statuses(3), "restart_force_exit_status": statuses(3)},
        exits(3),
        "always",
        False,
        "exit-code",
    ),
]


@pytest.mark.parametrize(("lists", "end", "policy", "restarts", "result"), [row[1:] for row in LISTS], ids=[row[0] for row in LISTS])
def test_status_lists_come_before_the_policy(lists: dict[str, StatusSet], end: Process, policy: str, restarts: bool, result: str) -> None:
    world = World(unit("a", restart=policy, restart_us=100 * SECOND, **lists))
    world.behave("a", end)
    world.start("a")
    world.advance(SECOND)
    assert (world.sub("a") == "auto-restart") == restarts
    assert world.result("a") == result


def test_a_forced_status_does_not_restart_a_oneshot_that_succeeded() -> None:
    world = World(unit("a", type="oneshot", restart="no", restart_force_exit_status=statuses(0)))
    world.start("a")
    world.advance(10 * SECOND)
    assert world.state("a") == ("inactive", "dead", "success")
    assert world.starts("a") == 1


@pytest.mark.parametrize("policy", POLICIES)
def test_a_manual_stop_never_restarts(policy: str) -> None:
    world = World(unit("a", restart=policy))
    world.behave("a", runs(handles={SIGTERM: 1}))
    world.start("a")
    world.stop("a")
    world.advance(100 * SECOND)
    assert world.active("a") in ("failed", "inactive")
    assert world.starts("a") == 1


def test_a_stop_during_the_delay_cancels_the_restart() -> None:
    world = World(unit("a", restart="always", restart_us=10 * SECOND))
    world.behave("a", exits(1))
    world.start("a")
    world.advance(SECOND)
    assert world.sub("a") == "auto-restart"
    world.stop("a")
    world.advance(100 * SECOND)
    assert world.active("a") in ("inactive", "failed")
    assert world.starts("a") == 1


@pytest.mark.parametrize(("verb", "hurries"), [("start", False), ("restart", True)])
def test_during_the_delay_a_start_waits_for_its_end_and_a_restart_hurries(verb: str, hurries: bool) -> None:
    # systemd's service_start: "if a user does not want to wait for the holdoff time, the service should be restarted, not started".
    world = World(unit("a", restart="always", restart_us=10 * SECOND))
    world.behave("a", exits(1), runs())
    world.start("a")
    world.advance(SECOND)
    answer = world.request(verb, "a")
    assert (world.sub("a") == "running") == hurries
    world.advance(10 * SECOND)
    assert world.job_result(answer) == "done"
    assert (world.sub("a"), world.starts("a")) == ("running", 2)


def test_a_restart_keeps_its_count_and_gets_a_new_invocation_id() -> None:
    world = World(unit("a", restart="always", restart_us=SECOND))
    world.behave("a", exits(1, after_us=SECOND))
    world.start("a")
    first = world.show("a")["invocation_id"]
    world.advance(2 * SECOND)
    assert world.show("a")["n_restarts"] == 1
    assert world.show("a")["invocation_id"] != first
    world.advance(2 * SECOND)
    assert world.show("a")["n_restarts"] == 2


def test_a_service_without_a_delay_limit_waits_for_ever_when_restart_sec_is_infinity() -> None:
    world = World(unit("a", restart="always", restart_us=None))
    world.behave("a", exits(1))
    world.start("a")
    world.advance(100_000 * SECOND)
    assert world.sub("a") == "auto-restart"
    assert world.starts("a") == 1


@pytest.mark.parametrize(("mode", "fires"), [("normal", True), ("direct", False)])
def test_on_failure_fires_before_each_automatic_restart_unless_the_restart_is_direct(mode: str, fires: bool) -> None:
    world = World(
        unit("a", restart="always", restart_us=SECOND, restart_mode=mode, on_failure=["alarm"]),
        unit("alarm", type="oneshot", is_enabled=False),
    )
    world.behave("a", exits(1, after_us=SECOND), runs())
    world.start("a")
    world.advance(10 * SECOND)
    assert world.sub("a") == "running"
    assert world.starts("alarm") == (1 if fires else 0)


@pytest.mark.parametrize("mode", ["normal", "direct"])
def test_dependents_are_restarted_with_an_automatic_restart_in_either_mode(mode: str) -> None:
    # service_enter_restart of systemd 256 asks for restart-dependencies in both; "direct" skips the failed state and its hooks only.
    world = World(
        unit("a", restart="always", restart_us=SECOND, restart_mode=mode),
        unit("b", requires=["a"], after=["a"]),
    )
    world.behave("a", exits(1, after_us=SECOND), runs())
    world.start("b")
    world.advance(10 * SECOND)
    assert world.sub("a") == "running"
    assert world.sub("b") == "running"
    assert world.starts("b") == 2


def test_a_task_is_tried_max_attempts_times() -> None:
    world = World(unit("a", kind="task", type="oneshot", restart="on-failure", restart_us=SECOND, max_attempts=3))
    world.behave("a", exits(1))
    world.start("a")
    world.advance(60 * SECOND)
    assert world.starts("a") == 3
    assert world.state("a") == ("failed", "failed", "exit-code")


# What a real systemd 252 did ------------------------------------------------------------------------------------------

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "restart-matrix.json").read_text())["cases"]


def _status_set(words: str) -> StatusSet:
    codes, names = [], []
    for word in words.split():
        if word.isdigit():
            codes.append(int(word))
        elif word == "TEMPFAIL":
            codes.append(75)
        else:
            names.append(int(getattr(signals, word)))
    return StatusSet(tuple(codes), tuple(names))


def _translate(row: dict[str, Any]) -> tuple[Unit, dict[Phase, Process]]:
    """The recorded unit file as a specification, and what its processes do."""
    keys: dict[str, Any] = {"type": "simple", "timeout_start_us": 90 * SECOND}
    scripts: dict[Phase, Process] = {}
    for line in row["unit"].splitlines():
        key, _, value = line.partition("=")
        match key:
            case "Type":
                keys["type"] = value
            case "Restart":
                keys["restart"] = value
            case "RemainAfterExit":
                keys["remain_after_exit"] = True
            case "RestartSec":
                keys["restart_us"] = 8 * SECOND
            case "StartLimitIntervalSec":
                keys["start_limit_interval_us"] = 0
            case "TimeoutStopSec":
                keys["timeout_stop_us"] = 2 * SECOND
            case "TimeoutStartSec":
                keys["timeout_start_us"] = 300 * MS
            case "WatchdogSec":
                keys["watchdog_us"] = 300 * MS
            case "NotifyAccess":
                keys["notify_access"] = value
            case "SuccessExitStatus" | "RestartPreventExitStatus" | "RestartForceExitStatus":
                name = {"S": "success_exit_status", "P": "restart_prevent_exit_status", "F": "restart_force_exit_status"}[
                    key.removeprefix("Restart")[0]
                ]
                keys[name] = _status_set(value) if value else StatusSet()
            case "ConditionPathExists":
                keys["conditions"] = (Condition("path_exists", value),)
            case "ExecCondition":
                keys["exec_condition"] = "condition"
                scripts[Phase.CONDITION] = exits(int(value.rstrip("'").split()[-1]))
            case "ExecStopPost":
                keys["exec_stop_post"] = "post"
                scripts[Phase.STOP_POST] = exits(1)
            case "ExecStart":
                scripts[Phase.START] = _main_process(value)
            case "[Unit]" | "[Service]" | "" | "KillMode" | "LimitCORE":
                pass
            case _:
                raise AssertionError(f"the recorded key {key} has no translation")
    if row["load"] == "bad-setting":
        keys["load_error"] = "restart=always is refused for a oneshot"
    if keys["type"] == "oneshot":
        keys["timeout_start_us"] = None
    return unit("a", **keys), scripts


def _main_process(line: str) -> Process:
    if "systemd-notify --ready" in line:
        return says_ready()
    if "exit " in line:
        return exits(int(line.rstrip("'").split()[-1]))
    if "kill -" in line:
        word = line.split("kill -")[1].split()[0]
        number = int(word) if word.isdigit() else int(getattr(signals, "SIG" + word))
        return dies_by(number)
    return exits(0) if line == "/bin/true" else runs()


@pytest.mark.parametrize("row", RECORDED, ids=[f"{i}: {row['way']}, {row['Restart']}" for i, row in enumerate(RECORDED)])
def test_a_recorded_row_of_systemd_252_holds(row: dict[str, Any]) -> None:
    specification, scripts = _translate(row)
    world = World(specification)
    world.conditions["a"] = row["way"] != "condition false"
    for phase, script in scripts.items():
        world.behave("a", script, phase=phase)
    answer = world.start("a")
    if row["load"] == "bad-setting":
        assert answer.code == "bad-setting"
        assert world.starts("a") == 0
        return
    if row["way"] == "systemctl kill TERM":
        world.kill("a", SIGTERM)
    world.advance(4 * SECOND)
    assert (world.active("a"), world.sub("a")) == (row["state"], row["sub"])
    if row["way"] == "exec-condition exit 1":
        assert world.result("a") == "exec-condition"  # systemd had unloaded the unit before it was asked
    else:
        assert world.result("a") == row["result"]
    assert (world.sub("a") == "auto-restart") == row["will_restart"]
    if row["start_rc"] is not None:
        assert (world.job_result(answer) == "done") == (row["start_rc"] == 0)
    if row["code"] != "0":  # 0: systemd had already unloaded the unit, or it had no main process
        assert (world.show("a")["exec_main_code"], world.show("a")["exec_main_status"]) == (
            {"1": "exited", "2": "killed"}[row["code"]],
            int(row["status"]),
        )


def test_the_abort_of_a_watchdog_is_not_taken_for_an_abort_of_its_own() -> None:
    world = World(unit("a", type="notify", watchdog_us=SECOND, restart="on-abort"))
    world.behave("a", says_ready())
    world.start("a")
    world.advance(2 * SECOND)
    assert world.state("a") == ("failed", "failed", "watchdog")
    assert SIGABRT in [signal for signal, _ in world.kills("a")]


@pytest.mark.parametrize("verb", ["stop", "start", "reload", None])
def test_only_a_stop_that_is_queued_holds_up_an_automatic_restart(verb: str | None) -> None:
    world = World(unit("a", restart="always", restart_us=SECOND, exec_reload="again"), unit("later", after=["a"]))
    world.behave("later", runs(dies_in_us=10 * SECOND))
    world.behave("a", exits(1), runs())
    world.start("later")
    world.start("a")
    world.stop("later")  # whatever is asked of a waits for this
    if verb:
        world.request(verb, "a")
    world.advance(2 * SECOND)
    assert world.sub("a") == ("auto-restart" if verb == "stop" else "auto-restart-queued")
    world.advance(10 * SECOND)
    assert world.sub("a") == ("dead" if verb == "stop" else "running")
