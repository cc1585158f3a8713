"""Which signal a kill state sends, and to whom (systemd.kill(5); SEMANTICS 5.6): states, kill modes, what is known, what is forked late."""

from itertools import product

import pytest

from supervisor.engine import lifecycle as life
from supervisor.engine.record import Process
from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.states import ExitCode, JobType, Phase, Result, SubState
from tests.spec.bench import Bench
from tests.spec.build import SECOND, unit

S = SubState
KILL, WATCHDOG, FINAL, RESTART = 10, 12, 14, 16  # signals of their own, so that none is taken for another
SIGNAL_OF = {
    S.STOP_SIGTERM: KILL,
    S.FINAL_SIGTERM: KILL,
    S.STOP_WATCHDOG: WATCHDOG,
    S.FINAL_WATCHDOG: WATCHDOG,
    S.STOP_SIGKILL: FINAL,
    S.FINAL_SIGKILL: FINAL,
}
POLITE, DEADLY = (S.STOP_SIGTERM, S.FINAL_SIGTERM), (S.STOP_SIGKILL, S.FINAL_SIGKILL)
MODES = ("control-group", "mixed", "process", "none")


def _bench(**keys: object) -> Bench:
    bench = Bench(
        unit("a", **{"kill_signal": KILL, "watchdog_signal": WATCHDOG, "final_kill_signal": FINAL, "send_sigkill": False, **keys})
    )
    bench.put("a", "active").is_empty = False
    return bench


def _known(bench: Bench, *, main: bool, control: bool) -> None:
    state = bench.core.states["a"]
    state.main = Process(Phase.START, 0, 7, 1007, "execed") if main else None
    state.control = Process(Phase.STOP, 0, 8, 1008, "execed") if control else None


