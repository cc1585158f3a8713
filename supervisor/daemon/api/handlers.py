"""What each route does: a few lines each, between the checked request and `Supervision`. The table itself is at the end.

Handlers decide nothing about units; they call the manager and shape the answer.
"""

import asyncio
import time
from collections.abc import Callable

from supervisor.client import logpages
from supervisor.client.logfilter import Filter
from supervisor.client.loglines import END, ERR, OUT, LocalStream
from supervisor.daemon.api import answers, logbytes, metrics, openapi
from supervisor.daemon.api import schema as js
from supervisor.daemon.api.routes import BYTES, Answer, Call, Handler, Route, Stream, Table, Text
from supervisor.daemon.api.service import Json, Refusal
from supervisor.daemon.api.stream import HEARTBEAT_S

LINES_MAX = 100_000
EVENTS_MAX = 10_000
RUNS_MAX = 10_000
FIGURES_A_TURN = 16  # of units, about 1.5 ms of reading

JOB_VERBS = ("start", "stop", "restart", "try-restart", "reload", "reload-or-restart", "try-reload-or-restart")
ENABLED_OF_VERB = {"enable": "enabled", "disable": "disabled", "mask": "masked", "unmask": "unmasked"}


async def list_units(call: Call) -> Answer:
    if "unit" in call.query:
        if "pattern" in call.query or "state" in call.query:
            raise Refusal("bad-request", "`unit` names units one by one; it does not go with `pattern` or `state`")
        names = call.world.present(call.query["unit"])
    else:
        names = call.world.names(call.query.get("pattern", []), call.query.get("state", []))
    form: Callable[[str], Json] = call.world.show if call.query.get("full") else call.world.brief
    return [form(name) for name in names]


async def show_unit(call: Call) -> Answer:
    return call.world.show(call.unit)


async def relations(call: Call) -> Answer:
    return call.world.relations(call.unit)


async def all_relations(call: Call) -> Answer:
    found = {name: call.world.relations(name) for name in call.world.names([], [])}
    return {name: kinds for name, kinds in found.items() if kinds}


async def figures(call: Call) -> Answer:
    names = call.world.present(call.query["unit"]) if "unit" in call.query else call.world.names([], [])
    units: Json = {}
    for count, name in enumerate(names, start=1):
        if count % FIGURES_A_TURN == 0:
            await asyncio.sleep(0)  # to read a thousand processes takes a while: nobody else shall wait for it
        if call.world.present([name]):  # it may have gone since
            units[name] = call.world.figures(name)
    return {"monotonic_s": time.monotonic(), "units": units}


async def why(call: Call) -> Answer:
    return call.world.why(call.unit)


async def definition(call: Call) -> Answer:
    return call.world.definition(call.unit)


async def log(call: Call) -> Answer:
    unit, lines = call.log_owner, call.query.get("lines", 10)
    directory = call.world.log_directory(unit)
    if not call.query.get("raw"):
        return {"unit": unit, "directory": directory, "lines": await call.world.last_lines(unit, lines) if lines else []}
    if "after" in call.query:
        content, cursor = await asyncio.to_thread(logbytes.after, directory, call.query["after"])
    else:
        content, cursor = await asyncio.to_thread(logbytes.last, directory, lines)
    return Text(content, BYTES, (("Supd-Log-Cursor", cursor),))


async def log_lines(call: Call) -> Answer:
    unit, query = call.log_owner, call.query
    if "after" in query and "before" in query:
        raise Refusal("bad-request", "a page is read after a place or before one, not both")
    stream = LocalStream(unit, call.world.log_directory(unit), query.get("stream", OUT))
    is_forward = "after" in query
    runs = frozenset({bytes.fromhex(query["run"])}) if _is_run(query.get("run", "")) else None
    wanted = Filter(query.get("since_us", 0), query.get("until_us"), runs)
    try:
        place = logpages.read_place(query["after" if is_forward else "before"]) if is_forward or "before" in query else END
    except ValueError as error:
        raise Refusal("bad-request", str(error)) from None
    count = query.get("count", logpages.PAGE_LINES_MAX)
    lines, after, is_over = await asyncio.to_thread(logpages.page, stream, place, count, wanted, is_forward=is_forward)
    rows = [logpages.row_of(line) for line in lines]
    return {"unit": unit, "stream": stream.stream, "lines": rows, "next": logpages.place_text(after), "is_over": is_over}


