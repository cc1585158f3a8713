"""What people and scripts ask for: requests become jobs, kills and changed intents, or a refusal with its reason.

Each request is answered once, by `Answer`, in the step that took it. Intent is set here and nowhere else: by a start, a
restart or a stop that a person asked for, never by what follows from it.
"""

from supervisor.engine import jobtypes
from supervisor.engine import lifecycle as life
from supervisor.engine.core import Core
from supervisor.engine.graph import Graph
from supervisor.engine.jobs import Jobs
from supervisor.engine.phases import S
from supervisor.engine.record import Intent, UnitState
from supervisor.model.effects import Answer, Kill, SaveIntent
from supervisor.model.errors import TransactionError
from supervisor.model.events import Booted, FailureReset, IntentLoaded, JobCancelRequested, JobRequested, KillRequested
from supervisor.model.states import JobMode, JobResult, JobType, Result, Wanted

_STARTS = frozenset({JobType.START, JobType.RESTART, JobType.RELOAD_OR_START})
_STOPS = frozenset({JobType.STOP, JobType.RESTART, JobType.TRY_RESTART})


def rebuild_graph(core: Core) -> None:
    """Derive the graph and the aliases again after definitions changed."""
    core.graph = Graph(core.specs)
    core.aliases = {alias: name for name, spec in core.specs.items() for alias in spec.aliases}


def on_job_requested(core: Core, jobs: Jobs, event: JobRequested) -> None:
    name = core.aliases.get(event.unit, event.unit)
    try:
        _check_allowed(core, event, name)
        type_ = jobtypes.collapse(event.type, core.active(name))
        if type_ is None:
            core.emit(Answer(event.request))
            return
        job = jobs.enqueue(type_, name, event.mode, by=event.by, is_manual=event.is_manual)
    except TransactionError as error:
        core.emit(Answer(event.request, code=error.code, text=str(error)))
        return
    if event.is_manual and event.type in (JobType.START, JobType.RESTART, JobType.STOP, JobType.RELOAD_OR_START):
        wanted = Wanted.DOWN if event.type == JobType.STOP else Wanted.UP
        _set_intent(core, core.state_of(name), wanted, str(event.type), event.by)
    core.emit(Answer(event.request, job))


def _check_allowed(core: Core, event: JobRequested, name: str) -> None:
    if core.leaving is not None and event.type != JobType.STOP:
        raise TransactionError("shutting-down", f"cannot {event.type} {name}: supd is shutting down", name)
    spec = core.specs.get(name)
    if spec is None:
        raise TransactionError("no-such-unit", f"cannot {event.type} {name}: there is no such unit", name)
    if event.mode == JobMode.ISOLATE and not spec.allow_isolate:
        raise TransactionError("refused", f"cannot isolate {name}: its unit file does not say allow_isolate = true", name)
    if event.is_manual and spec.refuse_manual_start and event.type in _STARTS:
        raise TransactionError("refused", f"cannot {event.type} {name} by hand: its unit file says refuse_manual_start = true", name)
    if event.is_manual and spec.refuse_manual_stop and event.type in _STOPS:
        raise TransactionError("refused", f"cannot {event.type} {name} by hand: its unit file says refuse_manual_stop = true", name)


def _set_intent(core: Core, state: UnitState, wanted: Wanted, why: str, by: str) -> None:
    if state.intent is not None and state.intent.wanted == wanted:
        return
    state.intent = Intent(wanted, why, by, core.now.wall_us)
    core.emit(SaveIntent(state.name, wanted, why, by, core.now.wall_us))
    core.note(state.name, "intent", f"wanted {wanted} by {by or 'a request'}", wanted=wanted)


def on_intent_loaded(core: Core, event: IntentLoaded) -> None:
    if event.unit in core.specs:
        core.state_of(event.unit).intent = Intent(event.wanted, event.why, event.by, event.since_us)


def on_cancel_requested(core: Core, jobs: Jobs, event: JobCancelRequested) -> None:
    for state in core.states.values():
        if state.job is not None and state.job.id == event.job:
            if core.leaving is not None and state.job.type == JobType.STOP:
                # Its unit would stay up, and supd with it for ever.
                text = f"cannot cancel job {event.job}: supd is shutting down and stops {state.name} for that"
                core.emit(Answer(event.request, code="shutting-down", text=text))
                return
            jobs.finish(state, JobResult.CANCELED, f"canceled by {event.by}" if event.by else "canceled", is_recursive=False)
            core.emit(Answer(event.request, event.job))
            return
    core.emit(Answer(event.request, code="no-such-job", text=f"cannot cancel job {event.job}: it is not queued"))


def on_failure_reset(core: Core, event: FailureReset) -> None:
    name = core.aliases.get(event.unit, event.unit)
    if name not in core.specs:
        core.emit(Answer(event.request, code="no-such-unit", text=f"cannot reset {name}: there is no such unit"))
        return
    state = core.state_of(name)
    state.limit_from_us = state.limit_count = state.n_restarts = state.backoff_step = state.attempt = 0
    state.blocked_on = ""
    if state.active.is_down or state.sub in (S.AUTO_RESTART, S.AUTO_RESTART_QUEUED):  # not in mid-stop, whose end the result decides
        state.result = state.reload_result = Result.SUCCESS
        state.failed_step = state.failed_text = ""
    if state.sub == S.FAILED:
        life.set_state(core, state, S.DEAD)
    core.emit(Answer(event.request))


def on_kill_requested(core: Core, event: KillRequested) -> None:
    name = core.aliases.get(event.unit, event.unit)
    state = core.states.get(name)
    if name not in core.specs:
        core.emit(Answer(event.request, code="no-such-unit", text=f"cannot kill {name}: there is no such unit"))
        return
    main, control = (state.main, state.control) if state is not None else (None, None)
    chosen = {"main": (main,), "control": (control,), "all": (main, control)}[event.whom]
    known = [p for p in chosen if p is not None and p.pid]
    if not known and (event.whom != "all" or state is None or state.is_empty):
        what = "process" if event.whom == "all" else f"{event.whom} process"
        core.emit(Answer(event.request, code="refused", text=f"cannot kill {name}: it has no {what}"))
        return
    core.emit(Kill(name, event.signal, event.whom, tuple(p.pid for p in known), tuple(p.run for p in known)))
    core.note(name, "kill", f"signal {event.signal} to {event.whom} by {event.by}", signal=event.signal)
    core.emit(Answer(event.request))


def on_booted(core: Core, jobs: Jobs, event: Booted) -> None:
    """Start what is enabled, in one transaction; what a person stopped stays down."""
    if event.target:
        name = core.aliases.get(event.target, event.target)
        jobs.enqueue_many(JobType.START, [name], by=f"supd --target {name}")
        return
    wanted = [name for name, spec in core.specs.items() if spec.is_enabled and not spec.is_unusable and not core.is_kept_down(name)]
    jobs.enqueue_many(JobType.START, wanted, by="boot: it is enabled")
