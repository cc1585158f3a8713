"""Children that do what no program should. For each: what a good supervisor does, and (`Siege.withstands`) that after a stop no process is
left, that others were served meanwhile, and that supd holds no more descriptors and no more memory than before."""

import pytest

from tests.hostile.siege import Siege, ends
from tests.hostile.units import PHASES

TRACKINGS = ["cgroup"]


def test_one_that_leaks_descriptors_leaks_its_own(siege: Siege) -> None:
    shown = siege.withstands("leaks")
    assert ends(shown) == ("inactive", "success")


def test_one_that_exits_at_once_for_ever_is_started_at_full_speed_and_stopped_at_once(siege: Siege) -> None:
    def during() -> None:
        siege.supd.wait_for("exits-at-once", "restarted often", lambda shown: shown["n_restarts"] >= 50, within_s=60)

    shown = siege.withstands("exits-at-once", during)
    assert shown["active_state"] in ("inactive", "failed")


@pytest.mark.parametrize("unit", ["hangs-in-stop", "hangs-in-stop-post"])
def test_one_that_hangs_in_a_stop_phase_is_ended_by_its_time_out(siege: Siege, unit: str) -> None:
    assert ends(siege.withstands(unit)) == ("failed", "timeout")


# phase -> (the start, the state after it, the state after the stop)
DEATHS = {
    "exec_condition": (1, ("failed", "signal"), ("failed", "signal")),
    "exec_start_pre": (1, ("failed", "signal"), ("failed", "signal")),
    "exec_start": (0, ("failed", "signal"), ("failed", "signal")),
    "exec_start_post": (1, ("failed", "signal"), ("failed", "signal")),
    "exec_reload": (0, ("active", "success"), ("inactive", "success")),
    "exec_stop": (0, ("active", "success"), ("failed", "signal")),
    "exec_stop_post": (0, ("active", "success"), ("failed", "signal")),
}


@pytest.mark.parametrize("phase", PHASES)
def test_a_death_in_each_phase_ends_what_systemd_ends(siege: Siege, phase: str) -> None:
    unit = f"dies-in-{phase}"
    status, started, stopped = DEATHS[phase]
    siege.supd.supctl("start", unit, expect=status)
    shown = siege.supd.wait_for(unit, str(started), lambda shown: ends(shown) == started)
    if phase == "exec_reload":
        siege.supd.supctl("reload", unit, expect=1)
        assert ends(siege.supd.show(unit)) == started
    siege.others_are_served()
    siege.supd.supctl("stop", unit)
    siege.nothing_is_left(unit)
    shown = siege.supd.show(unit)
    assert ends(shown) == stopped


def test_a_huge_environment_arrives_whole(siege: Siege) -> None:
    shown = siege.withstands("huge", lambda: siege.supd.wait_for("huge", "read", lambda shown: shown["status_text"] == "1500000 bytes"))
    assert ends(shown) == ("inactive", "success")


def test_an_environment_that_no_exec_takes_is_named(siege: Siege) -> None:
    said = siege.supd.supctl("start", "huger", expect=1).stderr
    assert "Argument list too long" in said
    assert siege.supd.show("huger")["exec_main_status"] in (203, None)
    siege.others_are_served()
    siege.nothing_is_left("huger")
