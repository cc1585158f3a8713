"""What each word of a service makes of each state (sd_notify(3); systemd's service_notify_message), for every type and stamp."""

from itertools import product

import pytest

from supervisor.engine.record import Process
from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.states import Phase, Result, SubState
from tests.spec.bench import Bench
from tests.spec.build import SECOND, unit
from tests.spec.test_service_steps import MAIN_IN, PHASE_OF, RELOADING, STATES, Case

S = SubState
MAIN_PID, CONTROL_PID, OTHER_PID = 1007, 1008, 1009
LATER_US = SECOND // 4  # after the state was entered
WORDS = (("READY",), ("RELOADING",), ("STOPPING",), ("RELOADING", "READY"), ("READY", "STOPPING"), ("STOPPING", "READY"))


def _case(sub: SubState, type_: str = "notify") -> Case:
    return Case(sub, has_main=sub in MAIN_IN, has_control=sub in PHASE_OF, type=type_)


def _heard(bench: Bench, pid: int = MAIN_PID, is_ours: bool = True, /, **fields: str) -> None:
    state = bench.core.states["a"]
    state.notify_access = state.notify_access or "all"
    now = ev.Instant(bench.core.now.mono_us + LATER_US, bench.core.now.wall_us + LATER_US)
    bench.engine.handle(ev.Notified("a", pid, dict(fields), main_pid_is_ours=is_ours), now)


def _announced(sub: SubState, type_: str, words: tuple[str, ...], *, is_stamped: bool) -> SubState:
    """The state after a message: of READY, RELOADING and STOPPING the last counts."""
    proves = is_stamped and sub == S.RELOAD_SIGNAL  # that it is this reload that it speaks of
    match words[-1]:
        case "READY" if sub == S.START and type_ in ("notify", "notify-reload"):
            return S.START_POST
        case "READY" if sub == S.RELOAD_NOTIFY or ("RELOADING" in words and proves):
            return S.RUNNING
        case "RELOADING" if sub == S.RUNNING or proves:
            return S.RELOAD_NOTIFY
        case "STOPPING" if sub in (S.RUNNING, S.RELOAD_SIGNAL, S.RELOAD_NOTIFY):
            return S.STOP_SIGTERM
    return sub


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("type_", ["exec", "notify", "notify-reload"])
def test_the_last_of_the_three_announcements_counts(type_: str, words: tuple[str, ...]) -> None:
    for sub, stamp_us in product(STATES, (None, -1, 0, 1)):
        bench = _case(sub, type_).bench()
        state = bench.core.states["a"]
        begin_us = state.reload_begin_us = bench.core.now.mono_us
        stamp = {} if stamp_us is None else {"MONOTONIC_USEC": str(begin_us + stamp_us)}
        _heard(bench, **dict.fromkeys(words, "1"), **stamp)
        is_stamped = stamp_us is not None and stamp_us >= 0
        assert state.sub == _announced(sub, type_, words, is_stamped=is_stamped), (sub, stamp_us)
        assert state.notify_state == words[-1].lower()
        assert state.result == Result.SUCCESS


@pytest.mark.parametrize("value", ["0", "", "yes", "11"])
def test_an_announcement_of_another_value_is_none(value: str) -> None:
    for sub, word in product(STATES, ("READY", "RELOADING", "STOPPING")):
        bench = _case(sub).bench()
        _heard(bench, **{word: value})
        assert (bench.core.states["a"].sub, bench.core.states["a"].notify_state) == (sub, "")


@pytest.mark.parametrize("sub", [S.DEAD, S.FAILED])
def test_who_is_down_is_not_heard(sub: SubState) -> None:
    bench = _case(S.RUNNING).bench()
    state = bench.core.states["a"]
    state.sub, state.main = sub, None
    _heard(bench, STATUS="here", READY="1", NOTIFYACCESS="none")
    assert (state.status_text, state.notify_state, state.notify_access) == ("", "", "all")


ACCESS = {
    # who is heard: the main process, the control process, any other of the unit
    "none": (False, False, False),
    "main": (True, False, False),
    "exec": (True, True, False),
    "all": (True, True, True),
}


@pytest.mark.parametrize("override", ["", *ACCESS])
@pytest.mark.parametrize("access", ACCESS)
def test_notify_access_says_who_is_heard_and_the_service_s_own_word_takes_its_place(access: str, override: str) -> None:
    for pid, place in ((MAIN_PID, 0), (CONTROL_PID, 1), (OTHER_PID, 2)):
        for has_main, has_control in product((True, False), repeat=2):
            bench = Bench(unit("a", notify_access=access))
            state = bench.put("a", "active")
            state.notify_access = override
            state.main = Process(Phase.START, 0, 7, MAIN_PID, "execed") if has_main else None
            state.control = Process(Phase.RELOAD, 0, 8, CONTROL_PID, "execed") if has_control else None
            bench.engine.handle(ev.Notified("a", pid, {"STATUS": "here"}), bench.core.now)
            is_there = (has_main, has_control, False)[place] or (override or access) == "all"
            assert (state.status_text == "here") == (ACCESS[override or access][place] and is_there)


