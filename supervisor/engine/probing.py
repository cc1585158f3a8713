"""What the answers of probes mean: when a start counts as ready, and when a running service counts as sick.

Stages, one at a time: "startup" and then "ready" hold back the end of the start, "health" watches what runs. A stage holds
when every probe of it has succeeded `success_threshold` times in a row. A startup or health probe that fails
`failure_threshold` times in a row fails the service as a missed watchdog does (0: never). How a probe is made is not known here.

Invariants: answers carry the stage's token, so that a late one cannot touch the next stage; no probe outlives its stage.
"""

from supervisor.engine import lifecycle, phases
from supervisor.engine.core import Core
from supervisor.engine.record import UnitState
from supervisor.model.effects import StartProbe, StopProbes
from supervisor.model.events import ProbeReported
from supervisor.model.states import Result, SubState

S = SubState

_PROBING_STATES = frozenset({S.START, S.START_POST, S.RUNNING, S.RELOAD, S.RELOAD_SIGNAL, S.RELOAD_NOTIFY})
_AFTER = {"": "startup", "startup": "ready"}


def may_probe(sub: SubState) -> bool:
    return sub in _PROBING_STATES


def _members(core: Core, state: UnitState, stage: str) -> list[int]:
    service = core.specs[state.name].service
    return [i for i, probe in enumerate(service.probes) if probe.stage == stage] if service else []


def _begin(core: Core, state: UnitState, stage: str, members: list[int]) -> None:
    stop(core, state)  # type idle asks before its process runs, and again when it does
    core.touch(state)
    state.probe_token = core.mint()
    state.probe_stage = stage
    state.probe_counts = {}
    for index in members:
        core.emit(StartProbe(state.name, state.probe_token, index))


def stop(core: Core, state: UnitState) -> None:
    """End the stage that is under way, if any."""
    if state.probe_token:
        core.touch(state)
        core.emit(StopProbes(state.name, state.probe_token))
        state.probe_token, state.probe_stage, state.probe_counts = 0, "", {}


def begin_gate(core: Core, state: UnitState, after: str = "") -> bool:
    """Begin the next stage that holds back the start; False when none is left."""
    stage = after
    while (stage := _AFTER.get(stage, "")) != "":
        if members := _members(core, state, stage):
            _begin(core, state, stage, members)
            return True
    return False


def begin_health(core: Core, state: UnitState) -> None:
    """The service is up: watch it, unless it is watched already (a reload ended)."""
    if state.probe_stage != "health" and (members := _members(core, state, "health")):
        stop(core, state)
        _begin(core, state, "health", members)


def begin_again(core: Core, state: UnitState, stage: str) -> None:
    """Another definition has other probes in this stage; what was counted of the old ones is void."""
    if members := _members(core, state, stage):
        _begin(core, state, stage, members)
    elif stage != "health" and not begin_gate(core, state, stage):
        lifecycle.enter_start_post(core, state)


def resume(core: Core, state: UnitState) -> None:
    """After a restart of the manager: run the probes of the stage again; what was counted counts on.

    Except for lines of output: they are told again from the run's first one, and would count twice.
    """
    if state.probe_token:
        probes = phases.service_of(core, state).probes
        for index in _members(core, state, state.probe_stage):
            if probes[index].kind == "log" and state.probe_counts.get(str(index), 0) < probes[index].success_threshold:
                state.probe_counts.pop(str(index), None)
                core.touch(state)
            core.emit(StartProbe(state.name, state.probe_token, index))


def health_of(state: UnitState) -> str | None:
    """ "ok" or "failing" by the last answers of the health probes; None where none has answered."""
    if state.probe_stage != "health" or not state.probe_counts:
        return None
    return "failing" if min(state.probe_counts.values()) < 0 else "ok"


def on_report(core: Core, state: UnitState, event: ProbeReported) -> None:
    """Count one answer and act when a threshold is reached."""
    service = core.specs[state.name].service
    if not state.probe_token or event.token != state.probe_token or service is None or event.index >= len(service.probes):
        return
    core.touch(state)
    key = str(event.index)
    before = count = state.probe_counts.get(key, 0)
    count = max(count, 0) + 1 if event.ok else min(count, 0) - 1
    state.probe_counts[key] = count
    probe = service.probes[event.index]
    stage = state.probe_stage
    if count == -1:
        core.note(state.name, "probe", f"{stage} probe {probe.kind} fails: {event.text}")
    elif stage == "health" and before < 0 < count:
        core.note(state.name, "probe", f"{stage} probe {probe.kind} succeeds again after {-before} failures")
    if stage in ("startup", "health") and probe.failure_threshold and -count >= probe.failure_threshold:
        text = f"{stage} probe {probe.kind} failed {-count} times in a row: {event.text}"
        core.note(state.name, "watchdog", text)
        state.failed_text = text
        stop(core, state)
        lifecycle.enter_signal(core, state, S.STOP_WATCHDOG, Result.WATCHDOG)
    elif stage != "health" and _holds(core, state, stage):
        stop(core, state)
        if not begin_gate(core, state, stage):
            lifecycle.enter_start_post(core, state)


def _holds(core: Core, state: UnitState, stage: str) -> bool:
    service = core.specs[state.name].service
    assert service is not None
    return all(state.probe_counts.get(str(i), 0) >= service.probes[i].success_threshold for i in _members(core, state, stage))
