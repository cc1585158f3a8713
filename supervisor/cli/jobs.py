"""start, stop, restart and their like: enqueue all, then wait for all, then say how each ended.

Several units are enqueued before the first is waited for, so that their order is supd's affair. A job that fails is explained at once:
the step, the reason, the last lines of output, what to type next. Ctrl-C ends the waiting and never the job.
"""

from supervisor.cli.session import FAILED, INTERRUPTED, OK, Session
from supervisor.client.errors import ApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Json = dict[str, Any]


def _job_verb(verb: str) -> "Callable[[Session], int]":
    def run(session: Session) -> int:
        arguments = session.arguments
        names = session.names()
        if not names:
            return OK if arguments.many("state") else FAILED
        mode = arguments.text("job_mode", "replace")
        wants_end = arguments.has("wait")
        ending = _Ending(session) if wants_end and not arguments.has("no_block") else None
        status, made = _enqueue(session, verb, names, mode)
        if arguments.has("no_block"):
            if arguments.is_json:
                session.print_json(made)
            return status
        finished = _wait(session, made)
        if finished is None:
            return INTERRUPTED
        for job in finished:
            status = _report(session, job) or status
        if arguments.is_json:
            session.print_json(finished)
        if ending is not None and not status:
            status = ending.wait_for([str(job["unit"]) for job in finished])
        return status

    return run


def _enqueue(session: Session, verb: str, names: list[str], mode: str) -> "tuple[int, list[Json]]":
    status, made = OK, []
    for name in names:
        try:
            made.append(session.client.request_job(verb, name, mode))
        except ApiError as error:
            status = session.refused(f"{verb} {name}", error)
    return status, made


def _wait(session: Session, made: "list[Json]") -> "list[Json] | None":
    """The finished jobs in the order they were made; None when the person did not want to wait."""
    from supervisor.cli.progress import Progress

    progress = Progress(session)
    finished = []
    try:
        for job in made:
            if job["job"]:
                finished.append(session.client.wait_job(job["job"], progress.first_tick_s, progress.of(job)))
            else:
                finished.append({"id": 0, "unit": job["unit"], "type": "nop", "result": "done", "text": "nothing to do"})
    except KeyboardInterrupt:
        progress.clear()
        left = [str(job["unit"]) for job in made[len(finished) :]]
        numbers = " ".join(str(job["job"]) for job in made[len(finished) :])
        session.complain(f"no longer waiting; the job goes on for {', '.join(left)} (supctl cancel {numbers} would end it)")
        return None
    finally:
        progress.clear()
    return finished


def _report(session: Session, job: "Json") -> int:
    """Explain a job that did not end well on stderr; the exit status."""
    if job["result"] in ("done", "skipped"):
        if job["result"] == "skipped" and job.get("text"):
            session.complain(f"{job['unit']} was skipped: {job['text']}")
        return OK
    from supervisor.cli.failure import explain

    explain(session, job)
    return FAILED


class _Ending:
    """`--wait`: until the units have ended again. Reads the events from before the jobs were made, so no end is missed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._events = session.client.events()
        next(self._events)  # we are a reader now

    def wait_for(self, names: list[str]) -> int:
        from supervisor.cli.waiting import wait_until

        return wait_until(self._session, self._events, names, lambda unit: unit["active_state"] in ("inactive", "failed"))


def isolate(session: Session) -> int:
    name = session.arguments.operands[0]
    try:
        made = session.client.isolate(name)
    except ApiError as error:
        return session.refused(f"isolate {name}", error)
    if session.arguments.has("no_block"):
        return OK
    finished = _wait(session, [made])
    if finished is None:
        return INTERRUPTED
    if session.arguments.is_json:
        session.print_json(finished)
    return _report(session, finished[0])


def list_jobs(session: Session) -> int:
    jobs = session.client.jobs()
    if session.arguments.is_json:
        session.print_json(jobs)
        return OK
    if not jobs:
        session.out.write("No jobs are queued.")
        return OK
    from supervisor.cli.screen import table

    rows = [(str(j["id"]), str(j["unit"]), str(j["type"]), str(j["state"]), ", ".join(j.get("waits_for", []))) for j in jobs]
    session.out.write(*table(("JOB", "UNIT", "TYPE", "STATE", "WAITS FOR"), rows, right=(0,)))
    return OK


def cancel(session: Session) -> int:
    status = OK
    for word in session.arguments.operands:
        if not (word.isascii() and word.isdigit()):
            session.complain(f"{word!r} is not the number of a job; supctl list-jobs shows them")
            status = FAILED
            continue
        try:
            session.client.cancel_job(int(word))
        except ApiError as error:
            status = session.refused(f"cancel job {word}", error)
    return status


RUN = {
    **{verb: _job_verb(verb) for verb in ("start", "stop", "restart", "try-restart", "reload", "reload-or-restart")},
    "isolate": isolate,
    "list-jobs": list_jobs,
    "cancel": cancel,
}
