"""Which variables a process finds (`systemd.exec(5)`, ENVIRONMENT VARIABLES IN SPAWNED PROCESSES).

The order, each over the one before (asked of systemd 252; the unit file has the last word, over MAINPID and NOTIFY_SOCKET too):

    1. the mode's base
    2. what supd knows: the engine's variables, USER LOGNAME HOME SHELL, INVOCATION_ID, NOTIFY_SOCKET with MANAGERPID, PIDFILE,
       RUNTIME_DIRECTORY and its sisters, CREDENTIALS_DIRECTORY, LISTEN_FDS and LISTEN_FDNAMES
    3. pass_environment, from supd's own environment
    4. environment
    5. environment_file, read right before each exec
    6. unset_environment takes away

Variables whose value is the child's own pid (LISTEN_PID, WATCHDOG_PID, SYSTEMD_EXEC_PID) belong to 2 but can only be set by
the child; they are returned apart, and not at all where 3 to 6 say otherwise. `$SYSTEMD_EXEC_PID` in a command line is therefore empty.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from supervisor.config.mode import FIXED_PATH, UNINHERITED_PREFIXES
from supervisor.daemon import files
from supervisor.daemon.prepare_error import ENVIRONMENT_STEP, PrepareError, reason
from supervisor.model.specification import EnvironmentFile, Execution

if TYPE_CHECKING:
    from supervisor.daemon.accounts import Account

LOCALE_VARIABLES = (
    *("LANG", "LANGUAGE", "LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY", "LC_MESSAGES", "LC_PAPER"),
    *("LC_NAME", "LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT", "LC_IDENTIFICATION"),
)
SESSION_VARIABLES = ("HOME", "LOGNAME", "USER", "SHELL", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")

FILE_LIMIT_BYTES = 4 * 1024 * 1024
_GLOB_CHARACTERS = "*?["


def own(environ: Mapping[str, str]) -> dict[str, str]:
    """supd's environment at launch without what is meant for supd alone: project mode's base, and where pass_environment takes from."""
    return {name: value for name, value in environ.items() if not name.startswith(UNINHERITED_PREFIXES)}


def clean_base(environ: Mapping[str, str], is_system: bool) -> dict[str, str]:
    """The base of a system or user instance: the fixed PATH and the locale; for a user's, who he is and where his session lives."""
    names = LOCALE_VARIABLES if is_system else LOCALE_VARIABLES + SESSION_VARIABLES
    return {"PATH": FIXED_PATH, **{name: environ[name] for name in names if name in environ}}


def read_files(unit: str, environment_files: Iterable[EnvironmentFile], directory: str) -> dict[str, str]:
    """Every assignment of the unit's environment files, the last one of a name; relative paths are taken from `directory`.

    Raises `PrepareError` with step "ENVIRONMENT" (systemd's result `resources`) when one that is not optional cannot be read.
    """
    variables: dict[str, str] = {}
    for wanted in environment_files:
        pattern = wanted.path if wanted.path.startswith("/") else f"{directory}/{wanted.path}"
        for path in _expand_glob(pattern) or [pattern]:
            try:
                variables.update(_read_file(path))
            except (OSError, ValueError) as error:
                if wanted.is_optional:
                    continue
                cause = reason(error) if isinstance(error, OSError) else str(error)
                raise PrepareError(
                    ENVIRONMENT_STEP,
                    f"cannot read environment file {path} of {unit}: {cause}. "
                    f'The command was not run. Correct the file, or write "-{wanted.path}" if it may be missing.',
                ) from error
    return variables


def login_variables(account: "Account | None") -> dict[str, str]:
    """USER LOGNAME HOME SHELL as a unit with `user` finds them."""
    if account is None:
        return {}
    variables = {"USER": account.name, "LOGNAME": account.name}
    if account.home:
        variables["HOME"] = account.home
    if account.shell:
        variables["SHELL"] = account.shell
    return variables


def compose(
    base: Mapping[str, str],
    known: Mapping[str, str],
    own_environment: Mapping[str, str],
    execution: Execution,
    from_files: Mapping[str, str],
    pid_variables: Sequence[str],
) -> tuple[dict[str, str], list[str]]:
    """The final environment and the pid variables that remain, by the order at the head of this module (`known` is its 2)."""
    said = {name: own_environment[name] for name in execution.pass_environment if name in own_environment}
    said.update(execution.environment)
    said.update(from_files)
    environment = {**base, **known, **said}
    pid_names = [name for name in pid_variables if name not in said]
    for name in pid_names:
        environment.pop(name, None)  # a stale one of the base
    for entry in execution.unset_environment:
        name, equals, value = entry.partition("=")
        if not equals:
            environment.pop(name, None)
            if name in pid_names:
                pid_names.remove(name)
        elif environment.get(name) == value:
            del environment[name]
    return environment, pid_names


def _expand_glob(pattern: str) -> list[str]:
    if not any(character in pattern for character in _GLOB_CHARACTERS):
        return []
    import glob

    return sorted(glob.glob(pattern))


def _read_file(path: str) -> list[tuple[str, str]]:
    from supervisor.config import environment_file

    return environment_file.parse(environment_file.decode(files.read_whole(path, FILE_LIMIT_BYTES)))
