"""How a unit's processes are ended: KillMode=, the signals and their order (systemd.kill(5); SEMANTICS 5.6)."""

from typing import Any

import pytest

from supervisor.model.effects import Kill
from supervisor.model.specification import Unit
from supervisor.model.states import Phase
from tests.spec.behaviour import SIGABRT, SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1, Process, exits, runs, says_ready, stubborn
from tests.spec.build import SECOND, unit
from tests.spec.world import World


def _service(**keys: Any) -> Unit:
    return unit("a", timeout_stop_us=10 * SECOND, **keys)


# kill mode -> what is left right after the stop began, when main and child both obey SIGTERM
OBEDIENT = {"control-group": set(), "mixed": set(), "process": {"child"}, "none": {"main", "child"}}


def _roles(world: World) -> set[str]:
    return {"child" if process.run is None else "main" for process in world.processes("a")}


@pytest.mark.parametrize("mode", OBEDIENT)
def test_a_stop_ends_the_processes_its_kill_mode_names(mode: str) -> None:
    world = World(_service(kill_mode=mode))
    world.behave("a", runs(leaves=(Process(),)))
    world.start("a")
    assert _roles(world) == {"main", "child"}
    answer = world.stop("a")
    world.advance(30 * SECOND)
    assert _roles(world) == OBEDIENT[mode]
    assert world.job_result(answer) == "done"
    assert world.active("a") == "inactive"


# kill mode -> (signals the child has seen when main has gone at SIGTERM but the child would survive it, is the child left)
@pytest.mark.parametrize(
    ("mode", "at_once", "later"),
    [
        ("control-group", {"child"}, set()),
        ("mixed", set(), set()),
        ("process", {"child"}, {"child"}),
        ("none", {"main", "child"}, {"main", "child"}),
    ],
)
def test_a_child_that_ignores_sigterm_is_killed_when_its_mode_says(mode: str, at_once: set[str], later: set[str]) -> None:
    world = World(_service(kill_mode=mode))
    world.behave("a", runs(leaves=(stubborn(),)))
    world.start("a")
    world.stop("a")
    assert _roles(world) == at_once
    world.advance(30 * SECOND)
    assert _roles(world) == later


@pytest.mark.parametrize("mode", ["control-group", "mixed", "process"])
def test_a_main_process_that_ignores_sigterm_is_killed_after_timeout_stop_sec(mode: str) -> None:
    world = World(_service(kill_mode=mode))
    world.behave("a", stubborn())
    world.start("a")
    answer = world.stop("a")
    world.advance(9 * SECOND)
    assert world.sub("a") == "stop-sigterm"
    world.advance(SECOND)
    assert world.processes("a") == []
    assert world.state("a") == ("failed", "failed", "timeout")
    assert world.job_result(answer) == "done"


def test_without_send_sigkill_what_survives_stays_and_is_not_waited_for() -> None:
    world = World(_service(send_sigkill=False))
    world.behave("a", stubborn())
    world.start("a")
    answer = world.stop("a")
    world.advance(60 * SECOND)
    assert SIGKILL not in [signal for signal, _ in world.kills("a")]
    assert world.state("a") == ("failed", "failed", "timeout")
    assert world.job_result(answer) == "done"


@pytest.mark.parametrize("signal", [SIGINT, SIGUSR1, SIGHUP])
@pytest.mark.parametrize("mode", ["control-group", "mixed", "process"])
def test_kill_signal_is_the_first_signal_sent(mode: str, signal: int) -> None:
    world = World(_service(kill_mode=mode, kill_signal=signal))
    world.start("a")
    world.stop("a")
    assert world.kills("a")[0][0] == signal


@pytest.mark.parametrize(("verb", "expected"), [("stop", SIGTERM), ("restart", SIGINT)])
def test_restart_kill_signal_is_for_restarts_only(verb: str, expected: int) -> None:
    world = World(_service(restart_kill_signal=SIGINT))
    world.start("a")
    world.request(verb, "a")
    assert world.kills("a")[0][0] == expected


def test_final_kill_signal_replaces_sigkill() -> None:
    world = World(_service(final_kill_signal=SIGABRT))
    world.behave("a", Process(survives=frozenset({SIGTERM})))
    world.start("a")
    world.stop("a")
    world.advance(10 * SECOND)
    assert SIGABRT in [signal for signal, _ in world.kills("a")]
    assert world.processes("a") == []


def test_sigcont_follows_the_kill_signal_and_sighup_only_when_asked_for() -> None:
    from supervisor.model.effects import Kill

    for wants_hangup in (False, True):
        world = World(_service(send_sighup=wants_hangup))
        world.start("a")
        world.stop("a")
        first = next(effect for _, effect in world.history if isinstance(effect, Kill))
        assert (first.signal, first.and_continue, first.and_hangup) == (SIGTERM, True, wants_hangup)


