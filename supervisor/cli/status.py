"""status, show, is-active, is-failed, is-enabled: what is, asked most often by people and by scripts (the fast path)."""

import time

from supervisor.cli.screen import ago, exit_text, moment, size, span
from supervisor.cli.session import FAILED, NO_SUCH_UNIT, NOT_ACTIVE, OK, Session
from supervisor.client.errors import ApiError
from supervisor.client.terminal import neutralise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

LOG_LINES = 10
RUNS = 3
FAILED_MAX = 10  # of the overview
UP = ("active", "reloading")
# unit_file states for which `is-enabled` succeeds (systemctl(1), is-enabled).
STARTS_AT_BOOT = ("enabled", "enabled-runtime", "static", "alias", "indirect", "generated")


def status(session: Session) -> int:
    if not session.arguments.operands and not session.arguments.many("state"):
        return _overview(session)
    code, shown = OK, []
    names = session.names()
    for index, name in enumerate(names):
        try:
            unit = session.client.show(name)
        except ApiError as error:
            code = session.unknown(error)
            continue
        shown.append(unit)
        if not session.arguments.is_json:
            if index:
                session.out.write("")
            _block(session, unit)
        if unit["load_state"] == "not-found":
            code = NO_SUCH_UNIT
        elif unit["active_state"] in ("inactive", "failed") and code == OK:
            code = NOT_ACTIVE
    if session.arguments.is_json:
        session.print_json(shown[0] if len(names) == 1 and shown else shown)
    return code


def _block(session: Session, unit: "Json") -> None:
    """One unit, as systemctl lays it out."""
    out, name = session.out, str(unit["id"])
    description = f" - {neutralise(unit['description'])}" if unit.get("description") else ""
    out.write(f"{out.symbol(unit['active_state'], unit['load_state'])} {name}{description}")
    path = neutralise(unit.get("fragment_path") or "")
    enabled = "; ".join(part for part in (path, str(unit.get("enabled") or "")) if part)
    rows = [("Loaded", f"{unit['load_state']}" + (f" ({enabled})" if enabled else ""))]
    rows.append(("Active", _active(session, unit)))
    if unit.get("job"):
        rows.append(("Job", _job(unit["job"])))
    ended = exit_text(unit)
    if unit.get("result") not in (None, "success") or (ended and not unit["main_pid"]):
        rows.append(("Result", str(unit.get("result")) + (f" ({ended})" if ended else "")))
    if unit.get("n_restarts"):
        rows.append(("Restarts", str(unit["n_restarts"])))
    if unit.get("main_pid"):
        rows.append(("Main PID", str(unit["main_pid"])))
    if unit.get("control_pid"):
        rows.append(("Control PID", str(unit["control_pid"])))
    others = [pid for pid in unit.get("pids") or [] if pid not in (unit.get("main_pid"), unit.get("control_pid"))]
    if others:
        rows.append(("Others", " ".join(map(str, others[:20])) + (f" and {len(others) - 20} more" if len(others) > 20 else "")))
    if unit.get("status_text"):
        rows.append(("Status", f'"{neutralise(unit["status_text"])}"'))
    if unit.get("memory_current_bytes") is not None:
        rows.append(("Memory", size(unit["memory_current_bytes"])))
    if unit.get("cpu_usage_nsec") is not None:
        rows.append(("CPU", span(unit["cpu_usage_nsec"] / 1e9)))
    if unit.get("log_lost_bytes"):
        rows.append(("Log", out.paint(f"{size(unit['log_lost_bytes'])} of its output were lost; supctl logs {name} shows where", "yellow")))
    if unit.get("needs_restart"):
        rows.append(("Note", out.paint(f"the unit file has changed; supctl restart {name} makes it effective", "yellow")))
    rows += [("Bad file", out.paint(error_line(error), "red")) for error in _errors_in(session, unit)]
    why = session.client.why(name)
    if reason := _reason(unit, why["because"]):
        rows.append(("Why", neutralise(reason)))
    if why["next"]:
        rows.append(("Next", _next(why["next"])))
    rows += [("Last runs" if index == 0 else "", text) for index, text in enumerate(_last_runs(session, name))]
    out.write(*[f"{label:>12}{':' if label else ' '} {text}" for label, text in rows])
    count = session.arguments.number("lines", LOG_LINES)
    lines = session.client.log(name, count)["lines"] if count else []
    if lines:
        out.write("", *lines)


