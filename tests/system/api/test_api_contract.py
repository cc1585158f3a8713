"""The table of routes is the law: every route answers as its schema says, every refusal has the API's one form."""

import asyncio
import json
import re
import socket
from typing import Any

import pytest

from supervisor.daemon.api import answers, handlers
from supervisor.daemon.api.access import Grant, Right
from supervisor.daemon.api.handlers import ROUTES
from supervisor.daemon.api.routes import Call, Handler, Route
from supervisor.daemon.api.schema import problems
from supervisor.daemon.api.service import Peer
from supervisor.daemon.api.stream import HEARTBEAT_S
from tests.system.api import raw
from tests.system.api.fake_world import FakeWorld, RunningServer

# What a request needs to succeed in the fake world, by path; "web" and {} elsewhere.
NAMES = {"/v1/units/{name}/scale": "worker"}
BODIES: dict[str, Any] = {"/v1/units/{name}/scale": {"instances": 2}, "/v1/units/{name}/start": {"mode": "fail"}}
REFUSED = {"/v1/units/{name}/isolate"}


def ident(route: Route) -> str:
    return f"{route.method} {route.path}"


def slow_job(server: RunningServer) -> int:
    answer: dict[str, int] = raw.ask(server.path, "POST", "/v1/units/slow/start")[1]
    return answer["job"]


@pytest.mark.parametrize("route", [r for r in ROUTES if isinstance(r.answer, dict)], ids=ident)
def test_every_route_answers_as_its_schema_says(server: RunningServer, route: Route) -> None:
    target = route.path.replace("{name}", NAMES.get(route.path, "web")).replace("{id}", str(slow_job(server)))
    status, answer = raw.ask(server.path, route.method, target, BODIES.get(route.path))
    if route.path in REFUSED:
        assert (status, problems(answers.ERROR, answer)) == (409, [])
    else:
        assert isinstance(route.answer, dict)
        assert (status, problems(route.answer, answer, "the answer")) == (200, [])


def test_openapi_lists_exactly_the_table(server: RunningServer) -> None:
    _, document = raw.ask(server.path, "GET", "/openapi.json")
    listed = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert listed == {(route.method, route.path) for route in ROUTES}
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(ROUTES)


def test_every_path_refuses_other_methods_with_405(server: RunningServer) -> None:
    for path in sorted({route.path for route in ROUTES}):
        status, answer = raw.ask(server.path, "PATCH", path.replace("{name}", "web").replace("{id}", "1"))
        assert (status, problems(answers.ERROR, answer)) == (405, [])


def test_head_is_refused_without_a_body_and_the_connection_goes_on(server: RunningServer) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(server.path)
        end.sendall(b"HEAD /v1/units HTTP/1.1\r\nHost: supd\r\n\r\nGET /v1/version HTTP/1.1\r\nHost: supd\r\nConnection: close\r\n\r\n")
        said = b""
        while piece := end.recv(65536):
            said += piece
    head, _, rest = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ") and rest.startswith(b"HTTP/1.1 200 ")


