"""The life of one unit: which state follows which, what is spawned and what is killed on the way.

The course of a service (SEMANTICS 5.3 and 5.6; systemd's service.c):

    dead -> condition -> start-pre -> start -> start-post -> running | exited
    running -> reload | reload-signal | reload-notify -> running
    running -> stop -> stop-sigterm -> stop-sigkill -> stop-post -> final-sigterm -> final-sigkill -> dead | failed
    dead | failed -> dead-before-auto-restart | failed-before-auto-restart -> auto-restart -> auto-restart-queued -> condition

A phase without a command is passed through at once. Each `enter_*` brings the unit into one state and asks for what that
state needs; what happens *in* a state is decided elsewhere (exits, timeouts, notifications, probing). What a change of
state means for jobs and other units is not known here (`Core.on_change`).

Invariants: at most one main and one control process; a unit that is down has neither; the first bad result is kept.
"""

from supervisor.engine import environment, probing, restart
from supervisor.engine.core import Core
from supervisor.engine.killing import drop_control, kill, watch_empty
from supervisor.engine.phases import SIGKILL, S, commands_of, forget, service_of
from supervisor.engine.record import Process, UnitState
from supervisor.model.effects import Kill, Prepare, Record, Release
from supervisor.model.specification import Service
from supervisor.model.states import ACTIVE_OF, Phase, Result, SubState

# -- changing state ----------------------------------------------------------------------------------------------------


def set_state(core: Core, state: UnitState, sub: SubState) -> None:
    """Enter a state, stamp the times and tell the rest of the engine."""
    old, before, after = state.sub, state.active, ACTIVE_OF[sub]
    now = core.now
    core.touch(state)
    state.sub = sub
    state.entered_us = state.timer_from_us = now.mono_us
    state.extended_us = 0
    state.state_wall_us = now.wall_us
    if after.is_up and not before.is_up:
        state.active_enter_wall_us, state.up_since_us = now.wall_us, now.mono_us
    elif before.is_up and not after.is_up:
        state.active_exit_wall_us = now.wall_us
    if after.is_down and not before.is_down:
        state.inactive_enter_wall_us = now.wall_us
    elif before.is_down and not after.is_down:
        state.inactive_exit_wall_us = now.wall_us
    if state.probe_token and not probing.may_probe(sub):
        probing.stop(core, state)
    core.emit(
        Record(
            state.name,
            "state",
            f"{old} -> {sub}",
            (("active_state", after), ("sub_state", sub), ("result", state.result), ("old_sub_state", old)),
        )
    )
    core.on_change(state, old)


def fail_with(state: UnitState, result: Result) -> None:
    """Keep the first bad result: what came after it is its consequence."""
    if state.result == Result.SUCCESS:
        state.result = result


# -- spawning ----------------------------------------------------------------------------------------------------------


def spawn(core: Core, state: UnitState, phase: Phase, index: int, *, is_main: bool) -> None:
    """Ask for the process that runs one command; its time-out counts from here."""
    command = commands_of(service_of(core, state), phase)[index]
    process = Process(phase, index, core.mint())
    if is_main:
        state.main = process
    else:
        state.control = process
    core.touch(state)
    state.is_empty = False
    state.empty_token = 0
    state.timer_from_us = core.now.mono_us
    state.extended_us = 0
    variables = environment.variables(core, state, process, is_main=is_main)
    core.emit(Prepare(state.name, process.run, phase, command, state.invocation_id, variables))


def _run_phase(core: Core, state: UnitState, sub: SubState, phase: Phase) -> bool:
    """Enter a state whose control commands then run one after the other; False when there are none."""
    if not commands_of(service_of(core, state), phase):
        return False
    spawn(core, state, phase, 0, is_main=False)
    set_state(core, state, sub)
    return True


# -- starting ----------------------------------------------------------------------------------------------------------


