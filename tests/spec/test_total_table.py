"""The life-cycle table is total: in every sub state, an event that comes too late or means nobody changes nothing (DESIGN, The engine)."""

from collections.abc import Callable
from typing import Any

import pytest

from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.specification import Probe, Unit
from supervisor.model.states import ExitCode, Phase, SubState
from tests.spec.behaviour import Process, exits, runs, says_ready, stubborn
from tests.spec.build import SECOND, target, unit
from tests.spec.world import World

Path = tuple[Unit, dict[Phase, Process], Callable[[World], Any]]

STUBBORN = stubborn(says=((0, {"READY": "1"}),))
LONG = 1000 * SECOND


def _nothing(_world: World) -> None: ...


def _stop(world: World) -> None:
    world.stop("a")


def _stop_and_wait(world: World) -> None:
    world.stop("a")
    world.advance(2 * SECOND)


def _stop_for_a_second(world: World) -> None:
    world.stop("a")
    world.advance(SECOND)


def _wait(world: World) -> None:
    world.advance(2 * SECOND)


def _reload(world: World) -> None:
    world.reload("a")


# sub state -> a unit, what its processes do, and what is done after its start to get it there
PATHS: dict[SubState, Path] = {
    SubState.CONDITION: (unit("a", exec_condition="x"), {Phase.CONDITION: runs()}, _nothing),
    SubState.START_PRE: (unit("a", exec_start_pre="x"), {Phase.START_PRE: runs()}, _nothing),
    SubState.START: (unit("a", type="notify"), {Phase.START: runs()}, _nothing),
    SubState.START_POST: (unit("a", exec_start_post="x"), {Phase.START_POST: runs()}, _nothing),
    SubState.RUNNING: (unit("a", probes=[Probe("health", "tcp", "127.0.0.1:1", interval_us=LONG)]), {}, _nothing),
    SubState.EXITED: (unit("a", remain_after_exit=True), {Phase.START: exits(0)}, _nothing),
    SubState.RELOAD: (unit("a", exec_reload="x"), {Phase.RELOAD: runs()}, _reload),
    SubState.RELOAD_SIGNAL: (unit("a", type="notify-reload"), {Phase.START: STUBBORN}, _reload),
    SubState.RELOAD_NOTIFY: (unit("a", type="notify"), {}, lambda world: world.notify("a", RELOADING="1")),
    SubState.STOP: (unit("a", exec_stop="x"), {Phase.STOP: runs()}, _stop),
    SubState.STOP_WATCHDOG: (unit("a", type="notify", watchdog_us=SECOND), {Phase.START: STUBBORN}, _wait),
    SubState.STOP_SIGTERM: (unit("a"), {Phase.START: stubborn()}, _stop),
    SubState.STOP_SIGKILL: (
        unit("a", timeout_stop_us=SECOND, final_kill_signal=10),
        {Phase.START: stubborn()},
        _stop_for_a_second,
    ),
    SubState.STOP_POST: (unit("a", exec_stop_post="x"), {Phase.STOP_POST: runs()}, _stop),
    SubState.FINAL_WATCHDOG: (
        unit("a", exec_stop_post="x", timeout_stop_us=SECOND, timeout_stop_failure_mode="abort"),
        {Phase.STOP_POST: stubborn()},
        _stop_and_wait,
    ),
    SubState.FINAL_SIGTERM: (
        unit("a", exec_stop_post="x", timeout_stop_us=SECOND),
        {Phase.STOP_POST: stubborn()},
        _stop_for_a_second,
    ),
    SubState.FINAL_SIGKILL: (
        unit("a", exec_stop_post="x", timeout_stop_us=SECOND, final_kill_signal=10),
        {Phase.STOP_POST: stubborn()},
        _stop_and_wait,
    ),
    SubState.DEAD: (unit("a"), {}, _stop),
    SubState.FAILED: (unit("a"), {Phase.START: exits(1)}, _nothing),
    SubState.AUTO_RESTART: (unit("a", restart="always", restart_us=LONG), {Phase.START: exits(1)}, _nothing),
    SubState.TARGET_ACTIVE: (target("a"), {}, _nothing),
}