def _is_run(text: str) -> bool:
    if text and (len(text) != 32 or not set(text) <= set("0123456789abcdef")):
        raise Refusal("bad-request", f"{text[:60]!r} is not the id of a run: 32 hexadecimal digits")
    return bool(text)


def job_verb(verb: str) -> Handler:
    async def request(call: Call) -> Answer:
        unit = call.unit
        return {"unit": unit, "job": await call.world.request_job(verb, unit, call.body.get("mode", "replace"), call.by)}

    return request


def enabled_verb(state: str) -> Handler:
    async def change(call: Call) -> Answer:
        unit = call.unit
        await call.world.set_enabled(unit, state, call.by)
        return {"unit": unit, "state": state}

    return change


async def isolate(call: Call) -> Answer:
    unit = call.unit
    return {"unit": unit, "job": await call.world.isolate(unit, call.by)}


async def kill(call: Call) -> Answer:
    unit = call.unit
    await call.world.kill(unit, call.body.get("signal", 15), call.body.get("whom", "all"), call.by)
    return {"unit": unit}


async def reset_failed(call: Call) -> Answer:
    unit = call.unit
    await call.world.reset_failed(unit, call.by)
    return {"unit": unit}


async def scale(call: Call) -> Answer:
    return await call.world.scale(call.pieces["name"], call.body["instances"], call.by)


async def list_jobs(call: Call) -> Answer:
    return call.world.jobs()


