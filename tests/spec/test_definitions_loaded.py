"""New definitions while units run: nothing is started or stopped by them (daemon-reload; SEMANTICS 5.11)."""

import pytest

from supervisor.model import events as ev
from supervisor.model.specification import Unit
from supervisor.model.states import SubState
from tests.spec.behaviour import exits, runs, says_ready
from tests.spec.bench import Bench
from tests.spec.build import SECOND, target, unit
from tests.spec.world import World


def test_a_running_unit_keeps_its_process_and_the_new_definition_counts_at_its_next_start() -> None:
    world = World(unit("a", exec_start="old"))
    world.start("a")
    pid = world.show("a")["main_pid"]
    world.load(unit("a", exec_start="new"))
    assert world.show("a")["main_pid"] == pid
    world.restart("a")
    assert world.programs("a") == ["old", "new"]


def test_a_unit_whose_file_vanished_runs_until_it_is_stopped() -> None:
    world = World(unit("a"))
    world.start("a")
    world.load()
    assert len(world.processes("a")) == 1
    world.stop("a")
    assert world.processes("a") == []
    assert world.start("a").code == "no-such-unit"


def test_a_new_unit_can_be_started() -> None:
    world = World(unit("a"))
    world.load(unit("a"), unit("b"))
    assert world.job_result(world.start("b")) == "done"


def test_a_definition_loaded_in_mid_start_does_not_disturb_the_start() -> None:
    world = World(unit("a", type="notify"), unit("b", after=["a"], requires=["a"]))
    world.behave("a", says_ready(after_us=10 * SECOND))
    answer = world.start("b")
    world.advance(SECOND)
    world.load(unit("a", type="notify", description="new"), unit("b", after=["a"], requires=["a"]))
    world.advance(10 * SECOND)
    assert world.job_result(answer) == "done"
    assert (world.starts("a"), world.starts("b")) == (1, 1)


def test_a_new_stop_line_counts_for_a_running_unit() -> None:
    world = World(unit("a"))
    world.start("a")
    world.load(unit("a", exec_stop="please"))
    world.stop("a")
    assert world.programs("a") == ["run", "please"]


def test_a_restart_under_way_takes_the_new_definition() -> None:
    world = World(unit("a", restart="always", restart_us=10 * SECOND))
    world.behave("a", exits(1), runs())
    world.start("a")
    world.load(unit("a", exec_start="new", restart="always", restart_us=10 * SECOND))
    world.advance(10 * SECOND)
    assert world.programs("a") == ["run", "new"]


def test_a_unit_that_vanishes_while_its_restart_waits_is_not_started_again() -> None:
    world = World(unit("a", restart="always", restart_us=10 * SECOND))
    world.behave("a", exits(1))
    world.start("a")
    world.load()
    world.advance(60 * SECOND)
    assert world.starts("a") == 1
    assert world.engine.list_jobs() == []


@pytest.mark.parametrize("new", [[], [target("a")]], ids=["vanishes", "becomes a target"])
def test_a_unit_that_loses_its_definition_while_up_is_stopped_by_it_even_after_a_crash(new: list[Unit]) -> None:
    world = World(unit("a", exec_stop="please", exec_stop_post="sweep"))
    world.start("a")
    world.load(*new)
    world.crash()
    world.crash()
    assert len(world.processes("a")) == 1
    world.stop("a")
    assert world.processes("a") == []
    assert world.programs("a") == ["run", "please", "sweep"]
    assert not [key for key in world.machine.remembered if key.startswith("spec:")]


def test_a_unit_that_becomes_a_target_is_one_after_its_stop() -> None:
    world = World(unit("a"))
    world.start("a")
    world.load(target("a"))
    world.crash()
    world.stop("a")
    world.start("a")
    assert world.state("a") == ("active", "active", "success")


@pytest.mark.parametrize("new", [[], [target("a")]], ids=["vanishes", "becomes a target"])
def test_a_definition_that_is_lost_while_there_is_no_manager_leaves_a_unit_that_can_be_stopped(new: list[Unit]) -> None:
    world = World(unit("a"))
    world.start("a")
    world.units = {u.id: u for u in new}
    world.crash()
    assert (world.sub("a"), len(world.processes("a"))) == ("running", 1)
    world.stop("a")
    assert (world.active("a"), world.processes("a")) == ("inactive", [])


def test_a_target_that_becomes_a_service_while_there_is_no_manager_stays_up_until_it_is_stopped() -> None:
    world = World(target("a"))
    world.start("a")
    world.units = {"a": unit("a")}
    world.crash()
    assert world.active("a") == "active"
    world.restart("a")
    assert world.stop("a").code == ""
    world.start("a")
    assert world.sub("a") == "running"


def test_a_start_whose_type_changes_meanwhile_to_one_without_a_time_out_still_ends() -> None:
    world = World(unit("a", type="notify", timeout_start_us=10 * SECOND))
    world.behave("a", runs())
    answer = world.start("a")
    world.load(unit("a", type="simple", timeout_start_us=10 * SECOND))
    world.advance(60 * SECOND)
    assert world.job_result(answer) == "failed"


@pytest.mark.parametrize("is_up", [True, False])
def test_what_is_gone_and_down_is_forgotten_by_the_keeper_too(is_up: bool) -> None:
    bench = Bench(unit("a"), unit("b"))
    bench.put("a", "active" if is_up else "failed")
    bench.core.touch(bench.core.states["a"])
    bench.engine.handle(ev.DeadlineReached(), bench.core.now)
    remembered = bench.engine.take_changed()
    assert remembered["unit:a"]
    bench.engine.handle(ev.UnitsLoaded({"b": unit("b")}), bench.core.now)
    remembered |= bench.engine.take_changed()
    assert (bool(remembered["unit:a"]), bool(remembered.get("spec:a"))) == (is_up, is_up)
    if is_up:
        bench.change("a", SubState.DEAD)
        bench.engine.handle(ev.DeadlineReached(), bench.core.now)
        remembered |= bench.engine.take_changed()
    assert [key for key, text in remembered.items() if text and key.endswith(":a")] == []
    assert not bench.engine.knows("a")
