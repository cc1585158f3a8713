"""What can be asked: one table of routes. Dispatch, access, checks of requests, /openapi.json and the tests all read it.

A route is found by method and path alone, the path's pieces compared as text; nothing a client sends is ever used as the name of
an attribute, a module or a function. Every route names the access level it needs and the schema of what goes in and comes out.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes

from supervisor.daemon.api import schema as js
from supervisor.daemon.api.access import Grant
from supervisor.daemon.api.service import Json, Peer, Refusal, Supervision
from supervisor.model.names import OWN

PATH_LIMIT_CHARS = 4096
QUERY_FIELDS_MAX = 256
BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Call:
    """One request after every check: the pieces of its path by their names, the query and the body as their schemas promise."""

    world: Supervision
    peer: Peer
    grant: Grant
    by: str
    pieces: dict[str, str]
    query: Json
    body: Json
    last_event_id: str | None = None

    @property
    def unit(self) -> str:
        """The id of the unit that the path names, aliases resolved. Raises Refusal("no-such-unit")."""
        name = self.pieces["name"]
        if not any(character in name for character in "*?["):
            found = self.world.names([name], [])
            if found:
                return found[0]
        raise Refusal("no-such-unit", f"there is no unit {name[:255]!r}", name[:255])

    @property
    def log_owner(self) -> str:
        """The unit whose log the path names, or supd itself. Raises Refusal("no-such-unit")."""
        return OWN if self.pieces["name"] == OWN else self.unit


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is not JSON."""

    content: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer without an end: events, sent as they come. `begins_after` is the id of the last event before the first one, if any.

    A client that asked for heartbeats gets a comment after each `heartbeat_s` of silence; for others nobody wakes up.
    """

    events: AsyncIterator[Json]
    begins_after: str = ""
    heartbeat_s: float | None = None


Answer = Json | list[Json] | Text | Stream
Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table. `path` has pieces in braces: "/v1/units/{name}/why"."""

    method: str
    path: str
    access: str
    handler: Handler
    summary: str
    answer: js.Schema | str  # a str is a content type that is not JSON
    query: dict[str, js.Schema] = field(default_factory=dict)
    body: js.Schema | None = None
    changes: bool = False  # a changing request is written to the log with the peer
    waits: bool = False  # may take as long as it likes: the server watches for the client's leaving meanwhile
    reach: str = ""  # see `reaches`; "" is what the path and `changes` suggest
    or_bytes: bool = False  # may answer with plain bytes instead, where the query asks for them

    @property
    def reaches(self) -> str:
        """On what the access level must hold.

        "unit": on the unit that the path names. "template": on the template that it names. "any": on any unit, for the answer
        tells of those only that the peer may see. "log": on the unit that the path names, and for the log of supd itself on every
        unit. "all": on every unit, because supd itself or units that are not named change.
        """
        if self.reach:
            return self.reach
        if "{name}" in self.path:
            return "unit"
        return "all" if self.changes else "any"

    @property
    def verb(self) -> str:
        """One word for the audit trail: "start", "shutdown", "cancel", "show"."""
        if self.method == "DELETE":
            return "cancel"
        last = self.path.rpartition("/")[2]
        return "show" if last.startswith("{") else last


class BadRequest(Exception):
    """A request that no route can take. Carries the HTTP status and the API's error code."""

    def __init__(self, status: int, code: str, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.hint = hint


class Table:
    """Routes, found by method and path."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes
        self._split = [(tuple(route.path.strip("/").split("/")), route) for route in routes]

    def find(self, method: str, target: str) -> tuple[Route, dict[str, str], Json]:
        """The route of a request line, the named pieces of its path and its checked query. Raises BadRequest (400, 404, 405)."""
        if len(target) > PATH_LIMIT_CHARS:
            raise BadRequest(414, "bad-request", f"the request's path is longer than {PATH_LIMIT_CHARS} characters")
        path, _, query_text = target.partition("?")
        if not path.startswith("/"):
            raise BadRequest(400, "bad-request", "the request's path must begin with a slash")
        given = tuple(_unquote(piece) for piece in path[1:].split("/"))
        methods = []
        for pattern, route in self._split:
            pieces = _match(pattern, given)
            if pieces is None:
                continue
            if route.method == method:
                return route, pieces, _query(route, query_text)
            methods.append(route.method)
        if methods:
            raise BadRequest(405, "bad-request", f"{path[:200]} does not know {method[:20]}; it knows {', '.join(sorted(set(methods)))}")
        raise BadRequest(404, "no-such-path", f"there is nothing at {path[:200]!r}", "GET /openapi.json lists every path")


def _unquote(piece: str) -> str:
    try:
        text = unquote_to_bytes(piece).decode()
    except UnicodeDecodeError:
        raise BadRequest(400, "bad-request", "the request's path is not UTF-8 after percent-decoding") from None
    if "\0" in text:
        raise BadRequest(400, "bad-request", "the request's path holds a NUL character")
    return text


def _match(pattern: tuple[str, ...], given: tuple[str, ...]) -> dict[str, str] | None:
    if len(pattern) != len(given):
        return None
    pieces = {}
    for expected, actual in zip(pattern, given, strict=True):
        if expected.startswith("{"):
            if not actual:
                return None
            pieces[expected[1:-1]] = actual
        elif expected != actual:
            return None
    return pieces


def _query(route: Route, text: str) -> Json:
    try:
        given = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX)
    except ValueError as error:
        raise BadRequest(400, "bad-request", f"the query cannot be read: {error}") from None
    values: dict[str, Any] = {}
    for name, texts in given.items():
        if name not in route.query:
            known = f"known are {', '.join(route.query)}" if route.query else "this path takes none"
            raise BadRequest(400, "bad-request", f"unknown query parameter {name[:60]!r}; {known}")
        values[name] = js.from_query(route.query[name], texts)
        for problem in js.problems(route.query[name], values[name], f"query parameter {name}"):
            raise BadRequest(400, "bad-request", problem)
    return values


def check_body(route: Route, body: object) -> Json:
    """The body as an object that fits the route's schema; a missing body is an empty object. Raises BadRequest(400)."""
    if body is None:
        body = {}
    found = js.problems(route.body or js.record({}, is_open=False), body)
    if found or not isinstance(body, dict):
        raise BadRequest(400, "bad-request", "; ".join(found[:10]))
    return body
