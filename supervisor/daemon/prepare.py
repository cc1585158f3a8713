"""Everything that may block between "the engine wants a process" and "the keeper can spawn it".

`Preparer.prepare` turns an engine's wish into a spawn request that holds numbers, text and names of stored descriptors
only. The order: environment files, users and groups, what supd may not do, directories, credentials, variables, command
line, program. The first that fails ends it with a `PrepareError`, and nothing has been started.

Prefixes (`systemd.service(5)`, COMMAND LINES): "+" lifts user, groups, capabilities and no_new_privileges, "!" user and groups
only; either way the variables USER, HOME ... are the unit's user's.

Never starts a process, never decides whether one is due, keeps nothing between two calls but which units are being cleared
away. Synchronous and safe in several threads: no chdir, no umask. Imported before the first spawn: what only few units need
is imported where it is needed.
"""

import _thread  # threading.py, with what it imports, is for those who start threads
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supervisor.config import expansion
from supervisor.config.mode import FIXED_PATH
from supervisor.daemon import environment, program, stdio
from supervisor.daemon.prepare_error import PrepareError
from supervisor.keeper.messages import SpawnRequest
from supervisor.model.effects import Prepare
from supervisor.model.specification import Command, Execution, Service, Unit
from supervisor.model.states import Phase

if TYPE_CHECKING:
    from _thread import LockType

    from supervisor.daemon.accounts import Identity
    from supervisor.daemon.privileges import Own

# Credentials are written before these and only found by the others (EXEC_WRITE_CREDENTIALS of systemd).
STARTING_PHASES = frozenset({Phase.CONDITION, Phase.START_PRE, Phase.START})

IO_CLASS_BEST_EFFORT = 2
IO_CLASS_SHIFT = 13  # linux/ioprio.h
IO_LEVEL_DEFAULT = 4  # of the real-time and the best-effort class; the others have none
IO_CLASSES_WITH_LEVEL = (1, 2)


@dataclass(frozen=True, slots=True)
class Context:
    """What the mode decides and the shell knows, for every unit alike.

    `roots` has an absolute path for each of "runtime", "state", "cache", "logs" and "configuration"; `directory` is the default
    working directory, from which relative paths are taken. `base_environment` and `own_environment` come from
    `environment.own` and `environment.clean_base`. `notify_socket_path` is asked for units with notify_access. `own` is what
    supd itself is and may do (None: this process). `keeper_pid` is every service's parent.
    """

    mode: str  # "project", "user" or "system"
    base_environment: Mapping[str, str]
    own_environment: Mapping[str, str]
    directory: str
    roots: Mapping[str, str]
    notify_socket_path: Callable[[Unit], str]
    search_path: str = FIXED_PATH  # for bare program names outside project mode
    own: "Own | None" = None
    keeper_pid: int = 1

    @property
    def is_project(self) -> bool:
        return self.mode == "project"


