"""[service.ready], [service.health], [service.startup]: what the answers of probes come to (DESIGN, Unit files; not in systemd)."""

import pytest

from supervisor.model.effects import StartProbe, StopProbes
from supervisor.model.specification import Probe
from tests.spec.behaviour import SIGABRT, exits, runs
from tests.spec.build import MS, SECOND, unit
from tests.spec.world import World

READY = Probe("ready", "tcp", "127.0.0.1:1")
HEALTH = Probe("health", "http", "http://127.0.0.1:1/", interval_us=10 * SECOND)


def test_a_service_with_a_ready_probe_is_up_when_it_answers_well() -> None:
    world = World(unit("a", probes=[READY]))
    world.probe_answers["a", 0] = [False, False, True]
    answer = world.start("a")
    assert world.active("a") == "activating"
    world.advance(2 * SECOND - 1)
    assert world.active("a") == "activating"
    world.advance(1)
    assert world.active("a") == "active"
    assert world.job_result(answer) == "done"


def test_a_ready_probe_that_never_succeeds_times_the_start_out() -> None:
    world = World(unit("a", probes=[READY], timeout_start_us=30 * SECOND))
    world.probe_answers["a", 0] = [False]
    answer = world.start("a")
    world.advance(30 * SECOND)
    assert world.state("a") == ("failed", "failed", "timeout")
    assert world.job_result(answer) == "failed"
    assert world.processes("a") == []


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_success_needs_as_many_good_answers_in_a_row_as_the_threshold_says(threshold: int) -> None:
    world = World(unit("a", probes=[Probe("ready", "tcp", "127.0.0.1:1", success_threshold=threshold)]))
    world.probe_answers["a", 0] = [True] * (threshold - 1) + [False] + [True]
    world.start("a")
    world.advance((2 * threshold - 1) * SECOND - 1)
    assert world.active("a") == "activating"
    world.advance(1)
    assert world.active("a") == "active"


def test_an_initial_delay_is_waited_for() -> None:
    world = World(unit("a", probes=[Probe("ready", "tcp", "127.0.0.1:1", initial_delay_us=5 * SECOND)]))
    world.start("a")
    world.advance(5 * SECOND - 1)
    assert world.active("a") == "activating"
    world.advance(1)
    assert world.active("a") == "active"


def test_several_ready_probes_must_all_hold() -> None:
    world = World(unit("a", probes=[READY, Probe("ready", "unix", "/run/a.sock")]))
    world.probe_answers["a", 0] = [True]
    world.probe_answers["a", 1] = [False, False, False, True]
    world.start("a")
    world.advance(3 * SECOND - 1)
    assert world.active("a") == "activating"
    world.advance(1)
    assert world.active("a") == "active"


@pytest.mark.parametrize("threshold", [1, 3])
def test_health_failures_in_a_row_end_the_service_as_its_watchdog_would(threshold: int) -> None:
    world = World(
        unit(
            "a",
            probes=[Probe("health", "http", "http://127.0.0.1:1/", interval_us=10 * SECOND, failure_threshold=threshold)],
            restart="on-watchdog",
            restart_us=1000 * SECOND,
        )
    )
    world.probe_answers["a", 0] = [True, *[False] * threshold]
    world.start("a")
    world.advance(threshold * 10 * SECOND - 1)
    assert world.active("a") == "active"
    world.advance(1)
    assert (world.result("a"), world.sub("a")) == ("watchdog", "auto-restart")
    assert world.kills("a")[0][0] == SIGABRT


def test_a_good_answer_between_failures_starts_the_count_anew() -> None:
    world = World(unit("a", probes=[HEALTH]))
    world.probe_answers["a", 0] = [False, False, True, False, False, True]
    world.start("a")
    world.advance(1000 * SECOND)
    assert world.active("a") == "active"


