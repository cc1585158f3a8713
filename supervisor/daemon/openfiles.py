"""Whether two descriptors are the same open file, as systemd tells it (same_fd() in fd-util.c).

Asks the kernel: F_DUPFD_QUERY (Linux 6.10), then kcmp(2), which a sandbox may forbid. Where neither answers, the same inode
with the same flags counts as the same, except for devices: two openings of one device may be two different things.

Never: keeps a descriptor, or tells of anything but these two.
"""

import errno
import fcntl
import os
import stat

F_DUPFD_QUERY = 1027  # linux/fcntl.h
KCMP_FILE = 0
# By machine, as ctypes knows no numbers; the generic table serves newer machines.
_GENERIC = 272
_KCMP_NUMBERS = {
    "x86_64": 312,
    "i686": 349,
    "armv7l": 378,
    "ppc64le": 354,
    "s390x": 343,
    "aarch64": _GENERIC,
    "riscv64": _GENERIC,
    "loongarch64": _GENERIC,
}
_UNANSWERED = (errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EOPNOTSUPP)


def is_same_open_file(one: int, other: int) -> bool:
    """Whether both descriptors are duplicates of one open file. Raises OSError for a descriptor that is not open."""
    if one == other:
        return True
    try:
        return fcntl.fcntl(one, F_DUPFD_QUERY, other) == 1
    except OSError as error:
        if error.errno != errno.EINVAL:  # an older kernel
            raise
    answer = _compare_by_kernel(one, other)
    return _compare_by_inode(one, other) if answer is None else answer


def _compare_by_kernel(one: int, other: int) -> bool | None:
    """kcmp(2); None where it is not to be had."""
    import ctypes  # costs milliseconds, and only a unit that stores several descriptors gets here

    number = _KCMP_NUMBERS.get(os.uname().machine)
    if number is None:
        return None
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    pid = os.getpid()
    arguments = (ctypes.c_long(value) for value in (number, pid, pid, KCMP_FILE, one, other))
    answer: int = syscall(*arguments)
    if answer >= 0:
        return answer == 0
    failure = ctypes.get_errno()
    if failure in _UNANSWERED:
        return None
    raise OSError(failure, os.strerror(failure))


def _compare_by_inode(one: int, other: int) -> bool:
    first, second = os.fstat(one), os.fstat(other)
    if (first.st_dev, first.st_ino) != (second.st_dev, second.st_ino) or stat.S_ISCHR(first.st_mode) or stat.S_ISBLK(first.st_mode):
        return False
    # Tells the ends of a pipe apart.
    return fcntl.fcntl(one, fcntl.F_GETFL) == fcntl.fcntl(other, fcntl.F_GETFL)