def test_a_unit_is_stopped_only_when_no_process_of_it_is_left() -> None:
    world = World(_service())
    world.behave("a", runs(leaves=(runs(dies_in_us=3 * SECOND),)))
    world.start("a")
    answer = world.stop("a")
    world.advance(2 * SECOND)
    assert world.active("a") == "deactivating"
    assert world.job_result(answer) is None
    world.advance(SECOND)
    assert world.active("a") == "inactive"
    assert world.job_result(answer) == "done"


def test_what_a_dead_main_process_leaves_behind_is_ended_before_the_unit_is_down() -> None:
    world = World(_service())
    world.behave("a", exits(0, after_us=SECOND, leaves=(stubborn(),)))
    world.start("a")
    world.advance(2 * SECOND)
    assert world.active("a") == "deactivating"
    world.advance(20 * SECOND)
    assert world.processes("a") == []
    assert world.active("a") in ("inactive", "failed")


def test_processes_left_by_exec_start_pre_are_killed_before_the_next_step() -> None:
    world = World(_service(exec_start_pre="pre"))
    world.behave("a", exits(0, leaves=(stubborn(),)), phase=Phase.START_PRE)
    world.start("a")
    assert world.sub("a") == "running"
    assert [process.phase for process in world.processes("a")] == [Phase.START]


# Exec lines of the stop ------------------------------------------------------------------------------------------------


def test_exec_stop_runs_before_the_signals_and_exec_stop_post_after_them() -> None:
    world = World(_service(exec_stop="please", exec_stop_post="sweep"))
    world.start("a")
    world.behave("a", exits(0, after_us=SECOND), phase=Phase.STOP)
    world.stop("a")
    assert (world.sub("a"), world.kills("a")) == ("stop", [])
    world.advance(SECOND)
    assert world.kills("a")[0][0] == SIGTERM
    assert world.spawns("a") == ["start", "stop", "stop-post"]
    assert world.active("a") == "inactive"


def test_exec_stop_does_not_run_when_the_start_had_not_succeeded() -> None:
    world = World(_service(type="notify", exec_stop="please", exec_stop_post="sweep"))
    world.behave("a", runs())
    world.start("a")
    world.stop("a")
    assert world.spawns("a") == ["start", "stop-post"]


def test_exec_stop_runs_although_the_main_process_has_died_and_knows_no_main_pid() -> None:
    world = World(_service(exec_stop="please"))
    world.behave("a", exits(0, after_us=SECOND))
    world.start("a")
    world.advance(SECOND)
    assert world.spawns("a") == ["start", "stop"]
    assert "MAINPID" not in world.environment("a", Phase.STOP)
    assert world.active("a") == "inactive"


def test_exec_stop_post_is_told_how_the_service_ended() -> None:
    world = World(_service(exec_stop_post="sweep"))
    world.behave("a", exits(3, after_us=SECOND))
    world.start("a")
    world.advance(SECOND)
    variables = world.environment("a", Phase.STOP_POST)
    assert (variables["SERVICE_RESULT"], variables["EXIT_CODE"], variables["EXIT_STATUS"]) == ("exit-code", "exited", "3")


def test_exec_stop_post_is_told_the_signal_by_name() -> None:
    world = World(_service(exec_stop_post="sweep"))
    world.start("a")
    world.signal("a", SIGKILL)
    variables = world.environment("a", Phase.STOP_POST)
    assert (variables["SERVICE_RESULT"], variables["EXIT_CODE"], variables["EXIT_STATUS"]) == ("signal", "killed", "KILL")


@pytest.mark.parametrize("phase", [Phase.STOP, Phase.STOP_POST])
def test_a_failing_stop_command_fails_the_unit(phase: Phase) -> None:
    world = World(_service(exec_stop="please", exec_stop_post="sweep"))
    world.behave("a", exits(1), phase=phase)
    world.start("a")
    world.stop("a")
    assert world.state("a") == ("failed", "failed", "exit-code")
    assert world.processes("a") == []


def test_processes_left_after_exec_stop_post_get_the_final_signals() -> None:
    world = World(_service(exec_stop_post="sweep"))
    world.behave("a", exits(0, leaves=(stubborn(),)), phase=Phase.STOP_POST)
    world.start("a")
    world.stop("a")
    assert world.sub("a") == "final-sigterm"
    world.advance(10 * SECOND)
    assert world.processes("a") == []
    assert world.active("a") in ("inactive", "failed")


def test_in_kill_mode_mixed_the_rest_is_killed_once_a_hanging_exec_stop_post_is_gone() -> None:
    world = World(_service(kill_mode="mixed", exec_stop_post="sweep"))
    world.behave("a", runs(leaves=(stubborn(),)), phase=Phase.STOP_POST)
    world.start("a")
    world.stop("a")
    world.advance(10 * SECOND)
    assert world.kills("a")[-2:] == [(SIGTERM, "main"), (SIGKILL, "all")]
    assert world.processes("a") == []