def begin_start(core: Core, state: UnitState) -> None:
    """A new activation: forget how the last one went, and take the first step."""
    spec = core.specs[state.name]
    core.touch(state)
    if state.sub != S.AUTO_RESTART_QUEUED:
        # What was decided about earlier lives explains this one no longer; an automatic restart goes on with the story.
        asked_us = core.now.wall_us - (core.now.mono_us - state.job.created_us if state.job is not None else 0)
        state.because = [reason for reason in state.because if reason.wall_us >= asked_us]
    if state.flushes_restarts:
        state.n_restarts = state.backoff_step = state.attempt = 0
        state.flushes_restarts = False
    state.attempt += 1
    state.result = state.reload_result = Result.SUCCESS
    state.is_main_known = state.forbids_restart = state.is_type_ready = False
    state.main_code, state.main_status = None, 0
    state.failed_step = state.failed_text = ""
    state.notify_state = state.notify_access = state.status_text = state.blocked_on = ""
    state.status_errno = 0
    state.watchdog_us, state.watchdog_from_us, state.restart_at_us, state.up_since_us = -1, 0, 0, 0
    state.needs_restart = False
    state.invocation_id = core.hash_of("invocation", state.name, core.mint())
    if spec.service is None:
        set_state(core, state, S.TARGET_ACTIVE)
    else:
        enter_condition(core, state)


def enter_condition(core: Core, state: UnitState) -> None:
    if not _run_phase(core, state, S.CONDITION, Phase.CONDITION):
        enter_start_pre(core, state)


def enter_start_pre(core: Core, state: UnitState) -> None:
    if not _run_phase(core, state, S.START_PRE, Phase.START_PRE):
        enter_start(core, state)


def enter_start(core: Core, state: UnitState) -> None:
    service = service_of(core, state)
    if state.sub in (S.CONDITION, S.START_PRE):
        # Nobody may leave a process behind from ExecCondition= or ExecStartPre= (SEMANTICS 5.3).
        core.emit(Kill(state.name, SIGKILL, "all"))
    if not service.exec_start:
        set_state(core, state, S.START)
        enter_start_post(core, state)
        return
    if service.type == "idle":
        state.main = Process(Phase.START, stage="idle")
        state.is_main_known = True
        core.idle_pending[state.name] = None
        set_state(core, state, S.START)
        _enter_when_ready(core, state)
        return
    spawn(core, state, Phase.START, 0, is_main=service.type != "forking")
    set_state(core, state, S.START)


def launch_idle(core: Core, state: UnitState) -> None:
    """The queue is empty, or five seconds are over: run what type idle held back (`systemd.service(5)`)."""
    core.idle_pending.pop(state.name, None)
    if state.main is None or state.main.stage != "idle":
        return
    if service_of(core, state).exec_start:
        spawn(core, state, Phase.START, 0, is_main=True)
    else:  # a definition loaded meanwhile has no command left
        forget(core, state, state.main)
        enter_start_post(core, state)


def type_is_ready(core: Core, state: UnitState) -> None:
    """The type's own rule is met (forked, execed, READY=1, parent gone): on, unless probes have still to agree."""
    if state.sub != S.START or state.is_type_ready:
        return
    core.touch(state)
    state.is_type_ready = True
    _enter_when_ready(core, state)


def is_up_once_forked(core: Core, state: UnitState) -> bool:
    """Whether the fork that is under way is all that the start still needs: type simple is up after it (SEMANTICS 5.3)."""
    spec = core.specs.get(state.name)
    return spec is not None and spec.service is not None and state.sub == S.START and _is_over_with_its_fork(spec.service)


def is_up_with_its_turn(service: Service) -> bool:
    """Whether a start is nothing but a fork: for systemd, whose forks take no time, it is over as soon as its job has its turn."""
    return not (service.exec_condition or service.exec_start_pre) and _is_over_with_its_fork(service)


def _is_over_with_its_fork(service: Service) -> bool:
    return service.type == "simple" and not service.exec_start_post and not any(probe.stage != "health" for probe in service.probes)


