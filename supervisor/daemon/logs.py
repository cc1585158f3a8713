"""The log pump: one thread that moves what units write from their pipes to their segments.

A unit has one pipe, and one more for a standard error that is kept apart: each is a *stream*, named as the unit or `UNIT/stderr`. A
pipe is opened for reading and writing, so that its reader can vanish without killing the child; the keeper holds it too. The pump waits
in an epoll of its own over all of them.

Laws:
- The first byte after silence is moved at once; after that a unit is looked at again after a rest, which grows to
  `_REST_MAX_MS` while it writes little and vanishes while it writes much. A unit that is silent costs nothing.
- No unit holds up another: each gets a bounded share of a round.
- A unit that is silent has neither directory nor file: both come with its first byte.

`drain` is for the manager's thread: what was written before a process ended is in the file before its exit is handled.
"""

import os
import select
import time
from collections.abc import Callable

from supervisor.client.logindex import run_bytes
from supervisor.daemon.logkeeping import LogKeeping
from supervisor.daemon.logstream import DEFAULTS, PIPE_BYTES, LogStream
from supervisor.daemon.segments import Segment
from supervisor.daemon.stdio import STDERR
from supervisor.model.specification import Log

_SHARE_BYTES = 1 << 20  # of one unit in one round
_REST_MIN_MS = 10
_REST_MAX_MS = 100
# A pipe that is this full after a rest would have been full after a longer one: no rest for now.
_MUCH_BYTES = PIPE_BYTES // 4
_LARGE_PIPES_MAX = 16

OnGrown = Callable[[str], object]


class _Pace:
    """When a stream is looked at next."""

    __slots__ = ("has_large_pipe", "rest_ms", "stream", "was_full")

    def __init__(self, stream: LogStream) -> None:
        self.stream = stream
        self.rest_ms = 0
        self.was_full = False
        self.has_large_pipe = False


