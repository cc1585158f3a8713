"""What a child does between fork and exec: a table of named steps, in order, each with its systemd exit status.

It decides nothing: the request is numbers, bytes and descriptors, and each step applies its part or raises. Names and exit
statuses are those of systemd.exec(5), "Process exit codes". Invariants:

- The first step closes every descriptor the child will not need: a child that hangs in a later step (a FIFO that nobody
  opens, a dead NFS server) holds neither the keeper's link nor another unit's pipe.
- Whatever may hang comes after the cgroup is joined, so that a stop finds it there.
- Files and pipes are opened before the limits and before privileges are dropped (systemd does so too); the working
  directory is entered after (it may be readable by the user only).
- Nothing is imported here: modules a step needs were loaded by the keeper before the first fork.
- What can be worked out before the fork is (`Child`): every page that a child touches first is copied for it, so that a line of Python
  costs a child many times what it costs the keeper.
"""

import _signal  # type: ignore[import-not-found]  # signal.py turns every number into an enum and back: a tenth of what a child costs
import errno
import fcntl
import os
import resource
import stat
from collections.abc import Callable
from typing import Any, NoReturn

from supervisor.keeper import syscalls

HIGHEST_DESCRIPTOR = 2**31 - 1
EXEC_REACHED = b"X"  # written just before exec: end of file without it means a death before exec
FAILURE_MARK = b"F"

Request = dict[str, Any]


Program = tuple[bytes, list[bytes], dict[bytes, bytes]]  # path, argv, environment


class Child:
    """One child on its way to exec: the request, what follows from it, and the descriptors it gathers. Made before the fork."""

    __slots__ = ("changed_signals", "nofile_soft", "placed", "program", "request", "sources", "status_fd", "stored", "unneeded", "wanted")

    def __init__(self, request: Request, stored: dict[str, int], status_fd: int, nofile_soft: int, changed_signals: list[int]) -> None:
        self.request = request
        self.stored = stored
        self.status_fd = status_fd
        self.nofile_soft = nofile_soft
        self.changed_signals = changed_signals  # those whose disposition the keeper caught, ignored or inherited as ignored
        self.sources = [0, 1, 2]
        self.placed: dict[int, int] = {}  # number to source
        self.unneeded = _unneeded_descriptors(self)
        given = {key for key, value in request.items() if value is not None}
        self.wanted = [number for number, (_, _, keys, _) in enumerate(STEPS) if not keys or not given.isdisjoint(keys)]
        try:
            self.program: Program | None = _program(request)
        except (TypeError, ValueError):
            self.program = None  # what is wrong with it is told as the step it belongs to


def as_bytes(text: str) -> bytes:
    """The bytes a text stands for, whatever the locale."""
    return text.encode("utf-8", "surrogateescape")


def _unneeded_descriptors(child: Child) -> list[tuple[int, int]]:
    """The ranges (first, behind the last) of what the child is to close."""
    request = child.request
    names = [spec[1] for key in ("stdin", "stdout", "stderr") if (spec := request.get(key)) and spec[0] == "stored"]
    names += request.get("passed") or ()
    names += [name for name, _ in request.get("placed") or ()]
    needed = {0, 1, 2, child.status_fd, *(child.stored[name] for name in names if name in child.stored)}
    first, ranges = 0, []
    for descriptor in sorted(needed):
        if first < descriptor:  # an empty range that starts at 0 would be taken for all there are
            ranges.append((first, descriptor))
        first = descriptor + 1
    return [*ranges, (first, HIGHEST_DESCRIPTOR)]


def _keep_only_needed_descriptors(child: Child) -> None:
    for first, behind in child.unneeded:
        os.closerange(first, behind)


def _own_session(child: Child) -> None:
    os.setsid()


