"""Names of exit statuses and signals, both ways."""

import signal

import pytest

from supervisor.model.exitstatus import (
    EXIT_STATUS_NUMBERS,
    SETUP_STEP_STATUS,
    exit_status_name,
    exit_status_number,
    signal_name,
    signal_number,
)


def test_every_name_comes_back_from_its_number() -> None:
    for name, number in EXIT_STATUS_NUMBERS.items():
        assert exit_status_number(name) == number
        assert exit_status_name(number) == name


@pytest.mark.parametrize(("name", "number"), [("EXEC", 203), ("USER", 217), ("255", 255), ("256", None), ("exec", None), ("-1", None)])
def test_an_exit_status_is_a_name_or_a_number_up_to_255(name: str, number: int | None) -> None:
    assert exit_status_number(name) == number


def test_signal_numbers_are_the_kernels() -> None:
    for one in signal.Signals:
        if one < 32:
            assert signal_number(one.name) == one
    assert {signal_name(one) for one in range(1, 32)} == {signal.Signals(one).name.removeprefix("SIG") for one in range(1, 32)}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("SIGTERM", 15),
        ("TERM", 15),
        ("15", 15),
        ("SIGRTMIN+1", 35),
        ("RTMAX-1", 63),
        ("RTMIN", 34),
        ("SIGIOT", None),
        ("0x0f", 15),
        ("int", None),
        ("0", None),
        ("65", None),
        ("RTMIN+31", None),
        ("RTMIN-1", None),
        ("", None),
    ],
)
def test_signals_go_by_name_or_number_in_upper_case(name: str, number: int | None) -> None:
    assert signal_number(name) == number


def test_real_time_signals_are_named_from_the_lowest() -> None:
    assert [signal_name(number) for number in (34, 35, 64)] == ["RTMIN+0", "RTMIN+1", "RTMIN+30"]


def test_every_setup_step_has_a_systemd_status() -> None:
    assert set(SETUP_STEP_STATUS.values()) <= {number for number in EXIT_STATUS_NUMBERS.values() if number >= 200}