def test_health_is_shown_and_a_change_of_it_is_told() -> None:
    world = World(unit("a", probes=[HEALTH, Probe("health", "tcp", "127.0.0.1:1", interval_us=10 * SECOND)]))
    world.probe_answers["a", 0] = [True, False, False, True]
    world.probe_answers["a", 1] = [True]
    world.start("a")
    told, shown = [], []
    for _ in range(4):
        shown.append(world.show("a")["health"])
        told.append([each.text for each in world.records if each.kind == "probe"])
        world.advance(10 * SECOND)
    assert shown == ["ok", "failing", "failing", "ok"]
    assert [len(texts) for texts in told] == [0, 1, 1, 2]
    assert told[-1][-1].startswith("health probe http succeeds again after 2 failures")
    world.stop("a")
    assert world.show("a")["health"] is None


def test_health_is_asked_only_once_the_service_is_up() -> None:
    from supervisor.model.effects import StartProbe

    world = World(unit("a", probes=[READY, HEALTH]))
    world.probe_answers["a", 0] = [False, True]
    world.start("a")
    assert {e.index for _, e in world.history if isinstance(e, StartProbe)} == {0}
    world.advance(SECOND)
    assert {e.index for _, e in world.history if isinstance(e, StartProbe)} == {0, 1}


def test_health_is_watched_on_through_a_reload() -> None:
    from supervisor.model.effects import StartProbe, StopProbes

    world = World(unit("a", type="notify", probes=[HEALTH], exec_reload="again"))
    world.start("a")
    world.notify("a", RELOADING="1")
    world.notify("a", READY="1")
    world.reload("a")
    assert [type(effect) for _, effect in world.history if isinstance(effect, StartProbe | StopProbes)] == [StartProbe]


def test_a_startup_probe_holds_the_others_back() -> None:
    world = World(unit("a", probes=[Probe("startup", "tcp", "127.0.0.1:2"), READY]))
    world.probe_answers["a", 0] = [False, False, True]
    world.start("a")
    world.advance(2 * SECOND - 1)
    assert world.active("a") == "activating"
    world.advance(SECOND)
    assert world.active("a") == "active"


def test_a_probe_never_outlives_its_run() -> None:
    from supervisor.model.events import ProbeReported

    world = World(unit("a", probes=[HEALTH]))
    world.start("a")
    world.stop("a")
    asked = len(world.moments(ProbeReported, "a"))
    world.advance(1000 * SECOND)
    assert len(world.moments(ProbeReported, "a")) == asked
    assert world.next_moment() is None


def test_a_late_answer_for_the_last_run_does_not_touch_the_next() -> None:
    from supervisor.model.effects import StartProbe
    from supervisor.model.events import ProbeReported

    world = World(unit("a", probes=[Probe("ready", "tcp", "127.0.0.1:1", initial_delay_us=1000 * SECOND)]))
    world.start("a")
    token = next(e.token for _, e in world.history if isinstance(e, StartProbe))
    world.restart("a")
    assert world.active("a") == "activating"
    world.step(ProbeReported("a", token, 0, ok=True))
    assert world.active("a") == "activating"


def test_a_service_that_exits_before_its_ready_probe_succeeds_has_failed_to_start() -> None:
    world = World(unit("a", probes=[READY]))
    world.probe_answers["a", 0] = [False]
    world.behave("a", exits(0, after_us=500 * MS))
    answer = world.start("a")
    world.advance(SECOND)
    assert world.job_result(answer) == "failed"
    assert world.state("a") == ("failed", "failed", "protocol")


@pytest.mark.parametrize("type_", ["exec", "simple", "idle", "notify", "forking"])
def test_no_probe_of_an_earlier_stage_or_life_goes_on(type_: str) -> None:
    probes = [Probe(stage, "tcp", "127.0.0.1:1", interval_us=SECOND) for stage in ("startup", "ready", "health")]
    world = World(unit("a", type=type_, probes=probes), unit("b", type="notify"))
    world.behave("b", runs())
    world.start("b")  # holds back a service of type idle
    world.start("a")
    world.advance(10 * SECOND)
    world.restart("a")
    world.advance(10 * SECOND)
    begun = [effect.token for _, effect in world.history if isinstance(effect, StartProbe)]
    ended = [effect.token for _, effect in world.history if isinstance(effect, StopProbes)]
    assert sorted(ended) == sorted(set(begun))[:-1]