def _default_signals(child: Child) -> None:
    for number in child.changed_signals:
        _signal.signal(number, _signal.SIG_DFL)
    for number in child.request.get("ignored_signals") or ():
        _signal.signal(number, _signal.SIG_IGN)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def _join_cgroup(child: Child) -> None:
    directory = child.request["cgroup"]
    if directory is None:
        return  # it was born there
    descriptor = os.open(as_bytes(directory) + b"/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, b"0")
    finally:
        os.close(descriptor)


def _stored(child: Child, name: str) -> int:
    descriptor = child.stored.get(name)
    if descriptor is None:
        raise OSError(errno.EBADF, f"no descriptor is stored under the name {name}")
    return descriptor


def _source(child: Child, spec: list[Any], target: int) -> int:
    match spec:
        case ["null"]:
            return os.open(b"/dev/null", os.O_RDWR | os.O_CLOEXEC)
        case ["inherit"]:
            return target
        case ["open", path, flags, mode]:
            return os.open(as_bytes(path), flags | os.O_CLOEXEC | os.O_NOCTTY, mode)
        case ["stored", name]:
            descriptor = _stored(child, name)
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                # One end is stored; opened anew for both directions, the pipe never breaks under the child.
                return os.open(b"/proc/self/fd/%d" % descriptor, os.O_RDWR | os.O_CLOEXEC)
            return descriptor
        case ["stdout"] if target == 2:
            return child.sources[1]
    raise OSError(errno.EINVAL, "not a way to open a standard descriptor")


def _open_standard(key: str, target: int) -> Callable[[Child], None]:
    def step(child: Child) -> None:
        child.sources[target] = _source(child, child.request[key], target)

    return step


def _open_placed(child: Child) -> None:
    first_free = 3 + len(child.request.get("passed") or ())
    for name, number in child.request.get("placed") or ():
        if number < first_free or number in child.placed:
            raise OSError(errno.EEXIST, f"descriptor {number} is another one already")
        descriptor = _stored(child, name)
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            descriptor = os.open(b"/proc/self/fd/%d" % descriptor, os.O_WRONLY | os.O_CLOEXEC)
        child.placed[number] = descriptor


def _set_limits(child: Child) -> None:
    limits = child.request.get("limits") or ()
    # The keeper raised its own soft limit; a program may choke on millions of descriptors, so it gets what supd was given.
    if all(number != resource.RLIMIT_NOFILE for number, _, _ in limits):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (child.nofile_soft, hard))
    for number, soft, hard in limits:
        resource.prlimit(0, number, (soft, hard))  # setrlimit would lose the errno: EPERM becomes a ValueError there


def _set_nice(child: Child) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, child.request["nice"])


def _set_cpu_affinity(child: Child) -> None:
    os.sched_setaffinity(0, child.request["cpu_affinity"])


def _set_io_priority(child: Child) -> None:
    syscalls.set_io_priority(child.request["io_priority"])


def _set_oom_score(child: Child) -> None:
    descriptor = os.open(b"/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, b"%d" % child.request["oom_score_adjust"])
    finally:
        os.close(descriptor)


def _bound_capabilities(child: Child) -> None:
    kept = child.request["capability_bounding_set"]
    number = 0
    while (is_in := _is_in_bounding_set(number)) is not None:
        if is_in and number not in kept:
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, number)
        number += 1
    effective, permitted, inheritable = syscalls.get_capabilities()
    syscalls.set_capabilities(effective, permitted, inheritable & _mask(kept))


def _is_in_bounding_set(number: int) -> bool | None:
    """None past the last capability this kernel knows."""
    try:
        return syscalls.prctl(syscalls.PR_CAPBSET_READ, number) == 1
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return None


def _mask(numbers: list[int]) -> int:
    mask = 0
    for number in numbers:
        mask |= 1 << number
    return mask


def _set_groups(child: Child) -> None:
    groups, gid = child.request.get("groups"), child.request.get("gid")
    # An ordinary user may not call setgroups(2) even to change nothing.
    if groups is not None and set(groups) != set(os.getgroups()):
        os.setgroups(groups)
    if gid is not None:
        os.setresgid(gid, gid, gid)


def _set_user(child: Child) -> None:
    uid = child.request["uid"]
    if child.request.get("ambient_capabilities"):
        syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
    os.setresuid(uid, uid, uid)


def _raise_ambient_capabilities(child: Child) -> None:
    wanted = child.request["ambient_capabilities"]
    effective, permitted, inheritable = syscalls.get_capabilities()
    syscalls.set_capabilities(effective, permitted, inheritable | _mask(wanted))
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    for number in wanted:
        syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_RAISE, number)


