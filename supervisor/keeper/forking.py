"""fork(2), with the child born in its cgroup where the kernel can do that (clone3(2), CLONE_INTO_CGROUP; Linux 5.7).

A process that moves itself into a cgroup waits for an RCU grace period, some ten milliseconds, each time; one that is born
there waits for nothing. Where clone3 is refused (old kernels, the seccomp filters of containers) the child moves itself as
its first step: slower, and the same in all else.

clone3 is called as `os.fork` calls fork: between PyOS_BeforeFork and PyOS_AfterFork_*, with the interpreter's lock held, in a
process of one thread (Python/C API, "Operating System Utilities").
"""

import ctypes
import errno
import os

_CLONE3 = 435  # the same number on every machine
_CLONE_INTO_CGROUP = 0x200000000
_SIGCHLD = 17
_NO_PROCESS = (errno.EAGAIN, errno.ENOMEM)  # no fork would do better

_libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL: the interpreter's lock is not let go
_libc.syscall.restype = ctypes.c_long


class _CloneArguments(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            "flags",
            "pidfd",
            "child_tid",
            "parent_tid",
            "exit_signal",
            "stack",
            "stack_size",
            "tls",
            "set_tid",
            "set_tid_size",
            "cgroup",
        )
    )


def fork_into(cgroup: bytes) -> int | None:
    """Fork a child that is in the cgroup (a directory) from its first instruction: 0 in the child, its pid in the parent.

    None when that cannot be done here: then fork, and let the child join. Raises OSError when there is no process to be had.
    """
    try:
        directory = os.open(cgroup, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None  # the child will find out, and say so as its step
    try:
        arguments = _CloneArguments(flags=_CLONE_INTO_CGROUP, exit_signal=_SIGCHLD, cgroup=directory)
        ctypes.pythonapi.PyOS_BeforeFork()
        pid: int = _libc.syscall(_CLONE3, ctypes.byref(arguments), ctypes.c_size_t(ctypes.sizeof(arguments)))
        if pid == 0:
            ctypes.pythonapi.PyOS_AfterFork_Child()
            return 0
        number = ctypes.get_errno() if pid < 0 else 0
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    finally:
        os.close(directory)
    if pid > 0:
        return pid
    if number in _NO_PROCESS:
        raise OSError(number, os.strerror(number))
    return None
