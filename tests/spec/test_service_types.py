"""When a service counts as up, by its type (systemd.service(5), Type=; SEMANTICS 5.3), and its life from start to stop."""

import pytest

from supervisor.model.states import Phase
from tests.spec.behaviour import Process, daemonizes, exits, runs, says_ready
from tests.spec.build import MS, SECOND, unit
from tests.spec.world import World

# type -> what `a` needs before it is up, in the order in which this world gives it
UP_AFTER = {"simple": "fork", "exec": "exec", "notify": "ready", "notify-reload": "ready", "idle": "nothing"}


@pytest.mark.parametrize("type_", UP_AFTER)
def test_a_service_is_up_at_the_step_of_its_type(type_: str) -> None:
    world = World(unit("a", type=type_))
    world.behave("a", Process(prepare_takes_us=SECOND, exec_takes_us=SECOND, says=((SECOND, {"READY": "1"}),)))
    world.start("a")
    states = []
    for _ in range(4):
        states.append(world.active("a"))
        world.advance(SECOND)
    active_from = {"nothing": 0, "fork": 1, "exec": 2, "ready": 3}[UP_AFTER[type_]]
    assert states == ["activating"] * active_from + ["active"] * (4 - active_from)
    assert world.sub("a") == "running"


def test_a_oneshot_is_never_active_and_done_when_it_exits() -> None:
    world = World(unit("a", type="oneshot"))
    world.behave("a", exits(0, after_us=5 * SECOND))
    answer = world.start("a")
    assert world.state("a")[:2] == ("activating", "start")
    world.advance(5 * SECOND)
    assert world.state("a") == ("inactive", "dead", "success")
    assert world.job_result(answer) == "done"


def test_a_oneshot_that_remains_is_active_and_a_second_start_does_nothing() -> None:
    world = World(unit("a", type="oneshot", remain_after_exit=True))
    world.start("a")
    assert world.state("a") == ("active", "exited", "success")
    world.start("a")
    assert world.starts("a") == 1
    world.stop("a")
    assert world.active("a") == "inactive"
    world.start("a")
    assert world.starts("a") == 2


def test_the_commands_of_a_oneshot_run_one_after_the_other_up_to_the_first_failure() -> None:
    world = World(unit("a", type="oneshot", exec_start=["one", "two", "three"]))
    world.behave("a", exits(0), exits(1), exits(0))
    world.start("a")
    assert world.programs("a") == ["one", "two"]
    assert world.active("a") == "failed"


def test_a_oneshot_without_exec_start_stays_up_until_it_is_stopped() -> None:
    world = World(unit("a", type="oneshot", exec_start=[], exec_stop="undo", remain_after_exit=True))
    answer = world.start("a")
    assert world.job_result(answer) == "done"
    assert world.state("a") == ("active", "exited", "success")
    world.stop("a")
    assert world.programs("a") == ["undo"]


@pytest.mark.parametrize("lines", [(), ("condition",), ("start_pre",), ("start_post",), ("condition", "start_pre", "start_post")])
@pytest.mark.parametrize(
    ("keys", "end"),
    [
        ({"type": "simple"}, ["running"]),
        ({"type": "notify"}, ["running"]),
        ({"type": "idle"}, ["running"]),
        ({"type": "forking"}, ["running"]),
        ({"type": "oneshot"}, ["dead"]),
        ({"type": "oneshot", "remain_after_exit": True}, ["exited"]),
        ({"type": "oneshot", "exec_start": [], "exec_stop": "undo"}, ["stop", "dead"]),
        ({"type": "oneshot", "exec_start": [], "remain_after_exit": True}, ["exited"]),
    ],
)
def test_the_states_of_a_start_are_passed_in_their_order(keys: dict[str, object], end: list[str], lines: tuple[str, ...]) -> None:
    """Also `start` by who has no command for it: service_enter_start forces that state, so that its end is a change."""
    world = World(unit("a", **keys, **{f"exec_{line}": "x" for line in lines}))
    world.start("a")
    passed = [line.replace("_", "-") for line in ("condition", "start_pre") if line in lines]
    expected = [*passed, "start", *(["start-post"] if "start_post" in lines else []), *end]
    assert [dict(record.fields)["sub_state"] for record in world.records if record.kind == "state"] == expected


