"""Trees, start order and critical path of relations."""

from typing import Any

from supervisor.tui.model.deps import LINES_MAX, Line, Link, blocked_by, critical_path, needed_by, needs, start_order
from tests.tui.briefs import brief

RELATIONS = {
    "web": {"requires": ["db", "cache"], "wants": ["mail"], "after": ["db", "cache"], "required_by": ["api"]},
    "db": {"requires": ["disk"], "after": ["disk"], "required_by": ["web", "cache"]},
    "cache": {"requires": ["db"], "after": ["db"], "required_by": ["web"]},
    "disk": {"required_by": ["db"]},
    "mail": {"wanted_by": ["web"]},
    "api": {"requires": ["web"], "after": ["web"]},
}


def drawn(lines: list[Line]) -> list[str]:
    return [f"{line.lead}{line.unit}{' ' + line.kind if line.kind else ''}{' (' + line.note + ')' if line.note else ''}" for line in lines]


def test_what_a_unit_needs_is_a_tree_with_blockers_first() -> None:
    rank = {"cache": 0, "mail": 1}
    assert drawn(needs("web", RELATIONS, lambda name: rank.get(name, 5))) == [
        "web",
        "├─cache requires",
        "│ └─db requires",
        "│   └─disk requires",
        "├─mail wants",
        "└─db requires (shown above)",
    ]


def test_who_needs_a_unit_is_the_same_from_the_other_end() -> None:
    assert drawn(needed_by("db", RELATIONS, lambda name: 0)) == [
        "db",
        "├─cache required_by",
        "│ └─web required_by",
        "│   └─api required_by",
        "└─web required_by (shown above)",
    ]


def test_a_circle_and_a_unit_without_relations_end() -> None:
    circle = {"a": {"requires": ["b"]}, "b": {"requires": ["a"]}}
    assert drawn(needs("a", circle, lambda name: 0)) == ["a", "└─b requires", "  └─a requires (shown above)"]
    assert drawn(needs("nobody", circle, lambda name: 0)) == ["nobody"]


def test_a_chain_longer_than_pythons_stack_is_cut_and_says_so() -> None:
    chain = {f"u{n}": {"requires": [f"u{n + 1}"]} for n in range(LINES_MAX + 10)}
    lines = needs("u0", chain, lambda name: 0)
    assert (len(lines), lines[-1].note) == (LINES_MAX + 1, f"and more: the tree is cut after {LINES_MAX} lines")


def test_a_dense_net_has_as_many_lines_as_edges_at_most() -> None:
    names = [f"u{n}" for n in range(30)]
    net = {name: {"requires": names[at + 1 :]} for at, name in enumerate(names)}
    assert len(needs("u0", net, lambda name: 0)) == 30 * 29 // 2 + 1


def test_the_order_of_a_start_is_told_in_steps() -> None:
    assert start_order("web", RELATIONS) == [["disk", "mail"], ["db"], ["cache"], ["web"]]
    assert start_order("nobody", RELATIONS) == [["nobody"]]
    circle = {"a": {"requires": ["b"], "after": ["b"]}, "b": {"after": ["a"]}}
    assert start_order("a", circle) == [["a", "b"]]


def job(*waits_for: str) -> dict[str, Any]:
    return {"id": 1, "type": "start", "state": "waiting", "waits_for": list(waits_for)}


def test_who_blocks_how_many_is_counted_over_all_that_wait_behind() -> None:
    briefs = [brief("a", job=job("db")), brief("b", job=job("a")), brief("c", job=job("a", "b")), brief("db")]
    assert blocked_by(briefs) == {"db": 3, "a": 2, "b": 1}
    circle = [brief("a", job=job("b")), brief("b", job=job("a"))]
    assert blocked_by(circle) == {"a": 1, "b": 1}


def test_the_critical_path_goes_back_over_whoever_was_up_last() -> None:
    known = {
        "web": brief("web", inactive_exit_time_s=110.0, active_enter_time_s=111.5),
        "db": brief("db", inactive_exit_time_s=101.0, active_enter_time_s=104.0),
        "cache": brief("cache", inactive_exit_time_s=104.0, active_enter_time_s=109.9),
        "disk": brief("disk", inactive_exit_time_s=100.0, active_enter_time_s=101.0),
    }
    assert critical_path("web", RELATIONS, known.get) == [
        Link("web", 111.5, 1.5),
        Link("cache", 109.9, 109.9 - 104.0),
        Link("db", 104.0, 3.0),
        Link("disk", 101.0, 1.0),
    ]


def test_where_a_unit_waits_the_path_leads_to_what_it_waits_for() -> None:
    known = {
        "web": brief("web", "inactive", "dead", job=job("cache")),
        "cache": brief("cache", "inactive", "dead", job=job("db")),
        "db": brief("db", "activating", "start", inactive_exit_time_s=101.0),
    }
    assert critical_path("web", RELATIONS, known.get) == [Link("web", waits=True), Link("cache", waits=True), Link("db")]


def test_what_came_up_later_by_itself_is_not_on_the_path() -> None:
    known = {"web": brief("web", inactive_exit_time_s=110.0, active_enter_time_s=111.0), "db": brief("db", active_enter_time_s=500.0)}
    assert critical_path("web", RELATIONS, known.get) == [Link("web", 111.0, 1.0)]
