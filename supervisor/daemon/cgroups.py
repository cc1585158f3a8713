"""cgroup v2 as a register of who belongs to whom: one directory per unit below supd's own cgroup.

No controller is needed, so any cgroup2 hierarchy will do (`find`): a process joins its unit's directory before exec and its
children are born there; `cgroup.events` tells when the last one has gone, `cgroup.kill` ends all of them at once.

Never: moves a process, touches a directory that is not below `<own cgroup>/supd.<instance>`, or waits.
Source of the files' meaning: the kernel's cgroup-v2 documentation, "Core Interface Files".
"""

import errno
import os
import resource
import select
from collections.abc import Callable

from supervisor.daemon.proctable import LACKING

# No unit's directory may be called like a file of the kernel's ("cpu.stat"): each bears a suffix no such file has.
_SUFFIX = ".unit"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_@-.")
_NAME_LENGTH_MAX = 200
_SPARED = 16  # descriptors that waiting leaves to those who look and signal


def escape(unit: str) -> str:
    """The directory name of a unit: no two units share one, none can name a kernel file, a parent or a path."""
    if len(unit) <= _NAME_LENGTH_MAX and _PLAIN.issuperset(unit):
        return unit + _SUFFIX
    encoded = "".join(c if c in _PLAIN else "".join(f"%{byte:02x}" for byte in c.encode()) for c in unit)
    if len(encoded) > _NAME_LENGTH_MAX:
        from hashlib import blake2b

        encoded = f"{encoded[: _NAME_LENGTH_MAX - 40]}%{blake2b(unit.encode(), digest_size=16).hexdigest()}"
    return encoded + _SUFFIX


def find(instance: str) -> "Cgroups | None":
    """The register for this instance, made if need be; None where no cgroup2 mount lets us (the caller then scans)."""
    own = _own_path()
    if own is None:
        return None
    for mount_point, root in _mounts():
        relative = os.path.relpath(own, root)
        if relative == ".." or relative.startswith("../"):
            continue  # this mount shows another part of the tree
        parent = os.path.normpath(os.path.join(mount_point, relative))
        base = os.path.join(parent, f"supd.{instance}")
        if _make(base) and _is_usable(parent, base):
            return Cgroups(base, own.rstrip("/") + f"/supd.{instance}/")
    return None


def _own_path() -> str | None:
    with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            if line.startswith("0::/") and not line.startswith("0::/.."):
                return line[3:].rstrip("\n")
    return None


def _mounts() -> list[tuple[str, str]]:
    """(mount point, root of the mount) of every cgroup2 file system (`proc_pid_mountinfo(5)`)."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            fields, separator, rest = line.partition(" - ")
            if separator and rest.split(" ", 1)[0] == "cgroup2":
                words = fields.split(" ")
                found.append((_unescape(words[4]), _unescape(words[3])))
    return found


def _unescape(path: str) -> str:
    return path.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")


def _make(path: str) -> bool:
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        return True
    except OSError:
        return False
    return True


def _is_usable(parent: str, base: str) -> bool:
    """Whether a process may be moved from supd's cgroup into one below `base`: both ends must be ours to write ("Delegation")."""
    try:
        with open(os.path.join(base, "cgroup.type"), encoding="ascii") as file:
            is_domain = file.read().strip() == "domain"
    except OSError:
        is_domain = False
    if is_domain and all(os.access(os.path.join(directory, "cgroup.procs"), os.W_OK) for directory in (parent, base)):
        return True
    _remove(base)
    return False


def _remove(path: str) -> bool:
    """Remove an empty cgroup; one that is not is left (the kernel refuses). True when it is gone."""
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


