"""Time-outs of start, stop, abort and run, and their extension (systemd.service(5), Timeout*=, RuntimeMaxSec=; SEMANTICS 5.6)."""

from typing import Any

import pytest

from supervisor.model.states import Phase
from tests.spec.behaviour import SIGABRT, SIGKILL, SIGTERM, Process, exits, runs, says_ready, stubborn
from tests.spec.build import MINUTE, MS, SECOND, unit
from tests.spec.world import World

# name -> (keys, phase that hangs, sub state meanwhile)
START_STEPS: dict[str, tuple[dict[str, Any], Phase, str]] = {
    "condition": ({"exec_condition": "x"}, Phase.CONDITION, "condition"),
    "start-pre": ({"exec_start_pre": "x"}, Phase.START_PRE, "start-pre"),
    "start of a oneshot": ({"type": "oneshot"}, Phase.START, "start"),
    "start of a notify service": ({"type": "notify"}, Phase.START, "start"),
    "start of a forking service": ({"type": "forking"}, Phase.START, "start"),
    "start-post": ({"exec_start_post": "x"}, Phase.START_POST, "start-post"),
}


@pytest.mark.parametrize("step", START_STEPS)
def test_every_step_of_a_start_is_under_the_start_time_out(step: str) -> None:
    keys, phase, sub = START_STEPS[step]
    world = World(unit("a", timeout_start_us=10 * SECOND, **keys))
    world.behave("a", runs(), phase=phase)
    answer = world.start("a")
    world.advance(10 * SECOND - 1)
    assert world.sub("a") == sub
    world.advance(1)
    assert world.state("a") == ("failed", "failed", "timeout")
    assert world.job_result(answer) == "failed"
    assert world.processes("a") == []


@pytest.mark.parametrize("type_", ["simple", "exec", "notify", "forking"])
def test_a_start_time_out_of_infinity_waits_for_ever(type_: str) -> None:
    world = World(unit("a", type=type_, timeout_start_us=None, exec_start_pre="x"))
    world.behave("a", runs(), phase=Phase.START_PRE)
    world.start("a")
    world.advance(100 * 24 * 60 * MINUTE)
    assert world.sub("a") == "start-pre"


def test_a_oneshot_has_no_start_time_out_unless_it_is_given() -> None:
    world = World(unit("a", type="oneshot"))
    world.behave("a", runs())
    world.start("a")
    world.advance(100 * MINUTE)
    assert world.sub("a") == "start"


@pytest.mark.parametrize(("mode", "signal"), [("terminate", SIGTERM), ("abort", SIGABRT), ("kill", SIGKILL)])
def test_the_start_failure_mode_chooses_the_first_signal(mode: str, signal: int) -> None:
    world = World(unit("a", type="notify", timeout_start_us=SECOND, timeout_start_failure_mode=mode))
    world.behave("a", runs())
    world.start("a")
    world.advance(SECOND)
    assert world.kills("a")[0][0] == signal
    assert world.state("a") == ("failed", "failed", "timeout")


@pytest.mark.parametrize(("mode", "second"), [("terminate", SIGKILL), ("abort", SIGABRT), ("kill", SIGKILL)])
def test_the_stop_failure_mode_chooses_the_signal_after_the_time_out(mode: str, second: int) -> None:
    world = World(unit("a", timeout_stop_us=SECOND, timeout_abort_us=SECOND, timeout_stop_failure_mode=mode))
    world.behave("a", stubborn())
    world.start("a")
    world.stop("a")
    world.advance(SECOND)
    assert [signal for signal, _ in world.kills("a")][:2] == [SIGTERM, second]
    world.advance(SECOND)
    assert world.processes("a") == []
    assert world.state("a") == ("failed", "failed", "timeout")


def test_the_stop_time_out_counts_for_exec_stop_and_then_anew_for_the_processes() -> None:
    world = World(unit("a", exec_stop="please", timeout_stop_us=10 * SECOND))
    world.behave("a", stubborn())
    world.behave("a", runs(), phase=Phase.STOP)
    world.start("a")
    world.stop("a")
    world.advance(9 * SECOND)
    assert world.sub("a") == "stop"
    world.advance(SECOND)
    assert world.sub("a") == "stop-sigterm"
    world.advance(10 * SECOND)
    assert world.processes("a") == []
    assert world.state("a") == ("failed", "failed", "timeout")


def test_each_exec_stop_has_the_whole_stop_time_out() -> None:
    world = World(unit("a", exec_stop=["one", "two"], timeout_stop_us=10 * SECOND))
    world.behave("a", exits(0, after_us=8 * SECOND), phase=Phase.STOP)
    world.start("a")
    world.stop("a")
    world.advance(15 * SECOND)
    assert world.sub("a") == "stop"
    world.advance(SECOND)
    assert world.state("a") == ("inactive", "dead", "success")


