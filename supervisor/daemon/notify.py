"""Notify sockets: what services say with sd_notify(3), one datagram socket per unit.

The socket is bound before the first process of the unit is spawned, so READY=1 in the first microsecond has somewhere to go;
it is held by the keeper too, so that it outlives the manager. A datagram is looked at (MSG_PEEK), handed over, and consumed
only when the callback has returned, that is, when what it meant is in the keeper's hands: a crash in between replays it.

Laws:
- Nobody speaks for a unit but a process of that unit, by SCM_CREDENTIALS. Who of them may is the engine's to judge.
- Every descriptor that comes with a datagram is taken and closed, whoever sent it, unless the callback took it out of the
  list. That closes a barrier (BARRIER=1) after everything that was sent before it.
- MAINPID= may name a process of this unit only; never supd, never a stranger.
- One wake-up lasts a slice of time, and a unit that sends without end gets a share of the time at most: it waits in its own
  send, nobody else does.

Never: blocks, and never lets the text of a datagram be more than text.
"""

import _socket
import os
import sys
import time
from array import array
from binascii import crc32
from collections.abc import Callable
from typing import NamedTuple, Protocol

from supervisor.daemon import notifymessage
from supervisor.daemon.proctable import read_process
from supervisor.daemon.reactor import Handle, Reactor
from supervisor.model.events import Notified

_PER_WAKE_UP_US = 2_000
# A unit whose datagrams took more of the processor in a window than this is read on in the next one. Real services send a few in a
# lifetime.
_PER_WINDOW_US = 50_000
_WINDOW_US = 100_000
# What is not believed is said so, but whoever sends nonsense on purpose does not fill the log with it.
_NOTES_PER_WINDOW_MAX = 4
# What was sent before a drain is in the kernel's queue, and no longer than that is read: whoever floods fills it again meanwhile.
_QUEUE_LENGTH_FILE = "/proc/sys/net/unix/max_dgram_qlen"
_QUEUE_LENGTH_MAX = 4096  # where that cannot be read
_CREDENTIALS_BYTES = 12  # struct ucred: pid, uid, gid
_DESCRIPTORS_MAX = 253  # SCM_MAX_FD
_CONTROL_BYTES = _socket.CMSG_SPACE(_DESCRIPTORS_MAX * 4) + _socket.CMSG_SPACE(_CREDENTIALS_BYTES)
_PEEK = _socket.MSG_PEEK | _socket.MSG_DONTWAIT | _socket.MSG_CMSG_CLOEXEC


class Ownership(Protocol):
    """What `Processes` answers here."""

    def owner_of(self, pid: int) -> str | None: ...

    def remember(self, unit: str, pid: int) -> None: ...

    def is_child_of_keeper(self, pid: int) -> bool: ...


OnNotified = Callable[[Notified, list[int]], object]
"""Called with what was said and the descriptors that came along. Returns when it is committed; what it keeps it takes out of the list."""

OnNote = Callable[[str, str], object]
"""Called with the unit and a sentence for the log: a message or a part of one that was not believed."""


class _Datagram(NamedTuple):
    raw: bytes
    pid: int  # 0: no credentials
    descriptors: list[int]
    is_truncated: bool


class _Socket:
    """One unit's socket and its allowance in the current window."""

    __slots__ = ("is_busy", "notes", "path", "pause", "socket", "spent_ns", "window_end_ns")

    def __init__(self, socket: "_socket.socket", path: str) -> None:
        self.socket = socket
        self.path = path
        self.is_busy = False
        self.spent_ns = 0
        self.notes = 0
        self.window_end_ns = 0
        self.pause: Handle | None = None