BAD_REQUESTS: list[tuple[str, str, str, Any, int, str]] = [
    ("an unknown path", "GET", "/v1/nothing", None, 404, "no-such-path"),
    ("an unknown unit", "GET", "/v1/units/nosuch", None, 404, "no-such-unit"),
    ("an unknown unit to start", "POST", "/v1/units/nosuch/start", None, 404, "no-such-unit"),
    ("a glob where one unit is named", "POST", "/v1/units/*/stop", None, 404, "no-such-unit"),
    ("a unit with a bad file", "POST", "/v1/units/broken/start", None, 409, "bad-setting"),
    ("reload of what is down", "POST", "/v1/units/db/reload", None, 409, "not-applicable"),
    ("an unknown job", "GET", "/v1/jobs/99?wait=true", None, 404, "no-such-job"),
    ("a job that is no number", "GET", "/v1/jobs/one", None, 404, "no-such-job"),
    ("a job number beyond all bounds", "GET", "/v1/jobs/" + "9" * 3000, None, 404, "no-such-job"),
    ("a job with a foreign digit", "DELETE", "/v1/jobs/%C2%B2", None, 404, "no-such-job"),
    ("an unknown key in the body", "POST", "/v1/units/web/start", {"mood": "replace"}, 400, "bad-request"),
    ("an unknown job mode", "POST", "/v1/units/web/start", {"mode": "maybe"}, 400, "bad-request"),
    ("a body that is a list", "POST", "/v1/units/web/start", ["mode"], 400, "bad-request"),
    ("a body where none belongs", "POST", "/v1/shutdown", {"now": True}, 400, "bad-request"),
    ("a signal that is none", "POST", "/v1/units/web/kill", {"signal": 65}, 400, "bad-request"),
    ("a signal that is true", "POST", "/v1/units/web/kill", {"signal": True}, 400, "bad-request"),
    ("a signal by name of an attribute", "POST", "/v1/units/web/kill", {"signal": "__class__"}, 400, "bad-request"),
    ("scale without a number", "POST", "/v1/units/worker/scale", {}, 400, "bad-request"),
    ("an unknown query parameter", "GET", "/v1/units?sort=up", None, 400, "bad-request"),
    ("a query that is no number", "GET", "/v1/units/web/log?lines=ten", None, 400, "bad-request"),
    ("more lines than allowed", "GET", "/v1/units/web/log?lines=1000000000", None, 400, "bad-request"),
    ("a dunder as a verb", "POST", "/v1/units/web/__class__", None, 404, "no-such-path"),
    ("a dunder as a unit", "GET", "/v1/units/__class__", None, 404, "no-such-unit"),
    ("a dotted name as a unit", "GET", "/v1/units/web.__init__.__globals__", None, 404, "no-such-unit"),
    ("a method of the manager as a path", "POST", "/v1/set_enabled", None, 404, "no-such-path"),
    ("a path out of the tree", "GET", "/v1/units/..%2f..%2fetc%2fpasswd/log", None, 404, "no-such-unit"),
    ("a NUL in the path", "GET", "/v1/units/a%00b", None, 400, "bad-request"),
    ("a path that is not UTF-8", "GET", "/v1/units/%ff", None, 400, "bad-request"),
    ("a path of 5000 characters", "GET", "/" + "a" * 5000, None, 414, "bad-request"),
    ("a full URL as the target", "GET", "http://elsewhere/v1/status", None, 400, "bad-request"),
]


@pytest.mark.parametrize(("name", "method", "target", "body", "status", "code"), BAD_REQUESTS, ids=[row[0] for row in BAD_REQUESTS])
def test_bad_requests_are_answered_by_a_sentence(
    server: RunningServer, name: str, method: str, target: str, body: Any, status: int, code: str
) -> None:
    actual, answer = raw.ask(server.path, method, target, body)
    assert (actual, answer["error"]["code"], problems(answers.ERROR, answer)) == (status, code, [])
    assert answer["error"]["message"]
    assert not re.search(r"Traceback|File \"|Error\(", json.dumps(answer))


def test_an_alias_stands_for_its_unit(server: RunningServer) -> None:
    assert raw.ask(server.path, "GET", "/v1/units/www")[1]["id"] == "web"


def test_units_are_filtered_by_pattern_and_state(server: RunningServer) -> None:
    def ids(query: str) -> list[str]:
        return [brief["id"] for brief in raw.ask(server.path, "GET", "/v1/units" + query)[1]]

    assert ids("?pattern=w*&pattern=db") == ["web", "db"]
    assert ids("?state=failed") == ["flop"]
    assert ids("?pattern=w*&state=failed") == []


def test_the_error_names_unit_and_next_step(server: RunningServer) -> None:
    _, answer = raw.ask(server.path, "POST", "/v1/units/broken/start")
    assert answer["error"]["unit"] == "broken"
    assert answer["error"]["hint"] == "supctl verify names every error with file and line"


def test_who_asked_reaches_the_manager_and_the_log(server: RunningServer) -> None:
    raw.ask(server.path, "POST", "/v1/units/db/start", {"mode": "fail"})
    verb, unit, mode, by = server.world.calls[-1]
    assert (verb, unit, mode) == ("start", "db", "fail")
    assert re.fullmatch(r"uid \d+( \(\w+\))? pid \d+", by)
    assert server.log_lines[-1] == f"api: {by}: POST /v1/units/db/start"