def test_exec_stop_post_is_under_the_stop_time_out() -> None:
    world = World(unit("a", exec_stop_post="sweep", timeout_stop_us=10 * SECOND))
    world.behave("a", runs(), phase=Phase.STOP_POST)
    world.start("a")
    world.stop("a")
    assert world.sub("a") == "stop-post"
    world.advance(10 * SECOND)
    assert world.processes("a") == []
    assert world.state("a") == ("failed", "failed", "timeout")


def test_a_stop_time_out_of_infinity_waits_for_ever() -> None:
    world = World(unit("a", timeout_stop_us=None))
    world.behave("a", stubborn())
    world.start("a")
    world.stop("a")
    world.advance(1000 * MINUTE)
    assert world.sub("a") == "stop-sigterm"


def test_runtime_max_sec_ends_a_run_with_a_time_out() -> None:
    world = World(unit("a", runtime_max_us=MINUTE))
    world.start("a")
    world.advance(MINUTE - 1)
    assert world.active("a") == "active"
    world.advance(1)
    assert world.state("a") == ("failed", "failed", "timeout")


def test_runtime_max_sec_does_not_touch_a_oneshot() -> None:
    world = World(unit("a", type="oneshot", runtime_max_us=SECOND))
    world.behave("a", exits(0, after_us=MINUTE))
    world.start("a")
    world.advance(MINUTE)
    assert world.state("a") == ("inactive", "dead", "success")


def test_a_reload_that_takes_too_long_is_killed_and_the_service_goes_on() -> None:
    world = World(unit("a", exec_reload="x", timeout_start_us=10 * SECOND))
    world.behave("a", runs(), phase=Phase.RELOAD)
    world.start("a")
    answer = world.reload("a")
    world.advance(10 * SECOND)
    assert world.active("a") == "active"
    assert world.job_result(answer) in ("failed", "timeout")
    assert [process.phase for process in world.processes("a")] == [Phase.START]


def test_a_start_may_extend_its_time_out_again_and_again() -> None:
    world = World(unit("a", type="notify", timeout_start_us=10 * SECOND))
    says = tuple((n * SECOND, {"EXTEND_TIMEOUT_USEC": str(5 * SECOND)}) for n in range(8, 40, 4))
    world.behave("a", Process(says=(*says, (40 * SECOND, {"READY": "1"}))))
    answer = world.start("a")
    world.advance(41 * SECOND)
    assert world.job_result(answer) == "done"
    assert world.active("a") == "active"


def test_an_extension_that_is_not_repeated_in_time_ends_the_start() -> None:
    world = World(unit("a", type="notify", timeout_start_us=10 * SECOND))
    world.behave("a", Process(says=((8 * SECOND, {"EXTEND_TIMEOUT_USEC": str(5 * SECOND)}),)))
    world.start("a")
    world.advance(13 * SECOND - 1)
    assert world.sub("a") == "start"
    world.advance(1)
    assert world.result("a") == "timeout"


def test_an_extension_never_shortens_the_time_out() -> None:
    world = World(unit("a", type="notify", timeout_start_us=10 * SECOND))
    world.behave("a", Process(says=((SECOND, {"EXTEND_TIMEOUT_USEC": str(SECOND)}), (9 * SECOND, {"READY": "1"}))))
    world.start("a")
    world.advance(9 * SECOND)
    assert world.active("a") == "active"


def test_a_stop_may_extend_its_time_out() -> None:
    world = World(unit("a", type="notify", timeout_stop_us=10 * SECOND))
    world.behave("a", says_ready(dies_in_us=14 * SECOND))
    world.start("a")
    world.stop("a")
    world.advance(8 * SECOND)
    world.notify("a", EXTEND_TIMEOUT_USEC=str(10 * SECOND))
    world.advance(6 * SECOND)
    assert world.state("a") == ("inactive", "dead", "success")


def test_the_preparation_of_a_run_is_under_its_phase_s_time_out() -> None:
    world = World(unit("a", timeout_start_us=10 * SECOND))
    world.behave("a", runs(prepare_takes_us=100 * SECOND))
    answer = world.start("a")
    world.advance(10 * SECOND)
    assert world.state("a") == ("failed", "failed", "timeout")
    assert world.job_result(answer) == "failed"
    world.advance(200 * SECOND)
    assert world.processes("a") == []


def test_an_exec_that_hangs_is_under_the_start_time_out() -> None:
    world = World(unit("a", timeout_start_us=10 * SECOND, timeout_stop_us=SECOND))
    world.behave("a", runs(exec_takes_us=1000 * SECOND))
    world.start("a")
    world.advance(20 * SECOND)
    assert world.result("a") == "timeout"
    assert world.processes("a") == []


def test_no_time_out_is_armed_while_nothing_is_waited_for() -> None:
    world = World(unit("a"), unit("b", type="oneshot"))
    assert world.next_moment() is None
    world.start("a")
    world.start("b")
    assert world.next_moment() is None
    world.stop("a")
    world.advance(MS)
    assert world.next_moment() is None
