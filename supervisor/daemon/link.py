"""The manager's end of the link to the keeper: what it was given, what it asks for, what it is told.

A batch that was taken by the socket is in the keeper's hands, whatever becomes of this process: the keeper carries out all
that is in the socket before it starts another manager. So `send` says whether that is so already; when the socket is full
the batch waits here, in order, until `flush` (call it when the link is writable) or `flush_all` has handed it over. The
reply to a client waits for that.
"""

import os
import resource
import select
import socket
import time
from collections import deque
from collections.abc import MutableMapping
from typing import Any

from supervisor.keeper import messages

# Of the keeper's descriptors: so many are left when nobody needs to count; and what it opens for a moment (a status pipe, /proc).
_MANY = 1_000
_PASSING = 8
_OWN = 32  # of the manager's, kept for connections, files and what threads open: units without end would leave nobody to talk to


class LinkClosed(Exception):
    """The keeper is gone: the manager has nothing left to manage and leaves."""


class KeeperLink:
    """The link as one manager sees it.

    `table` is what the keeper knew when this manager was started (messages.py describes it), with run ids as numbers;
    `stored` are the descriptors it inherited, by name.
    """

    def __init__(self, link_fd: int, table_fd: int) -> None:
        self._socket = socket.socket(fileno=link_fd)
        self._socket.setblocking(False)
        os.set_inheritable(link_fd, False)
        try:
            self.table: dict[str, Any] = messages.decode(messages.read_body(table_fd))
        finally:
            os.close(table_fd)
        self.table["runs"] = {int(number): run for number, run in self.table["runs"].items()}
        self.stored: dict[str, int] = {name: descriptor for name, descriptor in self.table["stored"] if descriptor >= 0}
        for descriptor in self.stored.values():
            os.set_inheritable(descriptor, False)
        self._held = {name for name, _ in self.table["stored"]}
        self._waiting: deque[tuple[bytes, list[int]]] = deque()  # packets with descriptors of our own
        self._early: list[list[Any]] = []  # reports that came while another was waited for
        self._is_closed = False

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> "KeeperLink | None":
        """The link this process was started with, taken out of the environment; None when no keeper started it."""
        value = environment.pop(messages.ENVIRONMENT_VARIABLE, None)
        if value is None:
            return None
        link_fd, _, table_fd = value.partition(",")
        return cls(int(link_fd), int(table_fd))

    def fileno(self) -> int:
        """For the event loop."""
        return self._socket.fileno()

    def send(self, remember: dict[str, str], ops: list[Any], fds: list[int] | None = None) -> bool:
        """Hand one batch over; `fds` go with its `store` ops, in order, and stay the caller's to close.

        Returns whether the keeper has it; otherwise it waits its turn behind the others (`has_unsent`). A SpawnRequest may
        stand where its dict is meant. Raises LinkClosed.
        """
        body = messages.encode({"remember": remember, "ops": ops})
        for op in ops:
            if op[0] == "store":
                self._held.add(op[1])
            elif op[0] == "drop":
                self._held.discard(op[1])
        rest = list(fds or ())
        memfd = None
        if len(body) > messages.INLINE_LIMIT_BYTES:
            memfd = messages.body_memfd(body, "supd-batch")
        try:
            while len(rest) + (memfd is not None) > messages.DESCRIPTORS_MAX:
                self._send_or_queue(messages.MORE_MARK, rest[: messages.DESCRIPTORS_MAX])
                rest = rest[messages.DESCRIPTORS_MAX :]
            if memfd is None:
                self._send_or_queue(body, rest)
            else:
                self._send_or_queue(messages.MEMFD_MARK, [memfd, *rest])
        finally:
            if memfd is not None:
                os.close(memfd)
        return not self._waiting

    def has_room_for(self, count: int) -> bool:
        """Whether the keeper may open so many descriptors more. A batch that brings too many costs this manager its life."""
        keeper_pid = self.table["keeper_pid"]
        limit, _ = resource.prlimit(keeper_pid, resource.RLIMIT_NOFILE)
        if limit == resource.RLIM_INFINITY or len(self._held) + count + _MANY <= limit:
            return True
        used = max(len(os.listdir(f"/proc/{keeper_pid}/fd")), len(self._held))  # some of these may be on their way
        return used + count + _PASSING <= limit

    def has_room_here(self) -> bool:
        """Whether this process may keep the descriptors of one unit more. OSError: there is not even one to look with."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit == resource.RLIM_INFINITY or 2 * len(self._held) + _MANY <= limit:
            return True
        return len(os.listdir("/proc/self/fd")) + _OWN <= limit

    def _send_or_queue(self, body: bytes, fds: list[int]) -> None:
        if self._waiting or not self._transmit(body, fds):
            self._waiting.append((body, [os.dup(descriptor) for descriptor in fds]))

    def _transmit(self, body: bytes, fds: list[int]) -> bool:
        try:
            return messages.send_packet(self._socket, body, fds)
        except (BrokenPipeError, ConnectionResetError):
            raise LinkClosed("the keeper is gone") from None

    @property
    def has_unsent(self) -> bool:
        """Whether a batch still waits here: then watch the link for writability and call `flush`."""
        return bool(self._waiting)

    def flush(self) -> bool:
        """Hand over what waits, as far as the socket takes it; True when nothing waits any more. Raises LinkClosed."""
        while self._waiting:
            body, fds = self._waiting[0]
            if not self._transmit(body, fds):
                return False
            self._waiting.popleft()
            for descriptor in fds:
                os.close(descriptor)
        return True

    def flush_all(self, limit_s: float) -> bool:
        """`flush`, waiting for the keeper (which always reads) up to `limit_s`. For start-up and the way out."""
        end_s = time.monotonic() + limit_s
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        while not self.flush():
            left_s = end_s - time.monotonic()
            if left_s <= 0 or not poll.poll(left_s * 1000):
                return False
        return True

    def ask(self, op: list[Any], kind: str, limit_s: float) -> list[Any] | None:
        """Send an op and wait for the report that answers it; the others that come are kept for `receive`. None: not in time."""
        self.send({}, [op])
        end_s = time.monotonic() + limit_s
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while self.flush_all(max(end_s - time.monotonic(), 0)) and poll.poll(max(end_s - time.monotonic(), 0) * 1000):
            reports = self.receive()
            answer = next((report for report in reports if report[0] == kind), None)
            self._early = [report for report in reports if report is not answer]
            if answer is not None:
                return answer
        return None

    def receive(self) -> list[list[Any]]:
        """All reports that are there, in order; [] when there are none. Raises LinkClosed at the end of the link."""
        reports, self._early = self._early, []
        while not self._is_closed:
            try:
                packet = messages.receive_packet(self._socket)
            except ConnectionResetError:
                continue  # it is gone and left batches unread; what it reported before can still be read
            if packet is None:
                return reports
            if packet[0]:
                reports += messages.decode(packet[0])
            else:
                self._is_closed = True
        if reports:
            return reports
        raise LinkClosed("the keeper is gone")

    def die_with_keeper(self) -> None:
        """From now on the kernel ends this process with the keeper, even one that hangs. Raises LinkClosed if the keeper is gone already.

        The next supd takes everything over as soon as the keeper's lock is free, and must not meet this manager at it.
        """
        from supervisor.keeper import syscalls  # ctypes: not before the first spawn

        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, 9)
        if os.getppid() != self.table["keeper_pid"]:
            raise LinkClosed("the keeper is gone")

    def close(self) -> None:
        """Close this end and whatever waits; stored descriptors stay the caller's."""
        for _, fds in self._waiting:
            for descriptor in fds:
                os.close(descriptor)
        self._waiting.clear()
        self._socket.close()