def _enter_when_ready(core: Core, state: UnitState) -> None:
    if not probing.begin_gate(core, state):
        enter_start_post(core, state)


def enter_start_post(core: Core, state: UnitState) -> None:
    state.watchdog_from_us = core.now.mono_us
    if not _run_phase(core, state, S.START_POST, Phase.START_POST):
        enter_running(core, state, Result.SUCCESS)


def is_good(core: Core, state: UnitState) -> bool:
    """Whether the service is alive by what is known: its main process, else any process of it (`service_good`)."""
    service = service_of(core, state)
    if state.main is not None:
        return True
    if state.is_main_known and (service.exit_type == "main" or state.is_empty):
        return False
    return not state.is_empty


def enter_running(core: Core, state: UnitState, result: Result) -> None:
    """The start, or a reload, is over: up, done, or on its way down."""
    service = service_of(core, state)
    state.control = None
    fail_with(state, result)
    if state.result != Result.SUCCESS:
        enter_signal(core, state, S.STOP_SIGTERM, result)
    elif is_good(core, state):
        if state.main is None:
            watch_empty(core, state)
        if state.notify_state == "reloading":
            enter_reload_by_notify(core, state)
        elif state.notify_state == "stopping":
            enter_stop_by_notify(core, state)
        else:
            set_state(core, state, S.RUNNING)
            probing.begin_health(core, state)
    elif service.remain_after_exit:
        set_state(core, state, S.EXITED)
    else:
        enter_stop(core, state, Result.SUCCESS)


# -- reloading ---------------------------------------------------------------------------------------------------------


def enter_reload(core: Core, state: UnitState) -> None:
    service = service_of(core, state)
    core.touch(state)
    state.reload_result = Result.SUCCESS
    is_signalled = service.type == "notify-reload" and state.main is not None and state.main.pid != 0
    if is_signalled and state.main is not None:
        state.reload_begin_us = core.now.mono_us
        core.emit(Kill(state.name, service.reload_signal, "main", (state.main.pid,), (state.main.run,), and_continue=True))
    if _run_phase(core, state, S.RELOAD, Phase.RELOAD):
        return
    if is_signalled:
        set_state(core, state, S.RELOAD_SIGNAL)
    else:
        enter_running(core, state, Result.SUCCESS)


def enter_reload_by_notify(core: Core, state: UnitState) -> None:
    set_state(core, state, S.RELOAD_NOTIFY)


# -- stopping ----------------------------------------------------------------------------------------------------------


def enter_stop(core: Core, state: UnitState, result: Result) -> None:
    """A unit that had started goes down: ExecStop= first."""
    fail_with(state, result)
    drop_control(core, state)
    if not _run_phase(core, state, S.STOP, Phase.STOP):
        enter_signal(core, state, S.STOP_SIGTERM, Result.SUCCESS)


def enter_stop_by_notify(core: Core, state: UnitState) -> None:
    """STOPPING=1: as if it had been sent SIGTERM."""
    set_state(core, state, S.STOP_SIGTERM)


def enter_signal(core: Core, state: UnitState, sub: SubState, result: Result) -> None:
    """Kill what the kill mode covers and wait for it; with nothing to wait for, pass on at once."""
    while True:
        core.touch(state)
        fail_with(state, result)
        if kill(core, state, sub):
            set_state(core, state, sub)
            return
        result = Result.SUCCESS
        sends_sigkill = service_of(core, state).send_sigkill
        if sub in (S.STOP_WATCHDOG, S.STOP_SIGTERM) and sends_sigkill:
            sub = S.STOP_SIGKILL
        elif sub in (S.STOP_WATCHDOG, S.STOP_SIGTERM, S.STOP_SIGKILL):
            enter_stop_post(core, state, Result.SUCCESS)
            return
        elif sub in (S.FINAL_WATCHDOG, S.FINAL_SIGTERM) and sends_sigkill:
            sub = S.FINAL_SIGKILL
        else:
            enter_dead(core, state, Result.SUCCESS, allows_restart=True)
            return


