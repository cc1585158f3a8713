"""Says when unit files may have changed: watchdog's inotify on directories, filtered by name, gathered for a moment, handed to the loop.

Watched are the unit directories, their parents (a directory that is made again would go silent for ever), drop-in directories, and the
directories of every symbolic link and include on the way to them. Acted on are close-after-write, move, create and delete; a new regular
file counts when it is closed. What is written through another name of a file elsewhere (a hard link, a mount of the file alone) changes
no directory here: the next look sees it. It reads no unit file and decides nothing: whoever is told looks himself. While nothing happens,
nothing wakes.

It is imported after the boot: watchdog is not needed before the first service runs. Its reading thread only sets a flag and an eventfd.
"""

import os
import stat
from collections.abc import Callable, Iterable

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyEvent, InotifyFD, Mask, WatchDescriptor

from supervisor.daemon.reactor import Handle, Reactor

GATHER_US = 60_000  # an editor's or a checkout's files come in a burst
GATHER_MAX_US = 1_000_000  # a burst without an end is looked at in between
SUFFIX = ".toml"
LINKS_MAX = 40  # the kernel's own limit (path_resolution(7))

_C = InotifyConstants
MASK = Mask(_C.IN_CLOSE_WRITE | _C.IN_MOVED_FROM | _C.IN_MOVED_TO | _C.IN_CREATE | _C.IN_DELETE | _C.IN_DELETE_SELF | _C.IN_MOVE_SELF
            | _C.IN_ONLYDIR)  # fmt: skip

Names = set[str] | None  # None: every unit file, drop-in and drop-in directory; else these entries alone


def targets(unit_directories: Iterable[str], files: Iterable[str]) -> dict[str, Names]:
    """The directories to watch, each with the entries that matter. `files` are all paths that took part in the last set."""
    found: dict[str, Names] = {}
    known = set(unit_directories)
    for directory in known:
        _add_whole(found, directory)
    for path in files:
        if path in known:
            continue
        if path.endswith(".d") and os.path.isdir(path):
            _add_whole(found, path)
        elif os.path.dirname(path) not in known:
            _add(found, path)
        if path.endswith(".d") or os.path.dirname(path) not in known or os.path.islink(path):
            _add_way(found, path)
    return found


def _add_whole(found: dict[str, Names], directory: str) -> None:
    found[directory] = None
    _add(found, directory)
    _add_way(found, directory)


def _add(found: dict[str, Names], path: str) -> None:
    """Watch for `path` to come and go: in its directory, or in the nearest one that exists for the next step towards it."""
    parent, name = os.path.split(path)
    while name:
        names = found.setdefault(parent, set())
        if names is not None:
            names.add(name)
        if os.path.isdir(parent):
            return
        parent, name = os.path.split(parent)


def _add_way(found: dict[str, Names], path: str) -> None:
    """Watch every symbolic link that is followed on the way to `path`, be it of a directory far above, and where the way ends."""
    at, ahead, links = "/", _steps(path), 0
    while ahead:
        step = ahead.pop()
        if step == "..":
            at = os.path.dirname(at)
            continue
        at = os.path.join(at, step)
        try:
            target = os.readlink(at)
        except OSError:
            continue  # it is no link, or is not there (yet)
        _add(found, at)
        links += 1
        if links > LINKS_MAX:
            return
        at = "/" if target.startswith("/") else os.path.dirname(at)
        ahead += _steps(target)
    if links:
        _add(found, at)


