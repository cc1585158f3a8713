"""The lists of runs, events and tasks, and what rows have in common."""

import time
from typing import Any

import pytest

from supervisor.tui.model import events, runs, timers
from supervisor.tui.model.events import EVENTS_KEPT, Journal
from supervisor.tui.model.rows import Cell, Column, Row, arranged, fitting, widths
from supervisor.tui.model.units import UnitStore
from tests.system.api.fake_world import STARTED_S, run
from tests.tui.briefs import NOW_S, brief


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def row(key: str, *texts: str, order: tuple[Any, ...] = ()) -> Row:
    return Row(key, tuple(Cell(text) for text in texts), order or tuple(texts))


ROWS = [row("1", "web", "Failed"), row("2", "db", "ok"), row("3", "webcam", "ok")]


@pytest.mark.parametrize(
    ("text", "keys"),
    [("", "123"), ("web", "13"), ("web !failed", "3"), ("FAILED", ""), ("failed", "1"), ("Failed", "1"), ("!web", "2"), ("!", "")],
)
def test_words_choose_rows(text: str, keys: str) -> None:
    assert "".join(one.key for one in fitting(ROWS, text)) == keys


def test_rows_without_a_value_come_last_in_either_direction() -> None:
    given = [row("a", "", order=(3,)), row("b", "", order=(None,)), row("c", "", order=(5,)), row("d", "", order=(3,))]
    assert [one.key for one in arranged(given, 0, descending=False)] == ["a", "d", "c", "b"]
    assert [one.key for one in arranged(given, 0, descending=True)] == ["c", "a", "d", "b"]


COLUMNS = (Column("A", 10), Column("B", 0), Column("C", 8, rank=2), Column("D", 8, rank=1))


def test_columns_take_what_they_need_and_leave_in_the_order_of_their_ranks() -> None:
    given = [row("1", "aaaa", "b", "c", "dddddddddddd")]
    assert widths(COLUMNS, given, 60) == {0: 4, 1: 60 - 4 - 2 - 8 - 3, 2: 2, 3: 8}
    assert list(widths(COLUMNS, given, 19)) == [0, 1, 2, 3]
    assert list(widths(COLUMNS, given, 18)) == [0, 1, 3]
    assert list(widths(COLUMNS, given, 15)) == [0, 1]
    assert list(widths(COLUMNS, given, 3)) == [0, 1], "what must stay stays"


def test_columns_that_may_be_cut_are_cut_before_one_is_left_out() -> None:
    columns = (Column("A", 40, least=10), Column("B", 8, rank=1), Column("C", 20, least=10))
    given = [row("1", "a" * 30, "b" * 8, "c" * 20)]
    assert widths(columns, given, 100) == {0: 30, 1: 8, 2: 20}, "nobody takes what nobody needs"
    assert widths(columns, given, 50) == {0: 20, 1: 8, 2: 20}
    assert widths(columns, given, 31) == {0: 10, 1: 8, 2: 11}
    assert list(widths(columns, given, 29)) == [0, 2]


def texts(rows: list[Row]) -> list[list[str]]:
    return [[one.text for one in each.cells] for each in rows]


def test_runs_stand_newest_first_and_say_how_they_ended() -> None:
    given = [
        run("flop", 1),
        run("web", 2, trigger="boot", ended_time_s=None, result=None),
        run("db", 3, result="success", exec_main_status=0, attempt=4, trigger="restart", ended_time_s=STARTED_S + 303),
    ]
    assert texts(runs.rows(given, STARTED_S + 400)) == [
        ["22:13:23", "db", "4", "restart", "5m00", "✓ ok", "1.5s", "3.0M", "00000000"],
        ["22:13:22", "web", "1", "boot", "6m38", "● runs", "1.5s", "3.0M", "00000000"],
        ["22:13:21", "flop", "1", "request by root", "2.5s", "✗ exit 3/NOTIMPLEMENTED", "1.5s", "3.0M", "00000000"],
    ]


def test_who_asked_is_named_as_a_person_would() -> None:
    assert [runs.person(by) for by in ("uid 1000 (ann) pid 4711", "uid 1000 pid 4711", "boot: it is enabled")] == [
        "ann",
        "uid 1000",
        "boot: it is enabled",
    ]


def event(number: int, kind: str, unit: str = "web", **more: Any) -> dict[str, Any]:
    return {"id": f"e-{number}", "time_s": NOW_S + number, "unit": unit, "kind": kind, "text": f"text {number}", **more}