def enter_stop_post(core: Core, state: UnitState, result: Result) -> None:
    fail_with(state, result)
    if not _run_phase(core, state, S.STOP_POST, Phase.STOP_POST):
        enter_signal(core, state, S.FINAL_SIGTERM, Result.SUCCESS)


# -- down --------------------------------------------------------------------------------------------------------------


def enter_dead(core: Core, state: UnitState, result: Result, *, allows_restart: bool) -> None:
    """Nothing is left of the activation: dead, failed, or on to an automatic restart."""
    service = service_of(core, state)
    fail_with(state, result)
    _close_books(core, state)
    is_failed = _has_failed(state)
    restarts, reason = restart.shall_restart(service, state) if allows_restart else (False, "")
    if core.leaving is not None:
        restarts, reason = False, "supd is shutting down"
    if not restarts:
        if reason and is_failed:
            core.note(state.name, "restart", f"not restarted: {reason}")
        elif not state.forbids_restart and state.result == Result.SUCCESS:
            core.note(state.name, "ended", "it ended by itself, without a failure")
        state.flushes_restarts = True
        core.emit(Release(state.name))
        set_state(core, state, S.FAILED if is_failed else S.DEAD)
        state.forbids_restart = False
        return
    state.forbids_restart = False
    good_run = service.restart_reset_us
    ran_us = core.now.mono_us - state.up_since_us if state.up_since_us else 0
    if good_run is not None and ran_us >= good_run:
        state.backoff_step = 0
        if service.max_attempts is None:
            state.attempt = 0
    chance = int(core.hash_of("jitter", state.name, core.counter)[:8], 16) / 0xFFFFFFFF
    delay = restart.delay_us(service, state.backoff_step + 1, chance)
    core.emit(Release(state.name, will_restart=True))
    if service.restart_mode != "direct":
        set_state(core, state, S.FAILED_BEFORE_AUTO_RESTART if is_failed else S.DEAD_BEFORE_AUTO_RESTART)
        if state.sub not in (S.FAILED_BEFORE_AUTO_RESTART, S.DEAD_BEFORE_AUTO_RESTART):
            return  # somebody has already decided otherwise
    state.restart_at_us = core.now.mono_us + delay if delay is not None else -1
    wait = "never" if delay is None else f"in {delay / 1_000_000:g} s"
    core.note(state.name, "restart", f"restart {wait}: {reason}", delay_us=delay, n_restarts=state.n_restarts + 1)
    if delay == 0:
        core.restarts_due[state.name] = None
    set_state(core, state, S.AUTO_RESTART)


def _has_failed(state: UnitState) -> bool:
    return state.result not in (Result.SUCCESS, Result.EXEC_CONDITION)


def _close_books(core: Core, state: UnitState) -> None:
    """Processes that are given up (kill mode process or none, or not even SIGKILL helped) are no longer ours to wait for."""
    for process in (state.main, state.control):
        if process is not None:
            forget(core, state, process)
    state.is_type_ready = False
    state.pid_file_token = state.empty_token = 0
    state.watchdog_from_us = 0


def leave_auto_restart(core: Core, state: UnitState, sub: SubState = S.DEAD) -> None:
    """A stop while waiting for an automatic restart: down; the result stays that of the last run (`service_stop`)."""
    state.restart_at_us = 0
    state.flushes_restarts = True
    state.forbids_restart = False
    core.emit(Release(state.name))
    set_state(core, state, sub)


def give_up_restart(core: Core, state: UnitState) -> None:
    """The start that an automatic restart had asked for is over and did not begin: down, as the last run left it.

    systemd leaves such a unit in auto-restart-queued, where nothing ever happens to it again.
    """
    core.note(state.name, "restart", "not restarted: the start that was asked for it did not begin")
    leave_auto_restart(core, state, S.FAILED if _has_failed(state) else S.DEAD)
