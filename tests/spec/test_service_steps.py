"""One step of a service from every state: which state follows when a process of it ends, when all are gone, when its time is over.

The rules are those of systemd's service_sigchld_event, service_notify_cgroup_empty_event, service_dispatch_timer and the enter functions
that these call, said once as functions (SEMANTICS 5.3 and 5.6), with the one difference that DESIGN names (Stopping is true): a unit is
down only when no process of it is left. The service has one command for each of its phases, so that no phase is passed unseen.
"""

from dataclasses import dataclass, replace
from itertools import product

import pytest

from supervisor.engine.record import Process
from supervisor.model import events as ev
from supervisor.model.specification import Unit
from supervisor.model.states import ExitCode, Phase, Result, SubState
from tests.spec.bench import Bench
from tests.spec.build import SECOND, unit

S = SubState
OK = Result.SUCCESS
STARTING = (S.CONDITION, S.START_PRE, S.START, S.START_POST)
RELOADING = (S.RELOAD, S.RELOAD_SIGNAL, S.RELOAD_NOTIFY)
STOP_KILLS = (S.STOP_WATCHDOG, S.STOP_SIGTERM, S.STOP_SIGKILL)
FINAL_KILLS = (S.FINAL_WATCHDOG, S.FINAL_SIGTERM, S.FINAL_SIGKILL)
KILLS = (*STOP_KILLS, *FINAL_KILLS)
STATES = (*STARTING, S.RUNNING, *RELOADING, S.STOP, *STOP_KILLS, S.STOP_POST, *FINAL_KILLS)
# The command that runs in a state as the control process; in the kill states any may be left.
PHASE_OF = {
    S.CONDITION: Phase.CONDITION,
    S.START_PRE: Phase.START_PRE,
    S.START_POST: Phase.START_POST,
    S.RELOAD: Phase.RELOAD,
    S.STOP: Phase.STOP,
    S.STOP_POST: Phase.STOP_POST,
    **dict.fromkeys(STOP_KILLS, Phase.STOP),
    **dict.fromkeys(FINAL_KILLS, Phase.STOP_POST),
}
MAIN_IN = {S.START, S.START_POST, S.RUNNING, *RELOADING, S.STOP, S.STOP_POST, *KILLS}
KILL_MODES = ("control-group", "mixed", "process", "none")
MAIN_RUN, CONTROL_RUN, TOKEN = 7, 8, 9
ENDS = {"well": (ExitCode.EXITED, 0, OK), "badly": (ExitCode.EXITED, 3, Result.EXIT_CODE)}


@dataclass(frozen=True)
class Case:
    """A service in a state: who of it is left, and what it is like."""

    sub: SubState
    has_main: bool = False
    has_control: bool = False
    result: Result = OK  # so far
    type: str = "exec"
    kill_mode: str = "control-group"
    sends_sigkill: bool = True
    failure_mode: str = "terminate"
    remains: bool = False

    @property
    def unit(self) -> Unit:
        phases = ("condition", "start", "start_pre", "start_post", "reload", "stop", "stop_post")
        return unit(
            "a",
            **{f"exec_{phase}": phase for phase in phases},
            type=self.type,
            kill_mode=self.kill_mode,
            send_sigkill=self.sends_sigkill,
            timeout_start_us=SECOND,
            timeout_stop_us=SECOND,
            timeout_abort_us=SECOND,
            runtime_max_us=SECOND,
            timeout_start_failure_mode=self.failure_mode,
            timeout_stop_failure_mode=self.failure_mode,
            remain_after_exit=self.remains,
            restart="on-failure",
            restart_us=1000 * SECOND,
        )

    def covers_all(self, sub: SubState) -> bool:
        """Whether the signal of a kill state goes to every process (systemd.kill(5), KillMode=)."""
        return self.kill_mode == "control-group" or (self.kill_mode == "mixed" and sub in (S.STOP_SIGKILL, S.FINAL_SIGKILL))

    @property
    def waits_for_all(self) -> bool:
        return self.sub in KILLS and self.covers_all(self.sub)

    def bench(self) -> Bench:
        bench = Bench(self.unit)
        state = bench.core.state_of("a")
        state.sub, state.result = self.sub, self.result
        bench.core.not_down.add("a")
        now_us = bench.core.now.mono_us
        state.entered_us = state.timer_from_us = state.up_since_us = now_us
        state.is_empty, state.is_main_known = False, self.sub in MAIN_IN
        state.empty_token = TOKEN if self.waits_for_all else 0
        if self.has_main:
            state.main = Process(Phase.START, 0, MAIN_RUN, 1007, "execed")
        if self.has_control:
            state.control = Process(PHASE_OF[self.sub], 0, CONTROL_RUN, 1008, "execed")
        bench.core.counter = 10
        return bench