def _steps(path: str) -> list[str]:
    """The parts of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


class FileWatch:
    """`on_change` is called on the loop's thread once the files have been quiet for a moment. Create and close on that thread."""

    def __init__(self, reactor: Reactor, on_change: Callable[[], object]) -> None:
        self._reactor = reactor
        self._on_change = on_change
        self._wanted: dict[str, Names] = {}
        self._watched: dict[str, tuple[WatchDescriptor, CallbackId]] = {}
        self._inodes: dict[str, tuple[int, int] | None] = {}  # what each path led to when it was watched
        self._number = 0
        self._is_stale = False  # a watched directory went: the watches are to be set anew
        self._timer: Handle | None = None
        self._since_us = 0
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        reactor.add_reader(self._wake_fd, self._on_wake)
        self._inotify = InotifyFD()
        self._inotify.name = "watch"
        self._inotify.daemon = True
        self._inotify.start()

    def watch(self, wanted: dict[str, Names]) -> bool:
        """Watch these directories from now on; whether any is newly watched, so that a look is due for what happened before."""
        inodes = {path: _inode(path) for path in wanted}
        # A link that was turned elsewhere is another directory, and nothing of the old one goes.
        is_same = {path for path in wanted if not self._is_stale and inodes[path] == self._inodes.get(path)}
        kept = {path: known for path, known in self._watched.items() if path in is_same}
        self._is_stale = False
        self._inotify.remove_callbacks([known for path, known in self._watched.items() if path not in kept])
        self._wanted = wanted
        is_new = False
        for path in wanted.keys() - kept.keys():
            self._number += 1
            number = CallbackId(self._number)
            try:
                # Two paths may lead to one directory: each has a callback of its own there.
                kept[path] = self._inotify.add_callback(os.fsencode(path), MASK, _Callback(self, path), number), number
                is_new = True
            except OSError:
                continue  # it is not there (its parent tells when it comes), or the machine's watches are used up
        self._watched, self._inodes = kept, inodes
        return is_new

    @property
    def missing(self) -> list[str]:
        """Directories that are there and cannot be watched: the machine's inotify watches are used up."""
        return sorted(path for path in self._wanted if path not in self._watched and os.path.isdir(path))

    def close(self) -> None:
        self._inotify.stop()
        if self._timer is not None:
            self._timer.cancel()
        self._reactor.remove_reader(self._wake_fd)

    # -- watchdog's thread -----------------------------------------------------------------------------------------

    def tell(self, path: str, event: InotifyEvent) -> None:
        """An entry of a watched directory changed, or the directory itself."""
        if event.mask & (_C.IN_DELETE_SELF | _C.IN_MOVE_SELF):
            self.tell_all()
        elif self._matters(path, os.fsdecode(event.name) if event.name else "", event):
            self._is_stale = self._is_stale or bool(event.mask & _C.IN_ISDIR)
            self._wake()

    def tell_all(self) -> None:
        """A watch is gone, or events were lost: everything is to be looked at, and every directory to be watched anew."""
        self._is_stale = True
        self._wake()

    def _matters(self, directory: str, name: str, event: InotifyEvent) -> bool:
        names = self._wanted.get(directory, set())
        if names is None:
            if name.startswith(".") or not (name.endswith(SUFFIX) or (name.endswith(".d") and event.mask & _C.IN_ISDIR)):
                return False
        elif name not in names:
            return False
        if event.mask & _C.IN_CREATE and not event.mask & _C.IN_ISDIR:
            return _is_complete(os.path.join(directory, name))
        return True

    def _wake(self) -> None:
        os.eventfd_write(self._wake_fd, 1)

    # -- the loop's thread -----------------------------------------------------------------------------------------

    def _on_wake(self) -> None:
        import time

        try:
            os.eventfd_read(self._wake_fd)
        except BlockingIOError:
            return  # another call has emptied it
        now_us = time.monotonic_ns() // 1000
        if self._timer is None:
            self._since_us = now_us
        elif now_us - self._since_us < GATHER_MAX_US:
            self._timer.cancel()
        else:
            return
        self._timer = self._reactor.call_later_us(GATHER_US, self._on_quiet)

    def _on_quiet(self) -> None:
        self._timer = None
        self._on_change()


class _Callback:
    """What watchdog calls for one watched directory, in its thread."""

    def __init__(self, watch: FileWatch, path: str) -> None:
        self._watch = watch
        self._path = path

    def on_event(self, event: InotifyEvent) -> None:
        self._watch.tell(self._path, event)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        self._watch.tell_all()

    def on_queue_overflow(self) -> None:
        self._watch.tell_all()


def _inode(path: str) -> tuple[int, int] | None:
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino


def _is_complete(path: str) -> bool:
    """Whether an entry that was just created is whole: a link, or another name of a file. A regular file is told of when it is closed."""
    try:
        info = os.lstat(path)
    except OSError:
        return True  # gone again: a look does no harm
    return not stat.S_ISREG(info.st_mode) or info.st_nlink > 1