def _last_runs(session: Session, name: str) -> list[str]:
    """The last runs that are over, newest first, in a line each; none where history cannot be read."""
    try:
        runs = [run for run in session.client.history(name, RUNS + 1) if run["result"] is not None]
    except ApiError:
        return []
    return [
        f"{moment(run['started_time_s'])}: {run['result']}"
        + (f" ({ended})" if (ended := exit_text(run)) else "")
        + (f" after {span(run['ended_time_s'] - run['started_time_s'])}" if run["ended_time_s"] else "")
        for run in reversed(runs[-RUNS:])
    ]


def _reason(unit: "Json", because: "list[Json]") -> str:
    """Why it is as it is, in one sentence: of a failure what went wrong; otherwise the nearest reason that explains the state."""
    if unit["active_state"] == "failed" and unit.get("failed_text"):
        return str(unit["failed_text"])
    is_down = unit["active_state"] in ("inactive", "failed")
    # That somebody wanted it up does not explain why it is down.
    told = [str(cause["text"]) for cause in because if not (is_down and str(cause["text"]).startswith("wanted up"))]
    return told[0] if told else ""


def _errors_in(session: Session, unit: "Json") -> "list[Any]":
    """Errors in the unit's own files, which supd therefore did not take."""
    files = (unit.get("fragment_path"), *(unit.get("drop_in_paths") or ()))
    return [error for error in session.client.status().get("load_errors") or [] if isinstance(error, dict) and error.get("file") in files]


def _active(session: Session, unit: "Json") -> str:
    text = session.out.state(unit["active_state"], unit["sub_state"])
    since_s = unit.get("active_enter_time_s") if unit["active_state"] in UP else unit.get("inactive_enter_time_s")
    if unit["active_state"] not in (*UP, "inactive", "failed"):
        since_s = unit.get("state_change_time_s")
    return text + (f" since {moment(since_s)}; {ago(since_s, time.time())}" if since_s else "")


def _job(job: "Any") -> str:
    return f"{job.get('id')} {job.get('type')} ({job.get('state')})" if isinstance(job, dict) else str(job)


def _next(coming: "Json") -> str:
    return str(coming["what"]) + (f", {ago(coming['time_s'], time.time())}" if coming.get("time_s") else "")


