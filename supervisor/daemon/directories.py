"""The directories a unit is given: runtime, state, cache, logs and configuration (`systemd.exec(5)`, RuntimeDirectory=).

Rules:
- A directory lies under its mode's root; parents are supd's own with mode 0755, the innermost is the unit's user's with the mode asked for.
- Below the root no symbolic link is followed, neither in a parent nor at the end: whoever may write there could lead root astray.
- An existing directory gets the mode, and, if its owner is another one, a new owner with all it holds. An existing
  configuration directory is left as it is: an administrator fills those.
- Runtime directories, the innermost ones only, go when the unit is down, unless they are preserved.

Blocks on file systems: a worker thread's work. Safe in several threads: no chdir, no umask.
"""

import os
from collections.abc import Mapping

from supervisor.daemon import trees
from supervisor.daemon.prepare_error import PrepareError, reason
from supervisor.model.specification import Directory, Execution

VARIABLE_OF_BASE = {
    "runtime": "RUNTIME_DIRECTORY",
    "state": "STATE_DIRECTORY",
    "cache": "CACHE_DIRECTORY",
    "logs": "LOGS_DIRECTORY",
    "configuration": "CONFIGURATION_DIRECTORY",
}

PARENT_MODE = 0o755
UNCHANGED = -1  # chown(2): leave this part of the ownership alone

_OPEN_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def create(unit: str, directories: tuple[Directory, ...], roots: Mapping[str, str], uid: int, gid: int) -> dict[str, str]:
    """Make every directory of a unit for its user (`uid`, `gid`; -1: supd's own) and return the variables that name them.

    Several of one base are joined by colons. Raises `PrepareError` with the step "RUNTIME_DIRECTORY" or its sisters.
    """
    variables: dict[str, str] = {}
    for directory in directories:
        try:
            path = _create_one(roots[directory.base], directory, uid, gid)
        except OSError as error:
            raise PrepareError(f"{directory.base.upper()}_DIRECTORY", _explain(unit, directory, roots[directory.base], error)) from error
        variable = VARIABLE_OF_BASE[directory.base]
        variables[variable] = f"{variables[variable]}:{path}" if variable in variables else path
    return variables


def is_kept(execution: Execution, will_restart: bool) -> bool:
    """Whether the runtime directories stay now that the unit is down (RuntimeDirectoryPreserve=)."""
    preserve = execution.runtime_directory_preserve
    return preserve == "yes" or (preserve == "restart" and will_restart)


def remove_runtime_directories(unit: str, execution: Execution, root: str, will_restart: bool) -> list[str]:
    """Remove what the unit need not find again; sentences about what could not be removed."""
    if is_kept(execution, will_restart):
        return []
    troubles = []
    for directory in execution.directories:
        if directory.base != "runtime":
            continue
        try:
            parent = _open_parent(root, _parts(directory.path)[:-1], is_creating=False)
            try:
                trees.remove(parent, _parts(directory.path)[-1])
            finally:
                os.close(parent)
        except FileNotFoundError:
            continue
        except OSError as error:
            troubles.append(f"cannot remove the runtime directory {root}/{directory.path} of {unit}: {_cause(error)}")
    return troubles


def _create_one(root: str, directory: Directory, uid: int, gid: int) -> str:
    parts = _parts(directory.path)
    os.makedirs(root, PARENT_MODE, exist_ok=True)
    parent = _open_parent(root, parts[:-1], is_creating=True)
    try:
        is_new = _make(parent, parts[-1], directory.mode)
        fd = os.open(parts[-1], _OPEN_FLAGS, dir_fd=parent)
        try:
            if is_new or directory.base != "configuration":
                _settle(parent, parts[-1], fd, directory.mode, uid, gid)
        finally:
            os.close(fd)
    finally:
        os.close(parent)
    return f"{root}/{'/'.join(parts)}"


def _settle(parent: int, name: str, fd: int, mode: int, uid: int, gid: int) -> None:
    """Give an open directory its mode and owner; what it holds changes hands with it, and only then is looked at."""
    state = os.fstat(fd)
    if uid not in (UNCHANGED, state.st_uid) or gid not in (UNCHANGED, state.st_gid):
        trees.give(parent, name, uid, gid)
    if os.fstat(fd).st_mode & 0o7777 != mode:
        os.chmod(f"/proc/self/fd/{fd}", mode)  # fchmod(2) refuses a descriptor opened with O_PATH


def _open_parent(root: str, parts: list[str], is_creating: bool) -> int:
    """The directory that holds the innermost one, reached from the root without following a link."""
    current = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in parts:
        try:
            if is_creating:
                _make(current, part, PARENT_MODE)
            below = os.open(part, _OPEN_FLAGS, dir_fd=current)
        finally:
            os.close(current)
        current = below
    return current


def _make(parent: int, name: str, mode: int) -> bool:
    """mkdir with exactly this mode, whatever the umask; False if something of that name is there already."""
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return False
    fd = os.open(name, _OPEN_FLAGS, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{fd}", mode)
    finally:
        os.close(fd)
    return True


def _parts(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or not parts:
        raise OSError("the path must stay below its root")
    return parts


def _explain(unit: str, directory: Directory, root: str, error: OSError) -> str:
    return f"cannot make the {directory.base} directory {root}/{directory.path} of {unit}: {_cause(error)}"


def _cause(error: OSError) -> str:
    import errno

    if error.errno in (errno.ENOTDIR, errno.ELOOP):
        return "a part of the path is a symbolic link or no directory; supd follows no links here. Replace it by a directory."
    if error.errno == errno.EACCES:
        return f"permission denied for uid {os.geteuid()}. The directory above must belong to supd's user."
    return reason(error) + "."