def test_the_journal_is_newest_first_each_event_once_whenever_it_came() -> None:
    journal = Journal()
    journal.add(event(3, "state"))
    journal.fill([event(1, "failed"), event(2, "restart", "db"), event(3, "state")])
    journal.add(event(3, "state"))
    journal.add(event(4, "intent"))
    assert [one[3] for one in texts(journal.rows((), None, NOW_S))] == ["text 4", "text 3", "text 2", "text 1"]
    assert [one[1] for one in texts(journal.rows(("faults",), None, NOW_S))] == ["db", "web"]
    assert [one[3] for one in texts(journal.rows(("people", "states"), "web", NOW_S))] == ["text 4", "text 3"]
    keys = [one.key for one in journal.rows((), None, NOW_S)]
    assert len(set(keys)) == 4


def test_the_journal_keeps_its_newest_and_no_more() -> None:
    journal = Journal()
    for number in range(EVENTS_KEPT + 5):
        journal.add(event(number, "state"))
    assert len(journal) == EVENTS_KEPT
    journal.add(event(0, "state"))
    assert texts(journal.rows((), None, NOW_S))[0][3] == "text 0", "what was forgotten may come again"


def test_what_an_event_says_is_whole() -> None:
    errors = [{"file": "web.toml", "line": 12, "key": "service.restart", "message": "expected no, got 1", "hint": 'did you mean "no"?'}]
    assert events.text_of(event(1, "unit-files", "", errors=errors)) == (
        'web.toml:12: service.restart: expected no, got 1 (did you mean "no"?); text 1'
    )
    assert events.text_of(event(1, "plan", by="uid 0 (root) pid 7")) == "text 1, by root"
    assert events.text_of({"kind": "reset"}) == "events before this are not known here: everything was fetched anew"
    assert events.error_line({"file": "a.toml", "line": None, "message": "m"}) == "a.toml: m"


def test_every_kind_has_one_look_and_no_group_is_empty() -> None:
    keys = [key for key, _, _ in events.GROUPS.values()]
    assert len(set(keys)) == len(keys)
    assert all(kinds for _, _, kinds in events.GROUPS.values())


def test_tasks_are_ordered_by_what_comes_next_then_by_what_was_last() -> None:
    store = UnitStore()
    store.update(
        [
            brief("never", "inactive", "dead", kind="task"),
            brief("old", "inactive", "dead", kind="task", inactive_exit_time_s=NOW_S - 7300, inactive_enter_time_s=NOW_S - 7200),
            brief(
                "bad", "failed", "failed", kind="task", inactive_exit_time_s=NOW_S - 62, inactive_enter_time_s=NOW_S - 60.5,
                result="exit-code", exec_main_code="exited", exec_main_status=2, n_restarts=1,
            ),
            brief("later", "activating", "auto-restart", next_time_s=NOW_S + 90, inactive_exit_time_s=NOW_S - 5),
            brief("goes", "activating", "start", kind="task", inactive_exit_time_s=NOW_S - 4, state_change_time_s=NOW_S - 4),
            brief("web"),
        ]
    )  # fmt: skip
    assert [one[:7] for one in texts(timers.rows(store, NOW_S))] == [
        ["in 1m30", "later", "↺ retry 1m30", "5s ago", "-", "goes on", "0"],
        ["-", "goes", "◐ start 4s", "4s ago", "-", "goes on", "0"],
        ["-", "bad", "✗ FAIL 2", "1m00 ago", "1.5s", "✗ exit 2/INVALIDARGUMENT", "1"],
        ["-", "old", "✓ done", "2h00 ago", "1m40", "✓ ok", "0"],
        ["-", "never", "○ off", "-", "-", "never ran", "0"],
    ]


def test_what_units_and_people_write_cannot_reach_the_terminal() -> None:
    nasty = "\x1b[31mred\x07\r\n next"
    found = runs.rows([run(nasty, 1, result=nasty, trigger="request", by=f"uid 0 ({nasty}) pid 1")], NOW_S)
    found += timers.rows(_store(brief(nasty, kind="task", description=nasty)), NOW_S)
    journal = Journal()
    journal.add(event(1, nasty, nasty, text=nasty))
    for each in [*found, *journal.rows((), None, NOW_S)]:
        assert all(one.text.isprintable() for one in each.cells), each


def _store(*briefs: dict[str, Any]) -> UnitStore:
    store = UnitStore()
    store.update(briefs)
    return store
