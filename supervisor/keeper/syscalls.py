"""The few system calls between fork and exec that Python's `os` does not offer.

Importing this module imports ctypes, which costs milliseconds: the keeper does it while the first manager boots and
before the first spawn, never in a child. Every function raises OSError with the kernel's errno.
"""

import ctypes
import errno
import os

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

_IOPRIO_WHO_PROCESS = 1
_CAPABILITY_VERSION_3 = 0x20080522

# (ioprio_set, capget, capset) by machine. glibc wraps none of them reliably; the generic table serves newer machines.
_GENERIC = (30, 90, 91)
_NUMBERS = {
    "x86_64": (251, 125, 126),
    "i686": (289, 184, 185),
    "armv7l": (314, 184, 185),
    "ppc64le": (273, 183, 184),
    "s390x": (282, 184, 185),
    "aarch64": _GENERIC,
    "riscv64": _GENERIC,
    "loongarch64": _GENERIC,
}
_libc = ctypes.CDLL(None, use_errno=True)
_prctl = _libc.prctl
_prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_numbers = _NUMBERS.get(os.uname().machine)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _fail(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def prctl(option: int, first: int = 0, second: int = 0) -> int:
    """prctl(2)."""
    result: int = _prctl(option, first, second, 0, 0)
    if result < 0:
        raise _fail(ctypes.get_errno())
    return result


def _call(which: int, *arguments: object) -> None:
    if _numbers is None:  # a machine whose numbers nobody looked up: a clear failure of the one step that needs them
        raise _fail(errno.ENOSYS)
    if _syscall(_numbers[which], *arguments) < 0:
        raise _fail(ctypes.get_errno())


def set_io_priority(value: int) -> None:
    """ioprio_set(2) for the calling process; `value` is class << 13 | level."""
    _call(0, ctypes.c_int(_IOPRIO_WHO_PROCESS), ctypes.c_int(0), ctypes.c_int(value))


def get_capabilities() -> tuple[int, int, int]:
    """The calling process's effective, permitted and inheritable sets as bit masks (capget(2))."""
    header, data = _CapabilityHeader(_CAPABILITY_VERSION_3, 0), (_CapabilityData * 2)()
    _call(1, ctypes.byref(header), ctypes.byref(data))
    low, high = data
    return (
        low.effective | high.effective << 32,
        low.permitted | high.permitted << 32,
        low.inheritable | high.inheritable << 32,
    )


def set_capabilities(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) for the calling process."""
    header, data = _CapabilityHeader(_CAPABILITY_VERSION_3, 0), (_CapabilityData * 2)()
    for half, shift in enumerate((0, 32)):
        data[half].effective = effective >> shift & 0xFFFFFFFF
        data[half].permitted = permitted >> shift & 0xFFFFFFFF
        data[half].inheritable = inheritable >> shift & 0xFFFFFFFF
    _call(2, ctypes.byref(header), ctypes.byref(data))
