"""Signals to the processes of a unit, by kill mode (`systemd.kill(5)`), and the question when none is left.

It decides which processes a kill state covers and whether there is anything to wait for; which state comes next is the life
cycle's affair, and how a signal is sent the shell's.
"""

from supervisor.engine.core import Core
from supervisor.engine.phases import SIGKILL, SIGKILL_STATES, SIGTERM_STATES, WATCHDOG_STATES, forget, service_of
from supervisor.engine.record import UnitState
from supervisor.model.effects import Kill, WatchEmpty
from supervisor.model.specification import Service
from supervisor.model.states import JobType, SubState


def kill(core: Core, state: UnitState, sub: SubState) -> bool:
    """Send what this state sends, by kill mode (`systemd.kill(5)`); whether there is anything to wait for."""
    service = service_of(core, state)
    for process in (state.main, state.control):
        if process is not None and process.stage in ("idle", "preparing"):
            forget(core, state, process)
    if service.kill_mode == "none":
        return False
    known = [p for p in (state.main, state.control) if p is not None and p.pid]
    waits = state.main is not None or state.control is not None
    covers_all = kills_all(service, sub) and not state.is_empty
    if covers_all or known:
        signal = signal_for(core, state, service, sub)
        core.emit(
            Kill(
                state.name,
                signal,
                "all" if covers_all else "main",
                tuple(p.pid for p in known),
                tuple(p.run for p in known),
                and_continue=sub not in SIGKILL_STATES,
                and_hangup=service.send_sighup and sub in SIGTERM_STATES,
                is_repeated=covers_all and sub in SIGKILL_STATES and signal == SIGKILL,
            )
        )
    if covers_all:
        watch_empty(core, state)
    return waits or covers_all


def kills_all(service: Service, sub: SubState) -> bool:
    """Whether this state's signal goes to every process of the unit, not to the known ones alone (`systemd.kill(5)`, KillMode=)."""
    return service.kill_mode == "control-group" or (service.kill_mode == "mixed" and sub in SIGKILL_STATES)


def signal_for(core: Core, state: UnitState, service: Service, sub: SubState) -> int:
    """The signal that a kill state sends."""
    if sub in SIGKILL_STATES:
        return service.final_kill_signal
    if sub in WATCHDOG_STATES:
        return service.watchdog_signal
    job = state.job
    if service.restart_kill_signal is not None and job is not None and job.type == JobType.RESTART:
        return service.restart_kill_signal
    return service.kill_signal


def watch_empty(core: Core, state: UnitState) -> None:
    """Ask to be told when no process is left."""
    core.touch(state)
    state.empty_token = core.mint()
    core.emit(WatchEmpty(state.name, state.empty_token))


def kill_control(core: Core, state: UnitState) -> None:
    """SIGKILL to the control process (a reload that hangs), whose end no longer matters."""
    control = state.control
    if control is not None and control.pid:
        core.emit(Kill(state.name, SIGKILL, "control", (control.pid,), (control.run,)))
    drop_control(core, state)


def drop_control(core: Core, state: UnitState) -> None:
    if state.control is not None:
        forget(core, state, state.control)