def test_every_line_of_a_start_runs_in_its_order() -> None:
    world = World(
        unit(
            "a",
            exec_condition="ask",
            exec_start_pre=["pre1", "pre2"],
            exec_start="main",
            exec_start_post=["post1", "post2"],
            exec_stop=["stop1", "stop2"],
            exec_stop_post=["sweep1", "sweep2"],
        )
    )
    world.start("a")
    assert world.programs() == ["ask", "pre1", "pre2", "main", "post1", "post2"]
    assert world.active("a") == "active"
    world.stop("a")
    assert world.programs() == ["ask", "pre1", "pre2", "main", "post1", "post2", "stop1", "stop2", "sweep1", "sweep2"]
    assert world.active("a") == "inactive"


def test_a_service_is_up_only_after_its_exec_start_post() -> None:
    world = World(unit("a", exec_start_post="post"), unit("b", after=["a"]))
    world.behave("a", exits(0, after_us=SECOND), phase=Phase.START_POST)
    answer = world.start("a")
    world.start("b")
    assert (world.sub("a"), world.active("b")) == ("start-post", "inactive")
    assert world.job_result(answer) is None
    world.advance(SECOND)
    assert (world.sub("a"), world.active("b")) == ("running", "active")


def test_a_main_process_that_ends_during_exec_start_post_is_accounted_for_after_it() -> None:
    world = World(unit("a", exec_start_post="post"))
    world.behave("a", exits(3, after_us=MS))
    world.behave("a", exits(0, after_us=SECOND), phase=Phase.START_POST)
    world.start("a")
    world.advance(2 * SECOND)
    assert world.state("a") == ("failed", "failed", "exit-code")


@pytest.mark.parametrize("type_", ["notify", "notify-reload"])
def test_an_exit_before_ready_is_a_protocol_error(type_: str) -> None:
    world = World(unit("a", type=type_))
    world.behave("a", exits(0, after_us=SECOND))
    answer = world.start("a")
    world.advance(SECOND)
    assert world.state("a") == ("failed", "failed", "protocol")
    assert world.job_result(answer) == "failed"


def test_a_failure_before_ready_keeps_its_own_result() -> None:
    world = World(unit("a", type="notify"))
    world.behave("a", exits(4))
    world.start("a")
    assert world.state("a") == ("failed", "failed", "exit-code")


def test_idle_waits_for_other_jobs_but_five_seconds_at_most() -> None:
    world = World(unit("a", type="idle"), unit("b", type="notify"))
    world.behave("b", says_ready(after_us=2 * SECOND))
    world.start("b")
    world.start("a")
    world.advance(SECOND)
    assert world.processes("a") == []
    world.advance(SECOND)
    assert len(world.processes("a")) == 1
    world = World(unit("a", type="idle"), unit("b", type="notify"))
    world.behave("b", runs())
    world.start("b")
    world.start("a")
    world.advance(5 * SECOND)
    assert len(world.processes("a")) == 1


# forking ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pid_file", ["/run/a.pid", ""], ids=["pid file", "guessed"])
def test_a_forking_service_is_up_when_its_parent_has_exited_and_its_main_process_is_known(pid_file: str) -> None:
    world = World(unit("a", type="forking", pid_file=pid_file))
    world.behave("a", daemonizes(after_us=SECOND))
    world.start("a")
    assert world.state("a")[:2] == ("activating", "start")
    world.advance(SECOND)
    assert world.state("a") == ("active", "running", "success")
    daemon = world.processes("a")
    assert [world.show("a")["main_pid"]] == [process.pid for process in daemon]


def test_a_forking_service_s_parent_that_fails_fails_the_start() -> None:
    world = World(unit("a", type="forking"))
    world.behave("a", exits(1))
    answer = world.start("a")
    assert world.state("a") == ("failed", "failed", "exit-code")
    assert world.job_result(answer) == "failed"


