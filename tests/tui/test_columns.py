"""Which columns fit, and that no row is ever wider than its table."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.tui.model.figures import Usage
from supervisor.tui.model.states import look_of
from supervisor.tui.model.units import Unit, UnitStore
from supervisor.tui.widgets.columns import GUTTER_CELLS, cells_end_s, cells_of, layout_for
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


AGES_S = st.floats(0, 5 * 365 * 86400) | st.sampled_from([0.0, 59.5, 60.0, 3599.9, 3600.0, 86399.5, 86400.0, 8_640_000.0, 94_608_000.0])


@settings(deadline=None, max_examples=300)
@given(AGES_S, AGES_S, st.floats(0, 1), st.sampled_from(["active", "inactive", "activating", "retry"]))
def test_cells_are_true_until_they_say_and_other_ones_then(age_s: float, left_s: float, share: float, state: str) -> None:
    states = {"retry": ("activating", "auto-restart")}.get(state, (state, "dead"))
    told = brief("web", *states, active_enter_time_s=NOW_S - age_s, state_change_time_s=NOW_S - age_s, next_time_s=NOW_S + left_s)
    unit = Unit("web", told, look_of(told), 1)
    ends_s = cells_end_s(unit, NOW_S)
    shown = cells_of(unit, None, layout_for(120, 10), NOW_S)
    assert ends_s >= NOW_S
    if ends_s - NOW_S > 0.002:
        within_s = NOW_S + (min(ends_s, NOW_S + 1e7) - NOW_S - 0.001) * share
        assert cells_of(unit, None, layout_for(120, 10), within_s) == shown
    if ends_s < NOW_S + 1e9 and not any(text.endswith("…") for text in shown):
        assert cells_of(unit, None, layout_for(120, 10), ends_s + 0.001) != shown


def test_the_older_a_unit_the_longer_its_row_stands() -> None:
    lives_s = {"a minute": 60.0, "an hour": 3600.0, "a day": 86400.0, "a year": 365 * 86400.0}
    stands_s = []
    for age_s in lives_s.values():
        told = brief("web", active_enter_time_s=NOW_S - age_s)
        stands_s.append(cells_end_s(Unit("web", told, look_of(told), 1), NOW_S) - NOW_S)
    assert stands_s == pytest.approx([1, 60, 3600, 86400])
