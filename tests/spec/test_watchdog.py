"""WatchdogSec=: counted from the end of the start-up, kept at bay by WATCHDOG=1 (systemd.service(5); SEMANTICS 5.6)."""

import pytest

from supervisor.model.states import Phase
from tests.spec.behaviour import SIGABRT, SIGKILL, SIGTERM, Process, says_ready, stubborn
from tests.spec.build import SECOND, unit
from tests.spec.world import World

PINGS = tuple((n * SECOND, {"WATCHDOG": "1"}) for n in range(4, 40, 4))


def test_a_service_that_pings_lives_and_one_that_stops_pinging_is_aborted() -> None:
    world = World(unit("a", type="notify", watchdog_us=5 * SECOND))
    world.behave("a", Process(says=((0, {"READY": "1"}), *PINGS)))
    world.start("a")
    world.advance(41 * SECOND - 1)
    assert world.active("a") == "active"
    world.advance(1)
    assert world.kills("a")[0][0] == SIGABRT
    assert world.state("a") == ("failed", "failed", "watchdog")


def test_it_counts_from_the_end_of_the_start_up() -> None:
    world = World(unit("a", type="notify", watchdog_us=SECOND))
    world.behave("a", says_ready(after_us=10 * SECOND))
    world.start("a")
    world.advance(10 * SECOND)
    assert world.active("a") == "active"
    world.advance(SECOND)
    assert world.result("a") == "watchdog"


def test_the_child_is_told_its_watchdog() -> None:
    world = World(unit("a", type="notify", watchdog_us=5 * SECOND))
    world.start("a")
    assert world.environment("a", Phase.START)["WATCHDOG_USEC"] == str(5 * SECOND)


def test_the_watchdog_signal_can_be_chosen() -> None:
    world = World(unit("a", type="notify", watchdog_us=SECOND, watchdog_signal=SIGTERM))
    world.start("a")
    world.advance(SECOND)
    assert world.kills("a")[0][0] == SIGTERM
    assert world.result("a") == "watchdog"


def test_a_service_that_survives_the_abort_is_killed_after_timeout_abort_sec() -> None:
    world = World(unit("a", type="notify", watchdog_us=SECOND, timeout_abort_us=7 * SECOND, timeout_stop_us=100 * SECOND))
    world.behave("a", stubborn(says=((0, {"READY": "1"}),)))
    world.start("a")
    world.advance(SECOND)
    assert world.sub("a") == "stop-watchdog"
    world.advance(7 * SECOND - 1)
    assert [signal for signal, _ in world.kills("a")] == [SIGABRT]
    world.advance(1)
    assert SIGKILL in [signal for signal, _ in world.kills("a")]
    assert world.state("a") == ("failed", "failed", "watchdog")
    assert world.processes("a") == []


def test_a_service_may_ask_for_the_watchdog_itself() -> None:
    world = World(unit("a", type="notify", watchdog_us=100 * SECOND))
    world.start("a")
    world.notify("a", WATCHDOG="trigger")
    assert world.result("a") == "watchdog"


@pytest.mark.parametrize(("usec", "dies_at_us"), [(2 * SECOND, 2 * SECOND), (20 * SECOND, 20 * SECOND)])
def test_a_service_may_change_its_own_interval(usec: int, dies_at_us: int) -> None:
    world = World(unit("a", type="notify", watchdog_us=5 * SECOND))
    world.start("a")
    world.notify("a", WATCHDOG_USEC=str(usec))
    world.advance(dies_at_us - 1)
    assert world.active("a") == "active"
    world.advance(1)
    assert world.result("a") == "watchdog"


def test_a_stop_ends_the_watchdog() -> None:
    world = World(unit("a", type="notify", watchdog_us=SECOND, timeout_stop_us=100 * SECOND))
    world.behave("a", says_ready(dies_in_us=50 * SECOND))
    world.start("a")
    world.stop("a")
    world.advance(50 * SECOND)
    assert world.state("a") == ("inactive", "dead", "success")


def test_zero_and_none_switch_it_off() -> None:
    for span_us in (None, 0):
        world = World(unit("a", type="notify", notify_access="main", watchdog_us=span_us))
        world.start("a")
        world.advance(1000 * SECOND)
        assert world.active("a") == "active"
        assert "WATCHDOG_USEC" not in world.environment("a", Phase.START)


def test_an_interval_of_one_run_does_not_outlive_it() -> None:
    world = World(unit("a", type="notify", watchdog_us=5 * SECOND, restart="always", restart_us=0))
    world.start("a")
    world.notify("a", WATCHDOG_USEC=str(1000 * SECOND))
    world.signal("a", SIGKILL)
    assert world.show("a")["n_restarts"] == 1
    world.advance(5 * SECOND)
    assert world.show("a")["n_restarts"] == 2


def test_what_is_shown_is_the_watchdog_in_force() -> None:
    world = World(unit("a", type="notify", watchdog_us=5 * SECOND))
    world.start("a")
    assert world.show("a")["watchdog_usec"] == 5 * SECOND
    world.notify("a", WATCHDOG_USEC=str(2 * SECOND))
    assert world.show("a")["watchdog_usec"] == 2 * SECOND
    world.notify("a", WATCHDOG_USEC="0")
    assert world.show("a")["watchdog_usec"] is None