Next = tuple[SubState, Result]


# -- the enter functions -------------------------------------------------------------------------------------------------


def _worse(case: Case, result: Result) -> Case:
    """The first bad result is kept."""
    return case if case.result != OK else replace(case, result=result)


def _dead(case: Case, *, allows_restart: bool = True) -> Next:
    if case.result == OK:
        return S.DEAD, OK
    return (S.AUTO_RESTART if allows_restart else S.FAILED), case.result


def _signal(case: Case, sub: SubState) -> Next:
    """The kill state in which there is somebody to wait for, from this one on; else what comes after them."""
    kills = FINAL_KILLS if sub in FINAL_KILLS else STOP_KILLS
    for kill in (sub, *((kills[2],) if case.sends_sigkill and sub != kills[2] else ())):
        if case.kill_mode != "none" and (case.has_main or case.has_control or case.covers_all(kill)):
            return kill, case.result
    return _dead(case) if sub in FINAL_KILLS else (S.STOP_POST, case.result)


def _running(case: Case) -> Next:
    if case.result != OK:
        return _signal(case, S.STOP_SIGTERM)
    if case.has_main:
        return S.RUNNING, OK
    return (S.EXITED if case.remains else S.STOP), OK


# -- what follows --------------------------------------------------------------------------------------------------------


def _after_main(case: Case, result: Result) -> Next:
    sub, case = case.sub, replace(case, has_main=False)
    judged = _worse(case, result)
    if sub == S.START and case.type == "oneshot":
        return (S.START_POST, judged.result) if result == OK else _signal(judged, S.STOP_SIGTERM)
    if sub == S.START and case.type == "notify":
        return _signal(_worse(case, Result.PROTOCOL if result == OK else result), S.STOP_SIGTERM)
    if sub in (S.START, S.RUNNING):
        return _running(judged)
    if case.has_control or sub in (S.STOP, S.STOP_POST):
        return sub, judged.result
    if sub in (S.START_POST, *RELOADING):
        return S.STOP, judged.result
    return _after_known_ones(judged)


def _after_control(case: Case, result: Result) -> Next:
    sub, case = case.sub, replace(case, has_control=False)
    skips = sub == S.CONDITION and result != OK
    judged = case if sub == S.RELOAD else _worse(case, Result.EXEC_CONDITION if skips else result)
    if sub in STARTING and result != OK:
        state, result = _signal(judged, S.STOP_SIGTERM)
        return state, result
    if sub in (S.CONDITION, S.START_PRE):
        return {S.CONDITION: S.START_PRE, S.START_PRE: S.START}[sub], judged.result
    if sub in (S.START_POST, S.RELOAD):
        return _running(judged)
    if sub == S.STOP:
        return _signal(judged, S.STOP_SIGTERM)
    if sub == S.STOP_POST:
        return _signal(judged, S.FINAL_SIGTERM)
    return (sub, judged.result) if case.has_main else _after_known_ones(judged)


def _after_known_ones(case: Case) -> Next:
    """In a kill state, the last process that is known by name has ended."""
    if case.sub in STOP_KILLS:
        return S.STOP_POST, case.result
    if case.waits_for_all:
        return case.sub, case.result  # until none is left that is not known either
    return _signal(case, S.FINAL_SIGKILL) if case.sub != S.FINAL_SIGKILL and case.sends_sigkill else _dead(case)


def _after_time(case: Case) -> Next:
    sub = case.sub
    if sub in RELOADING:
        return _running(replace(case, has_control=False))
    judged = _worse(case, Result.TIMEOUT)
    if sub == S.RUNNING:
        return S.STOP, judged.result
    kills = FINAL_KILLS if sub in (S.STOP_POST, *FINAL_KILLS) else STOP_KILLS
    is_over: Next = _dead(judged, allows_restart=False) if kills is FINAL_KILLS else (S.STOP_POST, judged.result)
    if sub == kills[2]:
        return _dead(judged) if kills is FINAL_KILLS else is_over
    wanted = case.failure_mode
    if sub == kills[0] or (sub == kills[1] and wanted == "terminate"):
        wanted = "kill"
    if wanted == "kill":
        return _signal(judged, kills[2]) if case.sends_sigkill else is_over
    return _signal(judged, kills[0] if wanted == "abort" else kills[1])


