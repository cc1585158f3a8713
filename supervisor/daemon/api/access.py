"""Who may ask what: decided from the peer's uid and gids alone, which the kernel vouches for (SO_PEERCRED, SO_PEERGROUPS).

Levels are ordered: `view` < `operate` < `admin`. The owner of the daemon and root have `admin`; members of the socket group,
where one was named, have `group_level`; whoever a role of `supd.toml` names has what it says, on the units it says; rights add up.
Everybody else has nothing at all, whatever the mode of the socket says. Nothing a client sends is consulted here.
"""

import array
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from supervisor.daemon.api.service import Peer
from supervisor.model.roles import LEVELS, Role

_UCRED = struct.Struct("iII")  # pid, uid, gid: struct ucred of unix(7)
_SO_PEERGROUPS = 59  # asm-generic/socket.h; not in the socket module
_GROUPS_BUFFER_BYTES = 1024  # the most that socket.getsockopt allows: 256 groups


@dataclass(frozen=True, slots=True)
class Right:
    """A level on some units: those whose own name one of the glob patterns matches; None: every unit."""

    level: str
    patterns: tuple[str, ...] | None = None

    def covers(self, unit: str) -> bool:
        return self.patterns is None or any(fnmatchcase(unit, pattern) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Grant:
    """All that one peer may do; never empty."""

    rights: tuple[Right, ...]

    @property
    def is_uniform(self) -> bool:
        """Whether it is the same for every unit."""
        return all(right.patterns is None for right in self.rights)

    def level_for(self, unit: str) -> str | None:
        """The level on one unit; None: not even a look."""
        return _highest(right.level for right in self.rights if right.covers(unit))

    def level_everywhere(self) -> str | None:
        """The level that holds for every unit there is or will be, and so for supd itself."""
        return _highest(right.level for right in self.rights if right.patterns is None)

    def level_somewhere(self) -> str:
        """The highest level on any unit."""
        return _highest(right.level for right in self.rights) or LEVELS[0]


def _highest(levels: Iterable[str]) -> str | None:
    return max(levels, key=LEVELS.index, default=None)


@dataclass(frozen=True, slots=True)
class Access:
    """The rule of one daemon. `group` is the gid of `--socket-group`, None without one; `roles` are those of `supd.toml`."""

    owner_uid: int
    group: int | None = None
    group_level: str = "admin"
    roles: tuple[Role, ...] = ()

    def is_master(self, peer: Peer) -> bool:
        """Root or the owner."""
        return peer.uid in (0, self.owner_uid)

    def grant_of(self, peer: Peer, groups: frozenset[int] = frozenset()) -> Grant | None:
        """What the peer may do, None when nothing. `groups` are the peer's supplementary groups."""
        if self.is_master(peer):
            return Grant((Right("admin"),))
        gids = groups | {peer.gid}
        rights = [Right(self.group_level)] if self.group in gids else []
        rights += [Right(role.level, role.patterns) for role in self.roles if peer.uid in role.uids or not gids.isdisjoint(role.gids)]
        return Grant(tuple(dict.fromkeys(rights))) if rights else None

    @property
    def lets_others_in(self) -> bool:
        """Whether a role names anybody whom the socket's usual mode would stop."""
        return any(role.uids - {0, self.owner_uid} or role.gids for role in self.roles)


def allows(level: str | None, needed: str) -> bool:
    """Whether `level` reaches `needed`; None reaches nothing."""
    return level is not None and LEVELS.index(level) >= LEVELS.index(needed)


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


def user_of(uid: int) -> str:
    """The user's name, "" when the uid has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def describe(peer: Peer, user: str) -> str:
    """The peer for a log line and for `why`: "uid 1000 (ann) pid 4711"."""
    name = f" ({user})" if user else ""
    return f"uid {peer.uid}{name} pid {peer.pid}"
