"""Dependency kind x order x event as a real systemd 252 went through them, row by row (`data/dependency-matrix.json`)."""

import json
from pathlib import Path
from typing import Any

import pytest

from supervisor.model.specification import Condition
from supervisor.model.states import Phase
from tests.spec.behaviour import SIGKILL, dies_by, exits
from tests.spec.build import MS, SECOND, unit
from tests.spec.world import World

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "dependency-matrix.json").read_text())["cases"]

FIELDS = {
    "Wants": "wants",
    "Requires": "requires",
    "Requisite": "requisite",
    "BindsTo": "binds_to",
    "PartOf": "part_of",
    "Upholds": "upholds",
    "Conflicts": "conflicts",
    "PropagatesStopTo": "propagates_stop_to",
}
REVERSE = {"StopPropagatedFrom": "propagates_stop_to", "ReloadPropagatedFrom": "propagates_reload_to"}

# Rows in which we differ on purpose: (kind, order, event) to the reason.
_STOPPED_BY_A_PERSON = "what a person stopped stays down, even for the unit that upholds it, until a person starts it again (intent)"
DIFFERENCES: dict[tuple[str, str | None, str], str] = {
    ("Upholds", None, "start a, stop b"): _STOPPED_BY_A_PERSON,
    ("Upholds", "After", "start a, stop b"): _STOPPED_BY_A_PERSON,
}


def _recorded_world(row: dict[str, Any]) -> World:
    a: dict[str, Any] = {"type": "simple", "exec_reload": "reload", "recover_dependents": False}
    b: dict[str, Any] = dict(a)
    kind, event = row["kind"], row["event"]
    if "b fails to start" in event or "b failed before" in event:
        b["exec_start_pre"] = "log"
    if kind in FIELDS:
        a[FIELDS[kind]] = ["b"]
    else:
        b[REVERSE[kind]] = ["a"]
    if row["order"]:
        a[row["order"].lower()] = ["b"]
    if "condition false" in event:
        b["conditions"] = (Condition("path_exists", "/nowhere"),)
    if "masked" in event:
        b["is_masked"] = True
    units = [unit("a", **a)] + ([] if "missing" in event else [unit("b", **b)])
    world = World(*units)
    world.conditions["b"] = "condition false" not in event
    if "b fails to start" in event or "b failed before" in event:
        world.behave("b", exits(1, after_us=MS), phase=Phase.START_PRE)
    if "b exits 0" in event:
        world.behave("b", exits(0, after_us=SECOND))
    if "b killed" in event:
        world.behave("b", dies_by(SIGKILL, after_us=SECOND))
    if "a killed" in event:
        world.behave("a", dies_by(SIGKILL, after_us=SECOND))
    return world


def _log(world: World, name: str) -> str:
    """`s` for each start, be it one whose ExecStartPre= failed, and `r` for each reload, as the recorded services wrote it."""
    return "".join({"start-pre": "s", "start": "s", "reload": "r"}.get(phase, "") for phase in world.spawns(name))


SCENES = [row for row in RECORDED if "commands" in row]


@pytest.mark.parametrize("row", SCENES, ids=[f"{i}: {r['kind']}, {r['order']}: {r['event']}" for i, r in enumerate(SCENES)])
def test_a_recorded_row_of_systemd_252_holds(row: dict[str, Any]) -> None:
    world = _recorded_world(row)
    differs = (row["kind"], row["order"], row["event"]) in DIFFERENCES
    same = True
    for line, status, _text in row["commands"]:
        verb, name = line.split()
        answer = world.request(verb, name)
        world.advance(10 * MS)
        succeeded = not answer.code and (answer.job == 0 or world.job_result(answer) == "done")
        same = same and succeeded == (status == 0)
        assert differs or (line, succeeded) == (line, status == 0)
    world.advance(5 * SECOND)
    for name in ("a", "b"):
        expected = row[name]
        if name in world.units:
            seen = (world.active(name), world.result(name), _log(world, name))
            wanted = (expected["state"], expected["result"], expected["log"])
            same = same and seen == wanted
            assert differs or (name, *seen) == (name, *wanted)
    assert same != differs, "a row that is listed as a difference does not differ"


HOOKS = [row for row in RECORDED if "commands" not in row]


@pytest.mark.parametrize("row", HOOKS, ids=[f"{r['kind']}: {r['event']}" for r in HOOKS])
def test_a_recorded_hook_of_systemd_252_fires_with_its_variables(row: dict[str, Any]) -> None:
    end, _, policy = row["event"].removeprefix("a: ").partition(", Restart=")
    hook = "on_failure" if row["kind"] == "OnFailure" else "on_success"
    world = World(unit("a", type="simple", restart=policy, **{hook: ["b"]}), unit("b", type="oneshot"))
    world.behave("a", dies_by(15) if "kill" in end else exits(int(end.split()[1])))
    world.start("a")
    world.advance(5 * SECOND)
    assert (world.active("a"), world.result("a")) == (row["a"]["state"], row["a"]["result"])
    assert world.starts("b") == len(row["b"]["log"])
    for line in row["b"]["log"]:
        _, _, result, code, status = line.split(":")
        variables = world.environment("b", Phase.START)
        assert variables["MONITOR_UNIT"] == "a"
        assert variables["MONITOR_SERVICE_RESULT"] == result
        assert variables["MONITOR_EXIT_CODE"] == code
        assert variables["MONITOR_EXIT_STATUS"] == status


def test_every_difference_names_a_recorded_row() -> None:
    assert set(DIFFERENCES) <= {(row["kind"], row["order"], row["event"]) for row in SCENES}
