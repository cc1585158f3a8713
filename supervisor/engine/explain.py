"""`supctl why`: the recorded decisions of a unit as one chain, nearest first, and what comes next. Reads only.

It answers from what was recorded when it was decided; nothing is guessed afterwards.
"""

from typing import Any

from supervisor.engine import timeouts
from supervisor.engine.core import Core
from supervisor.engine.phases import S
from supervisor.engine.record import UnitState
from supervisor.model.states import JobType

Json = dict[str, Any]
_CHAIN_MAX = 24


def why(core: Core, name: str) -> Json:
    """{unit, active_state, sub_state, because: [{what, unit, time_s, text}], next: {what, time_s} | None}"""
    state = core.states.get(name) or UnitState(name)
    because: list[Json] = []
    _explain(core, state, because, set())
    return {
        "unit": name,
        "active_state": state.active,
        "sub_state": state.sub,
        "because": because[:_CHAIN_MAX],
        "next": _next(core, state),
    }


def _link(what: str, unit: str, wall_us: int, text: str) -> Json:
    return {"what": what, "unit": unit, "time_s": wall_us / 1_000_000 if wall_us else None, "text": text}


def _explain(core: Core, state: UnitState, because: list[Json], seen: set[str]) -> None:
    """Add this unit's links, and follow it to the units it waits for or fell with."""
    if state.name in seen or len(because) >= _CHAIN_MAX:
        return
    seen.add(state.name)
    spec = core.specs.get(state.name)
    causes: list[str] = []
    if state.rolled_back:
        because.append(_link("rollback", state.name, 0, state.rolled_back))
    if state.job is not None:
        job = state.job
        waits = sorted(job.blocked_by)
        text = f"a {job.type} job is {job.state}"
        text += f" for {', '.join(waits)}" if waits else ""
        text += f" (asked for by {job.by})" if job.by else ""
        because.append(_link("job", state.name, 0, text))
        if spec is not None and spec.service is not None and (waited := timeouts.waits_for(spec.service, state)):
            because.append(_link("waits", state.name, 0, waited))
        causes += waits
    if state.blocked_on:
        because.append(_link("dependency", state.blocked_on, 0, f"{state.name} waits for {state.blocked_on}, which did not start"))
        causes.append(state.blocked_on)
    if spec is not None and state.active.is_down and state.job is None:
        _explain_down(core, state, because)
    for reason in reversed(state.because):
        because.append(_link(reason.what, reason.unit, reason.wall_us, reason.text))
        if reason.unit != state.name:
            causes.append(reason.unit)
    for cause in causes:
        if other := core.states.get(cause):
            _explain(core, other, because, seen)


def _explain_down(core: Core, state: UnitState, because: list[Json]) -> None:
    spec = core.specs[state.name]
    if spec.is_masked:
        because.append(_link("masked", state.name, 0, f"it is masked; `supctl unmask {state.name}` lifts that"))
    elif spec.load_error:
        because.append(_link("bad-setting", state.name, 0, f"its unit file has errors: {spec.load_error}"))
    elif state.intent is not None and core.is_kept_down(state.name):
        by = state.intent.by or "a request"
        text = f"it was stopped by {by} and stays down until it is started"
        because.append(_link("intent", state.name, state.intent.since_wall_us, text))
    elif not state.because and not spec.is_enabled:
        because.append(_link("disabled", state.name, 0, f"it is not enabled ({spec.enabled_state}) and nothing has started it"))


_NEXT_TEXT = {
    S.AUTO_RESTART: "it is restarted",
    S.RUNNING: "runtime_max_sec ends it",
    S.STOP: "its stop command times out and it is killed",
    S.STOP_SIGTERM: "it is killed with SIGKILL",
    S.FINAL_SIGTERM: "what is left of it is killed with SIGKILL",
}


def _next(core: Core, state: UnitState) -> Json | None:
    spec = core.specs.get(state.name)
    if spec is None or spec.service is None:
        return None
    at = timeouts.state_deadline_of(spec.service, state)
    if at is not None and state.sub != S.DEAD:
        what = _NEXT_TEXT.get(state.sub, f"{state.sub} times out")
        if state.sub == S.STOP_SIGTERM and not spec.service.send_sigkill:
            what = "the stop goes on without it"
        wall_us = core.now.wall_us + at - core.now.mono_us
        return {"what": what, "time_s": wall_us / 1_000_000}
    if state.job is not None and state.job.blocked_by:
        verb = "stopped" if state.job.type == JobType.STOP else "started"
        return {"what": f"it is {verb} when {', '.join(sorted(state.job.blocked_by))} is done", "time_s": None}
    if state.blocked_on and spec.recover_dependents:
        return {"what": f"it is started when {state.blocked_on} is up", "time_s": None}
    return None
