"""Where this supd lives: mode and directories from the command line and what lies around, made safe before anything is read.

Rules (DESIGN, Commands): --units is project mode; an ordinary user in a directory with `units/` gets project mode; root never
takes `./units` unasked. What was found, not named, counts only if it and each parent up to / belong to the caller or root and
cannot be written by others (a sticky directory excepted, if the entry in it is the caller's). Never reads a unit file.
"""

import os
import stat

from supervisor.config import mode as modes
from supervisor.config.mode import Mode
from supervisor.daemon.options import Options
from supervisor.model.errors import SupdError

SOCKET_NAME = "supd.sock"


class PlaceError(SupdError):
    """This supd cannot live here; the text says why and what to do."""


def choose(options: Options, environ: "os._Environ[str]", directory: str) -> Mode:
    """The mode for these options in this directory. Raises PlaceError."""
    uid = os.geteuid()
    on_change = {"apply": "restart", "load": "ignore"}.get(options.on_change)
    own = {"state_directory": options.state, "runtime_directory": options.runtime}
    for named in options.units:
        if not os.path.isdir(named):
            raise PlaceError(f"cannot read units from {named}: there is no such directory")
    if options.units:
        return modes.project(options.units, on_change=on_change or "restart", **own)
    found = os.path.join(directory, "units")
    if uid != 0 and os.path.isdir(found):
        if (trouble := mistrust(found, uid)) is not None:
            raise PlaceError(f"cannot trust {found}: {trouble}; name it with --units if it is meant")
        return modes.project([found], on_change=on_change or "restart", **own)
    if uid == 0:
        return modes.system(on_change=on_change or "ignore", **own)
    return modes.user(environ, on_change=on_change or "ignore", **own)


def mistrust(path: str, uid: int) -> str | None:
    """Why something that was found may not be believed, None if it may."""
    path = os.path.realpath(path)
    entry_uid: int | None = None
    while True:
        try:
            info = os.lstat(path)
        except OSError as error:
            return f"{path}: {error.strerror}"
        if info.st_uid not in (0, uid):
            return f"{path} belongs to uid {info.st_uid}"
        if info.st_mode & 0o022:
            is_sticky_directory = stat.S_ISDIR(info.st_mode) and bool(info.st_mode & stat.S_ISVTX)
            if not (is_sticky_directory and entry_uid == uid):
                return f"{path} can be written by others"
        if path == "/":
            return None
        entry_uid = info.st_uid
        path = os.path.dirname(path)


def prepare(mode: Mode) -> None:
    """Make supd's own directories, and refuse a state directory that is somebody else's."""
    for directory, rights in ((mode.state_directory, 0o755), (mode.runtime_directory, 0o755)):
        try:
            os.makedirs(directory, rights, exist_ok=True)
            info = os.stat(directory)
        except OSError as error:
            raise PlaceError(f"cannot make {directory}: {error.strerror}; supd keeps its state there (--state, --runtime)") from None
        if info.st_uid not in (0, os.geteuid()):
            raise PlaceError(f"cannot use {directory}: it belongs to uid {info.st_uid}, who could change what supd believes")
        if info.st_mode & 0o022:
            raise PlaceError(f"cannot use {directory}: others can write it, and so change what supd believes; `chmod go-w {directory}`")


def lock(mode: Mode) -> int:
    """Take the state directory for this supd alone; the descriptor is the lock. Raises PlaceError when another has it."""
    import fcntl

    path = os.path.join(mode.state_directory, "lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        hint = "supd keeps its state there: make it writable, or name another directory with --state DIR"
        raise PlaceError(f"cannot open {path}: {error.strerror}; {hint}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise PlaceError(f"another supd already runs on {mode.state_directory}; `supctl status` asks it how it is") from None
    return descriptor


def socket_path(options: Options, mode: Mode) -> str:
    return os.path.abspath(options.socket or os.path.join(mode.runtime_directory, SOCKET_NAME))


def group_id(name: str) -> int | None:
    """The gid of --socket-group."""
    if not name:
        return None
    import grp

    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise PlaceError(f'cannot let group "{name}" use the socket: there is no such group') from None


def listen(path: str, group: int | None) -> int:
    """Bind the control socket with its final mode before it listens; the descriptor. The lock is held, so an old socket is dead."""
    import _socket

    if len(os.fsencode(path)) > 107:
        raise PlaceError(f"cannot bind {path}: a socket's path has at most 107 bytes; choose a shorter one with --socket or --runtime")
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass
    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
    try:
        old_umask = os.umask(0o177)
        try:
            socket.bind(path)
        finally:
            os.umask(old_umask)
        if group is not None:
            os.chown(path, -1, group)
            os.chmod(path, 0o660)
        socket.listen(1024)
    except OSError as error:
        raise PlaceError(f"cannot bind the control socket {path}: {error.strerror}") from None
    return socket.detach()
