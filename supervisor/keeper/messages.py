"""The words between keeper and manager, over one SOCK_SEQPACKET socketpair.

Manager to keeper: one packet is a *batch*, a JSON object `{"remember": {key: text, ...}, "ops": [[name, ...], ...]}`. The
keeper first stores every remembered text (an empty text forgets its key), then carries the ops out in order, so states
and effects of one step are one atom (the commit rule). A batch that is not wholly well-formed changes nothing and costs
the manager its life. Keeper to manager: one packet is a JSON list of *reports*.

A body of more than `INLINE_LIMIT_BYTES` travels as a memfd: the packet is then `MEMFD_MARK` and the memfd is the first
descriptor. At most `DESCRIPTORS_MAX` descriptors go with a packet; those of a batch that needs more go ahead in packets
`MORE_MARK`, which the keeper holds until the batch itself comes. A truncated control message is fatal to the manager's
connection. Text is UTF-8 with surrogateescape carried as JSON escapes, so any bytes survive.

    ops      ["spawn", SpawnRequest as a dict]      a known run is answered with the known outcome, never spawned twice
             ["signal", run, signal]                to the run's process, our child; a run that is gone is ignored
             ["store", name, is_cloexec_always]     takes the next descriptor of the batch; an old one of that name is closed.
                                                    is_cloexec_always: held by the keeper alone (a lock), the table gives it as -1
             ["drop", name]                         closes a stored descriptor
             ["forget", run]                        the run's entry goes (at once if it is over, else as soon as it is, unreported)
             ["ack", count]                         `reaped` entries up to this sequence number may leave the ring
             ["pumping"]                            from now on this manager moves what is in the log pipes; answered by "emptied"
             ["told_emptied", {name: bytes}]        these were told to whom it concerns
             ["journal", path]                      from now on the table is kept in this file too, for the keeper's own death
             ["echo", number]                       answered when everything before it is carried out
             ["reexec"]                             replace keeper and manager by the code on disk; answered only if it fails
             ["ready"]                              the manager is up: from now on it is started again however it ends
             ["leave", exit_status]                 the manager will exit now and the keeper shall follow with this status

    reports  ["forked", run, pid, start_time_ticks]
             ["execed", run]
             ["spawn_failed", run, step, errno, exit_status]     step "FORK": no process was made, nothing was forked
             ["exited", run, code, status, {"utime_us":, "stime_us":, "maxrss_kb":, ...}]   code: exited, killed, dumped
             ["reaped", seq, pid, start_time_ticks, code, status]                          any other child
             ["echo", number]                       the answer
             ["reexec_failed", text]                the code on disk did not prove itself: everything goes on as it was
             ["emptied", {name: bytes}]             log pipes that were emptied while nobody pumped, and not told of yet
             ["signaled", signal]                   the keeper itself was asked to stop (SIGTERM, SIGINT) or SIGHUP

    The order for a run is forked, then execed or spawn_failed, then (after execed only) exited. One exception tells the
    truth: a child that a signal ended before exec is reported as exited, with no execed before it.

The manager starts with the environment variable `SUPD_KEEPER_FDS` = "link,table": the socketpair's end and a memfd with
the *table*: `{"remembered": {...}, "runs": {run: {...}}, "stored": [[name, fd], ...], "reaped": [...], "starts": n,
"keeper_pid": n, "nofile_soft": n}`. A run in it is `{"unit", "phase", "pid", "start_time_ticks", "reports":
[...]}`: its outcome so far, as the reports that would have told it; they are not sent again. Each entry of "reaped" is such a report
too. Every stored descriptor is inherited under the number the table gives. "nofile_soft" is the soft RLIMIT_NOFILE supd
was started with, which every run gets unless its limits say otherwise; the manager starts with it as well.
"""

import _socket as socket  # socket.py, with selectors and enum, would cost the keeper milliseconds and pages
import errno
import json
import os
from array import array
from typing import Any

INLINE_LIMIT_BYTES = 64 * 1024
DESCRIPTORS_MAX = 64
MEMFD_MARK = b"\0memfd"
MORE_MARK = b"\0more"
ENVIRONMENT_VARIABLE = "SUPD_KEEPER_FDS"

_ANCILLARY_BYTES = socket.CMSG_SPACE(DESCRIPTORS_MAX * array("i").itemsize)


class BadPacket(Exception):
    """What came over the link is none of the words above; the text says in what way."""


