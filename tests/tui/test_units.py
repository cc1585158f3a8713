"""The store of units: counts always equal a count, and a change is told once."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from supervisor.tui.model.states import is_fault, look_of
from supervisor.tui.model.units import UnitStore
from tests.tui.briefs import brief

STATES = [("active", "running"), ("failed", "failed"), ("inactive", "dead"), ("activating", "start"), ("activating", "auto-restart")]
briefs = st.builds(
    lambda name, state, loaded: brief(name, *state, load_state=loaded),
    st.sampled_from("abcdef"),
    st.sampled_from(STATES),
    st.sampled_from(["loaded", "bad-setting", "masked"]),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("update"), st.lists(briefs, max_size=4)),
        st.tuples(st.just("replace"), st.lists(briefs, max_size=6)),
        st.tuples(st.just("remove"), st.lists(briefs, max_size=2)),
    ),
    max_size=12,
)


@given(steps)
def test_the_store_is_a_dictionary_that_counts(script: list[tuple[str, list[dict[str, object]]]]) -> None:
    store = UnitStore()
    plain: dict[str, dict[str, object]] = {}
    for step, given_briefs in script:
        before, versions = dict(plain), {unit.name: unit.version for unit in store}
        given_now = {str(one["id"]): one for one in given_briefs}
        if step == "remove":
            store.remove(given_now)
            plain = {name: one for name, one in plain.items() if name not in given_now}
        elif step == "replace":
            store.replace(given_briefs)
            plain = given_now
        else:
            store.update(given_briefs)
            plain = {**plain, **given_now}
        assert {unit.name: unit.brief for unit in store} == plain
        assert +store.counts == Counter(look_of(one).group for one in plain.values())
        assert store.faults == sum(is_fault(one, look_of(one)) for one in plain.values())
        changed = {name for name in before.keys() | plain.keys() if before.get(name) != plain.get(name)}
        told = store.take_changes().names
        assert changed <= told  # a unit that changed twice in one step is told of, even when it is what it was
        assert {unit.name for unit in store if versions.get(unit.name) != unit.version} <= told
        assert not store.take_changes()


def test_an_equal_object_is_no_change() -> None:
    store = UnitStore()
    store.replace([brief("web"), brief("db")])
    store.take_changes()
    version = store.get("web").version  # type: ignore[union-attr]  # it was put there
    store.replace([brief("web"), brief("db")])
    assert not store.take_changes()
    assert store.get("web").version == version  # type: ignore[union-attr]  # as above


def test_staleness_changes_every_row_once() -> None:
    store = UnitStore()
    store.set_stale(True)
    assert store.take_changes().touches("anything")
    store.set_stale(True)
    assert not store.take_changes()
