"""What may be done to a unit: the table of verbs over every state, the supctl line that does the same, and rights."""

import itertools
import shlex

import pytest

from supervisor.cli.arguments import read
from supervisor.model.states import ACTIVE_OF, LoadState, SubState
from supervisor.tui.doing import Order
from supervisor.tui.link.protocol import VERBS
from supervisor.tui.model.actions import ACTIONS, BY_VERB, SIGNALS, lacking, outcome, supctl_line, valid_for, why_not
from tests.tui.briefs import brief

VALID = [
    ("a service that runs", {}, ["stop", "restart", "reload", "kill", "disable", "mask"]),
    ("one that is down", {"active_state": "inactive", "sub_state": "dead"}, ["start", "disable", "mask"]),
    ("one that failed", {"active_state": "failed", "sub_state": "failed"}, ["start", "reset-failed", "disable", "mask"]),
    ("one that waits for its next attempt", {"active_state": "activating", "sub_state": "auto-restart", "n_restarts": 2},
     ["start", "stop", "restart", "reset-failed", "disable", "mask"]),
    ("a masked one", {"active_state": "inactive", "sub_state": "dead", "load_state": "masked", "enabled": "masked"}, ["unmask"]),
    ("a masked one that runs", {"load_state": "masked", "enabled": "masked"}, ["stop", "reload", "kill", "unmask"]),
    ("one with errors in its file", {"active_state": "inactive", "sub_state": "dead", "load_state": "bad-setting", "enabled": "disabled"},
     ["enable", "mask"]),
    ("one that must not be stopped by hand", {"can_stop": False}, ["reload", "kill", "disable", "mask"]),
    ("one that cannot reload", {"can_reload": False}, ["stop", "restart", "kill", "disable", "mask"]),
    ("one whose start is queued", {"active_state": "inactive", "sub_state": "dead", "job": {"type": "start", "state": "waiting"}},
     ["start", "stop", "disable", "mask"]),
]  # fmt: skip


@pytest.mark.parametrize(("more", "verbs"), [row[1:] for row in VALID], ids=[row[0] for row in VALID])
def test_actions_that_make_sense_for(more: dict[str, str], verbs: list[str]) -> None:
    assert [action.verb for action in valid_for({**brief("web"), **more})] == verbs


def test_every_state_can_be_judged_and_offers_a_way_up_or_down() -> None:
    for load, sub in itertools.product(LoadState, SubState):
        unit = brief("web", str(ACTIVE_OF[sub]), str(sub), load_state=str(load))
        assert all(isinstance(why_not(action.verb, unit), str) for action in ACTIONS)
        if load == LoadState.LOADED:
            assert {"start", "stop"} & {action.verb for action in valid_for(unit)}


def test_verbs_are_those_of_the_link_and_letters_are_unique() -> None:
    assert [action.verb for action in ACTIONS] == list(VERBS)
    assert len({action.key for action in ACTIONS}) == len(ACTIONS)
    assert len({key for _, key, _ in SIGNALS}) == len(SIGNALS)


LINES = [
    (("stop", ["db"]), {}, "supctl stop db"),
    (("stop", ["db", "a b"]), {}, "supctl stop db 'a b'"),
    (("kill", ["db"]), {"signal": 1}, "supctl kill -s HUP db"),
    (("kill", ["db"]), {}, "supctl kill db"),
    (("stop", ["db"]), {"mode": "ignore-dependencies"}, "supctl stop --job-mode ignore-dependencies db"),
    (("reset-failed", ["db"]), {}, "supctl reset-failed db"),
]


@pytest.mark.parametrize(("what", "how", "line"), LINES, ids=[row[2] for row in LINES])
def test_the_line_is_one_that_supctl_understands(what: tuple[str, list[str]], how: dict[str, object], line: str) -> None:
    assert supctl_line(*what, **how) == line  # type: ignore[arg-type]  # the row's own
    arguments = read(shlex.split(line)[1:])
    assert arguments.verb is not None
    assert (arguments.verb.name, arguments.operands) == what


RIGHTS = [
    ([], "web"),
    ([{"level": "view", "patterns": None}], "web"),
    ([{"level": "operate", "patterns": None}], ""),
    ([{"level": "admin", "patterns": ["web", "db"]}], ""),
    ([{"level": "operate", "patterns": ["w*"]}, {"level": "view", "patterns": None}], "db"),
]


@pytest.mark.parametrize(("rights", "unit"), RIGHTS)
def test_the_first_unit_without_the_right_is_named(rights: list[dict[str, object]], unit: str) -> None:
    assert lacking("operate", ["web", "db"], rights) == unit


ENDS = [
    ({"result": "done"}, ""),
    ({"result": "skipped"}, ""),
    ({"result": "failed", "text": "start: exited with 7"}, "cannot start web: start: exited with 7"),
    ({"result": "dependency", "text": ""}, "cannot start web: a unit that it needs could not be started"),
    ({"result": "canceled"}, "cannot start web: the job was cancelled"),
    ({"result": "odd"}, "cannot start web: odd"),
]


@pytest.mark.parametrize(("job", "text"), ENDS, ids=[row[0]["result"] for row in ENDS])
def test_how_a_job_ended(job: dict[str, str], text: str) -> None:
    assert outcome(BY_VERB["start"], "web", job) == text


def test_the_line_of_an_order_about_hundreds_of_units_leaves_room_for_the_answers() -> None:
    names = tuple(f"pool-{number}" for number in range(116))
    assert Order("stop", names).line == f"supctl stop {' '.join(names[:12])} ... (104 more)"
    assert Order("stop", names[:12]).line == f"supctl stop {' '.join(names[:12])}"
