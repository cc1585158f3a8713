"""why, events, version, wait: what happened, what comes next, and until when."""

import os
import time

import supervisor
from supervisor.cli.arguments import UsageError
from supervisor.cli.screen import ago, moment
from supervisor.cli.session import NO_SUCH_UNIT, OK, Session
from supervisor.client.errors import ApiError, NoDaemon
from supervisor.client.reasons import digest, sentence
from supervisor.client.terminal import neutralise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

_HIDDEN = ("id", "time_s", "unit", "kind", "text", "snapshot")


def why(session: Session) -> int:
    status, found = OK, []
    for name in session.names():
        try:
            found.append(session.client.why(name))
        except ApiError as error:
            session.refused(f"explain {name}", error)
            status = NO_SUCH_UNIT
    if session.arguments.is_json:
        session.print_json(found[0] if len(session.arguments.operands) == 1 and found else found)
        return status
    out, now_s = session.out, time.time()
    for answer in found:
        out.write(f"{out.symbol(answer['active_state'])} {answer['unit']} is {out.state(answer['active_state'], answer['sub_state'])}")
        for cause, count in digest(answer["because"]):
            when = f"  {out.paint(ago(cause['time_s'], now_s), 'grey')}" if cause.get("time_s") else ""
            often = f" ({count} times)" if count > 1 else ""
            out.write(f"  because {neutralise(sentence(cause, answer['unit']))}{often}{when}")
        if not answer["because"]:
            out.write("  no reason is recorded: nothing has gone other than asked")
        if answer["next"]:
            coming = answer["next"]
            when = f", {ago(coming['time_s'], now_s)}" if coming.get("time_s") else ""
            out.write(f"  next: {coming['what']}{when}")
    return status


def events(session: Session) -> int:
    """Past ones, then with -f those to come; the stream is entered before the past is read, so that none falls between."""
    follows = session.arguments.has("follow")
    count = session.arguments.number("lines", 10 if follows else 100)
    stream = session.client.events() if follows else None
    if stream is not None:
        next(stream)
    seen = ""
    for event in session.client.recent_events(count):
        _print_event(session, event)
        seen = str(event.get("id", ""))
    session.out.stream.flush()
    for coming in stream or ():
        if coming is not None and not _is_earlier(coming, seen):
            _print_event(session, coming)
            session.out.stream.flush()
    return OK


def _is_earlier(event: "Json", seen: str) -> bool:
    """Whether an event of the stream was among the past ones already (same epoch, no later number)."""
    epoch, _, number = str(event.get("id", "")).rpartition("-")
    seen_epoch, _, seen_number = seen.rpartition("-")
    return bool(seen) and epoch == seen_epoch and event.get("kind") != "reset" and int(number or 0) <= int(seen_number or 0)


def _print_event(session: Session, event: "Json") -> None:
    if session.arguments.is_json:
        session.print_json(event)
        return
    if event.get("kind") == "reset":
        session.out.write("-- earlier events are gone; what follows is new --")
        return
    when = moment(event["time_s"]) if event.get("time_s") else ""
    text = event.get("text") or " ".join(f"{key}={value}" for key, value in event.items() if key not in _HIDDEN)
    session.out.write(f"{when}  {event.get('unit') or '-'}  {event.get('kind')}: {neutralise(str(text))}")


def version(session: Session) -> int:
    try:
        of_supd: Json = session.client.version()
    except NoDaemon as error:
        if session.arguments.is_json:
            raise
        session.out.write(f"supctl {supervisor.__version__}", f"supd   does not answer: {str(error).splitlines()[0]}")
        return OK
    if session.arguments.is_json:
        session.print_json({**of_supd, "socket": os.path.abspath(session.client.place.path)})
        return OK
    session.out.write(
        f"supctl {supervisor.__version__}",
        f"supd   {of_supd['version']} (keeper {of_supd['keeper_pid']}, manager {of_supd['manager_pid']}, "
        f"since {moment(of_supd['started_time_s'])})",
    )
    return OK


def wait(session: Session) -> int:
    """The verb `wait`: until every unit is in the state asked for."""
    from supervisor.cli.waiting import resolve, wait_until

    wanted = session.arguments.text("for", "active")
    deadline_s = None
    if "timeout" in session.arguments.options:
        deadline_s = time.monotonic() + _seconds(session.arguments.text("timeout"))
    stream = session.client.events(deadline_s=deadline_s)
    next(stream)
    try:
        names = resolve(session, session.names())
    except ApiError as error:
        session.refused("wait", error)
        return NO_SUCH_UNIT
    states = ("active", "reloading") if wanted == "active" else (wanted,)
    return wait_until(session, stream, names, lambda unit: unit["active_state"] in states, failed_is_over=wanted == "active")


def _seconds(text: str) -> float:
    from supervisor.model.errors import QuantityError
    from supervisor.model.quantities import parse_time_span

    try:
        span_us = parse_time_span(text)
    except QuantityError as error:
        raise UsageError(f"--timeout: {error}") from None
    return float("inf") if span_us is None else span_us / 1e6


RUN = {"why": why, "events": events, "version": version, "wait": wait}
