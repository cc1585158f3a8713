"""What start, stop and reload mean for a unit in each state (systemd's unit_start, unit_stop, unit_reload and service.c).

Called by the job queue when a job's turn has come; the answer says whether the job is over, under way or must wait.
"""

from supervisor.engine import lifecycle as life
from supervisor.engine import phases, restart
from supervisor.engine.core import Core
from supervisor.engine.jobs import Outcome
from supervisor.engine.phases import S
from supervisor.engine.record import UnitState
from supervisor.model.effects import CheckConditions
from supervisor.model.states import ActiveState, JobResult, Result

_STOPPING = frozenset({S.STOP, S.STOP_POST, *phases.KILL_STATES})


def start(core: Core, state: UnitState) -> Outcome:
    """Start a unit: conditions first, then the start limit, then its first step."""
    spec = core.specs.get(state.name)
    if state.active.is_up:
        return JobResult.DONE
    if spec is None or spec.is_unusable:
        return JobResult.INVALID
    if state.sub in _STOPPING or state.sub == S.AUTO_RESTART:
        # A service that waits for its restart is not started early: the job stays queued until the restart comes.
        return "again"
    if state.sub in phases.STARTING_STATES:
        return None
    if spec.conditions or spec.asserts:
        if not state.check:
            state.check = core.mint()
            core.emit(CheckConditions(state.name, state.check))
        return None
    return start_checked(core, state)


def start_checked(core: Core, state: UnitState) -> Outcome:
    """The conditions hold: may it start, now?"""
    spec = core.specs[state.name]
    state.is_condition_met, state.condition_text = True, ""
    for other in core.graph.concerned(state.name, "cannot_be_active_without"):
        if other in core.graph.of(state.name, "after") and not core.active(other).is_up:
            state.blocked_on = other
            core.note(state.name, "dependency", f"cannot start: it is bound to {other}, which is not up", other)
            return JobResult.DEPENDENCY
    if spec.service is not None and not restart.take_start(spec, state, core.now.mono_us):
        # An automatic restart stays automatic, even where (restart_mode = direct) a person's job goes on across it.
        is_by_hand = state.job is not None and state.job.is_manual and state.sub != S.AUTO_RESTART_QUEUED
        is_patient = spec.start_limit_policy == "delay" and not is_by_hand
        at = restart.window_end_us(spec, state) if is_patient else None
        if at is not None:
            wait_s = (at - core.now.mono_us) / 1_000_000
            text = f"started too often; the next start is delayed by {wait_s:.1f} s (start_limit_policy = delay)"
            core.note(state.name, "start-limit", text)
            state.restart_at_us = at
            life.set_state(core, state, S.AUTO_RESTART)
            return "again"
        if not is_patient and spec.start_limit_policy == "delay":
            state.limit_from_us = 0
            restart.take_start(spec, state, core.now.mono_us)
        else:
            return _give_up(core, state)
    life.begin_start(core, state)
    return None


def _give_up(core: Core, state: UnitState) -> Outcome:
    spec = core.specs[state.name]
    span_us = spec.start_limit_interval_us
    within = f" within {span_us / 1_000_000:g} s" if span_us is not None else ""
    hint = f"`supctl reset-failed {state.name}` allows another start at once"
    state.failed_text = f"it was started {spec.start_limit_burst} times{within}; {hint}"
    core.note(state.name, "start-limit", state.failed_text)
    state.failed_step = "start-limit"
    life.fail_with(state, Result.START_LIMIT_HIT)
    state.flushes_restarts = True
    life.set_state(core, state, S.FAILED)
    return JobResult.FAILED


def conditions_checked(core: Core, state: UnitState, *, conditions_hold: bool, asserts_hold: bool, failed: str) -> Outcome:
    """The shell has evaluated the unit's conditions for the start job that runs."""
    state.check = 0
    if conditions_hold and asserts_hold:
        return start_checked(core, state)
    state.is_condition_met, state.condition_text = conditions_hold, failed
    kind = "assertion" if conditions_hold else "condition"
    core.note(state.name, "condition", f"not started: its {kind} {failed} does not hold")
    return JobResult.ASSERT if conditions_hold else JobResult.DONE


def stop(core: Core, state: UnitState) -> Outcome:
    """Stop a unit, from wherever it is. What runs is brought down in order; it is not restarted."""
    sub = state.sub
    if state.active.is_down:
        return JobResult.DONE
    if core.specs[state.name].service is None:
        life.set_state(core, state, S.DEAD)
        return None
    core.touch(state)
    state.forbids_restart = True
    if sub in _STOPPING:
        return None
    if sub in (S.AUTO_RESTART, S.AUTO_RESTART_QUEUED):
        life.leave_auto_restart(core, state)
    elif sub in phases.STARTING_STATES or sub in phases.RELOAD_STATES:
        life.enter_signal(core, state, S.STOP_SIGTERM, Result.SUCCESS)
    else:
        life.enter_stop(core, state, Result.SUCCESS)
    return None


def reload(core: Core, state: UnitState) -> Outcome:
    """Reload a running unit."""
    if state.active == ActiveState.RELOADING:
        return "again"
    if state.active != ActiveState.ACTIVE or state.name not in core.specs:
        return JobResult.INVALID
    if core.specs[state.name].service is None:
        return JobResult.DONE
    life.enter_reload(core, state)
    return None


def kill_everything(core: Core) -> None:
    """A second request to shut down: no more patience."""
    for name in sorted(core.not_down):
        state = core.state_of(name)
        if core.specs[name].service is None or state.sub in (S.STOP_SIGKILL, S.FINAL_SIGKILL):
            continue
        if state.sub in (S.STOP_POST, *phases.FINAL_STATES):
            life.enter_signal(core, state, S.FINAL_SIGKILL, Result.TIMEOUT)
        elif state.sub not in (S.AUTO_RESTART, S.AUTO_RESTART_QUEUED):
            life.enter_signal(core, state, S.STOP_SIGKILL, Result.TIMEOUT)
