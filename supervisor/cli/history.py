"""history: the runs of a unit or of all, or the jobs that ended, one line each, oldest first as in a log."""

from supervisor.cli.screen import exit_text, moment, size, span, table
from supervisor.cli.session import OK, Session
from supervisor.client.terminal import neutralise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

LINES = 20
_HEADS = ("STARTED", "UNIT", "TRY", "TRIGGER", "RAN", "RESULT", "CPU", "MEMORY", "RUN")
_RUN_CHARACTERS = 12  # of 32: enough to tell runs apart; --json has all


_JOB_HEADS = ("ENDED", "UNIT", "JOB", "TOOK", "RESULT")


def history(session: Session) -> int:
    arguments = session.arguments
    unit = arguments.operands[0] if arguments.operands else None
    if arguments.has("jobs"):
        return _jobs(session, unit)
    count = arguments.number("lines", LINES)
    runs = session.client.history(unit, count) if count else []
    if arguments.is_json:
        session.print_json(runs)
        return OK
    if not runs and count:
        session.out.write(f"No run of {neutralise(unit)} is recorded." if unit else "No run is recorded.")
        return OK
    session.out.write(*(table(_HEADS, [_row(run) for run in runs], right=(2, 4, 6, 7)) if runs else []))
    return OK


def _jobs(session: Session, unit: str | None) -> int:
    count = session.arguments.number("lines", LINES)
    jobs = session.client.past_jobs(unit, count) if count else []
    if session.arguments.is_json:
        session.print_json(jobs)
        return OK
    rows = [
        (moment(job["ended_time_s"]), neutralise(str(job["unit"])), str(job["type"]), span(job["took_s"]),
         neutralise(str(job["result"]) + (f": {job['text']}" if job["text"] else "")))
        for job in jobs
    ]  # fmt: skip
    session.out.write(*(table(_JOB_HEADS, rows, right=(3,)) if rows else ["No job is recorded."] if count else []))
    return OK


def _row(run: "Json") -> "tuple[str, ...]":
    ended = "" if run["result"] is None else exit_text(run)  # the first command of several may have ended
    result = "(goes on)" if run["result"] is None else str(run["result"])
    return (
        moment(run["started_time_s"]),
        neutralise(str(run["unit"])),
        str(run["attempt"]),
        str(run["trigger"]),
        "-" if run["ended_time_s"] is None else span(run["ended_time_s"] - run["started_time_s"]),
        result + (f" ({ended})" if ended and result not in ("success", "unknown") else ""),
        "-" if run["cpu_usage_nsec"] is None else span(run["cpu_usage_nsec"] / 1e9),
        "-" if run["memory_peak_bytes"] is None else size(run["memory_peak_bytes"]),
        str(run["run_id"])[:_RUN_CHARACTERS],
    )
