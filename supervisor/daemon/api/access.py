"""Who may ask what: decided from the peer's uid and gids alone, which the kernel vouches for (SO_PEERCRED, SO_PEERGROUPS).

Levels are ordered: `view` < `operate` < `admin`. The owner of the daemon and root have `admin`; members of the socket group,
where one was named, have `group_level`; everybody else has nothing at all, whatever the mode of the socket says.
Nothing a client sends is consulted here.
"""

import array
import socket
import struct
from dataclasses import dataclass

from supervisor.daemon.api.service import Peer

LEVELS = ("view", "operate", "admin")

_UCRED = struct.Struct("iII")  # pid, uid, gid: struct ucred of unix(7)
_SO_PEERGROUPS = 59  # asm-generic/socket.h; not in the socket module
_GROUPS_BUFFER_BYTES = 1024  # the most that socket.getsockopt allows: 256 groups


@dataclass(frozen=True, slots=True)
class Access:
    """The rule of one daemon. `group` is the gid of `--socket-group`, None without one."""

    owner_uid: int
    group: int | None = None
    group_level: str = "admin"

    def level_of(self, peer: Peer, groups: frozenset[int] = frozenset()) -> str | None:
        """The peer's level, or None when nothing is allowed. `groups` are the peer's supplementary groups."""
        if peer.uid in (0, self.owner_uid):
            return "admin"
        if self.group is not None and (peer.gid == self.group or self.group in groups):
            return self.group_level
        return None


def allows(level: str, needed: str) -> bool:
    """Whether `level` reaches `needed`."""
    return LEVELS.index(level) >= LEVELS.index(needed)


def peer_of(connection: socket.socket) -> Peer:
    """Who connected, as the kernel noted it at connect(2) (unix(7), SO_PEERCRED)."""
    pid, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Peer(uid=uid, gid=gid, pid=pid)


def groups_of(connection: socket.socket) -> frozenset[int]:
    """The peer's supplementary groups at connect(2); empty where the kernel has no SO_PEERGROUPS or the list is beyond 256."""
    try:
        packed = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BUFFER_BYTES)
    except OSError:
        return frozenset()
    return frozenset(array.array("I", packed))


def describe(peer: Peer) -> str:
    """The peer for a log line and for `why`: "uid 1000 (ann) pid 4711"."""
    import pwd

    try:
        name = f" ({pwd.getpwuid(peer.uid).pw_name})"
    except KeyError:
        name = ""
    return f"uid {peer.uid}{name} pid {peer.pid}"
