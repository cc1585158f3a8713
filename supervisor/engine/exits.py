"""What the end of a process means: clean or not, and what its unit does next (systemd's service_sigchld_event).

A failed preparation and a failed step before exec come here too, as an exit with that step's status (`systemd.exec(5)`).

Invariants: an end is accounted for once, by run; a main process that is not the unit's present one changes nothing.
"""

from supervisor.engine import killing, phases
from supervisor.engine import lifecycle as life
from supervisor.engine.core import Core
from supervisor.engine.environment import exit_status_text
from supervisor.engine.phases import S
from supervisor.engine.record import Process, UnitState
from supervisor.engine.restart import matches
from supervisor.model.effects import ReadPidFile
from supervisor.model.exitstatus import exit_status_name
from supervisor.model.specification import Command, Service
from supervisor.model.states import ExitCode, Phase, Result

# SIGHUP, SIGINT, SIGPIPE, SIGTERM: how a daemon may well end (systemd.service(5), SuccessExitStatus=)
_CLEAN_SIGNALS = frozenset({1, 2, 13, 15})


def judge(service: Service, process: Process, code: ExitCode, status: int, *, is_main: bool) -> Result:
    """The result that a process's end stands for, before prefixes and special phases are looked at."""
    is_command = service.type == "oneshot" or (not is_main and process.phase != Phase.START)
    if code == ExitCode.EXITED:
        if status == 0 or matches(service.success_exit_status, code, status):
            return Result.SUCCESS
        return Result.EXIT_CODE
    if code == ExitCode.UNKNOWN:
        return Result.SIGNAL  # nobody saw it end: unclean (DESIGN, Keeper's death)
    if (status in _CLEAN_SIGNALS and not is_command) or matches(service.success_exit_status, code, status):
        return Result.SUCCESS
    return Result.CORE_DUMP if code == ExitCode.DUMPED else Result.SIGNAL


def ended(
    core: Core, state: UnitState, process: Process, code: ExitCode, status: int, *, oom_killed: bool = False, is_last: bool = False
) -> None:
    """A process of the unit is gone: close its books and go on. `is_last`: nothing of the unit is left."""
    service = phases.service_of(core, state)
    is_main = process is state.main
    result = judge(service, process, code, status, is_main=is_main)
    if code == ExitCode.UNKNOWN and state.sub in (S.STOP, *phases.SIGTERM_STATES):
        result = Result.SUCCESS  # it was asked to end and ended: nobody can say more of an adopted process
    if oom_killed and result != Result.SUCCESS:
        result = Result.OOM_KILL
    command = phases.commands_of(service, process.phase)
    ignores_failure = process.index < len(command) and command[process.index].ignores_failure
    if ignores_failure:
        result = Result.SUCCESS
    core.touch(state)
    if result != Result.SUCCESS and process.phase == Phase.RELOAD:
        core.note(state.name, "reload", _end_text(command, process, code, status))
    elif result != Result.SUCCESS and not state.failed_text:
        state.failed_step, state.failed_text = process.phase, _end_text(command, process, code, status)
    phases.forget(core, state, process)
    if is_last and state.main is None and state.control is None:
        state.empty_token, state.is_empty = 0, True  # systemd, too, finds nobody left to signal (unit_kill_context)
    if is_main:
        _main_ended(core, state, service, process, code, status, result)
    else:
        _control_ended(core, state, service, process, code, status, result)


_KEYS = {
    Phase.CONDITION: "exec_condition",
    Phase.START_PRE: "exec_start_pre",
    Phase.START: "exec_start",
    Phase.START_POST: "exec_start_post",
    Phase.RELOAD: "exec_reload",
    Phase.STOP: "exec_stop",
    Phase.STOP_POST: "exec_stop_post",
}


def _end_text(commands: tuple[Command, ...], process: Process, code: ExitCode, status: int) -> str:
    """Which command it was and how it ended, for a person."""
    what = f"{_KEYS[process.phase]} ({commands[process.index].path})" if process.index < len(commands) else _KEYS[process.phase]
    if code == ExitCode.EXITED:
        return f"{what} left with status {status}{exit_status_words(status)}"
    if code == ExitCode.UNKNOWN:
        return f"{what} ended while nobody could see how"
    core_text = ", and dumped core" if code == ExitCode.DUMPED else ""
    return f"{what} was ended by signal {exit_status_text(code, status)}{core_text}"