class Cgroups:
    """The units' directories below `base`; `prefix` is `base` as /proc/PID/cgroup spells it."""

    def __init__(self, base: str, prefix: str) -> None:
        self.base = base
        self._prefix = prefix
        self._unit_of: dict[str, str] = {}
        self._fresh: set[str] = set()  # made by us and never killed

    def path(self, unit: str) -> str:
        return f"{self.base}/{escape(unit)}"

    def create(self, unit: str) -> str:
        """Make the unit's directory (or find it there); OSError passes to the caller, who reports it as the spawn's failure."""
        name = escape(unit)
        self._unit_of[name] = unit
        path = f"{self.base}/{name}"
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            if name in self._fresh or not _remove(path):
                return path
            os.mkdir(path, 0o755)
        self._fresh.add(name)
        return path

    def may_be_born_into(self, unit: str) -> bool:
        """Whether CLONE_INTO_CGROUP is safe: Linux 6.13 and later kill at once whoever is born into a cgroup that was ever killed.

        (The kernel compares with the kill count of the parent's cgroup instead of the target's.) Such a directory is made anew as
        soon as it is empty; until then children join it by themselves.
        """
        return escape(unit) in self._fresh

    def adopt(self, unit: str) -> None:
        """Know the unit's directory without making it: after a restart of the manager it is there if it is needed."""
        self._unit_of[escape(unit)] = unit

    def owner_of(self, pid: int) -> str | None:
        """The unit in whose directory, or below it, the process is."""
        try:
            with open(f"/proc/{pid}/cgroup", "rb", 0) as file:
                raw = file.read(65536)
        except OSError:
            return None
        start = raw.find(b"0::")
        while start > 0 and raw[start - 1] != 0x0A:
            start = raw.find(b"0::", start + 1)
        if start < 0:
            return None
        path = raw[start + 3 :].split(b"\n", 1)[0].decode("utf-8", "surrogateescape")
        if not path.startswith(self._prefix):
            return None
        return self._unit_of.get(path[len(self._prefix) :].split("/", 1)[0])

    def pids(self, unit: str) -> list[int]:
        """Every process of the unit, sub-cgroups that it made for itself included. OSError: there is no descriptor to look with."""
        found: list[int] = []
        pending = [self.path(unit)]
        while pending:
            directory = pending.pop()
            try:
                with open(f"{directory}/cgroup.procs", "rb") as file:
                    # A process of another pid namespace shows as 0.
                    found += [pid for line in file if (pid := int(line)) > 0]
                pending += [entry.path for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False)]
            except OSError as error:
                if error.errno in LACKING:
                    raise
                continue  # removed meanwhile (ENOENT, ENODEV), or threaded (EOPNOTSUPP): its processes are listed above it
        return found

    def is_populated(self, unit: str) -> bool:
        """Whether any process is in it. OSError: there is no descriptor to look with."""
        try:
            with open(f"{self.path(unit)}/cgroup.events", "rb", 0) as file:
                return b"populated 1" in file.read(4096)
        except OSError as error:
            if error.errno in LACKING:
                raise
            return False  # it is not there, or not any more

    def kill(self, unit: str) -> bool:
        """End every process of the unit at once, forks under way included. False before Linux 5.14, which cannot."""
        self._fresh.discard(escape(unit))
        try:
            descriptor = os.open(f"{self.path(unit)}/cgroup.kill", os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return not os.path.exists(self.path(unit))
        except OSError:
            return False
        try:
            os.write(descriptor, b"1")
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def remove(self, unit: str) -> bool:
        """Remove the unit's directory and what it made below; False while processes are left in it."""
        name = escape(unit)
        path = f"{self.base}/{name}"
        if not _remove(path):
            try:
                for directory, _, _ in os.walk(path, topdown=False):
                    _remove(directory)
            except OSError:
                pass  # it vanished under our hands, which is what was wanted
            if os.path.exists(path):
                return False
        self._unit_of.pop(name, None)
        self._fresh.discard(name)
        return True

    def close(self) -> None:
        """Remove the instance's directory if nothing is left in it."""
        _remove(self.base)


class EmptyWatch:
    """Tells when a unit's cgroup has become empty, without looking: `cgroup.events` raises EPOLLPRI at each change.

    A kernfs file always counts as readable, so an ordinary reader would spin; an epoll of its own, asked for EPOLLPRI alone,
    is readable exactly when something changed. Its descriptor is what the loop watches.
    """

    def __init__(self, cgroups: Cgroups) -> None:
        self._cgroups = cgroups
        self._epoll = select.epoll(sizehint=-1, flags=select.EPOLL_CLOEXEC)
        self._unit_of: dict[int, str] = {}
        self._file_of: dict[str, int] = {}

    def fileno(self) -> int:
        return self._epoll.fileno()

    def watch(self, unit: str) -> None:
        """Report the unit's next changes. The caller asks `is_populated` after this, so that no change falls in between.

        OSError: there is no descriptor for it, but for those with which processes are looked at and signalled.
        """
        if unit in self._file_of:
            return
        try:
            descriptor = os.open(f"{self._cgroups.path(unit)}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in LACKING:
                raise
            return  # no directory: empty already
        if descriptor >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARED:
            os.close(descriptor)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        os.read(descriptor, 4096)  # a change counts from the last read
        self._epoll.register(descriptor, select.EPOLLPRI)
        self._unit_of[descriptor] = unit
        self._file_of[unit] = descriptor

    def forget(self, unit: str) -> None:
        descriptor = self._file_of.pop(unit, None)
        if descriptor is not None:
            del self._unit_of[descriptor]
            os.close(descriptor)

    def dispatch(self, on_change: Callable[[str], object]) -> None:
        """Call `on_change(unit)` for each unit whose cgroup became populated or empty."""
        for descriptor, _ in self._epoll.poll(0):
            unit = self._unit_of.get(descriptor)
            if unit is None:
                continue  # forgotten by an earlier callback of this round
            try:
                os.pread(descriptor, 4096, 0)
            except OSError:
                self.forget(unit)  # the directory is gone: empty
            on_change(unit)

    def close(self) -> None:
        for unit in list(self._file_of):
            self.forget(unit)
        self._epoll.close()
