"""What the engine remembers of one unit: a plain record, written as JSON after each step and read back after a crash.

It decides nothing. Laws: every field is a value (no reference to another record), every time is monotonic microseconds
unless its name says `wall`, and a field at its default is not written, so an idle unit costs a few bytes.
"""

import json
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from supervisor.model.states import (
    ACTIVE_OF,
    ActiveState,
    ExitCode,
    JobState,
    JobType,
    Phase,
    Result,
    SubState,
    Wanted,
)

BECAUSE_MAX = 8  # decisions kept per unit for `why`


@dataclass(slots=True)
class Process:
    """A process of a unit from the wish to have it until its end is accounted for.

    `stage`: "idle" (held back, type idle), "preparing", "spawning", "forked", "execed". `is_alien`: learned late (PID file,
    MAINPID=); it has no run. `index` is the command's place in its Exec* list.
    """

    phase: Phase
    index: int = 0
    run: int = 0
    pid: int = 0
    stage: str = "preparing"
    is_alien: bool = False

    @property
    def is_running(self) -> bool:
        return self.stage in ("forked", "execed")


@dataclass(slots=True)
class Job:
    """One installed job. `blocked_by` is derived (jobs.py) and not written."""

    id: int
    type: JobType
    unit: str
    state: JobState = JobState.WAITING
    is_irreversible: bool = False
    ignores_order: bool = False
    is_manual: bool = False
    by: str = ""
    created_us: int = 0
    began_us: int = 0
    waived: list[str] = field(default_factory=list)  # units that it would wait for, were that not a circle
    blocked_by: set[str] = field(default_factory=set, compare=False)


@dataclass(slots=True)
class Intent:
    """A person's last wish for a unit, kept apart from its state; `since_wall_us` is wall-clock."""

    wanted: Wanted
    why: str = ""
    by: str = ""
    since_wall_us: int = 0


@dataclass(slots=True)
class Reason:
    """One link of the chain that `supctl why` prints."""

    what: str
    unit: str
    wall_us: int
    text: str


@dataclass(slots=True)
class UnitState:
    """Everything that is known of one unit at this moment."""

    name: str
    sub: SubState = SubState.DEAD
    result: Result = Result.SUCCESS
    reload_result: Result = Result.SUCCESS
    main: Process | None = None
    control: Process | None = None
    is_main_known: bool = False  # that there is, or was, a main process in this activation
    job: Job | None = None
    invocation_id: str = ""
    # How the main process ended last.
    main_code: ExitCode | None = None
    main_status: int = 0
    main_pid_last: int = 0
    main_run_last: int = 0
    main_started_wall_us: int = 0
    main_ended_wall_us: int = 0
    failed_step: str = ""  # what could not be done on the way to exec
    failed_text: str = ""
    # Times of change.
    entered_us: int = 0  # when the sub state was entered
    timer_from_us: int = 0  # the time-out of the present step counts from here
    extended_us: int = 0  # EXTEND_TIMEOUT_USEC=: the time-out is not before this moment
    up_since_us: int = 0
    state_wall_us: int = 0
    active_enter_wall_us: int = 0
    active_exit_wall_us: int = 0
    inactive_enter_wall_us: int = 0
    inactive_exit_wall_us: int = 0
    # Restarting.
    n_restarts: int = 0  # systemd's NRestarts
    backoff_step: int = 0  # restarts since the last good run
    attempt: int = 0  # starts of a task since it was asked for
    flushes_restarts: bool = True
    forbids_restart: bool = False
    restart_at_us: int = 0
    limit_from_us: int = 0
    limit_count: int = 0
    # Conversation with the service.
    notify_state: str = ""  # "", ready, reloading, stopping
    notify_access: str = ""  # override by NOTIFYACCESS=
    status_text: str = ""
    status_errno: int = 0
    watchdog_us: int = -1  # override by WATCHDOG_USEC=; -1: none
    watchdog_from_us: int = 0
    reload_begin_us: int = 0
    # Questions under way.
    check: int = 0
    pid_file_token: int = 0
    empty_token: int = 0
    is_empty: bool = True  # no process can be left: none was spawned since the last `Emptied`
    probe_token: int = 0
    probe_stage: str = ""
    probe_counts: dict[str, int] = field(default_factory=dict)  # index -> successes (>0) or failures (<0) in a row
    is_type_ready: bool = False  # ready by its type's own rule; the probes have still to agree
    is_condition_met: bool = True
    condition_text: str = ""
    # Around it.
    intent: Intent | None = None
    blocked_on: str = ""  # the unit whose failure made our start fail; its recovery starts us
    upheld_from_us: int = 0  # window of starts that an upholding unit asked for
    upheld_count: int = 0
    upheld_retry_us: int = 0  # too many of them: the next one is at this moment
    trigger_from_us: int = 0  # window of jobs that failed and fired on_failure
    trigger_count: int = 0
    monitor: dict[str, str] = field(default_factory=dict)  # MONITOR_* of the unit that triggered us
    needs_restart: bool = False
    rolled_back: str = ""  # why the definition of before is in force instead of the file's
    last_job: list[Any] = field(default_factory=list)  # [id, type, result, text]
    because: list[Reason] = field(default_factory=list)

    @property
    def active(self) -> ActiveState:
        return ACTIVE_OF[self.sub]


_DEFAULTS: dict[str, Any] = {
    f.name: (f.default if f.default is not MISSING else f.default_factory() if f.default_factory is not MISSING else None)
    for f in fields(UnitState)
}
_PLAIN = tuple(name for name in _DEFAULTS if name not in ("name", "main", "control", "job", "intent", "because"))
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


def dump_state(state: UnitState) -> str:
    """The record as JSON; "" when nothing in it differs from a unit that was never touched."""
    out: dict[str, Any] = {}
    for name in _PLAIN:
        value = getattr(state, name)
        if value != _DEFAULTS[name]:
            out[name] = value
    for name, process in (("main", state.main), ("control", state.control)):
        if process is not None:
            out[name] = [process.phase, process.index, process.run, process.pid, process.stage, process.is_alien]
    if (job := state.job) is not None:
        out["job"] = [
            job.id,
            job.type,
            job.state,
            job.is_irreversible,
            job.ignores_order,
            job.is_manual,
            job.by,
            job.created_us,
            job.began_us,
            *([job.waived] if job.waived else ()),
        ]
    if (intent := state.intent) is not None:
        out["intent"] = [intent.wanted, intent.why, intent.by, intent.since_wall_us]
    if state.because:
        out["because"] = [[r.what, r.unit, r.wall_us, r.text] for r in state.because]
    return _encode(out) if out else ""


_ENUMS: dict[str, Any] = {"sub": SubState, "result": Result, "reload_result": Result, "main_code": ExitCode}


def load_state(name: str, text: str) -> UnitState:
    """The record that `dump_state` wrote. Unknown fields, of another version of supd, are left out."""
    data: dict[str, Any] = json.loads(text) if text else {}
    state = UnitState(name)
    for key in _PLAIN:
        if key in data:
            value = data[key]
            setattr(state, key, _ENUMS[key](value) if key in _ENUMS and value is not None else value)
    state.main = _load_process(data.get("main"))
    state.control = _load_process(data.get("control"))
    if row := data.get("job"):
        state.job = Job(row[0], JobType(row[1]), name, JobState(row[2]), *row[3:])
    if row := data.get("intent"):
        state.intent = Intent(Wanted(row[0]), *row[1:])
    state.because = [Reason(*row) for row in data.get("because", ())]
    return state


def _load_process(row: list[Any] | None) -> Process | None:
    return None if row is None else Process(Phase(row[0]), *row[1:])
