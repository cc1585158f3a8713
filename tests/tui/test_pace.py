"""When the next paint is due: rates, the feedback of a slow terminal, and the way back."""

from itertools import pairwise

import pytest

from supervisor.tui.pace import BUSY_RATE_HZ, FULL_RATE_HZ, TICK_S, UNFOCUSED_RATE_HZ, Pace, Tick


def play(pace: Pace, queue: list[int], start_s: float = 0.0, has_focus: bool = True) -> list[float]:
    """Try to paint with these queue lengths, each try as soon as it is due; the times at which it painted."""
    now_s, painted = start_s, []
    for waiting in queue:
        now_s += pace.delay_s(now_s, has_focus)
        if pace.may_paint(now_s, waiting):
            painted.append(round(now_s - start_s, 6))
    return painted


def test_the_first_change_is_painted_at_once_and_the_next_an_interval_later() -> None:
    assert play(Pace(), [0, 0, 0]) == [0, round(1 / FULL_RATE_HZ, 6), round(2 / FULL_RATE_HZ, 6)]


def test_a_change_after_a_silence_is_painted_at_once() -> None:
    pace = Pace()
    play(pace, [0])
    assert pace.delay_s(60.0, True) == 0.0


def test_a_full_queue_puts_the_paint_off_and_a_second_one_halves_the_rate() -> None:
    pace = Pace()
    assert play(pace, [0, 5, 0]) == [0, round(2 / FULL_RATE_HZ, 6)]
    assert play(pace, [5, 5, 0], 10.0) == [round(1 / FULL_RATE_HZ + 1 / BUSY_RATE_HZ, 6)]


def test_a_terminal_that_keeps_up_for_a_while_gets_the_full_rate_again() -> None:
    pace = Pace()
    play(pace, [0, 5, 5])
    times = play(pace, [0] * 16, 10.0)
    steps = [round(later - earlier, 4) for earlier, later in pairwise(times)]
    assert steps[0] == round(1 / BUSY_RATE_HZ, 4)
    assert steps[-1] == round(1 / FULL_RATE_HZ, 4)


def test_without_focus_two_paints_a_second_are_enough() -> None:
    assert play(Pace(), [0, 0], has_focus=False) == [0, round(1 / UNFOCUSED_RATE_HZ, 6)]


def test_a_clock_that_jumps_back_never_makes_the_wait_longer_than_an_interval() -> None:
    pace = Pace()
    play(pace, [0], 100.0)
    assert pace.delay_s(0.0, True) == 1 / FULL_RATE_HZ


def painted(others_s: list[float], until_s: float) -> list[float]:
    """When anything is painted, where others paint at these moments, and the time whenever its rule says so."""
    tick, now_s, asked_s, found = Tick(), 0.0, 0.0, []
    others = iter([*others_s, until_s])
    other_s = next(others)
    while now_s < until_s:
        now_s = min(asked_s, other_s)
        if other_s <= asked_s:
            other_s = next(others, until_s)
        else:
            wait_s = tick.wait_s(now_s)
            asked_s = now_s + (wait_s or TICK_S)
            if wait_s:
                continue
        tick.painted(now_s)
        found.append(now_s)
    return found


def test_the_time_alone_is_painted_every_second() -> None:
    times = painted([], 30)
    assert times == pytest.approx(range(len(times)))


@pytest.mark.parametrize("phase", [number / 20 for number in range(1, 20)])
@pytest.mark.parametrize("late_s", [0.0, 0.004, 0.05])
def test_what_comes_once_a_second_takes_the_time_with_it_whatever_lies_between(phase: float, late_s: float) -> None:
    times = painted([phase + number * (1 + late_s) for number in range(50)], 40)
    assert len([one for one in times if one > 4]) <= 37
    assert max(later - one for one, later in pairwise(times)) <= 1.11


def test_where_much_is_painted_the_time_costs_nothing() -> None:
    often = [number / 10 for number in range(1, 300)]
    assert len(painted(often, 29.5)) <= len([one for one in often if one < 29.5]) + 3


def test_the_time_goes_on_when_what_came_once_a_second_stays_away() -> None:
    times = painted([0.3 + number for number in range(10)], 30)
    assert max(later - one for one, later in pairwise(times)) <= 1.11
    assert [later - one for one, later in pairwise(times)][-11:-1] == pytest.approx([1.0] * 10)
