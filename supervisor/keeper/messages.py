"""The words between keeper and manager, over one SOCK_SEQPACKET socketpair.

Manager to keeper: one packet is a *batch*, a JSON object `{"remember": {key: text, ...}, "ops": [[name, ...], ...]}`. The
keeper first stores every remembered text (an empty text forgets its key), then carries the ops out in order, so states
and effects of one step are one atom (the commit rule). Keeper to manager: one packet is a JSON list of *reports*.

A body of more than `INLINE_LIMIT_BYTES` travels as a memfd: the packet is then `MEMFD_MARK` and the memfd is the first
descriptor. At most `DESCRIPTORS_MAX` descriptors go with a packet; a truncated control message is fatal to the manager's
connection. Text is UTF-8 with surrogateescape carried as JSON escapes, so any bytes survive.

    ops      ["spawn", SpawnRequest as a dict]      a known run is answered with the known outcome, never spawned twice
             ["signal", run, signal]                to the run's process by pidfd; a run that is gone is ignored
             ["store", name, is_cloexec_always]     takes the next descriptor of the packet; an old one of that name is closed
             ["drop", name]                         closes a stored descriptor
             ["forget", run]                        the run's entry goes (only after its exit was reported)
             ["ack", count]                         `reaped` entries up to this sequence number may leave the ring
             ["leave", exit_status]                 the manager will exit now and the keeper shall follow with this status

    reports  ["forked", run, pid, start_time_ticks]
             ["execed", run]
             ["spawn_failed", run, step, errno, exit_status]
             ["exited", run, code, status, {"utime_us":, "stime_us":, "maxrss_kb":, ...}]   code: exited, killed, dumped
             ["reaped", seq, pid, start_time_ticks, code, status]                          any other child
             ["signaled", signal]                   the keeper itself was asked to stop (SIGTERM, SIGINT) or SIGHUP

The manager starts with the environment variable `SUPD_KEEPER_FDS` = "link,table": the socketpair's end and a memfd with
the *table*: `{"remembered": {...}, "runs": {run: {...}}, "stored": [[name, fd], ...], "reaped": [...], "starts": n}`;
every stored descriptor is inherited under the number the table gives.
"""

from dataclasses import dataclass
from typing import Any

INLINE_LIMIT_BYTES = 64 * 1024
DESCRIPTORS_MAX = 64
MEMFD_MARK = b"\0memfd"


@dataclass(slots=True)
class SpawnRequest:
    """Numbers, text and names of stored descriptors: nothing here needs a look-up, nothing can block but exec itself.

    Each `std*` is one of ["null"], ["stored", name] (a pipe is opened anew, read and write), ["open", path, flags, mode]
    or ["inherit"] (supd's own). `stderr` may also be ["stdout"]. `passed` are stored names that become descriptors 3, 4 ...
    None everywhere means: leave as it is.
    """

    run: int
    unit: str
    phase: str
    path: str
    argv: list[str]
    environment: list[str]  # "KEY=value"; LISTEN_PID and the like are added by the child itself, see `pid_variables`
    pid_variables: list[str]  # variables whose value is the child's own pid: LISTEN_PID, WATCHDOG_PID
    working_directory: str = "/"
    working_directory_is_optional: bool = False
    cgroup: str | None = None  # directory; the child writes itself into cgroup.procs
    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None
    umask: int = 0o022
    limits: list[list[Any]] | None = None  # [resource number, soft or -1, hard or -1]
    nice: int | None = None
    cpu_affinity: list[int] | None = None
    io_priority: int | None = None  # ioprio_set's value: class << 13 | level
    oom_score_adjust: int | None = None
    capability_bounding_set: list[int] | None = None
    ambient_capabilities: list[int] | None = None
    no_new_privileges: bool = False
    stdin: list[Any] | None = None
    stdout: list[Any] | None = None
    stderr: list[Any] | None = None
    passed: list[str] | None = None