def _after_all(case: Case) -> Next:
    """No process is left, and nobody was known by name any more."""
    if case.sub in STOP_KILLS:
        return S.STOP_POST, case.result
    return _dead(case) if case.sub in FINAL_KILLS else (case.sub, case.result)


# -- the cells -----------------------------------------------------------------------------------------------------------


def _cases(sub: SubState) -> list[Case]:
    found = []
    for has_main, has_control in product((False, True), repeat=2):
        needs_control = sub in PHASE_OF and sub not in KILLS
        if (has_main and sub not in MAIN_IN) or (needs_control and not has_control) or (has_control and sub not in PHASE_OF):
            continue
        if not has_main and sub in (S.START, S.RUNNING, *RELOADING):
            continue
        for kill_mode, sends_sigkill, failure_mode, result in product(
            KILL_MODES, (True, False), ("terminate", "abort", "kill"), (OK, Result.WATCHDOG)
        ):
            found.append(Case(sub, has_main, has_control, result, "exec", kill_mode, sends_sigkill, failure_mode))
    return found


def _told(bench: Bench, event: ev.Event, after_us: int = 0) -> Next:
    now = bench.core.now
    bench.engine.handle(event, ev.Instant(now.mono_us + after_us, now.wall_us + after_us))
    state = bench.core.states["a"]
    bench.engine.check_invariants()
    return state.sub, state.result


def _exited(run: int, how: str) -> ev.Exited:
    code, status, _ = ENDS[how]
    return ev.Exited("a", run, code, status)


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("sub", STATES)
def test_the_end_of_the_main_process(sub: SubState, how: str) -> None:
    for case in _cases(sub):
        if case.has_main and case.failure_mode == "terminate":
            assert _told(case.bench(), _exited(MAIN_RUN, how)) == _after_main(case, ENDS[how][2]), case


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("remains", [False, True])
@pytest.mark.parametrize("type_", ["simple", "exec", "notify", "oneshot"])
@pytest.mark.parametrize("sub", [S.START, S.RUNNING])
def test_the_end_of_the_main_process_of_each_type(sub: SubState, type_: str, remains: bool, how: str) -> None:
    if (type_, sub) == ("oneshot", S.RUNNING):
        return
    for result in (OK, Result.WATCHDOG):
        case = Case(sub, has_main=True, result=result, type=type_, remains=remains)
        assert _told(case.bench(), _exited(MAIN_RUN, how)) == _after_main(case, ENDS[how][2]), case


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("sub", PHASE_OF)
def test_the_end_of_the_control_process(sub: SubState, how: str) -> None:
    for case, remains in product(_cases(sub), (False, True)):
        if case.has_control and case.failure_mode == "terminate" and (remains is False or sub == S.START_POST):
            case = replace(case, remains=remains)
            assert _told(case.bench(), _exited(CONTROL_RUN, how)) == _after_control(case, ENDS[how][2]), case


@pytest.mark.parametrize("sub", STATES)
def test_the_end_of_the_time_that_a_state_has(sub: SubState) -> None:
    for case in _cases(sub):
        bench = case.bench()
        bench.engine._deadlines.update(bench.core, "a")
        assert bench.engine.next_deadline() == bench.core.now.mono_us + SECOND
        before = case.sub, case.result
        assert _told(bench, ev.DeadlineReached(), SECOND - 1) == before
        assert _told(bench, ev.DeadlineReached(), 1) == _after_time(case), case


@pytest.mark.parametrize("sub", KILLS)
def test_the_end_of_the_last_process(sub: SubState) -> None:
    for case in _cases(sub):
        if case.waits_for_all and case.failure_mode == "terminate":
            # Whoever is still known by name is heard of first, so that the answer is an old one.
            is_last = not (case.has_main or case.has_control)
            expected = _after_all(case) if is_last else (case.sub, case.result)
            assert _told(case.bench(), ev.Emptied("a", TOKEN)) == expected, case
