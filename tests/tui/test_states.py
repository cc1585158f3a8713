"""How each state looks: the table is total, every look has a shape and a word of its own, and times stand behind the right words."""

import itertools
from typing import Any

import pytest

from supervisor.model.states import ACTIVE_OF, LoadState, Result, SubState
from supervisor.tui.model import states
from supervisor.tui.model.states import is_fault, look_of, note_of, state_text
from tests.tui.briefs import NOW_S, brief

ROWS = [
    ("a service that runs", {}, "●", "*", "run", "running"),
    ("a target that is reached", {"sub_state": "active", "kind": "target"}, "●", "*", "up", "running"),
    ("a service whose health probe fails", {"health": "failing"}, "▲", "^", "unhealthy", "unhealthy"),
    ("one that starts", {"active_state": "activating", "sub_state": "start", "state_change_time_s": NOW_S - 4}, "◐", ">", "start 4s",
     "starting"),
    ("one that stops", {"active_state": "deactivating", "sub_state": "stop-sigterm", "state_change_time_s": NOW_S - 90}, "◑", "<",
     "stop 1m30", "stopping"),
    ("one that is being killed", {"active_state": "deactivating", "sub_state": "final-sigkill", "state_change_time_s": NOW_S}, "◑", "<",
     "kill 0s", "stopping"),
    ("one that reloads", {"active_state": "reloading", "sub_state": "reload", "state_change_time_s": NOW_S - 1}, "↻", "~", "reload 1s",
     "reloading"),
    ("one that waits for its next attempt", {"active_state": "activating", "sub_state": "auto-restart", "next_time_s": NOW_S + 8}, "↺",
     "r", "retry 8s", "retry"),
    ("a next attempt that is overdue", {"active_state": "activating", "sub_state": "auto-restart", "next_time_s": NOW_S - 8}, "↺", "r",
     "retry 0s", "retry"),
    ("a failure by exit status", {"active_state": "failed", "sub_state": "failed", "result": "exit-code", "exec_main_code": "exited",
     "exec_main_status": 137}, "✗", "X", "FAIL 137", "failed"),
    ("a failure by signal", {"active_state": "failed", "sub_state": "failed", "result": "signal", "exec_main_code": "killed",
     "exec_main_status": 9}, "✗", "X", "FAIL KILL", "failed"),
    ("a failure without a process", {"active_state": "failed", "sub_state": "failed", "result": "exit-code"}, "✗", "X", "FAIL", "failed"),
    ("out of memory", {"active_state": "failed", "sub_state": "failed", "result": "oom-kill", "exec_main_code": "killed",
     "exec_main_status": 9}, "✗", "X", "FAIL oom", "failed"),
    ("too many starts", {"active_state": "failed", "sub_state": "failed", "result": "start-limit-hit"}, "✗", "X", "FAIL limit", "failed"),
    ("an active task that is over", {"sub_state": "exited", "kind": "task"}, "✓", "+", "done", "done"),
    ("a task that ran", {"active_state": "inactive", "sub_state": "dead", "kind": "task", "inactive_enter_time_s": NOW_S}, "✓", "+",
     "done", "done"),
    ("a task that never ran", {"active_state": "inactive", "sub_state": "dead", "kind": "task"}, "○", "-", "off", "off"),
    ("a service that is down", {"active_state": "inactive", "sub_state": "dead", "inactive_enter_time_s": NOW_S}, "○", "-", "off", "off"),
    ("a masked unit", {"active_state": "inactive", "sub_state": "dead", "load_state": "masked"}, "⊘", "/", "masked", "masked"),
    ("a masked unit that still runs", {"load_state": "masked"}, "●", "*", "run", "running"),
    ("a unit file with errors", {"active_state": "inactive", "sub_state": "dead", "load_state": "bad-setting"}, "✗", "X", "bad file",
     "failed"),
    ("a unit whose file is gone", {"active_state": "inactive", "sub_state": "dead", "load_state": "not-found"}, "○", "-", "no file",
     "off"),
    ("a start that waits", {"active_state": "inactive", "sub_state": "dead",
     "job": {"type": "start", "state": "waiting", "waits_for": ["db", "cache"]}}, "◌", ".", "wait db", "waiting"),
    ("a start about to begin", {"active_state": "inactive", "sub_state": "dead", "job": {"type": "start", "state": "waiting",
     "waits_for": []}}, "◌", ".", "wait", "waiting"),
    ("a unit with a timer", {"active_state": "inactive", "sub_state": "dead", "kind": "task", "next_time_s": NOW_S + 11520}, "◷", "@",
     "in 3h12", "timer"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "symbol", "ascii", "text", "group"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_state_looks(more: dict[str, Any], symbol: str, ascii: str, text: str, group: str) -> None:
    unit = brief("web", **more)
    look = look_of(unit)
    assert (look.symbol, look.ascii, state_text(look, unit, NOW_S), look.group) == (symbol, ascii, text, group)


def test_every_state_that_supd_knows_has_a_look_and_its_group_is_counted() -> None:
    kinds = ("service", "task", "target", "flow")
    for load, sub, result, kind in itertools.product(LoadState, SubState, Result, kinds):
        look = look_of(brief("web", str(ACTIVE_OF[sub]), str(sub), load_state=str(load), result=str(result), kind=kind))
        assert look.group in states.GROUPS
        assert len(look.symbol) == len(look.ascii) == 1
        assert look.ascii.isascii()
        assert 0 < len(look.word) <= 11


def test_a_word_of_a_newer_supd_has_a_look_too() -> None:
    assert look_of({"id": "web", "active_state": "dreaming", "sub_state": "rem"}).word == "off"
    assert look_of({"id": "web", "active_state": "failed", "result": "bored"}).word == "FAIL"


def test_no_two_groups_share_a_shape_except_those_with_a_word_that_tells_them_apart() -> None:
    shapes = [(look.symbol, look.ascii) for look in states.GROUPS.values()]
    assert len(set(shapes)) == len(shapes)


def test_failed_comes_first_then_retry_unhealthy_starting_running() -> None:
    assert [group for group, look in sorted(states.GROUPS.items(), key=lambda item: item[1].rank)][:4] == [
        "failed", "retry", "unhealthy", "starting",
    ]  # fmt: skip


NOTES = [
    ({"load_state": "bad-setting", "needs_restart": True}, "unit file has errors", True),
    ({"rolled_back": "the new definition did not come up"}, "rolled back", True),
    ({"needs_restart": True, "status_text": "serving"}, "changed on disk", False),
    ({"health": "failing"}, "probe fails", True),
    ({"status_text": "serving 3 clients"}, "serving 3 clients", False),
    ({}, "", False),
]


@pytest.mark.parametrize(("more", "note", "fault"), NOTES, ids=[row[1] or "nothing" for row in NOTES])
def test_what_is_wrong_with_a_definition_comes_before_what_the_unit_says(more: dict[str, Any], note: str, fault: bool) -> None:
    unit = brief("web", **more)
    assert note_of(unit) == note
    assert is_fault(unit, look_of(unit)) == fault