def _overview(session: Session) -> int:
    """supd itself. Exit status as systemctl's: 0 while it answers."""
    whole = session.client.status()
    if session.arguments.is_json:
        session.print_json(whole)
        return OK
    out = session.out
    counts = whole.get("units") or {}
    failed = session.client.units(states=["failed"], full=True) if counts.get("failed") else []
    errors = whole.get("load_errors") or []
    state = "degraded" if failed or errors or whole.get("mode") == "reduced" else "running"
    out.write(f"{out.symbol('failed' if state == 'degraded' else 'active')} supd {whole['version']} - {whole.get('mode', '')} instance")
    jobs = whole.get("jobs") or 0
    rows = [
        ("State", out.paint(state, "red" if state == "degraded" else "green")),
        ("Since", f"{moment(whole['started_time_s'])}; {ago(whole['started_time_s'], time.time())}"),
        ("Units", ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"),
        ("Jobs", f"{jobs if isinstance(jobs, int) else len(jobs)} queued"),
        *[("Failed" if number == 0 else "", line) for number, line in enumerate(_failures(session, failed[:FAILED_MAX]))],
        *([("", f"and {len(failed) - FAILED_MAX} more: supctl list --state=failed")] if len(failed) > FAILED_MAX else []),
        ("Keeper PID", str(whole["keeper_pid"])),
        ("Manager PID", str(whole["manager_pid"])),
        ("Tracking", str(whole.get("tracking", "unknown"))),
        ("Units from", neutralise(", ".join(whole.get("units_directories") or []))),
        ("State in", neutralise(str(whole.get("state_directory", "")))),
    ]
    out.write(*[f"{label:>12}{':' if label else ' '} {text}" for label, text in rows])
    if errors:
        out.write("", out.paint("The unit files have errors; the last good definitions, if there are any, stay in force:", "red"))
        out.write(*[f"  {error_line(error)}" for error in errors])
    for note in whole.get("notes") or []:
        out.write(f"  note: {neutralise(str(note))}")
    return OK


def _failures(session: Session, units: "list[Json]") -> list[str]:
    """Each failed unit with its reason, in one line."""
    width = max([len(str(unit["id"])) for unit in units], default=0)
    reasons = [neutralise(str(unit.get("failed_text") or unit.get("result") or "")) for unit in units]
    return [f"{session.out.paint(str(unit['id']).ljust(width), 'red')}  {reason}" for unit, reason in zip(units, reasons, strict=True)]


def error_line(error: "Any") -> str:
    """ "web.toml:12: service.restart: expected ..., got ... (did you mean ...?)" """
    if not isinstance(error, dict):
        return neutralise(str(error))
    place = f"{error.get('file', '')}:{error['line']}" if error.get("line") else str(error.get("file", ""))
    key = f"{error['key']}: " if error.get("key") else ""
    hint = f" ({error['hint']})" if error.get("hint") else ""
    return neutralise(f"{place}: {key}{error.get('message', '')}{hint}")


def show(session: Session) -> int:
    arguments = session.arguments
    names, wanted = session.names(), arguments.many("property")
    if arguments.is_json and not wanted and len(names) == 1:
        session.out.write(session.client.show_raw(names[0]).decode().rstrip("\n"))
        return OK
    shown = [session.client.show(name) for name in names]
    if wanted:
        shown = [{key: unit[key] for key in wanted if key in unit} for unit in shown]
    if arguments.is_json:
        session.print_json(shown[0] if len(names) == 1 else shown)
        return OK
    for index, unit in enumerate(shown):
        if index:
            session.out.write("")
        session.out.write(*[_text(value) if arguments.has("value") else f"{key}={_text(value)}" for key, value in unit.items()])
    return OK


def _text(value: "Any") -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join([_text(item) for item in value])
    if isinstance(value, dict):
        return " ".join([f"{key}={_text(item)}" for key, item in value.items()])
    return neutralise(str(value)).replace("\n", "\\n")


def _states(session: Session, names: list[str]) -> "list[Json]":
    """Each unit, or for an unknown one what systemctl takes it for."""
    units = []
    for name in names:
        try:
            units.append(session.client.show(name))
        except ApiError as error:
            if error.code != "no-such-unit":
                raise
            units.append({"id": name, "active_state": "inactive", "load_state": "not-found", "enabled": "not-found"})
    return units


def _answer(session: Session, words: list[str], is_yes: bool, is_unknown: bool, no: int) -> int:
    if session.arguments.is_json:
        session.print_json(words if len(words) != 1 else words[0])
    elif not session.arguments.has("quiet"):
        session.out.write(*words)
    return OK if is_yes else NO_SUCH_UNIT if is_unknown else no


def is_active(session: Session) -> int:
    units = _states(session, session.names())
    words = [str(unit["active_state"]) for unit in units]
    return _answer(session, words, any(word in UP for word in words), any(u["load_state"] == "not-found" for u in units), NOT_ACTIVE)


def is_failed(session: Session) -> int:
    if not session.arguments.operands and not session.arguments.many("state"):
        has_failed = bool(session.client.units(states=["failed"]))
        return _answer(session, ["degraded" if has_failed else "running"], has_failed, False, FAILED)
    units = _states(session, session.names())
    words = [str(unit["active_state"]) for unit in units]
    return _answer(session, words, "failed" in words, any(unit["load_state"] == "not-found" for unit in units), FAILED)


def is_enabled(session: Session) -> int:
    units = _states(session, session.names())
    words = [str(unit["enabled"]) for unit in units]
    return _answer(session, words, any(word in STARTS_AT_BOOT for word in words), "not-found" in words, FAILED)


RUN = {"status": status, "show": show, "is-active": is_active, "is-failed": is_failed, "is-enabled": is_enabled}