class NotifySockets:
    """One per manager; every method is called on the loop's thread, or before there is a loop."""

    def __init__(
        self,
        directory: str,
        reactor: Reactor,
        processes: Ownership,
        on_notified: OnNotified,
        on_note: OnNote,
        learn_forks: Callable[[str], object] = lambda unit: None,
    ) -> None:
        """`directory` is that of `notifydirectory.choose`. `learn_forks(unit)` is called before a sender is judged: it may just be born."""
        self._learn_forks = learn_forks
        self._directory = directory
        self._reactor = reactor
        self._processes = processes
        self._on_notified = on_notified
        self._on_note = on_note
        self._queue_length = _queue_length()
        self._sockets: dict[str, _Socket] = {}
        self._paths: set[str] = set()

    def open(self, unit: str) -> int:
        """Bind the unit's socket and return its descriptor, for the keeper to hold as well. One that is open is kept."""
        if (known := self._sockets.get(unit)) is not None:
            return known.socket.fileno()
        path = self._free_path(unit)
        try:
            os.unlink(path)  # left by a supd that was killed
        except FileNotFoundError:
            pass
        socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
        socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_PASSCRED, 1)
        socket.bind(path)
        os.chmod(path, 0o666)  # a unit's user may be another than ours; who speaks is checked at each datagram
        return self._register(unit, socket, path)

    def adopt(self, unit: str, fd: int) -> None:
        """Take over a socket that the keeper held while there was no manager. Owns `fd` from now on."""
        socket = _socket.socket(fileno=fd)
        socket.setblocking(False)
        path = socket.getsockname()
        self._register(unit, socket, os.fsdecode(path))

    def path_of(self, unit: str) -> str | None:
        """What NOTIFY_SOCKET is to be for the unit; None while its socket is not open. May be asked from any thread."""
        known = self._sockets.get(unit)
        return known.path if known is not None else None

    def close(self, unit: str) -> None:
        """The unit is down: its socket goes, with whatever is still in it."""
        known = self._sockets.pop(unit, None)
        if known is None:
            return
        self._paths.discard(known.path)
        self._reactor.remove_reader(known.socket.fileno())
        if known.pause is not None:
            known.pause.cancel()
        known.socket.close()
        try:
            os.unlink(known.path)
        except OSError:
            pass  # the directory may have been cleaned before us

    def drain(self, unit: str) -> bool:
        """Handle everything that was sent up to now, whatever the allowance: called before an exit is handled.

        False: one of its datagrams is being handled just now, so that what was sent is not heard yet.
        """
        known = self._sockets.get(unit)
        if known is None:
            return True
        if known.is_busy:
            return False
        self._handle(unit, known)
        return True

    def _free_path(self, unit: str) -> str:
        # The same name at every start: a service that outlived supd goes on notifying the next one. Names that collide move on.
        salt = ""
        while (path := f"{self._directory}/{crc32((unit + salt).encode()):08x}") in self._paths:
            salt += "+"
        return path

    def _register(self, unit: str, socket: "_socket.socket", path: str) -> int:
        known = _Socket(socket, path)
        self._sockets[unit] = known
        self._paths.add(path)
        self._reactor.add_reader(socket.fileno(), lambda: self._on_readable(unit, known))
        return socket.fileno()

    def _on_readable(self, unit: str, known: _Socket) -> None:
        begin_ns = time.monotonic_ns()
        if begin_ns >= known.window_end_ns:
            known.window_end_ns = begin_ns + _WINDOW_US * 1000
            known.spent_ns = 0
            known.notes = 0
        before_ns = time.thread_time_ns()
        self._handle(unit, known, begin_ns + _PER_WAKE_UP_US * 1000)
        known.spent_ns += time.thread_time_ns() - before_ns
        if known.spent_ns >= _PER_WINDOW_US * 1000 and self._sockets.get(unit) is known:
            self._reactor.remove_reader(known.socket.fileno())
            left_us = (known.window_end_ns - time.monotonic_ns()) // 1000
            known.pause = self._reactor.call_later_us(left_us, lambda: self._resume(unit, known))

    def _resume(self, unit: str, known: _Socket) -> None:
        known.pause = None
        if self._sockets.get(unit) is known:
            self._reactor.add_reader(known.socket.fileno(), lambda: self._on_readable(unit, known))

    def _handle(self, unit: str, known: _Socket, until_ns: int | None = None) -> None:
        """Handle what is there, until a moment (monotonic) or at most so much as a queue holds."""
        known.is_busy = True
        count = 0
        speakers: set[int] = set()  # who were found to be of this unit: nobody else has their pid within one such moment
        try:
            while count < self._queue_length and self._sockets.get(unit) is known and (datagram := _peek(known.socket)) is not None:
                count += 1
                try:
                    self._handle_one(unit, datagram, speakers)
                finally:
                    # Also when the callback failed: a message that cannot be handled must not come back for ever.
                    for descriptor in datagram.descriptors:
                        os.close(descriptor)
                    if self._sockets.get(unit) is known:
                        _consume(known.socket)
                if until_ns is not None and time.monotonic_ns() >= until_ns:
                    break
        finally:
            known.is_busy = False

    def _handle_one(self, unit: str, datagram: _Datagram, speakers: set[int]) -> None:
        if datagram.pid <= 0:
            self._note(unit, "a notification without credentials was ignored")
            return
        if datagram.is_truncated:
            self._note(unit, f"a notification from pid {datagram.pid} with too many descriptors was ignored")
            return
        message = notifymessage.parse(datagram.raw)
        if message.is_barrier:
            if len(datagram.descriptors) != 1:
                self._note(unit, f"BARRIER=1 from pid {datagram.pid} came with {len(datagram.descriptors)} descriptors instead of one")
            return
        self._learn_forks(unit)
        if datagram.pid not in speakers:
            if self._processes.owner_of(datagram.pid) != unit:
                self._note(unit, f"a notification from pid {datagram.pid}, which is no process of {unit}, was ignored")
                return
            self._processes.remember(unit, datagram.pid)
            speakers.add(datagram.pid)
        for note in message.notes:
            self._note(unit, note)
        if not message.fields:
            return  # nothing that anybody knows
        self._on_notified(self._event(unit, datagram.pid, message.fields), datagram.descriptors)

    def _note(self, unit: str, text: str) -> None:
        known = self._sockets.get(unit)
        if known is not None and known.notes < _NOTES_PER_WINDOW_MAX:
            known.notes += 1
            self._on_note(unit, text)

    def _event(self, unit: str, pid: int, fields: dict[str, str]) -> Notified:
        text = fields.get("MAINPID")
        if text is None:
            return Notified(unit, pid, fields)
        main_pid = int(text)
        if self._processes.owner_of(main_pid) != unit or read_process(main_pid) is None:
            self._note(unit, f"MAINPID={main_pid} from pid {pid} was refused: that is no living process of {unit}")
            del fields["MAINPID"]
            return Notified(unit, pid, fields)
        self._processes.remember(unit, main_pid)
        return Notified(unit, pid, fields, main_pid_is_ours=True, main_pid_is_child=self._processes.is_child_of_keeper(main_pid))