def test_metrics_are_prometheus_text(server: RunningServer) -> None:
    status, head, body = raw.exchange(server.path, b"GET /metrics HTTP/1.0\r\n\r\n")
    assert (status, b"text/plain; version=0.0.4" in head) == (200, True)
    assert b'supd_units{state="failed"} 1.0\n' in body
    lines = body.decode().splitlines()
    for line in (
        'supd_unit_up{unit="web"} 1.0',
        'supd_unit_state{state="failed",sub_state="failed",unit="flop"} 1.0',
        'supd_unit_memory_bytes{unit="web"} 4096.0',
        'supd_unit_cpu_seconds{unit="web"} 1.5',
        'supd_unit_log_lost_bytes_total{unit="web"} 7.0',
        'supd_unit_log_bytes_total{unit="web"} 90.0',
        'supd_job_seconds_count{result="done",type="start"} 2.0',
        'supd_job_seconds_sum{result="done",type="start"} 3.0',
    ):
        assert line in lines
    assert 'supd_unit_memory_bytes{unit="db"}' not in body.decode(), "it has no process, so nothing is said of its memory"
    assert all(re.fullmatch(r"#.*|\w+(\{[^}]*\})? [0-9.e+-]+", line) for line in lines)


def test_units_named_one_by_one_are_those_that_exist(server: RunningServer) -> None:
    status, found = raw.ask(server.path, "GET", "/v1/units?unit=web&unit=gone&unit=www&unit=w*&unit=worker@9&unit=db&unit=web")
    assert (status, [brief["id"] for brief in found]) == (200, ["web", "db"])
    assert "worker@9" not in server.world.units
    status, answer = raw.ask(server.path, "GET", "/v1/units?unit=web&pattern=*")
    assert (status, answer["error"]["code"]) == (400, "bad-request")


def test_figures_are_of_the_units_named_or_of_all(server: RunningServer) -> None:
    whole = raw.ask(server.path, "GET", "/v1/figures")[1]
    assert set(whole["units"]) == set(server.world.units)
    some = raw.ask(server.path, "GET", "/v1/figures?unit=web&unit=gone")[1]
    assert some["units"] == {"web": {"memory_current_bytes": 4096, "cpu_usage_nsec": 1_500_000_000, "log_bytes": 90, "log_lost_bytes": 7}}
    assert some["monotonic_s"] >= whole["monotonic_s"]


def test_relations_of_all_are_those_of_each(server: RunningServer) -> None:
    whole = raw.ask(server.path, "GET", "/v1/relations")[1]
    for name in server.world.units:
        assert whole.get(name, {}) == raw.ask(server.path, "GET", f"/v1/units/{name}/relations")[1]


def asked(handler: Handler, *rights: Right, **query: Any) -> Any:
    """What a handler answers a peer of these rights, without a socket: the tests may run as root, who has every right."""
    world = FakeWorld("/logs")
    call = Call(world, Peer(1000, 1000, 7), Grant(rights), "uid 1000 pid 7", {}, query, {})
    return asyncio.run(handler(call))  # type: ignore[arg-type]  # a handler's Awaitable is a coroutine


def test_status_tells_a_peer_its_own_rights() -> None:
    said = asked(handlers.status, Right("view"), Right("operate", ("web*", "db")))
    assert problems(answers.STATUS, said) == []
    assert (said["access"], said["rights"]) == (
        "operate",
        [{"level": "view", "patterns": None}, {"level": "operate", "patterns": ["web*", "db"]}],
    )


def test_only_who_asks_for_heartbeats_gets_them() -> None:
    assert asked(handlers.events, Right("view")).heartbeat_s is None
    assert asked(handlers.events, Right("view"), heartbeat=True).heartbeat_s == HEARTBEAT_S


def test_a_schema_may_say_what_every_further_property_is() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": {"type": "string"}}
    assert problems(schema, {"n": 1, "a": "x"}) == []
    assert problems(schema, {"n": "x", "a": 1}) == ["n: expected integer, got string", "a: expected string, got integer"]
