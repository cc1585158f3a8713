"""Wait for units by events: ask for the state once after the stream has begun, then only when an event names the unit."""

from supervisor.cli.session import FAILED, OK, TIMED_OUT, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Json = dict[str, Any]


def wait_until(
    session: Session,
    events: "Iterator[Json | None]",
    names: list[str],
    is_there: "Callable[[Json], bool]",
    failed_is_over: bool = True,
) -> int:
    """Until `is_there` holds for every unit; `events` has begun and gives None at the deadline.

    The exit status: 0, 1 when a unit has failed, 124 at the deadline.
    """
    status = OK
    left = set(names)
    asked = set(names)
    while True:
        for name in sorted(asked & left):
            unit = session.client.show(name)
            has_failed = unit["active_state"] == "failed" and failed_is_over
            if has_failed and not is_there(unit):
                session.complain(f"{name} has failed; supctl why {name} tells more")
            if is_there(unit) or has_failed:
                left.discard(name)
                status = FAILED if has_failed else status
        if not left:
            return status
        event = next(events)
        if event is None:
            session.complain(f"time is over: still waiting for {', '.join(sorted(left))}")
            return TIMED_OUT
        asked = left if event.get("kind") in ("reset", "gap") else {str(event.get("unit", ""))}


def resolve(session: Session, names: list[str]) -> list[str]:
    """The units' own ids: events name those, not aliases. Raises ApiError for an unknown one."""
    return [str(session.client.show(name)["id"]) for name in names]
