"""The list by groups: what stands below what, and what keys do on the head of a group."""

from hypothesis import given
from hypothesis import strategies as st

from supervisor.tui.model.groups import HEAD, group_of, is_head, members, tree
from supervisor.tui.model.units import UnitStore
from supervisor.tui.widgets.table import UnitTable
from tests.tui.briefs import brief
from tests.tui.pilot import make_app, press, ready, screen_text, until

names = st.lists(st.sampled_from(["web", "db", "a@1", "a@2", "b@x", "job"]), unique=True)


@given(names)
def test_a_tree_is_the_same_list_below_heads(order: list[str]) -> None:
    store = UnitStore()
    store.update([brief(name, kind="task" if name == "job" else "service") for name in order])
    keys = tree(order, store.get)
    assert sorted(key for key in keys if not is_head(key)) == sorted(order)
    heads = [key for key in keys if is_head(key)]
    assert len(set(heads)) == len(heads)
    for head in heads:
        below = members(keys, head)
        assert below == [name for name in order if HEAD + group_of(store.get(name)) == head]  # type: ignore[arg-type]  # it is there
        assert below, "no group is empty"
    assert [key for key in keys if is_head(key)] == list(dict.fromkeys(HEAD + group_of(store.get(name)) for name in order))  # type: ignore[arg-type]  # as above


async def test_keys_on_the_head_of_a_group_are_about_its_members() -> None:
    app = make_app(brief("w@1"), brief("w@2", "failed", "failed", result="timeout"), brief("db"), brief("job", kind="task"))
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "T", "g")
        table = app.screen.query_one(UnitTable)
        await until(pilot, lambda: is_head(table.current))
        lines = [line.strip() for line in screen_text(app).splitlines()[3:9]]
        assert [line.split("  ")[0] for line in lines if "▾" in line] == ["▾ w@", "▾ services", "▾ tasks"]
        assert "2, 1 at fault" in screen_text(app)
        assert app.selected_unit is None
        await press(pilot, "space")
        await until(pilot, lambda: app.marked == {"w@1", "w@2"})
        assert "2, 1 at fault, 2 marked" in screen_text(app)
        await press(pilot, "g", "space", "x")
        assert app.marked == set()
        await press(pilot, "T")
        await until(pilot, lambda: "▾ w@" not in screen_text(app))