def test_a_final_kill_signal_of_another_kind_is_sent_once_and_no_sigkill_follows() -> None:
    world = World(_service(final_kill_signal=SIGUSR1))
    world.behave("a", stubborn())
    world.start("a")
    world.stop("a")
    world.advance(60 * SECOND)
    assert [signal for signal, _ in world.kills("a")] == [SIGTERM, SIGUSR1, SIGTERM, SIGUSR1]
    assert not any(effect.is_repeated for _, effect in world.history if isinstance(effect, Kill))
    assert len(world.processes("a")) == 1


def test_a_process_that_not_even_sigkill_ends_is_given_up_and_the_unit_fails() -> None:
    world = World(_service())
    world.behave("a", runs(is_unkillable=True))
    world.start("a")
    answer = world.stop("a")
    world.advance(60 * SECOND)
    assert world.state("a") == ("failed", "failed", "timeout")
    assert world.job_result(answer) == "done"


def test_a_child_left_by_a_command_that_was_prepared_while_the_unit_was_empty_is_found() -> None:
    world = World(_service(exit_type="cgroup", exec_start_post="x"))
    world.behave("a", exits(0, after_us=SECOND))
    world.behave("a", exits(0, prepare_takes_us=2 * SECOND, leaves=(Process(),)), phase=Phase.START_POST)
    world.start("a")
    world.advance(5 * SECOND)
    assert world.active("a") == "active"
    assert len(world.processes("a")) == 1
    world.stop("a")
    assert world.processes("a") == []


# supctl kill -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("whom", "left"), [("main", {"main", "child"}), ("all", {"main"})])
def test_kill_signals_whom_it_names(whom: str, left: set[str]) -> None:
    world = World(_service())
    world.behave("a", runs(survives=frozenset({SIGUSR1}), leaves=(Process(),)))
    world.start("a")
    assert world.kill("a", SIGUSR1, whom).code == ""
    assert _roles(world) == left


def test_kill_of_a_control_process_that_is_not_there_is_refused() -> None:
    world = World(_service(type="notify"))
    world.behave("a", says_ready())
    world.start("a")
    assert world.kill("a", SIGTERM, "control").code != ""
    assert world.active("a") == "active"


def test_without_sigkill_a_stop_that_took_too_long_is_a_time_out() -> None:
    world = World(unit("a", send_sigkill=False, timeout_stop_us=SECOND))
    world.behave("a", stubborn())
    world.start("a")
    world.stop("a")
    world.advance(10 * SECOND)
    assert world.state("a") == ("failed", "failed", "timeout")


def test_a_stop_post_that_is_killed_alone_ends_the_stop() -> None:
    world = World(unit("a", kill_mode="process", exec_stop_post="post", timeout_stop_us=SECOND))
    world.behave("a", stubborn(), phase=Phase.STOP_POST)
    world.start("a")
    world.stop("a")
    world.advance(2 * SECOND)
    assert world.state("a") == ("failed", "failed", "timeout")
    assert world.processes("a") == []


def test_a_member_that_only_sigkill_ends_holds_up_the_stop_no_longer_than_that() -> None:
    world = World(unit("a", timeout_stop_us=SECOND, exec_start_pre="pre"))
    world.behave("a", exits(1, leaves=(stubborn(),)), phase=Phase.START_PRE)
    world.start("a")
    assert world.sub("a") == "stop-sigterm"
    world.advance(SECOND)
    assert (world.active("a"), world.processes("a")) == ("failed", [])


@pytest.mark.parametrize("hangs_up", [True, False])
def test_the_hang_up_goes_with_every_polite_kill(hangs_up: bool) -> None:
    world = World(unit("a", send_sighup=hangs_up, exec_stop_post="post", timeout_stop_us=SECOND))
    world.behave("a", stubborn())
    world.behave("a", stubborn(), phase=Phase.STOP_POST)
    world.start("a")
    world.stop("a")
    world.advance(10 * SECOND)
    kills = [(effect.signal, effect.and_hangup) for _, effect in world.history if isinstance(effect, Kill)]
    assert kills == [(15, hangs_up), (9, False), (15, hangs_up), (9, False)]


def test_the_stop_post_command_is_told_of_the_time_out_that_led_to_it() -> None:
    world = World(unit("a", send_sigkill=False, timeout_stop_us=SECOND, exec_stop_post="post"))
    world.behave("a", stubborn())
    world.start("a")
    world.stop("a")
    world.advance(SECOND)
    assert world.environment("a", Phase.STOP_POST)["SERVICE_RESULT"] == "timeout"