@pytest.mark.parametrize(("status", "result"), [(0, "success"), (1, "exit-code")])
def test_the_end_of_a_daemon_ends_its_service(status: int, result: str) -> None:
    world = World(unit("a", type="forking", pid_file="/run/a.pid"))
    world.behave("a", daemonizes(exits(status, after_us=5 * SECOND)))
    world.start("a")
    assert world.active("a") == "active"
    world.advance(5 * SECOND)
    assert world.result("a") == result
    assert world.show("a")["exec_main_status"] == status
    assert world.active("a") == ("inactive" if status == 0 else "failed")


def test_a_forking_service_that_leaves_nobody_behind_has_failed_or_finished() -> None:
    world = World(unit("a", type="forking"))
    world.behave("a", exits(0))
    world.start("a")
    world.advance(SECOND)
    assert world.active("a") in ("inactive", "failed")
    assert world.processes("a") == []


def test_a_forking_service_whose_pid_file_never_comes_fails() -> None:
    world = World(unit("a", type="forking", pid_file="/run/a.pid", timeout_start_us=5 * SECOND))
    world.main_pid_is_unknown.add("a")
    answer = world.start("a")
    world.advance(30 * SECOND)
    assert world.active("a") == "failed"
    assert world.result("a") in ("protocol", "timeout")
    assert world.job_result(answer) in ("failed", "timeout")
    assert world.processes("a") == []


def test_a_late_pid_file_is_waited_for_before_a_forking_service_is_up() -> None:
    world = World(unit("a", type="forking", pid_file="/run/a.pid"))
    world.main_pid_is_unknown.add("a")
    answer = world.start("a")
    world.advance(SECOND)
    assert world.state("a")[:2] == ("activating", "start")
    world.pid_file_comes("a")
    assert (world.sub("a"), world.job_result(answer)) == ("running", "done")
    assert world.show("a")["main_pid"] == world.processes("a")[0].pid


def test_a_late_pid_file_may_be_written_by_exec_start_post_and_is_waited_for_after_it() -> None:
    # service_load_pid_file of systemd: not to be there yet is no failure while there are ExecStartPost= commands to come.
    world = World(unit("a", type="forking", pid_file="/run/a.pid", exec_start_post="post"))
    world.main_pid_is_unknown.add("a")
    world.behave("a", exits(0, after_us=SECOND), phase=Phase.START_POST)
    answer = world.start("a")
    assert (world.sub("a"), world.show("a")["main_pid"]) == ("start-post", 0)
    world.advance(2 * SECOND)
    assert (world.sub("a"), world.job_result(answer)) == ("start-post", None)
    world.pid_file_comes("a")
    assert (world.sub("a"), world.job_result(answer)) == ("running", "done")
    assert world.show("a")["main_pid"] == world.processes("a")[0].pid


# exit type, remain after exit ------------------------------------------------------------------------------------------


def test_exit_type_cgroup_waits_for_the_last_process() -> None:
    world = World(unit("a", exit_type="cgroup"))
    world.behave("a", exits(0, after_us=SECOND, leaves=(exits(0, after_us=5 * SECOND),)))
    world.start("a")
    world.advance(2 * SECOND)
    assert world.active("a") == "active"
    world.advance(4 * SECOND)
    assert world.state("a") == ("inactive", "dead", "success")
    assert world.kills("a") == []


@pytest.mark.parametrize(("status", "active", "sub"), [(0, "active", "exited"), (1, "failed", "failed")])
def test_remain_after_exit_keeps_a_service_that_succeeded(status: int, active: str, sub: str) -> None:
    world = World(unit("a", remain_after_exit=True))
    world.behave("a", exits(status, after_us=SECOND))
    world.start("a")
    world.advance(2 * SECOND)
    assert (world.active("a"), world.sub("a")) == (active, sub)


# reload ------------------------------------------------------------------------------------------------------------------


def test_a_reload_runs_its_lines_and_the_service_is_reloading_meanwhile() -> None:
    world = World(unit("a", exec_reload=["one", "two"]))
    world.start("a")
    world.behave("a", exits(0, after_us=SECOND), phase=Phase.RELOAD)
    answer = world.reload("a")
    assert world.state("a")[:2] == ("reloading", "reload")
    world.advance(2 * SECOND)
    assert world.programs("a") == ["run", "one", "two"]
    assert world.state("a") == ("active", "running", "success")
    assert world.job_result(answer) == "done"
    assert world.environment("a", Phase.RELOAD)["MAINPID"] == str(world.show("a")["main_pid"])