class Preparer:
    """Prepares runs and clears away after units, in one context."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._own = context.own
        self._releasing: dict[str, LockType] = {}

    def is_immediate(self, unit: Unit) -> bool:
        """Whether preparing this unit cannot block, so that it may be done inline: no names to look up, no files to read or make."""
        execution = unit.execution
        if unit.conditions or unit.asserts:
            return False
        return execution is None or not (
            execution.user
            or execution.group
            or execution.supplementary_groups
            or execution.environment_files
            or execution.directories
            or execution.credentials
            or execution.working_directory == "~"
        )

    def prepare(self, effect: Prepare, unit: Unit, descriptors: Sequence[tuple[str, str]] = ()) -> SpawnRequest:
        """The finished request for one run; the caller adds the cgroup.

        `descriptors` are (stored name, FDNAME) of what the process gets from 3 upwards, sockets first. Raises `PrepareError`.
        """
        service, execution = unit.service, unit.execution
        if service is None or execution is None:
            raise ValueError(f"unit {unit.id}: a {unit.kind} has nothing to run")
        context, command = self.context, effect.command
        is_free = command.privilege == "+"

        self._wait_for_release(unit.id)
        from_files = environment.read_files(unit.id, execution.environment_files, context.directory)
        identity, uid, gid, groups = self._identify(unit.id, execution, command)
        request_limits = self._check_fences(unit.id, execution, is_free)
        known = self._known_variables(effect, unit, service, identity, descriptors)
        known.update(self._make_directories(effect.phase, unit.id, execution, identity))
        variables, pid_variables = environment.compose(
            context.base_environment, known, context.own_environment, execution, from_files, _pid_variables(known)
        )
        working_directory = self._working_directory(unit.id, execution, identity)
        stdin, stdout, stderr = stdio.resolve(unit.id, execution, context.directory)
        return SpawnRequest(
            run=effect.run,
            unit=unit.id,
            phase=effect.phase.value,
            path=self._find_program(unit.id, command, variables, working_directory),
            argv=expansion.expand(command, variables),
            environment=[f"{name}={value}" for name, value in variables.items()],
            pid_variables=pid_variables,
            working_directory=working_directory,
            working_directory_is_optional=execution.working_directory_is_optional,
            uid=uid,
            gid=gid,
            groups=groups,
            umask=execution.umask,
            limits=request_limits,
            nice=execution.nice,
            cpu_affinity=list(execution.cpu_affinity) or None,
            io_priority=_io_priority(execution),
            oom_score_adjust=execution.oom_score_adjust,
            capability_bounding_set=_numbers(None if is_free else execution.capability_bounding_set),
            ambient_capabilities=_numbers(None if is_free else execution.ambient_capabilities or None),
            no_new_privileges=execution.no_new_privileges and not is_free,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            passed=[stored for stored, _ in descriptors] or None,
        )

    def pid_file_path(self, service: Service) -> str:
        """Where the unit's PID file is: a relative one lies in the project, elsewhere below the runtime root (PIDFile=)."""
        if service.pid_file.startswith("/"):
            return service.pid_file
        return f"{self.context.directory if self.context.is_project else self.context.roots['runtime']}/{service.pid_file}"

    def check_conditions(self, unit: Unit) -> tuple[bool, bool, str]:
        """(conditions hold, asserts hold, the line that did not): `conditions.check` in this context. May block."""
        from supervisor.daemon import conditions

        return conditions.check(unit, self.context.base_environment, self.context.directory)

    def has_leftovers(self, unit: Unit) -> bool:
        """Whether `release` has anything to do."""
        execution = unit.execution
        return execution is not None and (bool(execution.credentials) or any(one.base == "runtime" for one in execution.directories))

    def release(self, unit: Unit, will_restart: bool) -> list[str]:
        """Clear away when the unit is down: runtime directories unless preserved, and credentials. Sentences about what stayed."""
        execution = unit.execution
        if execution is None or not self.has_leftovers(unit):
            return []
        from supervisor.daemon import credentials, directories

        root = self.context.roots["runtime"]
        troubles = directories.remove_runtime_directories(unit.id, execution, root, will_restart)
        if execution.credentials:
            troubles += credentials.remove(unit.id, root)
        return troubles

    def begin_release(self, unit: Unit, will_restart: bool) -> Callable[[], list[str]]:
        """`release` as work for another thread: from this call on, `prepare` of the unit waits until that work is done.

        Called where the order of things is known (the loop's thread): else a quick restart might prepare directories just
        before the release of the last run removes them. The work returned must be run, and before the next `prepare` is queued.
        """
        before = self._releasing.get(unit.id)
        lock = _thread.allocate_lock()
        lock.acquire()
        self._releasing[unit.id] = lock

        def work() -> list[str]:
            try:
                if before is not None:
                    with before:
                        pass
                return self.release(unit, will_restart)
            finally:
                lock.release()

        return work

    def _wait_for_release(self, unit: str) -> None:
        lock = self._releasing.get(unit)
        if lock is None:
            return
        with lock:
            pass
        if self._releasing.get(unit) is lock:
            self._releasing.pop(unit, None)

    @property
    def own(self) -> "Own":
        """What supd itself is and may do, read when the first unit needs to know."""
        if self._own is None:
            from supervisor.daemon.privileges import Own

            self._own = Own.read()
        return self._own

    def _identify(
        self, unit: str, execution: Execution, command: Command
    ) -> "tuple[Identity | None, int | None, int | None, list[int] | None]":
        """(who the unit's processes are, and the uid, gid and groups the keeper shall change to; None: as supd)."""
        if not (execution.user or execution.group or execution.supplementary_groups):
            return None, None, None, None
        from supervisor.daemon import accounts, privileges

        identity = accounts.identify(execution)
        if command.privilege:
            return identity, None, None, None
        change = privileges.change_identity(unit, execution, identity, self.own)
        return identity, change.uid, change.gid, change.groups

    def _check_fences(self, unit: str, execution: Execution, is_free: bool) -> list[list[int]] | None:
        """Refuse by name what supd may not give; the limits in the keeper's form."""
        if not _has_fences(execution):
            return None
        from supervisor.daemon import limits, privileges

        privileges.refuse_scheduling(unit, execution, self.own)
        if not is_free:
            privileges.refuse_capabilities(unit, execution, self.own)
        return limits.resolve(unit, execution.limits, self.own)

    def _known_variables(
        self, effect: Prepare, unit: Unit, service: Service, identity: "Identity | None", descriptors: Sequence[tuple[str, str]]
    ) -> dict[str, str]:
        known = environment.login_variables(identity.account if identity else None)
        known["INVOCATION_ID"] = effect.invocation_id
        if _may_notify(service, effect.phase):
            known["NOTIFY_SOCKET"] = self.context.notify_socket_path(unit)
            # systemd-notify of root speaks for its parent, unless that is pid 1 or the manager by this name.
            known["MANAGERPID"] = str(self.context.keeper_pid)
            if service.file_descriptor_store_max:
                known["FDSTORE"] = str(service.file_descriptor_store_max)
        if service.pid_file:
            known["PIDFILE"] = self.pid_file_path(service)
        if descriptors:
            known["LISTEN_FDS"] = str(len(descriptors))
            known["LISTEN_FDNAMES"] = ":".join(name for _, name in descriptors)
        known.update(effect.environment)
        return known

    def _make_directories(self, phase: Phase, unit: str, execution: Execution, identity: "Identity | None") -> dict[str, str]:
        if not (execution.directories or execution.credentials):
            return {}
        from supervisor.daemon import credentials, directories

        roots = self.context.roots
        uid, gid = identity.owner if identity else (directories.UNCHANGED, directories.UNCHANGED)
        variables = directories.create(unit, execution.directories, roots, uid, gid)
        if execution.credentials:
            if phase in STARTING_PHASES:
                received = self.context.own_environment.get("CREDENTIALS_DIRECTORY", "")
                sources = credentials.Sources(received, self.context.directory if self.context.is_project else "")
                credentials.write(unit, execution.credentials, sources, roots["runtime"], uid, gid)
            variables["CREDENTIALS_DIRECTORY"] = credentials.directory_of(roots["runtime"], unit)
        return variables

    def _working_directory(self, unit: str, execution: Execution, identity: "Identity | None") -> str:
        wanted = execution.working_directory
        if wanted == "~":
            from supervisor.daemon import accounts

            home = identity.account.home if identity and identity.account else accounts.own_home(self.own.uid)
            if not home and not execution.working_directory_is_optional:
                text = f'cannot enter the home directory of {unit}: its user has none. Write a path as "working_directory" in the unit.'
                raise PrepareError("CHDIR", text)
            return home or self.context.directory
        if not wanted or wanted.startswith("/"):
            return wanted or self.context.directory
        return f"{self.context.directory.rstrip('/')}/{wanted}"

    def _find_program(self, unit: str, command: Command, variables: Mapping[str, str], working_directory: str) -> str:
        if self.context.is_project:
            return program.find(unit, command.path, variables.get("PATH", self.context.search_path), working_directory)
        return program.find(unit, command.path, self.context.search_path, None)


