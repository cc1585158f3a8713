"""What the engine is told: everything that can happen, in the past tense.

Each event born of a process carries its run, so that a late one cannot touch the next run. Replaying an event the engine
has already handled is harmless: after a crash of the manager the keeper's whole table is replayed.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from supervisor.model.specification import Unit
from supervisor.model.states import ExitCode, JobMode, JobType, Wanted


class Instant(NamedTuple):
    """A moment: `mono_us` (CLOCK_MONOTONIC) decides, `wall_us` (since the epoch) is only recorded."""

    mono_us: int
    wall_us: int = 0


@dataclass(frozen=True, slots=True)
class JobRequested:
    """Somebody asked for a job. Answered at once by one `Answer` with the same `request`.

    `is_manual`: a person's wish, which sets the unit's intent. `wait_for`: nothing; waiting is the shell's affair.
    """

    request: int
    type: JobType
    unit: str
    mode: JobMode = JobMode.REPLACE
    by: str = ""  # who: "uid 1000 (ann), supctl", for `why` and history
    is_manual: bool = True


@dataclass(frozen=True, slots=True)
class JobCancelRequested:
    request: int
    job: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class Booted:
    """supd has come up: start what is enabled, or `target` alone if one was named. Units in `down` stay down by intent."""

    target: str = ""


@dataclass(frozen=True, slots=True)
class ShutdownRequested:
    """Stop everything in reverse order, then leave; a second one while stopping means faster (SIGKILL)."""

    by: str = ""
    exit_status: int = 0


@dataclass(frozen=True, slots=True)
class FailureReset:
    """`supctl reset-failed`: forget the failure, the restart counter and the start limit. Answered by `Answer`."""

    request: int
    unit: str


@dataclass(frozen=True, slots=True)
class KillRequested:
    """`supctl kill`: send a signal to main, control or all processes. Answered by `Answer`."""

    request: int
    unit: str
    signal: int
    whom: str = "all"  # main, control, all
    by: str = ""


@dataclass(frozen=True, slots=True)
class UnitsLoaded:
    """The definitions changed: `units` is the whole new set. Nothing is started or stopped by this event (daemon-reload)."""

    units: dict[str, Unit]


@dataclass(frozen=True, slots=True)
class UnitsApplied:
    """The definitions changed, and what engine.plan makes of it is done. `units` is the whole new set. Answered by `Answer`, if `request`.

    `is_asked`: a person asked for it (`supctl apply`), of the units `chosen` or, if none, of all. `rolled_back` are (unit, text): their
    definition in `units` is that of before, because the new one did not come up.
    """

    units: dict[str, Unit]
    request: int = 0
    by: str = ""
    is_asked: bool = False
    chosen: tuple[str, ...] = ()
    rolled_back: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class IntentLoaded:
    """What the state directory remembers of a person's wish (sent before `Booted`)."""

    unit: str
    wanted: Wanted
    why: str
    by: str
    since_us: int  # wall clock


@dataclass(frozen=True, slots=True)
class ConditionsChecked:
    """The answer to `CheckConditions`. `failed` is the line that did not hold, for `why`."""

    unit: str
    check: int
    conditions_hold: bool
    asserts_hold: bool = True
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that could block is done: the shell holds the finished spawn request of this run."""

    unit: str
    run: int


@dataclass(frozen=True, slots=True)
class PrepareFailed:
    """Preparation of a run failed: no process was made. Counts as an exit with `exit_status` (systemd.exec(5)'s table)."""

    unit: str
    run: int
    step: str  # "user", "environment", "directories" ...
    exit_status: int  # 217, 233 ...
    text: str  # a sentence for a person


@dataclass(frozen=True, slots=True)
class Forked:
    unit: str
    run: int
    pid: int


@dataclass(frozen=True, slots=True)
class Execed:
    unit: str
    run: int


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """fork failed, or a step between fork and exec did; in the latter case `Exited` with `exit_status` is not sent. `is_last`: as there."""

    unit: str
    run: int
    step: str
    errno: int
    exit_status: int
    text: str = ""
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Exited:
    """A process of ours ended. `status` is the exit code, or the signal number when killed or dumped.

    `is_last`: no process of the unit is left, as far as that is known at once; else `WatchEmpty` is the way to ask. The shell says it as it
    hands the event to the engine.
    """

    unit: str
    run: int
    code: ExitCode
    status: int
    oom_killed: bool = False
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class AlienExited:
    """A main process that was learned late (PID file, MAINPID=) ended; known by pid because it never had a run. `is_last`: as above."""

    unit: str
    pid: int
    code: ExitCode
    status: int
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class PidFileRead:
    """The answer to `ReadPidFile`: `pid` is 0 when there is none to believe; `text` says why."""

    unit: str
    token: int
    pid: int
    is_child: bool = True  # whether the keeper will reap it
    text: str = ""


@dataclass(frozen=True, slots=True)
class Emptied:
    """No process of the unit is left (answer to `WatchEmpty` with this `token`)."""

    unit: str
    token: int


@dataclass(frozen=True, slots=True)
class Notified:
    """One accepted datagram on the unit's notify socket; `fields` keeps the first of each key (NOTIFY.md, 5).

    `pid` is the sender by SCM_CREDENTIALS. The shell has checked that it belongs to the unit; `notify_access` is the
    engine's to judge, since it knows the main and the control process.
    """

    unit: str
    pid: int
    fields: dict[str, str] = field(default_factory=dict)
    main_pid_is_ours: bool = False  # MAINPID= names a process of this unit
    main_pid_is_child: bool = True


@dataclass(frozen=True, slots=True)
class ProbeReported:
    """One answer of one probe. The engine counts thresholds and decides."""

    unit: str
    token: int
    index: int  # in Service.probes
    ok: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """Time has come to `next_deadline()`, or the shell merely wonders: harmless at any time."""


Event = (
    JobRequested
    | JobCancelRequested
    | Booted
    | ShutdownRequested
    | FailureReset
    | KillRequested
    | UnitsLoaded
    | UnitsApplied
    | IntentLoaded
    | ConditionsChecked
    | Prepared
    | PrepareFailed
    | Forked
    | Execed
    | SpawnFailed
    | Exited
    | AlienExited
    | PidFileRead
    | Emptied
    | Notified
    | ProbeReported
    | DeadlineReached
)
