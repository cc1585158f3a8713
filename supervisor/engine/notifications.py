"""What a service's own words mean: READY, RELOADING, STOPPING, MAINPID, WATCHDOG and the rest (sd_notify(3); SEMANTICS 5.9).

The shell has parsed the datagram and knows whether the sender and a named main process belong to the unit; whether the
sender may speak (`notify_access`) is judged here, since only here it is known which process is the main one.
"""

from supervisor.engine import lifecycle as life
from supervisor.engine import phases, timeouts
from supervisor.engine.core import Core
from supervisor.engine.phases import S
from supervisor.engine.record import Process, UnitState
from supervisor.model.effects import Record
from supervisor.model.events import Notified
from supervisor.model.specification import Service
from supervisor.model.states import Phase, Result

_ACCESS = ("none", "main", "exec", "all")
_MAIN_PID_STATES = frozenset({S.START, S.START_POST, S.RUNNING, *phases.RELOAD_STATES, S.STOP, S.STOP_SIGTERM})
_EXTENDABLE_STATES = frozenset({*phases.STARTING_STATES, S.RUNNING, *phases.RELOAD_STATES, S.STOP, *phases.KILL_STATES, S.STOP_POST})


def may_speak(service: Service, state: UnitState, pid: int) -> bool:
    """Whether notify_access lets this process speak for the unit."""
    access = state.notify_access or service.notify_access
    if access == "all":
        return True
    is_main = state.main is not None and state.main.pid == pid
    is_control = state.control is not None and state.control.pid == pid
    return (is_main and access in ("main", "exec")) or (is_control and access == "exec")


def on_notified(core: Core, state: UnitState, event: Notified) -> None:
    """Handle one datagram."""
    spec = core.specs.get(state.name)
    if spec is None or spec.service is None or state.sub in phases.DOWN_STATES:
        return
    service, fields = spec.service, event.fields
    if not may_speak(service, state, event.pid):
        core.note(state.name, "notify", f"a notification of PID {event.pid} was refused: notify_access is {service.notify_access}")
        return
    core.touch(state)
    if "MAINPID" in fields:
        _on_main_pid(core, state, event)
    # Which of the three was said last decides, as in systemd.
    for key in reversed(fields):
        if fields[key] == "1" and key in _ANNOUNCEMENTS:
            _ANNOUNCEMENTS[key](core, state, fields)
            break
    if "STATUS" in fields and fields["STATUS"] != state.status_text:
        state.status_text = fields["STATUS"]
        core.emit(Record(state.name, "status", state.status_text))
    if fields.get("ERRNO", "").isdigit():
        state.status_errno = int(fields["ERRNO"])
    if fields.get("NOTIFYACCESS") in _ACCESS:
        state.notify_access = fields["NOTIFYACCESS"]
    _on_times(core, state, service, fields)


def _on_times(core: Core, state: UnitState, service: Service, fields: dict[str, str]) -> None:
    now_us = core.now.mono_us
    if (span := _number(fields.get("EXTEND_TIMEOUT_USEC"))) and state.sub in _EXTENDABLE_STATES:
        at = timeouts.state_deadline_of(service, state)
        if at is not None and now_us + span > at:
            state.extended_us = now_us + span
    if (span := _number(fields.get("WATCHDOG_USEC"))) is not None:
        state.watchdog_us = span
        if state.watchdog_from_us:
            state.watchdog_from_us = now_us
    if fields.get("WATCHDOG") == "1":
        if state.watchdog_from_us:
            state.watchdog_from_us = now_us
    elif fields.get("WATCHDOG") == "trigger" and state.sub in (S.START, S.START_POST, S.RUNNING, *phases.RELOAD_STATES):
        timeouts.on_watchdog(core, state, "the service asked for it (WATCHDOG=trigger)")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None


def _on_main_pid(core: Core, state: UnitState, event: Notified) -> None:
    pid = _number(event.fields["MAINPID"]) or 0
    if state.sub not in _MAIN_PID_STATES or pid <= 1 or (state.main is not None and state.main.pid == pid):
        return
    if not event.main_pid_is_ours:
        core.note(state.name, "notify", f"MAINPID={pid} was refused: that process does not belong to the unit")
        return
    set_main_pid(core, state, pid)


def set_main_pid(core: Core, state: UnitState, pid: int) -> None:
    """Another process is the main one from now on; the old one's end no longer matters."""
    core.touch(state)
    if state.control is not None and state.control.pid == pid:
        return  # the control process stays what it is
    if state.main is not None:
        phases.forget(core, state, state.main)
    state.main = Process(Phase.START, pid=pid, stage="execed", is_alien=True)
    state.main_pid_last = pid
    state.main_started_wall_us = core.now.wall_us
    state.is_main_known, state.is_empty = True, False
    core.note(state.name, "main-pid", f"its main process is PID {pid}")


def _ready(core: Core, state: UnitState, fields: dict[str, str]) -> None:
    state.notify_state = "ready"
    service = phases.service_of(core, state)
    if state.sub == S.START and service.type in ("notify", "notify-reload"):
        life.type_is_ready(core, state)
        return
    is_whole_reload = fields.get("RELOADING") == "1" and _is_of_this_reload(state, fields)
    if state.sub == S.RELOAD_NOTIFY or (state.sub == S.RELOAD_SIGNAL and is_whole_reload):
        life.enter_running(core, state, Result.SUCCESS)


def _reloading(core: Core, state: UnitState, fields: dict[str, str]) -> None:
    state.notify_state = "reloading"
    if state.sub == S.RELOAD_SIGNAL and _is_of_this_reload(state, fields):
        life.set_state(core, state, S.RELOAD_NOTIFY)
    elif state.sub == S.RUNNING:
        life.enter_reload_by_notify(core, state)


def _stopping(core: Core, state: UnitState, fields: dict[str, str]) -> None:
    state.notify_state = "stopping"
    if state.sub in (S.RUNNING, S.RELOAD_SIGNAL, S.RELOAD_NOTIFY):
        life.enter_stop_by_notify(core, state)


_ANNOUNCEMENTS = {"READY": _ready, "RELOADING": _reloading, "STOPPING": _stopping}


def _is_of_this_reload(state: UnitState, fields: dict[str, str]) -> bool:
    """MONOTONIC_USEC= proves that the message was sent after our signal, not before it."""
    stamp = _number(fields.get("MONOTONIC_USEC"))
    return stamp is not None and stamp >= state.reload_begin_us
