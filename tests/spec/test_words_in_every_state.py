"""In which states a word of a service counts (sd_notify(3); systemd's service_notify_message): one row a state, both ways."""

import pytest

from supervisor.model import effects as do
from supervisor.model.states import Phase, SubState
from tests.spec.behaviour import Process, runs, stubborn
from tests.spec.build import SECOND, unit
from tests.spec.test_total_table import PATHS
from tests.spec.world import World

S = SubState
LONG_US = 400 * SECOND


def _world_in(sub: SubState) -> World:
    """A world in that state whose unit hears everybody, and a bystander of the unit that may speak."""
    from dataclasses import replace

    specification, scripts, act = PATHS[sub]
    if specification.service is not None:
        specification = replace(specification, service=replace(specification.service, notify_access="all"))
    world = World(specification)
    for phase, script in scripts.items():
        world.behave("a", replace(script, leaves=(*script.leaves, stubborn())) if phase is Phase.START else script, phase=phase)
    if Phase.START not in scripts:
        says = ((0, {"READY": "1"}),) if specification.service and specification.service.type == "notify" else ()
        world.behave("a", Process(says=says, leaves=(stubborn(),)))
    world.start("a")
    act(world)
    assert world.sub("a") == sub
    return world


def _bystander(world: World) -> int:
    """A process of the unit that is neither its main nor its control process."""
    found = [process.pid for process in world.processes("a") if process.run is None]
    return found[0] if found else 0


MAIN_PID_COUNTS = {S.START, S.START_POST, S.RUNNING, S.RELOAD, S.RELOAD_SIGNAL, S.RELOAD_NOTIFY, S.STOP, S.STOP_SIGTERM}
WITH_BYSTANDER = sorted(set(PATHS) - {S.CONDITION, S.START_PRE, S.DEAD, S.FAILED, S.AUTO_RESTART, S.TARGET_ACTIVE, S.EXITED})


@pytest.mark.parametrize("sub", WITH_BYSTANDER)
def test_main_pid_counts_until_the_main_process_has_been_given_up(sub: SubState) -> None:
    world = _world_in(sub)
    pid = _bystander(world)
    if not pid:  # whoever was left has been killed on the way to this state
        assert sub not in MAIN_PID_COUNTS
        return
    before = world.show("a")["main_pid"]
    world.notify("a", pid, MAINPID=str(pid))
    assert world.show("a")["main_pid"] == (pid if sub in MAIN_PID_COUNTS else before)


NOT_EXTENDED = {S.EXITED, S.DEAD, S.FAILED, S.AUTO_RESTART, S.TARGET_ACTIVE}


@pytest.mark.parametrize("sub", sorted(set(PATHS) - NOT_EXTENDED - {S.RUNNING}))
def test_a_time_out_is_extended_in_every_state_that_has_one(sub: SubState) -> None:
    world = _world_in(sub)
    speaker = world.processes("a")[0].pid
    before = world.next_moment()
    world.notify("a", speaker, EXTEND_TIMEOUT_USEC=str(LONG_US))
    assert before is not None
    assert world.engine.next_deadline() == world.now_us + LONG_US


TRIGGERED = {S.START, S.START_POST, S.RUNNING, S.RELOAD, S.RELOAD_SIGNAL, S.RELOAD_NOTIFY}


@pytest.mark.parametrize("sub", sorted(set(WITH_BYSTANDER) | {S.CONDITION, S.START_PRE}))
def test_a_service_may_call_for_its_watchdog_while_it_is_up_or_starting(sub: SubState) -> None:
    world = _world_in(sub)
    aborts = world.kills("a").count((6, "all"))
    world.notify("a", world.processes("a")[0].pid, WATCHDOG="trigger")
    assert (world.kills("a").count((6, "all")) > aborts) == (sub in TRIGGERED)


STOPS_AT_ITS_WORD = {S.RUNNING, S.RELOAD_SIGNAL, S.RELOAD_NOTIFY}


@pytest.mark.parametrize("sub", sorted(set(WITH_BYSTANDER) | {S.CONDITION, S.START_PRE}))
def test_stopping_is_believed_of_what_runs(sub: SubState) -> None:
    world = _world_in(sub)
    world.notify("a", world.processes("a")[0].pid, STOPPING="1")
    assert world.sub("a") == (S.STOP_SIGTERM if sub in STOPS_AT_ITS_WORD else sub)


def test_stopping_before_the_start_is_over_is_believed_once_it_is() -> None:
    world = World(unit("a", type="exec", notify_access="all", exec_start_post="post"))
    world.behave("a", runs(), phase=Phase.START_POST)
    world.start("a")
    world.notify("a", STOPPING="1")
    assert world.sub("a") == "start-post"
    world.strike(next(p.pid for p in world.processes("a") if p.phase is Phase.START_POST), 15)
    assert world.sub("a") != "running"


def test_reloading_before_the_start_is_over_is_believed_once_it_is() -> None:
    world = World(unit("a", type="exec", notify_access="all", exec_start_post="post"))
    world.behave("a", Process(lives_us=SECOND), phase=Phase.START_POST)
    world.start("a")
    world.notify("a", RELOADING="1")
    assert world.sub("a") == "start-post"
    world.advance(SECOND)
    assert world.state("a") == ("reloading", "reload-notify", "success")
    world.notify("a", READY="1")
    assert world.sub("a") == "running"


def test_a_second_ready_does_not_begin_the_probes_anew() -> None:
    from supervisor.model.specification import Probe

    world = World(unit("a", type="notify", probes=[Probe("ready", "tcp", "127.0.0.1:1", success_threshold=3, interval_us=SECOND)]))
    world.start("a")
    world.notify("a", READY="1")
    assert sum(isinstance(effect, do.StartProbe) for _, effect in world.history) == 1
