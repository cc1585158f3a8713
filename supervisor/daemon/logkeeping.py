"""What becomes of closed segments: they are compressed where the unit asks for it, and the oldest go when there are too many.

Decides: `keep` segments a unit, the newest among them; over all units together a tenth of the file system (as journald's
SystemMaxUse=, journald.conf(5)), where the oldest of any unit goes first and the newest of a unit never.

Done on a thread of its own, behind everybody else: neither the pump nor the manager waits for a disk. A compressed segment appears by
rename, whole; one that was begun and not finished is removed. The index stays as it is: it counts in bytes of the text.
"""

import os
from _thread import allocate_lock
from collections.abc import Callable

from supervisor.client import logindex
from supervisor.client.logfile import COMPRESSED_SUFFIX, segment_name, segments
from supervisor.daemon.stdio import STDERR
from supervisor.model.specification import Log

SHARE_OF_DISK = 10  # a tenth
_CHUNK_BYTES = 1 << 20
_LEVEL = 1  # text of logs: 1 is five times as fast as 6 and a tenth larger
_NICE = 10
_UNFINISHED = ".new"


class LogKeeping:
    """Told of each closed segment; its thread begins with the first. `capacity_bytes` overrules the share of the disk."""

    def __init__(self, log_directory: str, capacity_bytes: int | None = None) -> None:
        self._log_directory = log_directory
        self._capacity_bytes = capacity_bytes
        self._asked: dict[str, Log] = {}  # directory: settings
        self._lock = allocate_lock()
        self._wake: Callable[[], None] | None = None
        self._join: Callable[[], None] | None = None
        self._is_stopping = False
        self.trouble = ""  # why the last round could not be finished

    def closed(self, directory: str, log: Log) -> None:
        """A segment in this directory is closed for good. Called on any thread; returns at once."""
        with self._lock:
            self._asked[directory] = log
            if self._wake is not None:
                self._wake()
                return
            from threading import Event, Thread  # not needed before the first rotation

            event = Event()
            event.set()
            thread = Thread(target=self._run, args=(event.wait, event.clear), name="log keeping", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                self.trouble = "old log segments are kept as they are: no thread can be started"  # tried again with the next rotation
                return
            self._wake, self._join = event.set, thread.join

    def stop(self) -> None:
        """End the thread; what it has not done is done after the next rotation."""
        self._is_stopping = True
        if self._wake is not None and self._join is not None:
            self._wake()
            self._join()

    def _run(self, wait: Callable[[], object], clear: Callable[[], None]) -> None:
        os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), _NICE))  # of this thread alone
        while True:
            wait()
            clear()
            if self._is_stopping:
                return
            with self._lock:
                asked, self._asked = self._asked, {}
            try:
                for directory, log in asked.items():
                    self.tidy(directory, log)
                self.limit()
                self.trouble = ""
            except OSError as error:
                self.trouble = f"cannot tidy up the logs: {error}; old segments stay where they are."

    def tidy(self, directory: str, log: Log) -> None:
        """Bring one unit's directory to what its settings say."""
        numbers = segments(directory)
        for sequence in numbers[: -log.keep]:
            _remove(directory, sequence)
        if log.compress:
            for sequence in numbers[-log.keep : -1]:
                if not self._is_stopping:
                    self._compress(os.path.join(directory, segment_name(sequence)))

    def limit(self) -> None:
        """Remove the oldest closed segments of all units until all logs together fit."""
        capacity = self._capacity_bytes if self._capacity_bytes is not None else _share_of_disk(self._log_directory)
        total_bytes, found = _closed_segments(self._log_directory)
        for _, size_bytes, directory, sequence in sorted(found):
            if total_bytes <= capacity:
                break
            _remove(directory, sequence)
            total_bytes -= size_bytes

    def _compress(self, path: str) -> None:
        import zlib

        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return  # compressed before, or removed
        unfinished = path + COMPRESSED_SUFFIX + _UNFINISHED
        try:
            status = os.fstat(source)
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, status.st_mode & 0o777), "wb") as target:
                packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)  # 31: in gzip's form
                while piece := os.read(source, _CHUNK_BYTES):
                    if self._is_stopping:
                        return
                    target.write(packer.compress(piece))
                target.write(packer.flush())
                target.flush()
                os.fsync(target.fileno())
            os.utime(unfinished, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.rename(unfinished, path + COMPRESSED_SUFFIX)
            os.unlink(path)
        finally:
            os.close(source)
            _unlink(unfinished)


def _share_of_disk(directory: str) -> int:
    disk = os.statvfs(directory)
    return disk.f_blocks * disk.f_frsize // SHARE_OF_DISK


def _closed_segments(log_directory: str) -> tuple[int, list[tuple[int, int, str, int]]]:
    """(bytes of all segments, [(modified, bytes, directory, sequence) of the closed ones])."""
    total_bytes, found = 0, []
    for directory in _streams(log_directory):
        numbers = segments(directory)
        for sequence in numbers:
            size_bytes, modified_ns = 0, 0
            for name in _names(sequence)[:2]:
                try:
                    status = os.lstat(os.path.join(directory, name))
                except FileNotFoundError:
                    continue
                size_bytes += status.st_blocks * 512
                modified_ns = status.st_mtime_ns
            total_bytes += size_bytes
            if sequence != numbers[-1]:
                found.append((modified_ns, size_bytes, directory, sequence))
    return total_bytes, found


def _streams(log_directory: str) -> list[str]:
    """Every directory of segments: of each unit, and of a standard error that is kept apart."""
    units = [unit.path for unit in os.scandir(log_directory) if unit.is_dir(follow_symlinks=False)]
    return [path for unit in units for path in (unit, unit + STDERR) if os.path.isdir(path)]


def _names(sequence: int) -> tuple[str, str, str]:
    name = segment_name(sequence)
    return name, name + COMPRESSED_SUFFIX, logindex.name_of(sequence)


def _remove(directory: str, sequence: int) -> None:
    for name in _names(sequence):
        _unlink(os.path.join(directory, name))


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
