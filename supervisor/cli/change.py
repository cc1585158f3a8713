"""kill, reset-failed, scale, enable and its like, reload-units: changes that are not jobs."""

from supervisor.cli.arguments import UsageError
from supervisor.cli.session import FAILED, OK, Session
from supervisor.client.errors import ApiError
from supervisor.model.exitstatus import signal_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

INSTANCES_MAX = 10_000


def _each(session: Session, action: str, names: list[str], change: "Callable[[str], object]") -> int:
    status = OK
    for name in names:
        try:
            change(name)
        except ApiError as error:
            status = session.refused(f"{action} {name}", error)
    return status


def kill(session: Session) -> int:
    word = session.arguments.text("signal", "TERM")
    number = signal_number(word.upper())
    if number is None:
        raise UsageError(f"there is no signal {word!r}; examples: TERM, SIGHUP, 9, RTMIN+1")
    whom = session.arguments.text("kill_whom", "all")
    status = OK
    for name in session.names():
        try:
            session.client.kill(name, number, whom)
        except ApiError as error:
            if error.code != "refused":
                status = session.refused(f"kill {name}", error)
                continue
            session.complain(error.message)  # nobody is there to be signalled: 1, as systemctl has it
            status = FAILED
    return status


def reset_failed(session: Session) -> int:
    if session.arguments.operands or session.arguments.many("state"):
        names = session.names()
    else:
        names = [str(unit["id"]) for unit in session.client.units(states=["failed"])]
    return _each(session, "reset", names, session.client.reset_failed)


def scale(session: Session) -> int:
    template, word = session.arguments.operands
    if not (word.isascii() and word.isdigit() and len(word) < 7 and int(word) <= INSTANCES_MAX):
        raise UsageError(f"scale needs a number of instances from 0 to {INSTANCES_MAX}, not {word!r}")
    try:
        done = session.client.scale(template, int(word))
    except ApiError as error:
        return session.refused(f"scale {template}", error)
    status = OK
    for job in done.get("jobs", []):
        finished = session.client.wait_job(job)
        if finished["result"] not in ("done", "skipped", "canceled"):
            from supervisor.cli.failure import explain

            explain(session, finished)
            status = FAILED
    if session.arguments.is_json:
        session.print_json(done)
    else:
        for word, names in (("started", done["started"]), ("stopped", done["stopped"])):
            if names:
                session.out.write(f"{word}: {' '.join(names)}")
        if not (done["started"] or done["stopped"]):
            session.out.write(f"{template}: nothing to start or stop")
    return status


def _enabled_verb(verb: str, job: str) -> "Callable[[Session], int]":
    """enable, disable, mask, unmask; with --now the job that goes with it."""

    def run(session: Session) -> int:
        names = session.names()
        status = _each(session, verb, names, lambda name: session.client.set_enabled(verb, name))
        if session.arguments.has("now") and not status:
            from supervisor.cli.jobs import RUN as JOBS

            session.arguments.operands = names
            status = JOBS[job](session)
        return status

    return run


def reload_units(session: Session) -> int:
    done = session.client.reload_units()
    errors = done.get("errors") or []
    if session.arguments.is_json:
        session.print_json(done)
        return FAILED if errors else OK
    if errors:
        from supervisor.cli.status import error_line

        session.complain("cannot load the unit files, so nothing has changed and the last good definitions stay:")
        session.err.write(*[f"  {error_line(error)}" for error in errors])
        return FAILED
    session.out.write(f"{done['units']} units are loaded.")
    return OK


def reexec(session: Session) -> int:
    before = session.client.version()
    session.client.reexec()
    after = session.client.version()
    session.out.write(f"supd {before['version']} is now supd {after['version']}, in the same process {after['keeper_pid']}.")
    return OK


RUN = {
    "kill": kill,
    "reset-failed": reset_failed,
    "scale": scale,
    "enable": _enabled_verb("enable", "start"),
    "disable": _enabled_verb("disable", "stop"),
    "mask": _enabled_verb("mask", "stop"),
    "unmask": _enabled_verb("unmask", ""),
    "reload-units": reload_units,
    "reexec": reexec,
}
