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
# How a process ends, and what that means of a main process and of a command (is_clean_exit).
ENDS = {
    "well": (ExitCode.EXITED, 0, OK, OK),
    "badly": (ExitCode.EXITED, 3, Result.EXIT_CODE, Result.EXIT_CODE),
    "by SIGTERM": (ExitCode.KILLED, 15, OK, Result.SIGNAL),
    "by SIGKILL": (ExitCode.KILLED, 9, Result.SIGNAL, Result.SIGNAL),
    "with a core": (ExitCode.DUMPED, 6, Result.CORE_DUMP, Result.CORE_DUMP),
    "unseen": (ExitCode.UNKNOWN, 0, Result.SIGNAL, Result.SIGNAL),
}


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
    exit_type: str = "main"
    commands: int = 1  # for each phase

    @property
    def unit(self) -> Unit:
        phases = ("condition", "start", "start_pre", "start_post", "reload", "stop", "stop_post")
        return unit(
            "a",
            **{f"exec_{phase}": [phase] * self.commands for phase in phases},
            exit_type=self.exit_type,
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
    skips = sub == S.CONDITION and result == Result.EXIT_CODE
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
    return ev.Exited("a", run, *ENDS[how][:2])


def _means(case: Case, how: str, *, is_main: bool) -> Result:
    """What an end stands for; of a process that was told to end, nobody can say more than that it did (DESIGN, Keeper's death)."""
    if how == "unseen" and case.sub in (S.STOP, S.STOP_SIGTERM, S.FINAL_SIGTERM):
        return OK
    if how == "by SIGTERM" and case.type == "oneshot":
        return Result.SIGNAL
    _, _, of_main, of_command = ENDS[how]
    return of_main if is_main else of_command


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("sub", STATES)
def test_the_end_of_the_main_process(sub: SubState, how: str) -> None:
    for case in _cases(sub):
        if case.has_main and case.failure_mode == "terminate":
            assert _told(case.bench(), _exited(MAIN_RUN, how)) == _after_main(case, _means(case, how, is_main=True)), case


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("remains", [False, True])
@pytest.mark.parametrize("type_", ["simple", "exec", "notify", "oneshot"])
@pytest.mark.parametrize("sub", [S.START, S.RUNNING])
def test_the_end_of_the_main_process_of_each_type(sub: SubState, type_: str, remains: bool, how: str) -> None:
    if (type_, sub) == ("oneshot", S.RUNNING):
        return
    for result in (OK, Result.WATCHDOG):
        case = Case(sub, has_main=True, result=result, type=type_, remains=remains)
        assert _told(case.bench(), _exited(MAIN_RUN, how)) == _after_main(case, _means(case, how, is_main=True)), case


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("sub", PHASE_OF)
def test_the_end_of_the_control_process(sub: SubState, how: str) -> None:
    for case, remains in product(_cases(sub), (False, True)):
        if case.has_control and case.failure_mode == "terminate" and (remains is False or sub == S.START_POST):
            case = replace(case, remains=remains)
            assert _told(case.bench(), _exited(CONTROL_RUN, how)) == _after_control(case, _means(case, how, is_main=False)), case


@pytest.mark.parametrize("step", ["fork", "environment"])
@pytest.mark.parametrize("sub", STATES)
def test_a_process_that_cannot_even_be_asked_for(sub: SubState, step: str) -> None:
    """service_spawn that fails: as an end with result `resources`, of a reload alone where it is its command."""
    for case in _cases(sub):
        if case.failure_mode != "terminate":
            continue
        for is_main in (True, False):
            if not (case.has_main if is_main else case.has_control):
                continue
            bench = case.bench()
            state = bench.core.states["a"]
            process = state.main if is_main else state.control
            assert process is not None
            process.stage = "spawning"
            told = _told(bench, ev.SpawnFailed("a", process.run, step, 11, 0, "no more processes"))
            assert told == (_after_main if is_main else _after_control)(case, Result.RESOURCES), (case, is_main)
            assert (state.failed_step, state.failed_text) == (step, "no more processes")


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


@pytest.mark.parametrize("how", ["well", "badly"])
@pytest.mark.parametrize("sub", PHASE_OF)
def test_the_commands_of_a_phase_run_one_after_the_other_until_one_fails_or_the_unit_is_killed(sub: SubState, how: str) -> None:
    case = Case(sub, has_control=True, has_main=sub in (S.START_POST, S.RELOAD), commands=2)
    bench = case.bench()
    _told(bench, _exited(CONTROL_RUN, how))
    goes_on = how == "well" and sub not in KILLS
    state = bench.core.states["a"]
    is_same_phase = state.control is not None and (state.control.phase, state.control.index) == (PHASE_OF[sub], 1)
    assert (is_same_phase, state.sub == sub) == (goes_on, goes_on or (case.waits_for_all and sub in FINAL_KILLS))


@pytest.mark.parametrize("how", ["well", "badly"])
@pytest.mark.parametrize("sub", sorted(MAIN_IN))
def test_the_commands_of_a_oneshot_run_one_after_the_other_while_it_starts(sub: SubState, how: str) -> None:
    bench = Case(sub, has_main=True, has_control=sub in PHASE_OF and sub not in KILLS, type="oneshot", commands=2).bench()
    _told(bench, _exited(MAIN_RUN, how))
    state = bench.core.states["a"]
    goes_on = sub == S.START and how == "well"
    assert (state.main is not None and state.main.index == 1) == goes_on
    assert (state.sub == S.START) == goes_on


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("sub", sorted(MAIN_IN))
def test_with_exit_type_cgroup_the_end_of_the_main_process_is_not_the_end(sub: SubState, how: str) -> None:
    """systemd.service(5), ExitType=: while the unit is up or coming up, the last process counts, and what the main one did is kept."""
    case = Case(sub, has_main=True, has_control=sub in PHASE_OF and sub not in KILLS, exit_type="cgroup")
    bench = case.bench()
    result = _means(case, how, is_main=True)
    told = _told(bench, _exited(MAIN_RUN, how))
    if sub in (S.START, S.START_POST, S.RUNNING, *RELOADING):
        assert told == (sub, result)
        assert bench.core.states["a"].empty_token != 0
    else:
        assert told == _after_main(case, result)


@pytest.mark.parametrize("announced", ["", "ready", "reloading", "stopping"])
@pytest.mark.parametrize("type_", ["exec", "notify", "notify-reload"])
@pytest.mark.parametrize("how", ["well", "badly"])
@pytest.mark.parametrize("has_main", [True, False])
def test_the_end_of_the_reload_command(has_main: bool, how: str, type_: str, announced: str) -> None:
    """A service that has said that it reloads says when that is over; one that reloads by signal has still to say that it does."""
    bench = Case(S.RELOAD, has_main=has_main, has_control=True, type=type_).bench()
    bench.core.states["a"].notify_state = announced
    sub, result = _told(bench, _exited(CONTROL_RUN, how))
    if not has_main:
        expected = S.STOP
    elif announced == "reloading":
        expected = S.RELOAD_NOTIFY
    elif type_ == "notify-reload" and how == "well":
        expected = S.RELOAD_SIGNAL
    else:
        expected = S.STOP_SIGTERM if announced == "stopping" else S.RUNNING
    assert (sub, result) == (expected, OK)
    assert bench.core.states["a"].reload_result == ENDS[how][3]


@pytest.mark.parametrize("sub", [*STATES, S.EXITED, S.DEAD, S.FAILED, S.AUTO_RESTART])
def test_the_watchdog_is_over_a_service_from_the_end_of_its_start_to_its_stop(sub: SubState) -> None:
    case = Case(sub, has_main=sub in MAIN_IN, has_control=sub in PHASE_OF and sub not in KILLS)
    bench = case.bench()
    state = bench.core.states["a"]
    state.watchdog_us, state.watchdog_from_us = SECOND // 2, bench.core.now.mono_us
    bench.engine._deadlines.update(bench.core, "a")
    is_watched = sub in (S.START_POST, S.RUNNING, *RELOADING)
    assert (bench.engine.next_deadline() == bench.core.now.mono_us + SECOND // 2) == is_watched
    if is_watched:
        assert _told(bench, ev.DeadlineReached(), SECOND // 2) == (S.STOP_WATCHDOG, Result.WATCHDOG)


@pytest.mark.parametrize("is_running", [False, True])
@pytest.mark.parametrize("type_", ["simple", "idle", "exec", "notify", "oneshot"])
def test_a_service_that_is_up_once_forked_has_no_time_out_before(type_: str, is_running: bool) -> None:
    bench = Case(S.START, has_main=True, type=type_).bench()
    main = bench.core.states["a"].main
    assert main is not None
    main.stage = "forked" if is_running else "spawning"
    bench.engine._deadlines.update(bench.core, "a")
    assert (bench.engine.next_deadline() is None) == (type_ in ("simple", "idle") and not is_running)