def _kills(bench: Bench) -> list[do.Kill]:
    return [effect for effect in bench.core.out if isinstance(effect, do.Kill)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sub", SIGNAL_OF)
def test_a_kill_state_sends_its_signal_to_whom_the_kill_mode_names(sub: SubState, mode: str) -> None:
    for main, control, is_empty, final in product((True, False), (True, False), (True, False), (FINAL, 9)):
        if is_empty and (main or control):
            continue
        bench = _bench(kill_mode=mode, send_sighup=True, final_kill_signal=final)
        bench.core.states["a"].is_empty = is_empty
        _known(bench, main=main, control=control)
        life.enter_signal(bench.core, bench.core.states["a"], sub, Result.SUCCESS)
        covers_all = not is_empty and (mode == "control-group" or (mode == "mixed" and sub in DEADLY))
        signal = final if sub in DEADLY else SIGNAL_OF[sub]
        pids = (*((1007,) if main else ()), *((1008,) if control else ()))
        expected = []
        if mode != "none" and (covers_all or pids):
            runs = tuple(pid - 1000 for pid in pids)
            is_repeated = covers_all and sub in DEADLY and final == 9
            whom = "all" if covers_all else "main"
            expected = [do.Kill("a", signal, whom, pids, runs, sub not in DEADLY, sub in POLITE, is_repeated)]
        first = _kills(bench)[:1] if bench.core.states["a"].sub == sub else []
        assert first == expected
        assert any(isinstance(effect, do.WatchEmpty) for effect in bench.core.out) == (covers_all and mode != "none")


@pytest.mark.parametrize("type_", [None, *JobType])
@pytest.mark.parametrize("sub", SIGNAL_OF)
def test_restart_kill_signal_takes_the_place_of_kill_signal_while_a_restart_is_on_its_way(sub: SubState, type_: JobType | None) -> None:
    for chosen in (None, RESTART):
        bench = _bench(restart_kill_signal=chosen)
        _known(bench, main=True, control=False)
        if type_ is not None:
            bench.job("a", type_)
        life.enter_signal(bench.core, bench.core.states["a"], sub, Result.SUCCESS)
        is_for_restart = sub in POLITE and type_ == JobType.RESTART and chosen is not None
        assert _kills(bench)[0].signal == (RESTART if is_for_restart else SIGNAL_OF[sub])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("who", ["main", "control"])
@pytest.mark.parametrize("sub", [*SIGNAL_OF, S.START, S.START_POST, S.RUNNING, S.STOP, S.STOP_POST])
def test_what_is_forked_late_gets_the_signal_that_it_missed(sub: SubState, who: str, mode: str) -> None:
    bench = _bench(kill_mode=mode, type="exec")
    state = bench.core.states["a"]
    state.sub = sub
    process = Process(Phase.START if who == "main" else Phase.STOP_POST, 0, 7, 0, "spawning")
    if who == "main":
        state.main = process
    else:
        state.control = process
    bench.engine.handle(ev.Forked("a", 7, 1007), bench.core.now)
    expected = [do.Kill("a", SIGNAL_OF[sub], "main", (1007,), (7,))] if sub in SIGNAL_OF and mode != "none" else []
    assert _kills(bench) == expected


@pytest.mark.parametrize("stage", ["idle", "preparing", "spawning", "forked", "execed"])
@pytest.mark.parametrize("who", ["main", "control"])
def test_what_has_not_been_asked_of_the_keeper_is_given_up_by_a_kill_and_what_has_is_waited_for(who: str, stage: str) -> None:
    bench = _bench()
    state = bench.core.states["a"]
    process = Process(Phase.START if who == "main" else Phase.STOP, 0, 7, 1007 if stage in ("forked", "execed") else 0, stage)
    if who == "main":
        state.main = process
    else:
        state.control = process
    life.enter_signal(bench.core, state, S.STOP_SIGTERM, Result.SUCCESS)
    is_given_up = stage in ("idle", "preparing")
    assert ((state.main or state.control) is None) == is_given_up
    assert (do.Forget("a", 7) in bench.core.out) == is_given_up


@pytest.mark.parametrize("has_control", [True, False])
@pytest.mark.parametrize("announced", ["", "ready", "reloading", "stopping"])
@pytest.mark.parametrize("sub", [S.RELOAD, S.RELOAD_SIGNAL, S.RELOAD_NOTIFY])
def test_a_reload_that_takes_too_long_is_over_and_its_command_killed(sub: SubState, announced: str, has_control: bool) -> None:
    """service_dispatch_timer: the reload has failed, the service has not, and a word of it that no other followed is forgotten."""
    bench = _bench(timeout_start_us=SECOND, type="notify-reload")
    _known(bench, main=True, control=has_control)
    state = bench.core.states["a"]
    state.sub, state.notify_state, state.timer_from_us = sub, announced, bench.core.now.mono_us
    bench.engine._deadlines.update(bench.core, "a")
    bench.engine.handle(ev.DeadlineReached(), ev.Instant(bench.core.now.mono_us + SECOND, bench.core.now.wall_us))
    killed = [(kill.signal, kill.whom, kill.pids) for kill in _kills(bench) if kill.whom == "control"]
    assert killed == ([(9, "control", (1008,))] if has_control else [])
    assert (state.sub, state.reload_result, state.result) == (
        S.STOP_SIGTERM if announced == "stopping" else S.RUNNING,
        Result.TIMEOUT,
        Result.SUCCESS,
    )
    assert (state.control, state.failed_text) == (None, "")
    assert (do.Forget("a", 8) in bench.core.out) == has_control  # its end is not waited for, so the keeper need not tell it
    assert state.notify_state == ("ready" if announced == "reloading" else announced)


# -- how supd leaves for a unit's sake ------------------------------------------------------------------------------------

STATUSES = [
    # how its main process ended, what its file names, after a failure, after a success
    ((ExitCode.EXITED, 0), None, 0, 0),
    ((ExitCode.EXITED, 7), None, 7, 7),
    ((ExitCode.KILLED, 9), None, 255, 0),
    ((ExitCode.DUMPED, 6), None, 255, 0),
    ((ExitCode.UNKNOWN, 0), None, 255, 0),
    ((None, 0), None, 255, 0),
    ((ExitCode.EXITED, 7), 3, 3, 3),
    ((ExitCode.EXITED, 7), 0, 0, 0),
    ((ExitCode.KILLED, 9), 4, 4, 4),
]


@pytest.mark.parametrize("action", ["none", "exit", "exit-force"])
@pytest.mark.parametrize("key", ["failure_action", "success_action"])
@pytest.mark.parametrize(("end", "named", "failed", "ended"), STATUSES)
def test_supd_leaves_with_the_status_of_the_unit_or_the_one_its_file_names(
    end: tuple[ExitCode | None, int], named: int | None, failed: int, ended: int, key: str, action: str
) -> None:
    """systemd.unit(5), FailureAction=, FailureActionExitStatus= and their like."""
    bench = Bench(unit("a", **{key: action, f"{key}_exit_status": named}), unit("b"))
    bench.put("a", "deactivating")
    bench.put("b", "active")
    state = bench.core.states["a"]
    state.main_code, state.main_status = end
    bench.change("a", S.FAILED if key == "failure_action" else S.DEAD)
    status = failed if key == "failure_action" else ended
    assert (bench.core.leaving or (None,))[0] == (None if action == "none" else status)
    assert bench.jobs() == ({"b": "stop"} if action == "exit" else {})
    forced = [(effect.exit_status, effect.is_forced) for effect in bench.core.out if isinstance(effect, do.Leave)]
    assert forced == ([(status, True)] if action == "exit-force" else [])