class SpawnRequest:
    """Numbers, text and names of stored descriptors: nothing here needs a look-up, nothing can block but exec itself.

    Each `std*` is one of ["null"], ["stored", name] (a pipe is opened anew, read and write), ["open", path, flags, mode]
    or ["inherit"] (supd's own). `stderr` may also be ["stdout"]. `passed` are stored names that become descriptors 3, 4 ...
    `placed` are [stored name, number]: the descriptor gets this very number, numbers between stay closed; of a pipe (stored for
    both directions, so that it never breaks) the child gets the writing end, opened anew. None everywhere means: leave as it is.
    Written out by hand: the keeper must not pay for importing dataclasses.
    """

    __slots__ = (
        "ambient_capabilities",
        "argv",
        "capability_bounding_set",
        "cgroup",
        "cpu_affinity",
        "environment",
        "gid",
        "groups",
        "ignored_signals",
        "io_priority",
        "is_born_in_cgroup",
        "limits",
        "nice",
        "no_new_privileges",
        "oom_score_adjust",
        "passed",
        "path",
        "phase",
        "pid_variables",
        "placed",
        "run",
        "stderr",
        "stdin",
        "stdout",
        "uid",
        "umask",
        "unit",
        "working_directory",
        "working_directory_is_optional",
    )

    def __init__(
        self,
        run: int,
        unit: str,
        phase: str,
        path: str,
        argv: list[str],
        environment: list[str],  # "KEY=value"; LISTEN_PID and the like are added by the child itself, see `pid_variables`
        pid_variables: list[str],  # variables whose value is the child's own pid: LISTEN_PID, WATCHDOG_PID
        working_directory: str = "/",
        working_directory_is_optional: bool = False,  # one that cannot be entered is replaced by "/"
        cgroup: str | None = None,  # directory; the child writes itself into cgroup.procs
        uid: int | None = None,
        gid: int | None = None,
        groups: list[int] | None = None,
        umask: int = 0o022,
        limits: list[list[Any]] | None = None,  # [resource number, soft, hard]; -1 is infinity
        nice: int | None = None,
        cpu_affinity: list[int] | None = None,
        io_priority: int | None = None,  # ioprio_set's value: class << 13 | level
        oom_score_adjust: int | None = None,
        capability_bounding_set: list[int] | None = None,  # the numbers that remain
        ambient_capabilities: list[int] | None = None,
        no_new_privileges: bool = False,
        stdin: list[Any] | None = None,
        stdout: list[Any] | None = None,
        stderr: list[Any] | None = None,
        passed: list[str] | None = None,
        is_born_in_cgroup: bool = False,  # the keeper may create it there (clone3); else it joins as its first step
        placed: list[list[Any]] | None = None,  # [stored name, number], the numbers above those of `passed`
        ignored_signals: list[int] | None = None,  # all others start with their default disposition
    ) -> None:
        self.run = run
        self.unit = unit
        self.phase = phase
        self.path = path
        self.argv = argv
        self.environment = environment
        self.pid_variables = pid_variables
        self.working_directory = working_directory
        self.working_directory_is_optional = working_directory_is_optional
        self.cgroup = cgroup
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.umask = umask
        self.limits = limits
        self.nice = nice
        self.cpu_affinity = cpu_affinity
        self.io_priority = io_priority
        self.oom_score_adjust = oom_score_adjust
        self.capability_bounding_set = capability_bounding_set
        self.ambient_capabilities = ambient_capabilities
        self.no_new_privileges = no_new_privileges
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.passed = passed
        self.is_born_in_cgroup = is_born_in_cgroup
        self.placed = placed
        self.ignored_signals = ignored_signals

    def as_dict(self) -> dict[str, Any]:
        """What goes over the link: every field that is not None (a field left out is None at the other end)."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpawnRequest) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]  # mutable, so equal by value and never a key

    def __repr__(self) -> str:
        return "SpawnRequest(" + ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items()) + ")"


def _as_json(value: object) -> dict[str, Any]:
    if isinstance(value, SpawnRequest):
        return value.as_dict()
    raise TypeError(f"{type(value).__name__} is no word between keeper and manager")


_encoder = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=_as_json)


def encode(value: object) -> bytes:
    """One body. A SpawnRequest may stand where its dict is meant."""
    return _encoder.encode(value).encode("ascii")


def decode(body: bytes) -> Any:
    """The value of one body; BadPacket when it is no JSON."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise BadPacket(f"a body that is no JSON: {error}") from None


def body_memfd(body: bytes, name: str) -> int:
    """A close-on-exec memfd that holds `body`; `name` shows in /proc/PID/fd."""
    descriptor = os.memfd_create(name)
    try:
        view = memoryview(body)
        while view:
            view = view[os.write(descriptor, view) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_body(descriptor: int) -> bytes:
    """All of a memfd, wherever its offset stands."""
    size = os.fstat(descriptor).st_size
    pieces: list[bytes] = []
    offset = 0
    while offset < size and (piece := os.pread(descriptor, size - offset, offset)):
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)


def send_packet(link: socket.socket, body: bytes, descriptors: list[int]) -> bool:
    """Send one packet on a non-blocking link; False when the socket is full. OSError when the other end is gone."""
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))] if descriptors else []
    try:
        link.sendmsg([body], ancillary)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno == errno.ETOOMANYREFS:  # an ordinary user has too many descriptors in flight: wait until some arrived
            return False
        raise
    return True


def receive_packet(link: socket.socket) -> tuple[bytes, list[int]] | None:
    """One packet with its (close-on-exec) descriptors; None when there is none now; an empty body is the end.

    Raises BadPacket when descriptors were lost on the way (MSG_CTRUNC) or the packet was cut; those that came are closed.
    ConnectionResetError says that the other end left with packets unread; what it sent before is still to be received.
    """
    try:
        body, ancillary, flags, _ = link.recvmsg(INLINE_LIMIT_BYTES, _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC)
    except BlockingIOError:
        return None
    numbers = array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    descriptors = numbers.tolist()
    if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
        for descriptor in descriptors:
            os.close(descriptor)
        raise BadPacket("a packet came truncated (out of descriptors, or longer than a packet may be)")
    return body, descriptors
