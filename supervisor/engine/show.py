"""A unit as properties: systemd's names in snake_case, values as JSON has them (DESIGN, For scripts). Reads only."""

from typing import Any

from supervisor.engine import environment, probing, timeouts
from supervisor.engine.core import Core
from supervisor.engine.record import Job, UnitState
from supervisor.model.states import LoadState, SubState

Json = dict[str, Any]


def load_state(core: Core, name: str) -> LoadState:
    spec = core.specs.get(name)
    if spec is None or name in core.vanished:
        return LoadState.NOT_FOUND
    if spec.is_masked:
        return LoadState.MASKED
    return LoadState.BAD_SETTING if spec.load_error else LoadState.LOADED


def _seconds(wall_us: int) -> float | None:
    return wall_us / 1_000_000 if wall_us else None


def brief(core: Core, name: str) -> Json:
    """The short form, for lists."""
    spec, state = core.specs.get(name), core.states.get(name) or UnitState(name)
    return {
        "id": name,
        "kind": spec.kind if spec else "service",
        "description": spec.description if spec else "",
        "load_state": load_state(core, name),
        "active_state": state.active,
        "sub_state": state.sub,
        "result": state.result,
        "main_pid": state.main.pid if state.main else 0,
        "n_restarts": state.n_restarts,
        "exec_main_code": state.main_code,
        "exec_main_status": state.main_status if state.main_code is not None else None,
        "health": probing.health_of(state),
        "next_time_s": _next_start_s(core, state),
        "enabled": spec.enabled_state if spec else "",
        "needs_restart": state.needs_restart,
        "rolled_back": state.rolled_back,
        "status_text": state.status_text,
        "active_enter_time_s": _seconds(state.active_enter_wall_us),
        "inactive_enter_time_s": _seconds(state.inactive_enter_wall_us),
        "inactive_exit_time_s": _seconds(state.inactive_exit_wall_us),
        "state_change_time_s": _seconds(state.state_wall_us),
        "job": job_of(core, state.job) if state.job else None,
    }


def full(core: Core, name: str) -> Json:
    """Every property the engine knows; the shell adds what only it knows (memory, CPU, paths)."""
    spec, state = core.specs.get(name), core.states.get(name) or UnitState(name)
    out = brief(core, name)
    out |= {
        "control_pid": state.control.pid if state.control else 0,
        "exec_main_pid": state.main_pid_last,
        "exec_main_start_time_s": _seconds(state.main_started_wall_us),
        "exec_main_exit_time_s": _seconds(state.main_ended_wall_us),
        "invocation_id": state.invocation_id,
        "status_errno": state.status_errno,
        "reload_result": state.reload_result,
        "intent": _intent(state),
        "active_exit_time_s": _seconds(state.active_exit_wall_us),
        "condition_result": state.is_condition_met,
        "failed_step": state.failed_step,
        "failed_text": state.failed_text,
        "attempt": state.attempt,
        "run_id": state.main_run_last or None,
        "last_job": dict(zip(("id", "type", "result", "text"), state.last_job, strict=True)) if state.last_job else None,
    }
    if spec is not None:
        out |= {
            "names": [name, *spec.aliases],
            "documentation": list(spec.documentation),
            "fragment_path": spec.fragment_path,
            "drop_in_paths": list(spec.drop_in_paths),
            "load_error": spec.load_error,
            "can_reload": not spec.is_unusable and core.can_reload(name),
            "can_start": not (spec.is_unusable or spec.refuse_manual_start),
            "can_stop": not spec.refuse_manual_stop,
            "can_isolate": spec.allow_isolate,
        }
        if spec.service is not None:
            service = spec.service
            out |= {
                "type": service.type,
                "restart": service.restart,
                "kill_mode": service.kill_mode,
                "timeout_start_usec": service.timeout_start_us,
                "timeout_stop_usec": service.timeout_stop_us,
                "restart_usec": service.restart_us,
                "watchdog_usec": environment.watchdog_us(core, state),
                "notify_access": state.notify_access or service.notify_access,
            }
    return out


def _next_start_s(core: Core, state: UnitState) -> float | None:
    """When it is started again by itself: counted from when it entered the state, so that every look gives the same number."""
    spec = core.specs.get(state.name)
    if spec is None or spec.service is None or state.sub != SubState.AUTO_RESTART:
        return None
    at_us = timeouts.state_deadline_of(spec.service, state)
    return None if at_us is None else (state.state_wall_us + at_us - state.entered_us) / 1_000_000


def _intent(state: UnitState) -> Json | None:
    intent = state.intent
    if intent is None:
        return None
    return {"wanted": intent.wanted, "why": intent.why, "by": intent.by, "since_s": _seconds(intent.since_wall_us)}


def job_of(core: Core, job: Job) -> Json:
    """A queued job, with the units it waits for."""
    return {
        "id": job.id,
        "unit": job.unit,
        "type": job.type,
        "state": job.state,
        "by": job.by,
        "waits_for": sorted(job.blocked_by),
        "since_s": max(core.now.wall_us - (core.now.mono_us - job.created_us), 0) / 1_000_000,
    }