class LogPump:
    """One per manager; methods are called on the manager's thread.

    Each of `listeners` is told of a unit whose segment has new bytes, on either thread, and must not wait. `on_configured(unit, log)` is
    told, on the manager's thread, of what `configure` was.
    """

    def __init__(self, log_directory: str) -> None:
        self._log_directory = log_directory
        self._keeping = LogKeeping(log_directory)
        self.settings: dict[str, Log] = {}
        self.listeners: list[OnGrown] = []
        self.on_configured: Callable[[str, Log], object] | None = None
        self._paces: dict[str, _Pace] = {}  # by stream
        self._by_fd: dict[int, _Pace] = {}
        self._marks: dict[str, tuple[int, int]] = {}
        self._resting: dict[_Pace, int] = {}  # until when, by the monotonic clock
        self._large_pipes = 0
        self._epoll = select.epoll()
        self._stop_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._stop_fd, select.EPOLLIN)
        self._join: Callable[[], None] | None = None

    # Pipes

    def open_pipe(self, stream: str) -> int:
        """Make the stream's pipe and return its descriptor, for the keeper to hold as `log:<stream>`. One that is open is kept."""
        if (known := self._paces.get(stream)) is not None:
            return known.stream.fd
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            # Both ends in one descriptor. The child gets the pipe opened anew, so its own end blocks as it expects.
            fd = os.open(f"/proc/self/fd/{reader}", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        finally:
            os.close(reader)
            os.close(writer)
        self._add(stream, fd)
        return fd

    def configure(self, unit: str, log: Log) -> None:
        """The unit's [log], from now on."""
        self.settings[unit] = log
        for pace in self._of(unit):
            pace.stream.log = log
        if self.on_configured is not None:
            self.on_configured(unit, log)

    def begin_run(self, unit: str, invocation_id: str) -> None:
        """What the unit writes from here on belongs to this run, in the index."""
        for pace in self._of(unit):
            self._drain_now(pace.stream)
            pace.stream.begin_run(run_bytes(invocation_id))

    def _of(self, unit: str) -> list[_Pace]:
        """The unit's streams that have a pipe."""
        return [pace for stream in (unit, unit + STDERR) if (pace := self._paces.get(stream)) is not None]

    def has_pipe(self, stream: str) -> bool:
        return stream in self._paces

    def adopt(self, stream: str, fd: int, marked: tuple[int, int] | None = None) -> None:
        """Take over a pipe that the keeper held while there was no manager. Owns `fd` from now on.

        `marked` is what `mark` returned to the last manager, if that is known.
        """
        os.set_blocking(fd, False)
        if marked is not None:
            self._marks[stream] = marked
        self._add(stream, fd)

    def _add(self, name: str, fd: int) -> None:
        directory = self.directory_of(name)
        unit, _, is_stderr = name.partition("/")
        log = self.settings.get(unit, DEFAULTS)
        stream = LogStream(unit, fd, directory, log, lambda: self._keeping.closed(directory, stream.log), is_stderr=bool(is_stderr))
        pace = _Pace(stream)
        self._paces[name] = pace
        self._by_fd[fd] = pace
        # One shot: after each report the stream rests, and is asked for again when it has rested.
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLONESHOT)

    def close_pipe(self, stream: str) -> None:
        """The unit is no more: move what is left and close."""
        pace = self._paces.pop(stream, None)
        if pace is not None:
            self._drain_now(pace.stream)
            self._by_fd.pop(pace.stream.fd, None)
            self._marks.pop(stream, None)
            # Closing alone would not do: the keeper holds the same open file, so the epoll would go on reporting it.
            self._epoll.unregister(pace.stream.fd)
            pace.stream.close()

    # Questions and requests

    def directory_of(self, stream: str) -> str:
        unit = stream.removesuffix(STDERR)
        if unit in ("", ".", "..") or "/" in unit or "\0" in unit:
            raise ValueError(f"cannot keep a log for {unit!r}: that is no unit's name.")
        return os.path.join(self._log_directory, stream)

    def drain(self, unit: str) -> None:
        """Everything the unit has written up to now is in its file when this returns, or is counted as lost."""
        for pace in self._of(unit):
            self._drain_now(pace.stream)

    def mark(self, stream: str) -> tuple[int, int] | None:
        """What comes from here on belongs to the unit's new start. The place, for `adopt`; None for a stream without a pipe."""
        pace = self._paces.get(stream)
        if pace is None:
            return None
        self._drain_now(pace.stream)
        position = self._marks[stream] = pace.stream.position()
        return position

    def position_of_start(self, stream: str) -> tuple[int, int]:
        """(sequence, offset) at the last `mark`; without one, where this pump began with the stream."""
        if (position := self._marks.get(stream)) is not None:
            return position
        pace = self._paces.get(stream)
        return pace.stream.start_position() if pace is not None else (1, 0)

    def first_place(self, stream: str) -> tuple[int, int]:
        """Where this pump began with the stream, or will: the first byte that it did or will move stands there."""
        if (pace := self._paces.get(stream)) is not None:
            return pace.stream.start_position()
        return Segment(self.directory_of(stream)).position()

    def place(self, unit: str) -> str:
        """Where the unit's next byte will stand, as `logpages.place_text` writes it; behind a blank the same of its own standard error."""
        self.drain(unit)
        places = [self.first_place(unit)] if unit not in self._paces else [pace.stream.position() for pace in self._of(unit)]
        return " ".join([f"{sequence}:{offset}" for sequence, offset in places])

    def lost_bytes(self, unit: str) -> int:
        return sum(pace.stream.lost_bytes for pace in self._of(unit))

    def kept_bytes(self, unit: str) -> int:
        """How much of what the unit wrote is or was in its log, since this pump began."""
        return sum(pace.stream.kept_bytes for pace in self._of(unit))

    def note_lost(self, stream: str, count: int, reason: str) -> None:
        """So many bytes of the stream were lost before they came here. Told in its log where they are missing."""
        if (pace := self._paces.get(stream)) is not None:
            pace.stream.note_lost(count, reason)
            self._drain_now(pace.stream)

    def notes(self) -> list[str]:
        """What a person should know about the logs, as sentences."""
        found = []
        for pace in list(self._paces.values()):
            stream = pace.stream
            if stream.trouble:
                found.append(f"{stream.trouble}; {stream.lost_bytes} bytes were dropped so that the unit need not wait.")
            elif stream.lost_bytes:
                found.append(f"{stream.lost_bytes} bytes that {stream.unit} wrote were lost ({stream.loss}); its log shows where.")
            if not stream.is_spliced:
                found.append(f"The log of {stream.unit} is copied, not spliced: its file system refuses splice(2), a kill may lose a line.")
        return [*found, self._keeping.trouble] if self._keeping.trouble else found

    def _drain_now(self, stream: LogStream) -> None:
        # As much as there is now, and no more: a grandchild that never stops writing must not hold the manager.
        if (waiting := stream.waiting_bytes()) and stream.drain(waiting):
            self._tell_grown(stream.unit)

    def _tell_grown(self, unit: str) -> None:
        for listener in self.listeners:
            listener(unit)

    # The thread

    def start(self) -> None:
        """Begin to pump. Until then pipes fill, and their writers wait when they are full."""
        if self._join is None:
            from threading import Thread  # not needed before the first service is spawned

            thread = Thread(target=self._run, name="log pump", daemon=True)
            thread.start()
            self._join = thread.join

    def stop(self) -> None:
        """Move what is there, end the thread and close everything; the keeper still holds the pipes."""
        if self._join is not None:
            os.eventfd_write(self._stop_fd, 1)
            self._join()
            self._join = None
        for stream in list(self._paces):
            self.close_pipe(stream)
        self._keeping.stop()
        self._epoll.close()
        os.close(self._stop_fd)

    def _run(self) -> None:
        while True:
            for fd, _ in self._epoll.poll(self._time_to_rest_s()):
                if fd == self._stop_fd:
                    return
                pace = self._by_fd.get(fd)
                if pace is not None:
                    self._pause(pace, pace.stream.drain(_SHARE_BYTES))
            self._wake_rested()

    def _pause(self, pace: _Pace, moved: int) -> None:
        """So much of the stream was moved: when it is looked at next."""
        if moved:
            self._tell_grown(pace.stream.unit)
        if moved >= _MUCH_BYTES:
            pace.rest_ms = 0
            self._note_fullness(pace, moved)
            self._ask_again(pace)
            return
        pace.was_full = False
        pace.rest_ms = min(_REST_MAX_MS, max(_REST_MIN_MS, pace.rest_ms * 2))
        # Rests of one length end together, so that many units that write a little wake the pump no oftener than one.
        rest_ns = pace.rest_ms * 1_000_000
        until_ns = time.monotonic_ns() + rest_ns
        self._resting[pace] = until_ns - until_ns % rest_ns

    def _note_fullness(self, pace: _Pace, moved: int) -> None:
        """A pipe found full twice in a row gets a larger one, while there are few of them."""
        is_full = moved > PIPE_BYTES - select.PIPE_BUF  # its pages are all in use: who writes waits, though their last one has room
        if is_full and pace.was_full and not pace.has_large_pipe and self._large_pipes < _LARGE_PIPES_MAX and pace.stream.enlarge():
            pace.has_large_pipe = True
            self._large_pipes += 1
        pace.was_full = is_full

    def _time_to_rest_s(self) -> float | None:
        if not self._resting:
            return None
        return max(0, min(self._resting.values()) - time.monotonic_ns()) / 1e9

    def _wake_rested(self) -> None:
        now_ns = time.monotonic_ns()
        for pace in [pace for pace, until_ns in self._resting.items() if until_ns <= now_ns]:
            del self._resting[pace]
            if moved := pace.stream.drain(_SHARE_BYTES):
                self._pause(pace, moved)
            else:
                pace.rest_ms = 0  # silent: its next byte is moved at once
                self._ask_again(pace)

    def _ask_again(self, pace: _Pace) -> None:
        if self._by_fd.get(pace.stream.fd) is pace:
            try:
                self._epoll.modify(pace.stream.fd, select.EPOLLIN | select.EPOLLONESHOT)
            except OSError:
                pass  # closed by the manager's thread a moment ago