def exit_status_words(status: int) -> str:
    """systemd's name for an exit status, in parentheses, where it has one of its own (systemd.exec(5))."""
    name = exit_status_name(status)
    return f" ({name})" if status > 1 and name != str(status) else ""


def resources_failed(core: Core, state: UnitState, process: Process, *, is_main: bool) -> None:
    """A process could not even be asked for (no fork, an environment file that cannot be read): result `resources`."""
    phases.forget(core, state, process)
    if is_main:
        _after_main(core, state, phases.service_of(core, state), Result.RESOURCES)
    else:
        _after_control(core, state, phases.service_of(core, state), Result.RESOURCES)


# -- the main process --------------------------------------------------------------------------------------------------


def _main_ended(core: Core, state: UnitState, service: Service, process: Process, code: ExitCode, status: int, result: Result) -> None:
    state.main_code, state.main_status = code, status
    state.main_ended_wall_us = core.now.wall_us
    if service.type == "oneshot" and result == Result.SUCCESS and process.index + 1 < len(service.exec_start) and state.sub == S.START:
        life.spawn(core, state, Phase.START, process.index + 1, is_main=True)
        return
    if service.exit_type == "cgroup" and not state.is_empty and state.sub in (S.START, S.START_POST, S.RUNNING, *phases.RELOAD_STATES):
        life.fail_with(state, result)
        killing.watch_empty(core, state)
        return
    _after_main(core, state, service, result)


def _after_main(core: Core, state: UnitState, service: Service, result: Result) -> None:
    """The main process is gone for good: where that leads from each state."""
    sub = state.sub
    if sub == S.START:
        _start_lost_main(core, state, service, result)
    elif sub in (S.START_POST, *phases.RELOAD_STATES):
        life.fail_with(state, result)
        if state.control is None:
            life.enter_stop(core, state, result)
    elif sub == S.RUNNING:
        life.enter_running(core, state, result)
    elif sub in (S.STOP_WATCHDOG, S.STOP_SIGTERM, S.STOP_SIGKILL):
        life.fail_with(state, result)
        if state.control is None:
            life.enter_stop_post(core, state, result)
    elif sub in phases.FINAL_STATES:
        life.fail_with(state, result)
        if state.control is None:
            _final_kill_worked(core, state)
    else:
        life.fail_with(state, result)  # stop, stop-post: their own command has still to end


def _start_lost_main(core: Core, state: UnitState, service: Service, result: Result) -> None:
    """The main process ended before the unit was up."""
    if service.type == "oneshot":
        if result == Result.SUCCESS:
            life.type_is_ready(core, state)
        else:
            life.enter_signal(core, state, S.STOP_SIGTERM, result)
        return
    is_awaited = service.type in ("notify", "notify-reload") or state.probe_stage != ""
    if not is_awaited or result != Result.SUCCESS:
        life.enter_running(core, state, result)
    elif state.probe_stage == "" and service.remain_after_exit and (state.notify_access or service.notify_access) != "main":
        life.fail_with(state, result)  # another process may still say READY=1
    else:
        state.failed_text = "the main process ended before it was ready"
        life.enter_signal(core, state, S.STOP_SIGTERM, Result.PROTOCOL)


def _final_kill_worked(core: Core, state: UnitState) -> None:
    """In a final state the known processes are gone; a unit is down only when no process of it is left."""
    if state.empty_token:
        return
    if state.sub != S.FINAL_SIGKILL and phases.service_of(core, state).send_sigkill:
        life.enter_signal(core, state, S.FINAL_SIGKILL, Result.SUCCESS)  # kill mode mixed: now the others
    else:
        life.enter_dead(core, state, Result.SUCCESS, allows_restart=True)


# -- control processes -------------------------------------------------------------------------------------------------


def _control_ended(core: Core, state: UnitState, service: Service, process: Process, code: ExitCode, status: int, result: Result) -> None:
    if state.sub == S.CONDITION and result == Result.EXIT_CODE and status < 255:
        state.is_condition_met = False
        state.condition_text = f"exec_condition left with status {status}"
        result = Result.EXEC_CONDITION
    commands = phases.commands_of(service, process.phase)
    if result == Result.SUCCESS and process.index + 1 < len(commands) and _continues(state):
        life.spawn(core, state, process.phase, process.index + 1, is_main=False)
        return
    if process.phase == Phase.START and code == ExitCode.EXITED and status == 0:
        state.main_code, state.main_status = None, 0
    elif process.phase == Phase.START:
        state.main_code, state.main_status = code, status
    _after_control(core, state, service, result)


