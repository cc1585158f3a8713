"""What the engine asks for: everything the shell can be told to do, in the imperative.

The shell carries a list out in order, after the states the list came with are in the keeper's hands (the commit rule).
"""

from dataclasses import dataclass

from supervisor.model.specification import Command, Unit
from supervisor.model.states import JobResult, JobType, Phase, Wanted


@dataclass(frozen=True, slots=True)
class Answer:
    """Reply to a request: a job id (0: nothing to do, already so) or an error. `code` is of `errors.TRANSACTION_CODES`."""

    request: int
    job: int = 0
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class CheckConditions:
    """Evaluate the unit's conditions and asserts now; answer `ConditionsChecked` with the same `check`."""

    unit: str
    check: int


@dataclass(frozen=True, slots=True)
class Prepare:
    """Do what blocks before a spawn (environment, users, directories, descriptors); answer `Prepared` or `PrepareFailed`.

    `environment` are the variables that only the engine knows (MAINPID, SERVICE_RESULT, EXIT_CODE, MONITOR_*, WATCHDOG_USEC ...).
    """

    unit: str
    run: int
    phase: Phase
    command: Command
    invocation_id: str
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Spawn:
    """Hand the prepared run to the keeper."""

    unit: str
    run: int


@dataclass(frozen=True, slots=True)
class Forget:
    """The run is over and accounted for: the keeper's entry (or the preparation under way) may go."""

    unit: str
    run: int


@dataclass(frozen=True, slots=True)
class Kill:
    """Send a signal to processes of the unit.

    whom: "main" (`pids` only), "control" (`pids` only), "all" (every process of the unit; `pids` are those known),
    "others" (every process but `pids`). `runs` are the runs of `pids`, 0 where there is none: those with a run are signalled by
    the keeper in the same atom as the state. With `and_continue`, SIGCONT follows; with `and_hangup`, SIGHUP too. `is_repeated`:
    until `WatchEmpty` is answered, repeat for processes that appear (SIGKILL only).
    """

    unit: str
    signal: int
    whom: str
    pids: tuple[int, ...] = ()
    runs: tuple[int, ...] = ()
    and_continue: bool = False
    and_hangup: bool = False
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class WatchEmpty:
    """Answer `Emptied` with `token` once no process of the unit is left (perhaps at once). A later token replaces it."""

    unit: str
    token: int


@dataclass(frozen=True, slots=True)
class ReadPidFile:
    """Read the PID file and check that it may be believed, or guess the main process if the unit has none.

    With `waits`, answer only once the file names a process to believe; else at once, with pid 0 if there is none.
    """

    unit: str
    token: int
    path: str  # "": guess
    waits: bool = False


@dataclass(frozen=True, slots=True)
class StartProbe:
    """Run this probe from now on: first after its initial delay, then at its interval; report each answer with `token`."""

    unit: str
    token: int
    index: int


@dataclass(frozen=True, slots=True)
class StopProbes:
    unit: str
    token: int


@dataclass(frozen=True, slots=True)
class Release:
    """The unit is down: close its notify socket, remove its cgroup and runtime directories.

    With `will_restart` only what need not outlive an automatic restart goes.
    """

    unit: str
    will_restart: bool = False


@dataclass(frozen=True, slots=True)
class FinishJob:
    """A job ended: wake who waits for it."""

    job: int
    unit: str
    type: JobType
    result: JobResult
    text: str = ""
    took_us: int = 0  # from its making to its end


@dataclass(frozen=True, slots=True)
class SaveIntent:
    """Put a person's wish on disk before the request is answered; `wanted` None forgets it."""

    unit: str
    wanted: Wanted | None
    why: str
    by: str
    since_us: int


@dataclass(frozen=True, slots=True)
class RollBack:
    """The unit did not come up by its new definition: check the set with `good` in it, and answer `UnitsApplied(rolled_back=...)`."""

    unit: str
    good: Unit
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened, for the event stream, the log and history. `fields` are JSON values."""

    unit: str
    kind: str  # "state", "job", "exit", "notify", "decision", "transaction"
    text: str
    fields: tuple[tuple[str, str | int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Leave:
    """End supd with this status: everything is down (or must not be waited for, when `is_forced`)."""

    exit_status: int
    text: str
    is_forced: bool = False


Effect = (
    Answer
    | CheckConditions
    | Prepare
    | Spawn
    | Forget
    | Kill
    | WatchEmpty
    | ReadPidFile
    | StartProbe
    | StopProbes
    | Release
    | FinishJob
    | SaveIntent
    | RollBack
    | Record
    | Leave
)
