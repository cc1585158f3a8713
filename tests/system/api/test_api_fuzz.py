"""Every route of a real supd, asked with what its own description allows and with what is near to that.

The requests are made from the document that /openapi.json is: fitting values, and values of which a part does not fit. Whatever is
asked, the answer is as the description says: one that fits its schema, or an error in the API's one form; never a 500, never silence.
"""

import http.client
import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.daemon.api import answers
from supervisor.daemon.api.handlers import ROUTES, TABLE
from supervisor.daemon.api.openapi import document
from supervisor.daemon.api.routes import Route
from supervisor.daemon.api.schema import Schema, problems
from tests.system.supd import SocketConnection, Supd

UNITS = {
    "web": '[unit]\naliases = ["www"]\n[service]\nexec_start = "sleep 1000"\nexec_reload = "true"\n',
    "flop": '[unit]\nstart_limit_burst = 1\n[service]\nexec_start = "false"\n',
    "once": '[unit]\nenabled = false\n[service]\ntype = "oneshot"\nexec_start = "echo said"\n',
    "worker@": '[service]\nexec_start = "sleep 1000"\n',
    "group": '[unit]\nrequires = ["web"]\n[target]\n',
    "broken": "[service]\nnonsense = 1\n",
}
# Carried out, these would end what is asked; they are asked with what does not fit only.
ENDS = {"/v1/shutdown", "/v1/reexec"}
DOCUMENT = document(TABLE, "0")
GENERATED = settings.get_profile("generated")
ASKED = settings(GENERATED, max_examples=max(GENERATED.max_examples // 10, 1))

ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
WORDS = st.sampled_from(
    ["web", "www", "flop", "once", "worker@1", "worker@", "group", "broken", "*", "nosuch", "w[", "", "0", "1", "failed"]
)
TEXTS = st.one_of(WORDS, st.text(st.characters(exclude_categories=["Cs"]), max_size=30))


def fitting(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that the schema allows."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type", "any")
    kinds = {
        "string": TEXTS.map(lambda text: text[: schema.get("maxLength", len(text))]),
        "integer": st.integers(schema.get("minimum", -(2**63)), schema.get("maximum", 2**63)),
        "number": st.floats(schema.get("minimum", -1e300), schema.get("maximum", 1e300)),
        "boolean": st.booleans(),
        "null": st.none(),
        "any": ANY,
    }
    if kind == "array":
        return st.lists(fitting(schema.get("items", {})), max_size=4)
    if kind == "object":
        known = {name: fitting(item) for name, item in schema.get("properties", {}).items()}
        needed = set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {n: s for n, s in known.items() if n in needed}, optional={n: s for n, s in known.items() if n not in needed}
        )
    return st.one_of([kinds[name] for name in ([kind] if isinstance(kind, str) else kind)])


def near(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that fit, values of which one part does not, and values of another kind."""
    if schema.get("type") != "object":
        return st.one_of(fitting(schema), ANY)
    known = {name: near(item) for name, item in schema.get("properties", {}).items()}
    return st.one_of(fitting(schema), st.fixed_dictionaries({}, optional={**known, "surplus": ANY}), ANY)


def query(route: Route) -> st.SearchStrategy[str]:
    """A query string of the route's parameters, or with one that there is not."""
    pairs = [st.tuples(st.just(name), st.one_of(_as_text(schema), TEXTS)) for name, schema in route.query.items()]
    return st.lists(st.one_of(*pairs, st.tuples(TEXTS, TEXTS)) if pairs else st.tuples(TEXTS, TEXTS), max_size=3).map(
        urllib.parse.urlencode
    )


def _as_text(schema: Schema) -> st.SearchStrategy[str]:
    one = schema["items"] if schema.get("type") == "array" else schema
    return fitting(one).map(lambda value: json.dumps(value) if not isinstance(value, str) else value)


@st.composite
def requests(draw: st.DrawFn, route: Route) -> tuple[str, Any]:
    """(target, body)."""
    path = route.path.replace("{name}", urllib.parse.quote(draw(TEXTS), safe="@")).replace("{id}", urllib.parse.quote(draw(TEXTS), safe=""))
    text = draw(st.one_of(st.just(""), query(route)))
    if route.path in ENDS:
        return f"{path}?{text}", draw(
            ANY.filter(lambda body: not isinstance(body, dict) or "surplus" in body).filter(lambda body: body is not None)
        )
    body = draw(near(route.body)) if route.body is not None else draw(st.one_of(st.none(), ANY))
    if isinstance(body, dict) and isinstance(body.get("instances"), int):
        body["instances"] = max(-2, min(body["instances"], 3))  # so many processes are enough
    return f"{path}?{text}" if text else path, body


@pytest.fixture(scope="module")
def asked() -> Iterator[Supd]:
    supd = Supd(UNITS)
    try:
        supd.start()
        manager = supd.get("/v1/version")["manager_pid"]
        yield supd
        assert supd.get("/v1/version")["manager_pid"] == manager, f"a manager died of it:\n{supd.said()}"
        assert "Traceback" not in supd.said()
        supd.stop()
    finally:
        supd.remove()


def exchange(supd: Supd, route: Route, target: str, body: Any) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer; of one without an end no body."""
    connection = SocketConnection(supd.socket_path, 20.0)
    try:
        connection.request(route.method, target, None if body is None else json.dumps(body))
        response = connection.getresponse()
        kind = response.getheader("Content-Type") or ""
        return response.status, kind, b"" if kind == "text/event-stream" else response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_whatever_a_route_is_asked_its_answer_is_as_described(asked: Supd, route: Route) -> None:
    @ASKED
    @given(requests(route))
    def ask(request: tuple[str, Any]) -> None:
        target, body = request
        try:
            status, kind, raw = exchange(asked, route, target, body)
        except http.client.InvalidURL:
            return  # the client's own refusal
        if status == 200:
            assert not problems(route.body, body if body is not None else {}) if route.body else body in (None, {})
            contents = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]["200"]["content"]
            assert kind in contents
            if kind == "application/json":
                assert problems(contents[kind]["schema"], json.loads(raw), "the answer") == []
        else:
            assert 400 <= status < 500, raw
            assert problems(answers.ERROR, json.loads(raw)) == []

    ask()
    assert asked.get("/v1/version")
