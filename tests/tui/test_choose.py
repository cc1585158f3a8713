"""Filters and order: each kind of word by example, and the kept order against a naive one over random traffic."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.tui.model.choose import SORT_KEYS, BadFilter, Choice, Filter, Terms, fuzzy_score
from supervisor.tui.model.figures import Figures
from supervisor.tui.model.units import Unit, UnitStore
from tests.tui.briefs import brief

UNITS = [brief("web-1", description="Front"), brief("web-2", description="Front"), brief("db", description="Postgres for web"),
         brief("Cache", description="memory"), brief("worker@1", description="Jobs")]  # fmt: skip

FILTERS = [
    ("", ["Cache", "db", "web-1", "web-2", "worker@1"]),
    ("web", ["db", "web-1", "web-2"]),
    ("WEB", []),
    ("cache", ["Cache"]),
    ("Cache", ["Cache"]),
    ("web 2", ["web-2"]),
    ("!web", ["Cache", "worker@1"]),
    ("web !front", ["db"]),
    (r"/^web-\d$", ["web-1", "web-2"]),
    (r"/^web-\d$/", ["web-1", "web-2"]),
    (r"!/^w", ["Cache", "db"]),
    ("/POST", []),
    ("/post", ["db"]),
    ("~w1", ["web-1", "worker@1"]),
    ("!~w1", ["Cache", "db", "web-2"]),
    ("~ ! / !/ db", ["db"]),
    ("!!db", ["db"]),
]


@pytest.mark.parametrize(("text", "names"), FILTERS, ids=[row[0] or "nothing" for row in FILTERS])
def test_a_filter_leaves(text: str, names: list[str]) -> None:
    store = UnitStore()
    store.replace(UNITS)
    choice = Choice(store, Figures())
    choice.set_terms(Terms(filter=Filter(text), sort="name"))
    assert list(choice.names) == names


@pytest.mark.parametrize("text", ["/(", "web /[", "!/*", "/" + "a" * 300])
def test_a_wrong_pattern_is_told_of(text: str) -> None:
    with pytest.raises(BadFilter, match=r"^(missing \)|unterminated|nothing to repeat|a pattern has at most)"):
        Filter(text)


def test_letters_side_by_side_and_at_the_beginning_of_words_are_a_better_fit() -> None:
    def best(letters: str, *names: str) -> str:
        return max(names, key=lambda name: fuzzy_score(letters, name) or -99)

    assert best("wb", "web-backend", "cowboy") == "web-backend"
    assert best("web", "w-e-x-b", "a-web") == "a-web"
    assert fuzzy_score("bw", "web") is None


@given(st.text("abAB-", max_size=4), st.text("abAB-", max_size=8))
def test_fuzzy_means_these_letters_in_this_order(letters: str, name: str) -> None:
    flags = 0 if letters != letters.lower() else re.IGNORECASE
    pattern = ".*".join(map(re.escape, letters))
    assert (fuzzy_score(letters, name) is not None) == (re.search(pattern, name, flags) is not None)


names = st.sampled_from([f"u{n}" for n in range(8)])
briefs = st.builds(
    lambda name, state, pid, restarts, since: brief(
        name, *state, main_pid=pid, n_restarts=restarts, active_enter_time_s=since if state[0] == "active" else None
    ),
    names,
    st.sampled_from([("active", "running"), ("failed", "failed"), ("inactive", "dead"), ("activating", "start")]),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([None, 1.0, 2.0]),
)
terms = st.builds(
    lambda text, groups, faults, sort, descending: Terms(Filter(text), groups, faults, sort, descending),
    st.sampled_from(["", "u", "u1", "!u1", "/u[0-4]", "~u2"]),
    st.sampled_from([frozenset[str](), frozenset({"running"}), frozenset({"failed", "off"})]),
    st.booleans(),
    st.sampled_from(SORT_KEYS),
    st.booleans(),
)
samples = st.lists(st.tuples(names, st.integers(0, 3), st.one_of(st.none(), st.integers(0, 3))), max_size=4)


def naive(store: UnitStore, figures: Figures, wanted: Terms) -> list[str]:
    """The same list by sorting everything by a plain rule: by name, then by the figure, then those without one to the end."""
    kept = sorted((unit for unit in store if wanted.fits(unit)), key=lambda unit: unit.name)
    if wanted.sort == "name":
        return [unit.name for unit in (reversed(kept) if wanted.descending else kept)]

    def figure(unit: Unit) -> float | None:
        usage = figures.get(unit.name)
        return {
            "state": float(-unit.look.rank),
            "cpu": usage.cpu_percent if usage else None,
            "memory": usage.memory_bytes if usage else None,
            "uptime": -unit.brief["active_enter_time_s"]
            if unit.brief["active_state"] == "active" and unit.brief["active_enter_time_s"] is not None
            else None,
            "restarts": float(unit.brief["n_restarts"]),
            "pid": unit.brief["main_pid"] or None,
        }[wanted.sort]

    having = [unit for unit in kept if figure(unit) is not None]
    having.sort(key=lambda unit: figure(unit) or 0.0, reverse=not wanted.descending)
    return [unit.name for unit in having + [unit for unit in kept if figure(unit) is None]]


@given(st.lists(st.tuples(st.lists(briefs, max_size=5), samples, st.one_of(st.none(), terms)), max_size=8))
def test_the_kept_order_is_the_one_a_sort_would_give(script: list[tuple[list[dict[str, object]], list[tuple], Terms | None]]) -> None:  # type: ignore[type-arg]  # rows of `samples`
    store, figures = UnitStore(), Figures()
    choice = Choice(store, figures)
    for moment, (given_briefs, rows, wanted) in enumerate(script):
        store.update(given_briefs)
        figures.record(float(moment), {name: {"cpu_usage_nsec": cpu, "memory_current_bytes": memory} for name, cpu, memory in rows})
        before = list(choice.names)
        if wanted is not None:
            choice.set_terms(wanted)
            store.take_changes()
            figures.take_changed()
        else:
            is_other = choice.update(store.take_changes(), figures.take_changed())
            assert is_other or list(choice.names) == before
        expected = naive(store, figures, choice.terms)
        assert list(choice.names) == expected
