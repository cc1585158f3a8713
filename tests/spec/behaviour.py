"""What a process of a test does: a script in virtual time, nothing else.

A `Process` says how long it runs, how it ends, which signals it survives, what it tells its notify socket and whom it leaves behind.
Times are microseconds after its own exec. A script is a value: the world plays it, and two spawns of one script behave alike.
"""

from dataclasses import dataclass, field

from supervisor.model.states import ExitCode

SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGABRT, SIGKILL, SIGUSR1 = 1, 2, 3, 4, 6, 9, 10
SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD, SIGCONT, SIGURG, SIGWINCH = 11, 13, 14, 15, 17, 18, 23, 28

# Signals whose default action leaves a process alone (signal(7)); SIGSTOP and its kin are not played.
HARMLESS = frozenset({SIGCHLD, SIGCONT, SIGURG, SIGWINCH})


@dataclass(frozen=True, slots=True)
class Process:
    """One process, from exec to its end.

    `lives_us` None means until a signal ends it. A signal of `survives` does nothing; one of `handles` makes it exit with that code;
    any other ends it as the kernel would, `dies_in_us` later; one that `is_unkillable` hangs in the kernel, and no signal ends it.
    `says` are (when, fields) for the notify socket. `leaves` are children it forks at once and that outlive it; the first of them is
    what a PID file (or a guess) would name.
    """

    lives_us: int | None = None
    code: ExitCode = ExitCode.EXITED
    status: int = 0
    oom_killed: bool = False
    survives: frozenset[int] = frozenset()
    is_unkillable: bool = False
    handles: dict[int, int] = field(default_factory=dict)
    dies_in_us: int = 0
    says: tuple[tuple[int, dict[str, str]], ...] = ()
    leaves: tuple["Process", ...] = ()
    says_on_signal: dict[int, tuple[dict[str, str], ...]] = field(default_factory=dict)
    exec_takes_us: int = 0
    prepare_takes_us: int = 0
    prepare_fails: tuple[str, int] | None = None  # (step, exit status)
    spawn_fails: tuple[str, int, int] | None = None  # (step, errno, exit status)


def runs(**keys: object) -> Process:
    """Runs until a signal ends it."""
    return Process(**keys)  # type: ignore[arg-type]  # a shorthand: the dataclass itself refuses unknown names


def exits(status: int = 0, after_us: int = 0, **keys: object) -> Process:
    """Ends by itself with an exit code."""
    return Process(lives_us=after_us, status=status, **keys)  # type: ignore[arg-type]  # as above


def dies_by(signal: int, after_us: int = 0, dumps_core: bool = False) -> Process:
    """Ends by a signal that nobody of ours sent."""
    return Process(lives_us=after_us, code=ExitCode.DUMPED if dumps_core else ExitCode.KILLED, status=signal)


def says_ready(after_us: int = 0, **keys: object) -> Process:
    """Runs, and sends READY=1 that long after its exec."""
    return Process(says=((after_us, {"READY": "1"}),), **keys)  # type: ignore[arg-type]  # as above


def stubborn(**keys: object) -> Process:
    """Survives every signal that can be survived."""
    return Process(survives=frozenset(range(1, 65)) - {SIGKILL, 19}, **keys)  # type: ignore[arg-type]  # as above


def daemonizes(main: Process | None = None, after_us: int = 0) -> Process:
    """The classic double fork: exits 0 and leaves `main` behind."""
    return Process(lives_us=after_us, leaves=(main or Process(),))


def cannot_exec() -> Process:
    return Process(spawn_fails=("exec", 2, 203))