def test_a_reload_of_a_service_that_has_exited_leaves_it_exited() -> None:
    world = World(unit("a", type="oneshot", remain_after_exit=True, exec_reload="one"))
    world.behave("a", exits(0))
    world.behave("a", exits(0, after_us=SECOND), phase=Phase.RELOAD)
    world.start("a")
    answer = world.reload("a")
    world.advance(SECOND)
    assert (world.sub("a"), world.job_result(answer)) == ("exited", "done")


def test_a_reload_during_which_the_main_process_said_reloading_and_ended_is_over() -> None:
    world = World(unit("a", type="notify", exec_reload="one", timeout_start_us=None))
    world.behave("a", says_ready())
    world.behave("a", exits(0, after_us=SECOND), phase=Phase.RELOAD)
    world.start("a")
    world.reload("a")
    world.notify("a", RELOADING="1")
    world.signal("a", 15)
    world.advance(SECOND)
    assert world.state("a") == ("inactive", "dead", "success")


def test_a_reload_that_fails_leaves_the_service_running() -> None:
    world = World(unit("a", exec_reload="one"))
    world.behave("a", exits(1), phase=Phase.RELOAD)
    world.start("a")
    answer = world.reload("a")
    assert world.job_result(answer) == "failed"
    assert world.state("a") == ("active", "running", "success")


def test_a_main_process_that_dies_during_a_reload_takes_the_service_along() -> None:
    world = World(unit("a", exec_reload="one"))
    world.behave("a", exits(1, after_us=SECOND))
    world.behave("a", exits(0, after_us=3 * SECOND), phase=Phase.RELOAD)
    world.start("a")
    world.reload("a")
    world.advance(2 * SECOND)
    assert world.active("a") == "reloading"  # the operation is waited for first
    world.advance(SECOND)
    assert world.active("a") == "failed"
    assert world.processes("a") == []


RELOADS_WELL = runs(
    says=((0, {"READY": "1"}),),
    says_on_signal={1: ({"RELOADING": "1", "MONOTONIC_USEC": "NOW"}, {"READY": "1"})},
)


def test_notify_reload_is_done_by_signal_and_two_messages() -> None:
    world = World(unit("a", type="notify-reload"))
    world.behave("a", RELOADS_WELL)
    world.start("a")
    answer = world.reload("a")
    assert world.job_result(answer) == "done"
    assert world.state("a") == ("active", "running", "success")
    assert (1, "main") in world.kills("a")


@pytest.mark.parametrize(
    "says",
    [(), ({"RELOADING": "1", "MONOTONIC_USEC": "1"}, {"READY": "1"}), ({"RELOADING": "1", "MONOTONIC_USEC": "NOW"},)],
    ids=["silence", "a RELOADING from before the signal", "no READY"],
)
def test_a_notify_reload_that_is_not_answered_properly_times_out_and_the_service_goes_on(says: tuple[dict[str, str], ...]) -> None:
    world = World(unit("a", type="notify-reload", timeout_start_us=10 * SECOND))
    world.behave("a", runs(says=((0, {"READY": "1"}),), says_on_signal={1: says}))
    world.start("a")
    world.advance(SECOND)
    answer = world.reload("a")
    assert world.active("a") == "reloading"
    world.advance(11 * SECOND)
    assert (world.job_result(answer), world.show("a")["reload_result"]) == ("failed", "timeout")
    assert world.active("a") == "active"
    assert len(world.processes("a")) == 1


@pytest.mark.parametrize(("status", "sub", "result"), [(0, "reload-signal", None), (1, "running", "failed")])
def test_the_command_of_a_notify_reload_service_comes_before_its_word(status: int, sub: str, result: str | None) -> None:
    world = World(unit("a", type="notify-reload", exec_reload="one"))
    world.behave("a", says_ready(survives=frozenset({1})))
    world.behave("a", exits(status), phase=Phase.RELOAD)
    world.start("a")
    answer = world.reload("a")
    assert (world.sub("a"), world.job_result(answer)) == (sub, result)
