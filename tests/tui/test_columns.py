"""Which columns fit, and that no row is ever wider than its table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.tui.model.figures import Usage
from supervisor.tui.model.units import UnitStore
from supervisor.tui.widgets.columns import GUTTER_CELLS, cells_of, layout_for
from tests.tui.briefs import NOW_S, brief

FITS = [
    (159, 20, ["UNIT", "STATE", "NOTE", "CPU%", "MEM", "SINCE", "PID", "RST"]),
    (99, 20, ["UNIT", "STATE", "NOTE", "CPU%", "MEM", "SINCE", "PID", "RST"]),
    (79, 20, ["UNIT", "STATE", "CPU%", "MEM", "SINCE", "PID", "RST"]),
    (79, 60, ["UNIT", "STATE", "CPU%", "MEM", "SINCE", "PID", "RST"]),
    (59, 14, ["UNIT", "STATE", "CPU%", "MEM", "SINCE", "RST"]),
    (59, 20, ["UNIT", "STATE", "CPU%", "MEM", "SINCE"]),
    (40, 14, ["UNIT", "STATE", "CPU%"]),
    (30, 20, ["UNIT", "STATE"]),
]


@pytest.mark.parametrize(("width", "longest", "titles"), FITS)
def test_columns_go_by_importance(width: int, longest: int, titles: list[str]) -> None:
    assert [column.title for column, _ in layout_for(width, longest).columns] == titles


@given(st.integers(24, 300), st.integers(0, 255))
def test_the_columns_fill_the_width_and_no_more(width: int, longest: int) -> None:
    columns = layout_for(width, longest).columns
    assert GUTTER_CELLS + sum(cells + 1 for _, cells in columns) in (width, width + 1)


@given(st.integers(24, 200), st.text(min_size=1, max_size=60), st.text(max_size=60))
def test_no_text_is_wider_than_its_column(width: int, name: str, status: str) -> None:
    store = UnitStore()
    store.update([brief(name, status_text=status, main_pid=4194304, n_restarts=10**6)])
    unit = store.get(name)
    assert unit is not None
    usage = Usage()
    usage.record(0.0, 0, 10**15)
    usage.record(1.0, 64 * 10**9, 10**15)
    layout = layout_for(width, len(name))
    for (column, cells), text in zip(layout.columns, cells_of(unit, usage, layout, NOW_S + 10**9), strict=True):
        assert len(text) <= cells, column.title
