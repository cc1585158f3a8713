"""What supd may not do for a unit is refused by name before anything starts.

Decides by the capabilities supd really has (a root of a container may lack some, an ordinary user may have some), key by
key, and says which key it is, why not, and what to do. systemd finds the same out between fork and exec, one unlucky step
at a time, and leaves a bare status; the statuses here are its.

Never drops or raises anything itself: that is the keeper's part. Limits are judged in `daemon.limits`.
"""

import os
from dataclasses import dataclass

from supervisor.daemon.accounts import Identity, describe_user
from supervisor.daemon.prepare_error import PrepareError
from supervisor.model.specification import Execution

# capabilities(7), linux/capability.h
CAP_SETGID = 6
CAP_SETUID = 7
CAP_SETPCAP = 8
CAP_SYS_ADMIN = 21
CAP_SYS_NICE = 23
CAP_SYS_RESOURCE = 24

IO_CLASS_REALTIME = 1
NICE_RANGE = 20  # RLIMIT_NICE counts from 1 (nice 19) to 40 (nice -20)


@dataclass(frozen=True, slots=True)
class Own:
    """Who supd itself is and what it may do: the same for manager and keeper. The masks are the kernel's."""

    uid: int
    gid: int
    groups: frozenset[int]
    effective: int
    permitted: int
    bounding: int

    def has(self, capability: int) -> bool:
        return bool(self.effective >> capability & 1)

    @classmethod
    def read(cls) -> "Own":
        """This process, from the kernel (proc(5), status)."""
        masks = {}
        with open("/proc/self/status", "rb") as status:
            for line in status:
                if line.startswith(b"Cap"):
                    name, _, value = line.partition(b":")
                    masks[name] = int(value, 16)
        return cls(
            os.geteuid(), os.getegid(), frozenset(os.getgroups()), masks.get(b"CapEff", 0), masks.get(b"CapPrm", 0), masks.get(b"CapBnd", 0)
        )


@dataclass(frozen=True, slots=True)
class Change:
    """The change of identity the keeper shall make; None leaves a part as it is."""

    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None


def change_identity(unit: str, execution: Execution, identity: Identity, own: Own) -> Change:
    """What must change to make supd's own identity the wanted one; raises `PrepareError` where supd may not."""
    uid, gid = identity.uid, identity.gid
    groups = None if identity.groups is None else list(identity.groups)
    if uid is not None and uid != own.uid and not own.has(CAP_SETUID):
        raise PrepareError("USER", _refusal(unit, "user", execution.user, own, "may not become another user"))
    if own.has(CAP_SETGID):
        return Change(uid, gid, groups)
    # Without CAP_SETGID a part that already is as wanted is left alone, since even setting it anew is forbidden.
    if gid is not None and gid != own.gid:
        key, value = ("group", execution.group) if execution.group else ("user", execution.user)
        raise PrepareError("GROUP", _refusal(unit, key, value, own, f"may not change its group from {own.gid} to {gid}"))
    if execution.supplementary_groups and groups is not None:
        missing = [number for number in groups if number not in own.groups and number != own.gid]
        if missing:
            value, cause = " ".join(execution.supplementary_groups), f"is not a member of group {missing[0]} and may not join it"
            raise PrepareError("GROUP", _refusal(unit, "supplementary_groups", value, own, cause))
    return Change(uid)


def refuse_scheduling(unit: str, execution: Execution, own: Own) -> None:
    """Raises `PrepareError` for a nice value, an I/O class or an OOM score that is not supd's to give.

    The rules are those of setpriority(2), ioprio_set(2) and proc(5).
    """
    if execution.nice is not None and not own.has(CAP_SYS_NICE) and execution.nice < os.getpriority(os.PRIO_PROCESS, 0):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NICE)
        lowest = -NICE_RANGE if soft == resource.RLIM_INFINITY else NICE_RANGE - soft
        if execution.nice < lowest:
            raise PrepareError("NICE", _refusal(unit, "nice", str(execution.nice), own, "may not raise a priority"))
    if execution.io_scheduling_class == IO_CLASS_REALTIME and not (own.has(CAP_SYS_ADMIN) or own.has(CAP_SYS_NICE)):
        raise PrepareError("IOPRIO", _refusal(unit, "io_scheduling_class", "realtime", own, "may not use real-time I/O"))
    score = execution.oom_score_adjust
    if score is not None and score < 0 and not own.has(CAP_SYS_RESOURCE) and score < _own_oom_score_adjust():
        cause = "may not protect a process from the OOM killer"
        raise PrepareError("OOM_ADJUST", _refusal(unit, "oom_score_adjust", str(score), own, cause))


def refuse_capabilities(unit: str, execution: Execution, own: Own) -> None:
    """Raises `PrepareError` for capabilities supd can neither give nor take away (capabilities(7))."""
    for number in execution.ambient_capabilities:
        if not own.permitted >> number & 1:
            raise PrepareError(
                "CAPABILITIES", _refusal(unit, "ambient_capabilities", f"capability {number}", own, "does not have this capability itself")
            )
    wanted = execution.capability_bounding_set
    if wanted is not None and not own.has(CAP_SETPCAP):
        superfluous = own.bounding & ~sum(1 << number for number in set(wanted))
        if superfluous:
            value = " ".join(map(str, wanted)) or "(none)"
            raise PrepareError("CAPABILITIES", _refusal(unit, "capability_bounding_set", value, own, "may not narrow the bounding set"))


def _own_oom_score_adjust() -> int:
    with open("/proc/self/oom_score_adj", "rb") as file:
        return int(file.read())


def _refusal(unit: str, key: str, value: str, own: Own, cause: str) -> str:
    way_out = "Run supd as root" if own.uid != 0 else "Give supd that privilege (it runs as root without it, as in a container)"
    who = describe_user(own.uid)
    return f'cannot give {unit} {key} = "{value}": supd runs as {who} and {cause}. {way_out}, or remove "{key}" from the unit.'
