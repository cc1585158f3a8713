"""apply: what runs is brought in line with the unit files, or with --plan shown what that would be."""

from supervisor.cli.session import FAILED, OK, Session
from supervisor.client.errors import ApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

_WORDS = {
    "added": "known, not started",
    "removed": "forgotten: its file is gone",
    "live": "in force without a restart",
    "needs-restart": "left as it is: not asked for",
    "needs-stop": "left as it is: not asked for",
}


def apply(session: Session) -> int:
    """Words are sent as they are: a unit may be new, so that supd does not know it yet."""
    chosen, is_plan = session.arguments.operands, session.arguments.has("plan")
    try:
        done = session.client.plan(chosen) if is_plan else session.client.apply(chosen)
    except ApiError as error:
        return session.refused("apply", error)
    errors = done.get("errors") or []
    failed = [] if is_plan else _wait(session, done.get("jobs") or [])
    status = FAILED if errors or failed else OK
    if session.arguments.is_json:
        session.print_json(done)
    elif errors:
        from supervisor.cli.status import error_line

        session.complain("cannot apply the unit files, so nothing has changed and the last good definitions stay:")
        session.err.write(*[f"  {error_line(error)}" for error in errors])
    else:
        from shlex import join

        _show(session, done["units"], done.get("rolled_back", []), join(["supctl", "apply", *chosen]) if is_plan else "")
    return status


def _wait(session: Session, jobs: "list[int]") -> "list[Json]":
    """Wait for every job; those that failed, each explained."""
    from supervisor.cli.failure import explain

    failed = []
    for job in jobs:
        finished = session.client.wait_job(job)
        if finished["result"] not in ("done", "skipped", "canceled"):
            explain(session, finished)
            failed.append(finished)
    return failed


def _show(session: Session, units: "dict[str, Json]", rolled_back: list[str], command: str) -> None:
    """`command` does what was only planned; "" after it was done."""
    for name in rolled_back:
        session.out.write(f"{name} stays by its definition of before: its new one did not come up; `supctl apply {name}` tries it again")
    if not units:
        session.out.write("nothing to do: what runs is what the unit files say" if not rolled_back else "nothing else to do")
        return
    width = max(len(name) for name in units)
    for name, change in units.items():
        action = str(change["action"])
        keys = f"  {', '.join(change['changed'])}" if change["changed"] else ""
        session.out.write(f"{name:{width}}  {_WORDS.get(action, action)}{keys}")
    if command:
        session.out.write(f"`{command}` does it")