def _refuse_new_privileges(child: Child) -> None:
    if child.request.get("no_new_privileges"):
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


def _enter_directory(child: Child) -> None:
    os.umask(child.request["umask"])
    try:
        os.chdir(as_bytes(child.request["working_directory"]))
    except OSError:
        if not child.request.get("working_directory_is_optional"):
            raise
        os.chdir(b"/")


def _place_descriptors(child: Child) -> None:
    sources = child.sources + [_stored(child, name) for name in child.request.get("passed") or ()]
    places = dict(enumerate(sources)) | child.placed
    # First everything out of the way of the numbers to be filled, then each to its own. What lies between is close-on-exec.
    free = max(places) + 1
    places = {target: fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, free) if source < free else source for target, source in places.items()}
    if child.status_fd < free:
        child.status_fd = fcntl.fcntl(child.status_fd, fcntl.F_DUPFD_CLOEXEC, free)
    for target, source in places.items():
        os.dup2(source, target)


def _program(request: Request) -> Program:
    environment: dict[bytes, bytes] = {}
    for entry in request["environment"]:
        key, _, value = as_bytes(entry).partition(b"=")
        environment[key] = value
    return as_bytes(request["path"]), [as_bytes(word) for word in request["argv"]], environment


def _exec(child: Child) -> None:
    path, argv, environment = child.program or _program(child.request)
    for name in child.request.get("pid_variables") or ():
        environment[as_bytes(name)] = b"%d" % os.getpid()
    os.write(child.status_fd, EXEC_REACHED)
    os.execve(path, argv, environment)


# The name, its exit status, the keys of a request that give it something to do (none: it always has), and the step.
STEPS: tuple[tuple[str, int, tuple[str, ...], Callable[[Child], None]], ...] = (
    ("FDS", 202, (), _keep_only_needed_descriptors),
    ("SETSID", 220, (), _own_session),
    ("SIGNAL_MASK", 207, (), _default_signals),
    ("CGROUP", 219, ("cgroup",), _join_cgroup),
    ("STDIN", 208, ("stdin",), _open_standard("stdin", 0)),
    ("STDOUT", 209, ("stdout",), _open_standard("stdout", 1)),
    ("STDERR", 222, ("stderr",), _open_standard("stderr", 2)),
    ("FDS", 202, ("placed",), _open_placed),
    ("LIMITS", 205, (), _set_limits),
    ("NICE", 201, ("nice",), _set_nice),
    ("CPUAFFINITY", 215, ("cpu_affinity",), _set_cpu_affinity),
    ("IOPRIO", 211, ("io_priority",), _set_io_priority),
    ("OOM_ADJUST", 206, ("oom_score_adjust",), _set_oom_score),
    ("CAPABILITIES", 218, ("capability_bounding_set",), _bound_capabilities),
    ("GROUP", 216, ("groups", "gid"), _set_groups),
    ("USER", 217, ("uid",), _set_user),
    ("CAPABILITIES", 218, ("ambient_capabilities",), _raise_ambient_capabilities),
    ("NO_NEW_PRIVILEGES", 227, ("no_new_privileges",), _refuse_new_privileges),
    ("CHDIR", 200, (), _enter_directory),
    ("FDS", 202, (), _place_descriptors),
    ("EXEC", 203, (), _exec),
)


def _errno_of(error: BaseException) -> int:
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if isinstance(error, MemoryError):  # a limit on the address space, already in force
        return errno.ENOMEM
    return errno.EINVAL  # a value no system call would take: out of range, a NUL byte, a wrong type


def become(child: Child) -> NoReturn:
    """Take the steps; does not return. On failure the status pipe says which step and errno, and the exit status is the step's."""
    exit_status = 255
    try:
        for number in child.wanted:
            _, exit_status, _, step = STEPS[number]
            try:
                step(child)
            except BaseException as error:  # whatever it is, it must be told, and never reach the keeper's loop
                os.write(child.status_fd, b"%s%d %d\n" % (FAILURE_MARK, number, _errno_of(error)))
                break
    finally:
        os._exit(exit_status)
