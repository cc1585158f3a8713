"""What is reported of processes: each report is matched by run to the process it was born of, or dropped as late.

A report that was handled before changes nothing, so that after a crash of the manager the keeper's whole table can be
replayed. What an end of a process means is decided in exits, what a word of it means in notifications and probing.
"""

from supervisor.engine import exits, killing, notifications, phases, probing
from supervisor.engine import lifecycle as life
from supervisor.engine.core import Core
from supervisor.engine.phases import S
from supervisor.engine.record import Process, UnitState
from supervisor.model import events as ev
from supervisor.model.effects import Forget, Kill, Spawn
from supervisor.model.states import ExitCode, Result


def _find(core: Core, unit: str, run: int) -> tuple[UnitState, Process] | None:
    state = core.states.get(unit)
    if state is None:
        return None
    for process in (state.main, state.control):
        if process is not None and process.run == run and run:
            core.touch(state)
            return state, process
    return None


def on_prepared(core: Core, event: ev.Prepared) -> None:
    found = _find(core, event.unit, event.run)
    if found is None:
        core.emit(Forget(event.unit, event.run))
        return
    state, process = found
    if process.stage == "preparing":
        process.stage = "spawning"
        core.emit(Spawn(state.name, process.run))


def on_prepare_failed(core: Core, event: ev.PrepareFailed) -> None:
    found = _find(core, event.unit, event.run)
    if found is None or found[1].stage != "preparing":
        return
    step = event.step.upper()
    text = f"{event.text.rstrip('.')} (step {step}, status {event.exit_status}/{step})"
    _never_ran(core, *found, event.step, event.exit_status, text, is_last=False)


def on_spawn_failed(core: Core, event: ev.SpawnFailed) -> None:
    found = _find(core, event.unit, event.run)
    if found is None:
        core.emit(Forget(event.unit, event.run))
        return
    _never_ran(core, *found, event.step, event.exit_status, event.text or f"{event.step}: errno {event.errno}", event.is_last)


def _never_ran(core: Core, state: UnitState, process: Process, step: str, exit_status: int, text: str, is_last: bool) -> None:
    """A process failed before its program ran: that counts as its exit with the step's status."""
    is_main = process is state.main
    service = phases.service_of(core, state)
    core.note(state.name, "spawn", f"cannot run the {process.phase} command: {text}", step=step, exit_status=exit_status)
    commands = phases.commands_of(service, process.phase)
    if step == "exec" and process.index < len(commands) and commands[process.index].ignores_failure:
        exit_status = 0  # a program that need not succeed need not be there: it is passed over (exec_child)
    else:
        state.failed_step, state.failed_text = step, text
    if is_main:
        state.is_main_known = True
    if step in ("environment", "fork"):
        exits.resources_failed(core, state, process, is_main=is_main)
        return
    if is_main and service.type in ("simple", "idle"):
        # Type simple does not wait for exec: it was up, and then its process left with this status.
        life.type_is_ready(core, state)
        if state.main is not process:
            return
    exits.ended(core, state, process, ExitCode.EXITED, exit_status, is_last=is_last)


def on_forked(core: Core, event: ev.Forked) -> None:
    found = _find(core, event.unit, event.run)
    if found is None or found[1].is_running:
        return
    state, process = found
    process.stage, process.pid = "forked", event.pid
    if state.sub in phases.KILL_STATES:
        _kill_late(core, state, process)
    if process is not state.main:
        return
    state.is_main_known = True
    state.main_pid_last, state.main_run_last = event.pid, event.run
    state.main_started_wall_us = core.now.wall_us
    if phases.service_of(core, state).type == "simple":
        life.type_is_ready(core, state)


def _kill_late(core: Core, state: UnitState, process: Process) -> None:
    """It was on its way to be forked when its unit's processes were killed: it gets the same signal now."""
    service = phases.service_of(core, state)
    if service.kill_mode != "none":
        core.emit(Kill(state.name, killing.signal_for(core, state, service, state.sub), "main", (process.pid,), (process.run,)))


def on_execed(core: Core, event: ev.Execed) -> None:
    found = _find(core, event.unit, event.run)
    if found is None or found[1].stage == "execed":
        return
    state, process = found
    process.stage = "execed"
    if process is state.main and phases.service_of(core, state).type == "exec":
        life.type_is_ready(core, state)


def on_exited(core: Core, event: ev.Exited) -> None:
    found = _find(core, event.unit, event.run)
    if found is None:
        core.emit(Forget(event.unit, event.run))
        return
    state, process = found
    exits.ended(core, state, process, event.code, event.status, oom_killed=event.oom_killed, is_last=event.is_last)


def on_alien_exited(core: Core, event: ev.AlienExited) -> None:
    state = core.states.get(event.unit)
    if state is not None and state.main is not None and state.main.is_alien and state.main.pid == event.pid:
        core.touch(state)
        exits.ended(core, state, state.main, event.code, event.status, is_last=event.is_last)


def on_pid_file_read(core: Core, event: ev.PidFileRead) -> None:
    """Which process is the main one of a forking service; 0: nobody can tell."""
    state = core.states.get(event.unit)
    if state is None or not event.token or state.pid_file_token != event.token:
        return
    core.touch(state)
    state.pid_file_token = 0
    service = phases.service_of(core, state)
    if event.pid:
        notifications.set_main_pid(core, state, event.pid)
    elif event.text:
        core.note(state.name, "main-pid", event.text)
    is_lost = not event.pid and bool(service.pid_file)
    if state.sub == S.START and (not is_lost or service.exec_start_post):
        life.type_is_ready(core, state)
    elif state.sub == S.START:
        state.failed_text = event.text
        life.enter_signal(core, state, S.STOP_SIGTERM, Result.PROTOCOL)
    elif state.sub == S.START_POST:
        if is_lost:
            state.failed_text = event.text
            life.enter_stop(core, state, Result.PROTOCOL)
        else:
            life.enter_running(core, state, Result.SUCCESS)


def on_emptied(core: Core, event: ev.Emptied) -> None:
    state = core.states.get(event.unit)
    if state is not None and event.token and state.empty_token == event.token:
        exits.emptied(core, state)


def on_notified(core: Core, event: ev.Notified) -> None:
    if (state := core.states.get(event.unit)) is not None:
        notifications.on_notified(core, state, event)


def on_probe_reported(core: Core, event: ev.ProbeReported) -> None:
    if (state := core.states.get(event.unit)) is not None:
        probing.on_report(core, state, event)
