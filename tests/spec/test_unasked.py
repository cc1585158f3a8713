"""What the engine does of its own accord when units change without being asked to, and what it leaves alone (systemd's unit_notify)."""

import pytest

from supervisor.engine.reactions import AUTOMATIC_BURST, AUTOMATIC_INTERVAL_US
from supervisor.model import effects as do
from supervisor.model.states import JobType, Phase
from tests.spec.behaviour import Process, exits, runs, says_ready, stubborn
from tests.spec.build import SECOND, unit
from tests.spec.world import World


def test_who_waits_for_its_restart_came_up_and_what_conflicts_with_it_goes() -> None:
    world = World(unit("a", restart="always", restart_us=100 * SECOND, conflicts=["b"]), unit("b"), unit("c", conflicts=["a"]))
    world.behave("a", exits(1, after_us=2 * SECOND))
    world.start("a")
    world.start("b", mode="ignore-dependencies")
    world.start("c", mode="ignore-dependencies")
    assert [world.active(name) for name in "abc"] == ["active", "active", "active"]
    world.advance(2 * SECOND)
    assert world.sub("a") == "auto-restart"
    assert [world.active(name) for name in "bc"] == ["inactive", "inactive"]


def test_what_on_failure_starts_may_need_what_failed() -> None:
    world = World(unit("a", type="oneshot", on_failure=["b"]), unit("b", requires=["a"]))
    world.behave("a", exits(1, after_us=SECOND // 2), exits(0))
    world.start("a")
    world.advance(5 * SECOND)
    assert (world.active("b"), world.starts("a")) == ("active", 2)


def test_a_stop_is_passed_on_to_who_is_up_and_makes_no_job_for_who_is_down() -> None:
    world = World(unit("a"), unit("b", requires=["a"]), unit("c", requires=["a"]))
    world.start("b")
    world.stop("a")
    assert sorted(job.unit for job in world.finished.values() if job.type == JobType.STOP) == ["a", "b"]


@pytest.mark.parametrize("keys", [{"is_masked": True}, {"load_error": "no good"}])
def test_a_boot_into_what_cannot_be_started_starts_nothing_and_says_so(keys: dict[str, object]) -> None:
    world = World(unit("a", wants=["b"], **keys), unit("b"))
    world.boot("a")
    assert (world.finished, world.active("b")) == ({}, "inactive")
    assert [reason.what for reason in world.engine.core.states["a"].because] == ["transaction"]


def test_upholding_asks_sixteen_times_in_ten_seconds_and_again_only_when_they_are_over() -> None:
    world = World(unit("a", upholds=["b"]), unit("b", start_limit_interval_us=0))
    tenth_us = SECOND // 10
    # It comes up with a; the window begins as it is started for the first time after that, and what is started last ends with the window.
    short = exits(1, after_us=tenth_us)
    world.behave("b", *[short] * AUTOMATIC_BURST, exits(1, after_us=AUTOMATIC_INTERVAL_US - (AUTOMATIC_BURST - 1) * tenth_us), runs())
    world.start("a")
    world.advance(tenth_us + AUTOMATIC_INTERVAL_US)
    assert (world.active("b"), world.starts("b")) == ("failed", 1 + AUTOMATIC_BURST)
    world.advance(1)
    assert (world.active("b"), world.starts("b")) == ("active", 2 + AUTOMATIC_BURST)


def test_a_question_whether_it_is_up_fails_with_what_it_requires() -> None:
    world = World(unit("a", type="oneshot"), unit("b", requires=["a"], after=["a"]))
    world.behave("a", exits(1, after_us=SECOND))
    world.start("a")
    answer = world.request(JobType.VERIFY_ACTIVE, "b")
    world.advance(2 * SECOND)
    assert world.job_result(answer) == "dependency"


def test_a_service_that_reloads_while_its_reload_command_runs_goes_on_when_that_has_ended() -> None:
    world = World(unit("a", type="notify", exec_reload="tell"))
    world.behave("a", runs(says=says_ready().says))
    world.behave("a", exits(0, after_us=SECOND), phase=Phase.RELOAD)
    world.start("a")
    world.request(JobType.RELOAD, "a")
    world.notify("a", RELOADING="1")
    world.advance(SECOND)
    assert world.sub("a") == "reload-notify"
    world.notify("a", READY="1")
    assert world.sub("a") == "running"


@pytest.mark.parametrize("kind", ["simple", "idle"])
def test_a_service_without_a_word_is_up_once_it_is_forked(kind: str) -> None:
    world = World(unit("a", type=kind))
    world.behave("a", Process(exec_takes_us=100 * SECOND))
    world.start("a")
    world.advance(10 * SECOND)
    assert world.active("a") == "active"


@pytest.mark.parametrize("phase", [Phase.CONDITION, Phase.START_PRE, Phase.START, Phase.START_POST])
def test_a_process_that_cannot_be_forked_ends_the_start_for_want_of_resources(phase: Phase) -> None:
    keys = {Phase.CONDITION: "exec_condition", Phase.START_PRE: "exec_start_pre", Phase.START_POST: "exec_start_post"}
    world = World(unit("a", **({keys[phase]: "x"} if phase in keys else {})))
    world.behave("a", Process(spawn_fails=("fork", 11, 0)), phase=phase)
    world.start("a")
    world.advance(SECOND)
    assert (world.active("a"), world.show("a")["result"]) == ("failed", "resources")


def test_who_is_bound_goes_as_soon_as_the_other_is_going() -> None:
    world = World(unit("a", exec_stop_post="sweep"), unit("b", binds_to=["a"]))
    world.behave("a", exits(1, after_us=SECOND))
    world.behave("a", exits(0, after_us=100 * SECOND), phase=Phase.STOP_POST)
    world.start("b")
    world.advance(2 * SECOND)
    assert (world.sub("a"), world.active("b")) == ("stop-post", "inactive")


def test_a_reload_of_its_own_accord_starts_nothing_that_is_down() -> None:
    world = World(unit("a", type="notify", wants=["b"]), unit("b"))
    world.behave("a", runs(says=says_ready().says))
    world.behave("b", exits(0, after_us=SECOND))
    world.start("a")
    world.advance(2 * SECOND)
    world.notify("a", RELOADING="1")
    assert (world.active("a"), world.active("b"), world.starts("b")) == ("reloading", "inactive", 1)


def test_what_there_is_not_cannot_be_stopped() -> None:
    assert World(unit("a")).stop("nosuch").code == "no-such-unit"


@pytest.mark.parametrize(("digits", "sub"), [(19, "start"), (20, "failed")])
def test_a_number_of_twenty_digits_is_none(digits: int, sub: str) -> None:
    world = World(unit("a", type="notify", timeout_start_us=SECOND))
    world.behave("a", runs())
    world.start("a")
    world.notify("a", EXTEND_TIMEOUT_USEC="1" + "0" * (digits - 1))
    world.advance(2 * SECOND)
    assert world.sub("a") == sub


def test_what_is_up_and_wanted_again_asks_nothing_of_others() -> None:
    world = World(unit("a", requires=["b"]), unit("b", wants=["c"]), unit("c"))
    world.start("b")
    world.stop("c")
    world.start("a")
    assert [world.active(name) for name in "abc"] == ["active", "active", "inactive"]


@pytest.mark.parametrize(
    ("keys", "left"),
    [({"kill_mode": "mixed"}, Process(is_unkillable=True)), ({"send_sigkill": False}, stubborn())],
    ids=["mixed", "no sigkill"],
)
def test_a_good_stop_whose_processes_do_not_go_is_a_time_out(keys: dict[str, object], left: Process) -> None:
    world = World(unit("a", timeout_stop_us=SECOND, **keys))
    world.behave("a", runs(leaves=(left,)))
    world.start("a")
    world.stop("a")
    world.advance(10 * SECOND)
    assert (world.active("a"), world.show("a")["result"]) == ("failed", "timeout")


@pytest.mark.parametrize("mode", ["terminate", "abort"])
def test_what_kill_mode_mixed_left_alone_is_killed_where_exec_stop_post_does_not_even_begin(mode: str) -> None:
    world = World(unit("a", kill_mode="mixed", exec_stop_post="sweep", timeout_stop_us=SECOND, timeout_stop_failure_mode=mode))
    world.behave("a", runs(leaves=(stubborn(),)))
    world.behave("a", Process(prepare_takes_us=1000 * SECOND), phase=Phase.STOP_POST)
    world.start("a")
    world.stop("a")
    world.advance(10 * SECOND)
    assert (world.state("a"), world.processes("a")) == (("failed", "failed", "timeout"), [])


@pytest.mark.parametrize(("stamp", "sub"), [("NOW", "running"), ("1", "reload-signal"), (None, "reload-signal")])
def test_a_reload_that_is_told_of_as_begun_and_over_at_once_needs_the_proof_that_it_is_this_one(stamp: str | None, sub: str) -> None:
    words = {"RELOADING": "1", **({"MONOTONIC_USEC": stamp} if stamp else {}), "READY": "1"}
    world = World(unit("a", type="notify-reload"))
    world.behave("a", says_ready(says_on_signal={1: (words,)}))
    world.start("a")
    world.advance(SECOND)
    answer = world.reload("a")
    assert world.sub("a") == sub
    assert world.job_result(answer) == ("done" if sub == "running" else None)


def test_words_of_a_reload_mean_nothing_to_one_that_runs() -> None:
    world = World(unit("a", type="notify-reload"))
    world.start("a")
    before = len(world.history)
    world.notify("a", RELOADING="1", MONOTONIC_USEC=str(world.now_us), READY="1")
    assert world.sub("a") == "running"
    assert not any(isinstance(thing, do.Record) and thing.kind == "state" for _, thing in world.history[before:])


def test_an_idle_service_whose_new_definition_has_no_command_ends_without_one() -> None:
    world = World(unit("a", type="idle"), unit("b", type="notify"))
    world.behave("b", says_ready(after_us=SECOND))
    world.start("b")
    answer = world.start("a")
    world.load(unit("a", type="idle", exec_start=[], exec_stop="undo"), unit("b", type="notify"))
    world.advance(2 * SECOND)
    assert (world.state("a"), world.programs("a"), world.job_result(answer)) == (("inactive", "dead", "success"), ["undo"], "done")


def test_definitions_that_order_queued_jobs_in_a_circle_let_one_of_them_go_first() -> None:
    world = World(unit("a", after=["c"]), unit("b", after=["c"]), unit("c", type="notify"))
    world.behave("c", says_ready(after_us=SECOND))
    answers = [world.start(name) for name in "cab"]
    world.load(unit("a", after=["c", "b"]), unit("b", after=["c", "a"]), unit("c", type="notify"))
    assert [world.active(name) for name in "abc"] == ["inactive", "inactive", "activating"]
    world.advance(2 * SECOND)
    assert [world.job_result(answer) for answer in answers] == ["done"] * 3


def test_a_main_process_that_is_named_while_its_pid_file_is_waited_for_and_ends_is_the_end_of_the_service() -> None:
    world = World(unit("a", type="forking", pid_file="/run/a.pid", exec_start_post="post", exec_stop="please", notify_access="all"))
    world.main_pid_is_unknown.add("a")
    world.start("a")
    daemon = world.processes("a")[0].pid
    world.notify("a", daemon, MAINPID=str(daemon))
    assert (world.sub("a"), world.show("a")["main_pid"]) == ("start-post", daemon)
    world.signal("a", 9)
    assert (world.state("a"), world.programs("a")) == (("failed", "failed", "signal"), ["run", "post", "please"])


def test_what_not_even_sigkill_ends_makes_a_clean_end_a_time_out() -> None:
    world = World(unit("a", kill_mode="mixed", timeout_stop_us=SECOND))
    world.behave("a", exits(0, after_us=SECOND, leaves=(Process(is_unkillable=True),)))
    world.start("a")
    world.advance(SECOND)
    assert world.state("a") == ("deactivating", "stop-sigkill", "success")
    world.advance(SECOND)
    assert world.result("a") == "timeout"


@pytest.mark.parametrize("kill_mode", ["control-group", "mixed", "process", "none"])
def test_exec_stop_post_runs_after_an_end_that_left_nothing_to_kill(kill_mode: str) -> None:
    world = World(unit("a", kill_mode=kill_mode, exec_stop_post="sweep"))
    world.behave("a", exits(0, after_us=SECOND))
    world.start("a")
    world.advance(SECOND)
    assert (world.state("a"), world.programs("a")) == (("inactive", "dead", "success"), ["run", "sweep"])


def test_exit_type_cgroup_waits_for_the_last_process_also_after_a_failure() -> None:
    world = World(unit("a", exit_type="cgroup"))
    world.behave("a", exits(1, after_us=SECOND, leaves=(exits(0, after_us=5 * SECOND),)))
    world.start("a")
    world.advance(4 * SECOND)
    assert (world.active("a"), world.kills("a")) == ("active", [])
    world.advance(SECOND)
    assert (world.state("a"), world.kills("a")) == (("failed", "failed", "exit-code"), [])


def test_exit_type_cgroup_waits_for_ready_as_long_as_anybody_is_left_to_say_it() -> None:
    world = World(unit("a", type="notify", exit_type="cgroup"))
    world.behave("a", exits(0, after_us=SECOND, leaves=(exits(0, after_us=5 * SECOND),)))
    world.start("a")
    world.advance(4 * SECOND)
    assert (world.sub("a"), world.kills("a")) == ("start", [])
    world.advance(SECOND)
    assert world.state("a") == ("failed", "failed", "protocol")
