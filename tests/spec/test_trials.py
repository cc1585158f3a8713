"""The trial of a new definition: what ends it, what goes back, and that what is remembered of it outlives the manager (reloading.py)."""

from itertools import product

import pytest

from supervisor.engine import Engine
from supervisor.engine.record import Intent
from supervisor.engine.reloading import TRIAL_US
from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.specification import Unit
from supervisor.model.states import SubState, Wanted
from tests.spec.bench import Bench
from tests.spec.build import unit

S = SubState
OLD, NEW = unit("a", exec_start="old"), unit("a", exec_start="new")
LIVE = unit("a", exec_start="old", restart="always")  # differs in nothing that a process is started with


def _on_trial(stage: str = "begun") -> Bench:
    bench = Bench(NEW)
    bench.core.former["a"], bench.core.trials["a"] = OLD, stage
    return bench


def _remembered(bench: Bench) -> Engine:
    """The engine of the next manager."""
    return Engine.restore({"a": bench.core.specs["a"]}, bench.engine.take_changed(), seed="bench")


FLAGS = ("is_leaving", "is_kept_down", "is_proven", "is_going_down", "runs_by_the_old")


@pytest.mark.parametrize("sub", [S.FAILED, S.FAILED_BEFORE_AUTO_RESTART, S.DEAD, S.DEAD_BEFORE_AUTO_RESTART])
@pytest.mark.parametrize("stage", ["begun", "failed", None])
def test_a_failure_on_trial_goes_back_unless_it_says_nothing_against_the_definition(stage: str | None, sub: SubState) -> None:
    for flags in product((False, True), repeat=len(FLAGS)):
        is_leaving, is_kept_down, is_proven, is_going_down, runs_by_the_old = flags
        bench = _on_trial(stage or "")
        if stage is None:
            del bench.core.trials["a"], bench.core.former["a"]
        state = bench.put("a", "deactivating")
        state.intent = Intent(Wanted.DOWN) if is_kept_down else None
        state.up_since_us = bench.core.now.mono_us - TRIAL_US + (0 if is_proven else 1)
        state.forbids_restart, state.needs_restart = is_going_down, runs_by_the_old
        bench.core.leaving = (0, "shutdown") if is_leaving else None
        bench.change("a", sub)
        counts = stage == "begun" and not runs_by_the_old and sub in (S.FAILED, S.FAILED_BEFORE_AUTO_RESTART)
        is_over = counts and (is_leaving or is_kept_down or is_proven)
        goes_back = counts and not is_over and not is_going_down
        asked = [(effect.unit, effect.good) for effect in bench.core.out if isinstance(effect, do.RollBack)]
        assert asked == ([("a", OLD)] if goes_back else []), dict(zip(FLAGS, flags, strict=True))
        assert bench.core.trials.get("a") == ("failed" if goes_back else None if is_over else stage)
        assert ("a" in bench.core.former) == (stage is not None and not is_over)


def test_it_is_on_trial_until_it_has_come_up() -> None:
    bench = _on_trial()
    bench.put("a", "activating").up_since_us = 0
    bench.change("a", S.FAILED)
    assert bench.core.trials["a"] == "failed"


@pytest.mark.parametrize(("new", "is_former_kept"), [(NEW, True), (LIVE, False), (OLD, False)])
def test_what_a_process_runs_by_is_remembered_where_another_definition_is_in_force(new: Unit, is_former_kept: bool) -> None:
    bench = Bench(OLD)
    bench.put("a", "active")
    bench.engine.take_changed()
    bench.engine.handle(ev.UnitsLoaded({"a": new}), bench.core.now)
    assert bench.core.states["a"].needs_restart == is_former_kept
    assert _remembered(bench).core.former == ({"a": OLD} if is_former_kept else {})


def test_a_change_that_is_taken_back_is_forgotten_by_the_next_manager_too() -> None:
    bench = Bench(OLD)
    bench.put("a", "active")
    remembered = bench.engine.take_changed()
    for definition in (NEW, OLD):
        bench.engine.handle(ev.UnitsLoaded({"a": definition}), bench.core.now)
        for key, text in bench.engine.take_changed().items():
            remembered[key] = text
    assert Engine.restore({"a": OLD}, {key: text for key, text in remembered.items() if text}, seed="bench").core.former == {}
    assert not bench.core.states["a"].needs_restart


@pytest.mark.parametrize("stage", ["begun", "failed"])
def test_a_trial_is_remembered_and_what_was_asked_for_is_asked_again(stage: str) -> None:
    bench = _on_trial("begun")
    bench.put("a", "activating")
    bench.core.former_changed.add("a")
    if stage == "failed":
        bench.change("a", S.FAILED)
    bench.core.changed.add("a")
    bench.engine.handle(ev.DeadlineReached(), bench.core.now)
    engine = _remembered(bench)
    assert (engine.core.former, engine.core.trials) == ({"a": OLD}, {"a": stage})
    asked = [effect.unit for effect in engine.resume(bench.core.now) if isinstance(effect, do.RollBack)]
    assert asked == (["a"] if stage == "failed" else [])


@pytest.mark.parametrize("new", [NEW, unit("a", exec_start="newer"), None])
def test_a_unit_that_is_down_runs_by_no_definition(new: Unit | None) -> None:
    """A failed trial is over once its definition changes, or its file is gone; loading the same again changes nothing."""
    bench = _on_trial("failed")
    state = bench.put("a", "failed")
    state.rolled_back, state.needs_restart = "it did not come up", True
    bench.engine.handle(ev.UnitsLoaded({"a": new} if new else {}), bench.core.now)
    is_same = new == NEW
    assert (bench.core.former, bench.core.trials) == (({"a": OLD}, {"a": "failed"}) if is_same else ({}, {}))
    if new is not None:
        assert (state.rolled_back != "", state.needs_restart) == (is_same, is_same)