# Sub states that no event meets in a world of one unit.
ELSEWHERE = {
    SubState.DEAD_BEFORE_AUTO_RESTART: "passed through within one event",
    SubState.FAILED_BEFORE_AUTO_RESTART: "passed through within one event",
    SubState.AUTO_RESTART_QUEUED: "left within the same event unless another unit's job holds the start up",
}

STALE: dict[str, ev.Event] = {
    "Prepared": ev.Prepared("a", 999),
    "PrepareFailed": ev.PrepareFailed("a", 999, "user", 217, "cannot find the user"),
    "Forked": ev.Forked("a", 999, 99),
    "Execed": ev.Execed("a", 999),
    "SpawnFailed": ev.SpawnFailed("a", 999, "exec", 2, 203),
    "Exited": ev.Exited("a", 999, ExitCode.EXITED, 1),
    "AlienExited": ev.AlienExited("a", 99, ExitCode.EXITED, 1),
    "PidFileRead": ev.PidFileRead("a", 999, 99),
    "Emptied": ev.Emptied("a", 999),
    "ProbeReported": ev.ProbeReported("a", 999, 0, ok=False),
    "ConditionsChecked": ev.ConditionsChecked("a", 999, conditions_hold=False),
    "Notified by a stranger": ev.Notified("a", 99, {"READY": "1", "STOPPING": "1", "MAINPID": "99"}),
    "DeadlineReached before its time": ev.DeadlineReached(),
}


def _world_in(sub: SubState) -> World:
    specification, scripts, act = PATHS[sub]
    world = World(specification)
    for phase, script in scripts.items():
        world.behave("a", script, phase=phase)
    world.start("a")
    act(world)
    return world


@pytest.mark.parametrize("sub", PATHS)
def test_every_sub_state_is_reached(sub: SubState) -> None:
    assert _world_in(sub).sub("a") == sub


def test_no_sub_state_is_left_out() -> None:
    assert set(PATHS) | set(ELSEWHERE) == set(SubState)


@pytest.mark.parametrize("event", STALE)
@pytest.mark.parametrize("sub", PATHS)
def test_an_event_that_means_nobody_changes_nothing_in_any_state(sub: SubState, event: str) -> None:
    world = _world_in(sub)
    before, moment, jobs = world.state("a"), world.next_moment(), len(world.engine.list_jobs())
    kills, spawns = world.kills("a"), world.spawns("a")
    world.step(STALE[event])
    assert (world.state("a"), world.next_moment(), len(world.engine.list_jobs())) == (before, moment, jobs)
    assert (world.kills("a"), world.spawns("a")) == (kills, spawns)


@pytest.mark.parametrize("event", ["Prepared", "SpawnFailed", "Exited"])
def test_a_run_that_nobody_knows_is_taken_off_the_keeper_s_books(event: str) -> None:
    world = _world_in(SubState.RUNNING)
    world.step(STALE[event])
    assert world.history[-1][1] == do.Forget("a", 999)


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "try-restart", "reload", "try-reload", "reload-or-start", "verify-active"])
@pytest.mark.parametrize("sub", PATHS)
def test_every_request_in_any_state_is_answered_and_its_job_ends(sub: SubState, verb: str) -> None:
    world = _world_in(sub)
    for phase in Phase:
        world.behave("a", says_ready() if phase is Phase.START else exits(0), phase=phase)
    answer = world.request(verb, "a")
    world.advance(3 * LONG)
    assert answer.code or answer.job == 0 or world.job_result(answer) is not None
    assert world.engine.list_jobs() == []


@pytest.mark.parametrize("sub", PATHS)
def test_a_manager_that_dies_in_any_state_comes_back_in_the_same(sub: SubState) -> None:
    world = _world_in(sub)
    before, moment = world.state("a"), world.engine.next_deadline()
    processes = world.processes("a")
    world.crash()
    world.settle()
    assert (world.state("a"), world.engine.next_deadline(), world.processes("a")) == (before, moment, processes)


@pytest.mark.parametrize("sub", PATHS)
def test_a_shutdown_in_any_state_leaves_nothing_behind(sub: SubState) -> None:
    world = _world_in(sub)
    world.shutdown()
    world.advance(3 * LONG)
    assert world.has_left
    assert world.processes("a") == [] or sub in (SubState.STOP_SIGKILL, SubState.FINAL_SIGKILL)  # told to end them by a signal they survive