def _queue_length() -> int:
    """How many datagrams a socket can hold that nobody has read (unix(7): net.unix.max_dgram_qlen, and the one that fills it)."""
    try:
        with open(_QUEUE_LENGTH_FILE, "rb", 0) as file:
            return int(file.read()) + 1
    except (OSError, ValueError):
        return _QUEUE_LENGTH_MAX


def _peek(socket: "_socket.socket") -> _Datagram | None:
    """The next datagram, left where it is; its descriptors are duplicates that the caller closes."""
    try:
        raw, ancillary, flags, _ = socket.recvmsg(notifymessage.SIZE_MAX_BYTES + 1, _CONTROL_BYTES, _PEEK)
    except BlockingIOError:
        return None
    pid = 0
    descriptors = array("i")
    for level, kind, data in ancillary:
        if level != _socket.SOL_SOCKET:
            continue
        if kind == _socket.SCM_CREDENTIALS:
            pid = int.from_bytes(data[:4], sys.byteorder, signed=True)
        elif kind == _socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return _Datagram(raw, pid, list(descriptors), bool(flags & _socket.MSG_CTRUNC))


def _consume(socket: "_socket.socket") -> None:
    """Take the datagram that was peeked at. Its descriptors go with it: no buffer is given for them."""
    socket.recv(1, _socket.MSG_DONTWAIT)
