"""When the next paint is due: rates, the feedback of a slow terminal, and the way back."""

from itertools import pairwise

from supervisor.tui.pace import BUSY_RATE_HZ, FULL_RATE_HZ, UNFOCUSED_RATE_HZ, Pace


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