def _has_fences(execution: Execution) -> bool:
    return bool(
        execution.limits
        or execution.nice is not None
        or execution.io_scheduling_class is not None
        or execution.oom_score_adjust is not None
        or execution.ambient_capabilities
        or execution.capability_bounding_set is not None
    )


def _may_notify(service: Service, phase: Phase) -> bool:
    """Whether this process is told where to notify: the main process where anybody may, the others with exec and all (systemd's rule)."""
    return service.notify_access != "none" if phase is Phase.START else service.notify_access in ("exec", "all")


def _pid_variables(known: Mapping[str, str]) -> list[str]:
    names = ["SYSTEMD_EXEC_PID"]
    if "WATCHDOG_USEC" in known:
        names.append("WATCHDOG_PID")
    if "LISTEN_FDS" in known:
        names.append("LISTEN_PID")
    return names


def _io_priority(execution: Execution) -> int | None:
    """ioprio_set(2)'s value; a level alone means the best-effort class (`systemd.exec(5)`, IOSchedulingPriority=)."""
    io_class, level = execution.io_scheduling_class, execution.io_scheduling_priority
    if io_class is None and level is None:
        return None
    io_class = IO_CLASS_BEST_EFFORT if io_class is None else io_class
    if io_class not in IO_CLASSES_WITH_LEVEL:
        return io_class << IO_CLASS_SHIFT
    return io_class << IO_CLASS_SHIFT | (IO_LEVEL_DEFAULT if level is None else level)


def _numbers(capabilities: tuple[int, ...] | None) -> list[int] | None:
    return None if capabilities is None else list(capabilities)