def _continues(state: UnitState) -> bool:
    """Whether the series of commands goes on: not when its unit is being killed meanwhile."""
    return state.sub not in phases.KILL_STATES


def _after_control(core: Core, state: UnitState, service: Service, result: Result) -> None:
    """A phase's last command is done, or one of them failed: where that leads from each state."""
    sub = state.sub
    if sub != S.RELOAD:
        life.fail_with(state, result)
    if sub in phases.STARTING_STATES and result != Result.SUCCESS:
        life.enter_signal(core, state, S.STOP_SIGTERM, result)
    elif sub == S.CONDITION:
        life.enter_start_pre(core, state)
    elif sub == S.START_PRE:
        life.enter_start(core, state)
    elif sub == S.START and service.type == "forking":
        _read_pid_file(core, state)
    elif sub == S.START_POST:
        if service.type == "forking" and state.main is None and service.pid_file:
            _read_pid_file(core, state)
        else:
            life.enter_running(core, state, Result.SUCCESS)
    elif sub == S.RELOAD:
        _reload_command_ended(core, state, result)
    elif sub == S.STOP:
        life.enter_signal(core, state, S.STOP_SIGTERM, result)
    elif sub in (S.STOP_WATCHDOG, S.STOP_SIGTERM, S.STOP_SIGKILL):
        if state.main is None:
            life.enter_stop_post(core, state, result)
    elif sub == S.STOP_POST:
        life.enter_signal(core, state, S.FINAL_SIGTERM, result)
    elif sub in phases.FINAL_STATES and state.main is None:
        _final_kill_worked(core, state)


def _read_pid_file(core: Core, state: UnitState) -> None:
    """Ask which process is the main one of a forking service."""
    core.touch(state)
    state.pid_file_token = core.mint()
    core.emit(pid_file_question(phases.service_of(core, state), state))


def pid_file_question(service: Service, state: UnitState) -> ReadPidFile:
    """The question under way. A file that is not there yet is waited for, unless exec_start_post may still write it, or nobody is left
    who could: then what it says now is all that it will say (cgroup_good() in service_sigchld_event())."""
    may_come_later = state.sub == S.START and bool(service.exec_start_post)
    waits = bool(service.pid_file) and not may_come_later and not state.is_empty
    return ReadPidFile(state.name, state.pid_file_token, service.pid_file, waits)


def _reload_command_ended(core: Core, state: UnitState, result: Result) -> None:
    state.reload_result = result
    service = phases.service_of(core, state)
    if not life.is_good(core, state):
        life.enter_running(core, state, Result.SUCCESS)  # nobody is left who could say that the reload is over
    elif state.notify_state == "reloading":
        life.set_state(core, state, S.RELOAD_NOTIFY)
    elif result == Result.SUCCESS and service.type == "notify-reload" and state.main is not None:
        life.set_state(core, state, S.RELOAD_SIGNAL)
    else:
        life.enter_running(core, state, Result.SUCCESS)


# -- the end of all of them --------------------------------------------------------------------------------------------


def emptied(core: Core, state: UnitState) -> None:
    """No process of the unit is left (service_notify_cgroup_empty_event)."""
    core.touch(state)
    state.empty_token = 0
    service = core.specs[state.name].service
    if service is None or state.main is not None or state.control is not None:
        return  # a process that is on its way makes the answer an old one: what it may leave behind is not known yet
    state.is_empty = True
    sub = state.sub
    if sub == S.START and state.is_main_known:
        _start_lost_main(core, state, service, state.result)
    elif sub == S.RUNNING:
        life.enter_running(core, state, Result.SUCCESS)
    elif sub in (S.STOP_WATCHDOG, S.STOP_SIGTERM, S.STOP_SIGKILL):
        life.enter_stop_post(core, state, Result.SUCCESS)
    elif sub in phases.FINAL_STATES:
        life.enter_dead(core, state, Result.SUCCESS, allows_restart=True)
