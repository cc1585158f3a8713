"""Resource limits: `limit_*` become the numbers of setrlimit(2).

Rules:
- Of what a unit does not mention nothing is said here; the keeper gives it the soft NOFILE supd itself was started with.
- A finite limit above what supd may set is refused by name. (systemd quietly gives less.)
- "infinity" means as much as there is: where the kernel has a ceiling (NOFILE for root, the hard limit for everybody else)
  it is the hard limit, as setrlimit_closest() of systemd has it.
"""

from supervisor.daemon.prepare_error import PrepareError
from supervisor.daemon.privileges import CAP_SYS_RESOURCE, Own
from supervisor.model.specification import Limit

INFINITY = -1  # in a spawn request
RLIMIT_LOCKS = 10  # Linux; the resource module has no name for it, and the kernel no use since 2.4.25


def numbers() -> dict[str, int]:
    """The kernel's number of each limit by systemd's name (`systemd.exec(5)`, PROCESS PROPERTIES)."""
    import resource

    return {
        "CPU": resource.RLIMIT_CPU,
        "FSIZE": resource.RLIMIT_FSIZE,
        "DATA": resource.RLIMIT_DATA,
        "STACK": resource.RLIMIT_STACK,
        "CORE": resource.RLIMIT_CORE,
        "RSS": resource.RLIMIT_RSS,
        "NOFILE": resource.RLIMIT_NOFILE,
        "AS": resource.RLIMIT_AS,
        "NPROC": resource.RLIMIT_NPROC,
        "MEMLOCK": resource.RLIMIT_MEMLOCK,
        "LOCKS": RLIMIT_LOCKS,
        "SIGPENDING": resource.RLIMIT_SIGPENDING,
        "MSGQUEUE": resource.RLIMIT_MSGQUEUE,
        "NICE": resource.RLIMIT_NICE,
        "RTPRIO": resource.RLIMIT_RTPRIO,
        "RTTIME": resource.RLIMIT_RTTIME,
    }


def resolve(unit: str, limits: tuple[Limit, ...], own: Own) -> list[list[int]] | None:
    """[[number, soft, hard], ...] for the spawn request, None if the unit sets no limit.

    Raises `PrepareError` with step "LIMITS" for a soft limit above its hard one and for one supd may not set.
    """
    if not limits:
        return None
    import resource

    by_name = numbers()
    resolved = []
    for limit in limits:
        number = by_name.get(limit.resource)
        if number is None:
            raise PrepareError("LIMITS", f"cannot set limit_{limit.resource.lower()} of {unit}: there is no such limit.")
        _, ceiling = resource.getrlimit(number)
        soft = _resolve_one(unit, limit.resource, limit.soft, ceiling, own)
        hard = _resolve_one(unit, limit.resource, limit.hard, ceiling, own)
        if hard != INFINITY and (soft == INFINITY or soft > hard):
            text = f"cannot set limit_{limit.resource.lower()} of {unit}: the soft limit {_text(soft)} is above the hard limit {hard}."
            raise PrepareError("LIMITS", text)
        resolved.append([number, soft, hard])
    return resolved


def _resolve_one(unit: str, name: str, wanted: int | None, ceiling: int, own: Own) -> int:
    may_raise = own.has(CAP_SYS_RESOURCE)
    if wanted is None:
        return ceiling if name == "NOFILE" or not may_raise else INFINITY
    if ceiling == INFINITY or wanted <= ceiling:
        return wanted
    if not may_raise:
        raise PrepareError(
            "LIMITS",
            f"cannot set limit_{name.lower()} of {unit} to {wanted}: supd's own hard limit is {ceiling} and only root may raise it. "
            f"Ask for at most {ceiling}, or start supd with a higher hard limit (ulimit -H).",
        )
    if name == "NOFILE":
        highest = _highest_nofile()
        if wanted > highest:
            raise PrepareError(
                "LIMITS",
                f"cannot set limit_nofile of {unit} to {wanted}: the kernel allows {highest} (sysctl fs.nr_open). "
                f'Ask for at most that, raise fs.nr_open, or write "infinity" for as many as supd has.',
            )
    return wanted


def _highest_nofile() -> int:
    with open("/proc/sys/fs/nr_open", "rb") as file:
        return int(file.read())


def _text(limit: int) -> str:
    return "infinity" if limit == INFINITY else str(limit)
