"""The main process of a forking service by its PID file, as far as the file may be believed (service_load_pid_file() of systemd).

Rules:
- The file holds one number above 1, of a living process that is neither supd nor its manager.
- A process of the unit is believed whoever wrote the file. Any other only if the file belongs to root or to supd's own user and
  was reached without passing through a directory or link by which another user could have led us elsewhere: else whoever may write
  the file could have supd signal any process (CVE-2018-16888).

Never guesses: which process is the main one without a PID file is decided elsewhere. Only reads; may block on the file system.
"""

import errno
import os
from collections.abc import Callable, Collection

from supervisor.daemon.prepare_error import reason
from supervisor.model.errors import SupdError

CONTENT_LIMIT_BYTES = 64
LINKS_MAX = 32
PID_MAX = 2**22  # the kernel's own ceiling (PID_MAX_LIMIT)


class PidFileError(SupdError):
    """There is no process to believe in; the text says why. It may come right when the daemon has written its file."""


def read(path: str, is_member: Callable[[int], bool], own_pids: Collection[int], own_uid: int) -> int:
    """The main process's pid.

    `is_member` tells whether a pid is one of the unit's; `own_pids` are keeper and manager; `own_uid` is supd's user.
    Raises `PidFileError`.
    """
    try:
        fd, is_safe = _open(path, own_uid)
    except OSError as error:
        raise PidFileError(f"cannot read PID file {path}: {reason(error)}.") from error
    try:
        try:
            content = os.read(fd, CONTENT_LIMIT_BYTES)
        except OSError as error:
            raise PidFileError(f"cannot read PID file {path}: {reason(error)}.") from error
        owner = os.fstat(fd).st_uid
    finally:
        os.close(fd)
    pid = _parse(path, content)
    if pid in own_pids:
        raise PidFileError(f"cannot believe PID file {path}: process {pid} is supd itself.")
    if not _is_alive(pid):
        raise PidFileError(f"cannot believe PID file {path}: process {pid} does not exist or is a zombie.")
    if not is_member(pid):
        stranger = f"cannot believe PID file {path}: process {pid} does not belong to the unit"
        if not is_safe:
            raise PidFileError(f"{stranger}, and a directory or link on the way to the file belongs to another user.")
        if owner not in (0, own_uid):
            raise PidFileError(f"{stranger}, and the file belongs to uid {owner}, not to root.")
    return pid


def _parse(path: str, content: bytes) -> int:
    line = content.split(b"\n", 1)[0].strip()
    if not line.isdigit() or not 1 < int(line) <= PID_MAX:
        shown = line.decode("ascii", "backslashreplace") or "nothing"
        raise PidFileError(f"cannot believe PID file {path}: expected a process number above 1, got {shown}.")
    return int(line)


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            state = stat.read().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"Z", b"X")


def _open(path: str, own_uid: int) -> tuple[int, bool]:
    """The file, and whether each step to it was taken from an owner who may send us anywhere (CHASE_SAFE of systemd).

    A step from a directory or link of root's or supd's user is safe wherever it leads; from another's, to his own only.
    """
    current = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    owner = 0
    is_safe = True
    waiting = [part for part in path.split("/") if part and part != "."][::-1]
    links = 0
    try:
        while waiting:
            part = waiting.pop()
            below = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            state = os.fstat(below)
            is_safe = is_safe and (owner in (0, own_uid) or state.st_uid == owner)
            owner = state.st_uid
            if _is_link(state):
                links += 1
                target = os.readlink("", dir_fd=below)
                os.close(below)
                if links > LINKS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                waiting += [piece for piece in target.split("/") if piece and piece != "."][::-1]
                if target.startswith("/"):
                    os.close(current)
                    current = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                continue
            os.close(current)
            current = below
        return os.open(f"/proc/self/fd/{current}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), is_safe
    finally:
        os.close(current)


def _is_link(state: os.stat_result) -> bool:
    import stat

    return stat.S_ISLNK(state.st_mode)