def _job_id(call: Call) -> int:
    text = call.pieces["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refusal("no-such-job", f"{text[:60]!r} is not the number of a job")
    return int(text)


async def job(call: Call) -> Answer:
    wanted = _job_id(call)
    if not call.query.get("wait"):
        for queued in call.world.jobs():
            if queued["id"] == wanted:
                return queued
    return await call.world.wait_job(wanted)


async def cancel_job(call: Call) -> Answer:
    await call.world.cancel_job(_job_id(call), call.by)
    return {}


async def reload_units(call: Call) -> Answer:
    return await call.world.reload_units(call.by)


async def reexec(call: Call) -> Answer:
    await call.world.reexec(call.by)
    return {}


async def plan(call: Call) -> Answer:
    return await call.world.plan(call.query.get("unit", []))


async def apply(call: Call) -> Answer:
    return await call.world.apply(call.body.get("units", []), call.by)


async def shutdown(call: Call) -> Answer:
    await call.world.shutdown(call.by, call.body.get("keep_services", False))
    return {}


async def status(call: Call) -> Answer:
    rights = [{"level": right.level, "patterns": None if right.patterns is None else list(right.patterns)} for right in call.grant.rights]
    return {**call.world.status(), "access": call.grant.level_somewhere(), "rights": rights}


async def version(call: Call) -> Answer:
    whole = call.world.status()
    return {name: whole[name] for name in ("version", "keeper_pid", "manager_pid", "started_time_s")}


async def events(call: Call) -> Answer:
    last_id = call.query.get("last_id", call.last_event_id)
    latest = call.world.recent_events(1) if last_id is None else []
    # A new reader learns where it stands at once: should it lose the connection before its first event, it can go on from there.
    begins_after = str(latest[0].get("id", "")) if latest else ""
    stream = call.world.events_since(last_id, call.query.get("changes", False))
    return Stream(stream, begins_after, HEARTBEAT_S if call.query.get("heartbeat") else None)


async def recent_events(call: Call) -> Answer:
    return await call.world.past_events(call.query.get("count", 100))


async def history(call: Call) -> Answer:
    return await call.world.history(call.query.get("unit"), call.query.get("limit", 100))


async def past_jobs(call: Call) -> Answer:
    return await call.world.past_jobs(call.query.get("unit"), call.query.get("limit", 100))


async def metrics_page(call: Call) -> Answer:
    await asyncio.to_thread(metrics.load)
    loop = asyncio.get_running_loop()
    before_s = loop.time()
    await asyncio.sleep(0)
    families = metrics.collect(call.world, loop.time() - before_s)
    return Text(await asyncio.to_thread(metrics.text, families), metrics.CONTENT_TYPE)


async def openapi_page(call: Call) -> Answer:
    return openapi.document(TABLE, str(call.world.status()["version"]))


def _changes(
    verb: str,
    handler: Handler,
    summary: str,
    answer: js.Schema,
    body: dict[str, js.Schema] | None = None,
    required: dict[str, js.Schema] | None = None,
    reach: str = "unit",
) -> Route:
    schema = js.record(required or {}, body or {}, is_open=False)
    return Route("POST", f"/v1/units/{{name}}/{verb}", "operate", handler, summary, answer, body=schema, changes=True, reach=reach)


_MODE: dict[str, js.Schema] = {"mode": {"type": "string", "enum": list(answers.JOB_MODES)}}
_SIGNAL: js.Schema = {"type": "integer", "minimum": 1, "maximum": 64}
_INSTANCES: js.Schema = {"type": "integer", "minimum": 0, "maximum": 10_000}
_LINES: js.Schema = {"type": "integer", "minimum": 0, "maximum": LINES_MAX}
_PLACE: js.Schema = {"type": "string", "maxLength": 48}
_LOG_QUERY: dict[str, js.Schema] = {
    "stream": {"type": "string", "enum": [OUT, ERR]}, "after": _PLACE, "before": _PLACE,
    "count": {"type": "integer", "minimum": 1, "maximum": logpages.PAGE_LINES_MAX},
    "since_us": {"type": "integer", "minimum": 0}, "until_us": {"type": "integer", "minimum": 0},
    "run": {"type": "string", "maxLength": 32},
}  # fmt: skip

ROUTES = [
    Route("GET", "/v1/units", "view", list_units,
          "Every unit, or those that match a pattern and have one of the states, or those of the units named that exist.",
          js.array_of(answers.BRIEF), query={"pattern": js.STRINGS, "state": js.STRINGS, "unit": js.STRINGS, "full": js.BOOLEAN}),
    Route("GET", "/v1/units/{name}", "view", show_unit, "Every property of one unit.", answers.SHOW),
    Route("GET", "/v1/units/{name}/relations", "view", relations, "Its dependencies, forward and reverse.", answers.RELATIONS),
    Route("GET", "/v1/relations", "view", all_relations, "The dependencies of every unit that has any.", answers.ALL_RELATIONS),
    Route("GET", "/v1/figures", "view", figures, "Memory, CPU time and lost log bytes, of those of the units named that exist, or of all.",
          answers.FIGURES, query={"unit": js.STRINGS}),
    Route("GET", "/v1/units/{name}/why", "view", why, "Why it is in its state, and what comes next.", answers.WHY),
    Route("GET", "/v1/units/{name}/definition", "view", definition, "Its files, and where each value came from.", answers.DEFINITION),
    Route("GET", "/v1/units/{name}/log", "view", log, "The last lines it wrote; raw=true: the bytes, with a cursor to go on from.",
          answers.LOG, query={"lines": _LINES, "raw": js.BOOLEAN, "after": {"type": "string", "maxLength": 64}},
          reach="log", or_bytes=True),
    Route("GET", "/v1/units/{name}/log/lines", "view", log_lines,
          "A page of its lines with time and run: after a place oldest first, before one (or the end) newest first.",
          answers.LOG_LINES, query=_LOG_QUERY, reach="log"),
    *[_changes(verb, job_verb(verb), f"Enqueue a {verb} job; job 0: there was nothing to do.", answers.JOB_MADE, _MODE)
      for verb in JOB_VERBS],
    _changes("isolate", isolate, "Start this unit and stop every other.", answers.JOB_MADE, reach="all"),
    _changes("kill", kill, "Send a signal to its processes.", answers.DONE,
             {"signal": _SIGNAL, "whom": {"type": "string", "enum": ["all", "main", "control"]}}),
    _changes("reset-failed", reset_failed, "Forget its failure, restart counter and start limit.", answers.DONE),
    *[_changes(verb, enabled_verb(state), f"Make it {state}; nothing is started or stopped.", answers.DONE)
      for verb, state in ENABLED_OF_VERB.items()],
    _changes("scale", scale, "Run this many instances of a template.", answers.SCALED,
             required={"instances": _INSTANCES}, reach="template"),
    Route("GET", "/v1/jobs", "view", list_jobs, "Queued jobs.", js.array_of(answers.JOB_QUEUED)),
    Route("GET", "/v1/jobs/{id}", "view", job, "One job; wait=true: answer once it is over.",
          answers.JOB, query={"wait": js.BOOLEAN}, waits=True),
    Route("DELETE", "/v1/jobs/{id}", "operate", cancel_job, "Cancel a queued job.", answers.EMPTY, changes=True, reach="any"),
    Route("POST", "/v1/reload-units", "admin", reload_units, "Read the unit files again; errors change nothing.",
          answers.RELOADED, changes=True),
    Route("GET", "/v1/plan", "view", plan, "What applying the unit files (of these units, patterns and templates, or of all) would do.",
          answers.PLAN, query={"unit": js.STRINGS}),
    Route("POST", "/v1/apply", "admin", apply, "Read the unit files and do what the plan says; errors change nothing.",
          answers.PLAN, body=js.record({}, {"units": js.STRINGS}, is_open=False), changes=True),
    Route("POST", "/v1/shutdown", "admin", shutdown, "End supd, after an orderly stop of everything unless keep_services is true.",
          answers.EMPTY, body=js.record({}, {"keep_services": js.BOOLEAN}, is_open=False), changes=True),
    Route("POST", "/v1/reexec", "admin", reexec, "Replace supd by the code now on disk; nothing is restarted. The connection ends.",
          answers.EMPTY, changes=True, waits=True),
    Route("GET", "/v1/status", "view", status, "supd itself.", answers.STATUS),
    Route("GET", "/v1/version", "view", version, "Version and process ids.", answers.VERSION),
    Route("GET", "/v1/events", "view", events,
          "Events as they happen (server-sent events); Last-Event-ID goes on from there. changes=true: marks of what changed without one.",
          "text/event-stream", query={"last_id": js.STRING, "heartbeat": js.BOOLEAN, "changes": js.BOOLEAN}, waits=True),
    Route("GET", "/v1/events/recent", "view", recent_events, "The last events.", js.array_of(answers.EVENT),
          query={"count": {"type": "integer", "minimum": 0, "maximum": EVENTS_MAX}}),
    Route("GET", "/v1/history", "view", history, "The newest runs of one unit or of all, oldest first.", js.array_of(answers.RUN),
          query={"unit": {"type": "string", "maxLength": 255}, "limit": {"type": "integer", "minimum": 1, "maximum": RUNS_MAX}}),
    Route("GET", "/v1/history/jobs", "view", past_jobs, "The newest jobs that ended, of one unit or of all, oldest first.",
          js.array_of(answers.JOB_ENDED),
          query={"unit": {"type": "string", "maxLength": 255}, "limit": {"type": "integer", "minimum": 1, "maximum": RUNS_MAX}}),
    Route("GET", "/openapi.json", "view", openapi_page, "This description.", {"type": "object"}),
    Route("GET", "/metrics", "view", metrics_page, "Figures for Prometheus.", metrics.CONTENT_TYPE),
]  # fmt: skip

TABLE = Table(ROUTES)