@pytest.mark.parametrize("given", ["none", "main", "exec", "all", "everybody", ""])
def test_a_service_may_change_who_is_heard(given: str) -> None:
    bench = _case(S.RUNNING).bench()
    _heard(bench, NOTIFYACCESS=given)
    assert bench.core.states["a"].notify_access == (given if given in ACCESS else "all")


# -- times ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("span_us", [0, 1, 3 * SECOND // 4, 3 * SECOND // 4 + 1, 10 * SECOND])
def test_a_time_out_is_only_ever_extended(span_us: int) -> None:
    """EXTEND_TIMEOUT_USEC= counts from the message; one that ends before the time-out does changes nothing."""
    for sub in STATES:
        bench = _case(sub).bench()
        began_us = bench.core.now.mono_us
        _heard(bench, EXTEND_TIMEOUT_USEC=str(span_us))
        end_us = max(began_us + SECOND, began_us + LATER_US + span_us if span_us else 0)
        assert bench.engine.next_deadline() == end_us, sub


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_ping_and_a_new_interval_count_from_now_where_there_is_a_watchdog(is_watched: bool) -> None:
    for fields, interval_us in (({"WATCHDOG": "1"}, 5), ({"WATCHDOG_USEC": "77"}, 77), ({"WATCHDOG_USEC": "0"}, 0), ({"WATCHDOG": "2"}, 5)):
        bench = _case(S.RUNNING).bench()
        state = bench.core.states["a"]
        began_us = bench.core.now.mono_us
        state.watchdog_us, state.watchdog_from_us = 5, began_us if is_watched else 0
        _heard(bench, **fields)
        is_ping = fields != {"WATCHDOG": "2"}
        from_us = (began_us + LATER_US if is_ping else began_us) if is_watched else 0
        assert (state.watchdog_us, state.watchdog_from_us) == (interval_us, from_us)


def test_a_service_may_call_for_its_watchdog_while_it_is_up_or_coming_up() -> None:
    for sub in STATES:
        bench = _case(sub).bench()
        _heard(bench, WATCHDOG="trigger")
        is_heeded = sub in (S.START, S.START_POST, S.RUNNING, *RELOADING)
        state = bench.core.states["a"]
        assert (state.sub, state.result) == ((S.STOP_WATCHDOG, Result.WATCHDOG) if is_heeded else (sub, Result.SUCCESS))


# -- words about itself ---------------------------------------------------------------------------------------------------


def test_a_status_is_told_when_it_is_another_one() -> None:
    bench = _case(S.RUNNING).bench()
    told = []
    for text in ("one", "one", "two", ""):
        bench.core.out = []
        _heard(bench, STATUS=text)
        told += [effect.text for effect in bench.core.out if isinstance(effect, do.Record) and effect.kind == "status"]
    assert (told, bench.core.states["a"].status_text) == (["one", "two", ""], "")


@pytest.mark.parametrize(("text", "errno"), [("5", 5), ("0", 0), ("EIO", 9), ("-1", 9), ("", 9)])
def test_an_error_is_a_number(text: str, errno: int) -> None:
    bench = _case(S.RUNNING).bench()
    bench.core.states["a"].status_errno = 9
    _heard(bench, ERRNO=text)
    assert bench.core.states["a"].status_errno == errno


MAIN_PID_COUNTS = {S.START, S.START_POST, S.RUNNING, *RELOADING, S.STOP, S.STOP_SIGTERM}


@pytest.mark.parametrize("pid", [0, 1, 2, MAIN_PID, CONTROL_PID, OTHER_PID])
@pytest.mark.parametrize("is_ours", [True, False])
def test_another_main_process_is_believed_where_it_is_one_of_the_unit(is_ours: bool, pid: int) -> None:
    for sub, has_main in product(STATES, (True, False)):
        if sub not in MAIN_IN and has_main:
            continue
        bench = Case(sub, has_main=has_main, has_control=sub in PHASE_OF).bench()
        state = bench.core.states["a"]
        is_control = pid == CONTROL_PID and state.control is not None
        is_new = pid > 1 and is_ours and sub in MAIN_PID_COUNTS and not is_control and not (has_main and pid == MAIN_PID)
        _heard(bench, OTHER_PID, is_ours, MAINPID=str(pid))
        if not is_new:
            assert (state.main.run if state.main else 0) == (7 if has_main else 0)
            continue
        assert state.main is not None
        assert (state.main.pid, state.main.run, state.main.phase, state.main.is_alien) == (pid, 0, Phase.START, True)
        assert (state.main_pid_last, state.is_main_known, state.is_empty) == (pid, True, False)
        assert (do.Forget("a", 7) in bench.core.out) == has_main
