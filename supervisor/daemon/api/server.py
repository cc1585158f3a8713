"""The control API's server: HTTP/1.1 by h11 over asyncio streams, on a Unix socket that the keeper bound and holds.

Laws:
- SO_PEERCRED is read once, at accept, before a byte is parsed; a peer without access gets 403, a line in the log, and the end.
- What a peer may do is asked anew for each request; when roles change, the streams of those whom it concerns end.
- Every changing request and every refusal reaches the audit trail, before the answer leaves.
- A part of the connections is kept for the owner and root, so that nobody else can lock them out.
- Every limit has its answer: header 431, body 413, silence the end of the connection. Where all connections are taken, the one that
  has been waited for longest gives way to who comes; where none is waited for, the answer is 503 at once.
- Whatever bytes arrive, the answer is a 4xx with a sentence. A 500 is a fault of ours; it names no internals, the log does.
- A client that leaves while it waits (a long poll, the event stream) frees what it held at once; one that does not read is cut off.
- Closing the server never removes the socket's file: the keeper owns it, and connections wait there for the next manager.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import h11

from supervisor.daemon.api import access as acl
from supervisor.daemon.api import answers
from supervisor.daemon.api.connection import ClientLeft, Connection, Request, TooMuch
from supervisor.daemon.api.handlers import TABLE
from supervisor.daemon.api.limited import Limited
from supervisor.daemon.api.routes import Answer, BadRequest, Call, Route, Stream, Table, Text, check_body
from supervisor.daemon.api.service import Peer, Refusal, Supervision
from supervisor.daemon.api.stream import HEARTBEAT, as_server_sent
from supervisor.daemon.audit import Refusals
from supervisor.model.names import OWN, split

BODY_AUDITED_CHARS = 1000


@dataclass(frozen=True, slots=True)
class Client:
    """Who is at the other end, as the kernel and the user database name him."""

    peer: Peer
    groups: frozenset[int]
    user: str

    @property
    def by(self) -> str:
        return acl.describe(self.peer, self.user)


@dataclass(slots=True)
class Act:
    """What the audit trail will say of one request; filled in as far as it comes."""

    method: str = ""
    path: str = ""
    unit: str = ""
    verb: str = "connect"
    changes: bool = False
    body: dict[str, Any] = field(default_factory=dict)
    result: str = "interrupted"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what clients may hold. `idle_s` bounds the wait for a request's bytes and for a slow reader alike."""

    connections: int = 256
    header_bytes: int = 16 * 1024
    body_bytes: int = 1024 * 1024
    idle_s: float = 30.0


class ApiServer:
    """Serves one `Supervision` on one listening socket. `log` takes a line for supd's own log, `audit` an entry of the audit trail."""

    def __init__(
        self,
        world: Supervision,
        access: acl.Access,
        log: Callable[[str], None],
        limits: Limits | None = None,
        table: Table = TABLE,
        audit: Callable[[dict[str, Any]], object] = lambda entry: None,
    ) -> None:
        self._world = world
        self._access = access
        self._log = log
        self._limits = limits or Limits()
        self._table = table
        self._audit = audit
        self._refusals = Refusals()
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._begun: set[asyncio.Task[None]] = set()  # those whose turn has come: what is waiting to begin can give no room
        self._awaited: dict[asyncio.Task[None], bool] = {}  # they owe us a request, the longest first; whether it is the owner or root
        self._streams: dict[asyncio.Task[None], tuple[Client, acl.Grant]] = {}
        self._server: asyncio.Server | None = None

    async def start(self, listening_fd: int) -> None:
        """Accept on a socket that already listens. The descriptor is duplicated; the caller keeps its own."""
        duplicate = socket.fromfd(listening_fd, socket.AF_UNIX, socket.SOCK_STREAM)
        # From 3.13 on asyncio would unlink the socket's file at close; it is the keeper's.
        keeping: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
        self._server = await asyncio.start_unix_server(self._accepted, sock=duplicate, backlog=1024, limit=64 * 1024, **keeping)

    def set_access(self, access: acl.Access) -> None:
        """From now on this is the rule, for connections that are open too."""
        self._access = access
        for task, (client, grant) in self._streams.items():
            if access.grant_of(client.peer, client.groups) != grant:
                task.cancel()

    async def close(self) -> None:
        """Stop accepting and end every connection. Returns when they are gone."""
        if self._server is not None:
            self._server.close()
        open_ones = dict(self._connections)
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)
        for connection in open_ones.values():
            connection.cut_off()
        await asyncio.sleep(0)  # the loop lets go of them in its next turn

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """On the books before its task runs: one that is cancelled before it has begun must be closed too."""
        connection = Connection(reader, writer, self._limits.header_bytes, self._limits.body_bytes, self._limits.idle_s)
        task = asyncio.get_running_loop().create_task(self._converse(connection, writer.get_extra_info("socket")))
        self._connections[task] = connection
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._begun.discard(task)
        self._connections.pop(task).close()

    async def _converse(self, connection: Connection, end: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._begun.add(task)
        try:
            await self._serve(connection, end)
        except (ClientLeft, ConnectionError, TimeoutError):
            pass  # the client's own doing, and it is not there any more to be told
        except asyncio.CancelledError:
            pass  # `close`, or it made room for another
        except Exception as error:  # a fault of ours must not end the server, nor go unseen
            self._log(f"api: a connection ended by an internal error: {error!r}")

    async def _serve(self, connection: Connection, end: Any) -> None:
        peer = acl.peer_of(end)
        # Everybody may connect where there are roles, so the last quarter is not for everybody.
        is_master = self._access.is_master(peer)
        room = self._limits.connections if is_master else self._limits.connections * 3 // 4
        if len(self._begun) > room and not self._make_room(is_master):
            text = f"supd already serves {len(self._begun) - 1} connections; try again in a moment"
            await connection.refuse(503, answers.error("too-busy", text))
            return
        client = Client(peer, acl.groups_of(end), acl.user_of(peer.uid))
        if self._access.grant_of(peer, client.groups) is None:
            await self._turn_away(connection, client)
            return
        while (request := await self._awaited_request(connection, is_master)) is not None:
            grant = self._access.grant_of(peer, client.groups)
            if grant is None:
                await self._turn_away(connection, client)
                return
            await self._answer(connection, request, client, grant)
            if not connection.start_next():
                return

    async def _turn_away(self, connection: Connection, client: Client) -> None:
        self._refused(client, Act(), f"neither the owner (uid {self._access.owner_uid}), root, of the socket group, nor named by a role")
        text = f"uid {client.peer.uid} may not talk to this supd; it belongs to uid {self._access.owner_uid}"
        await connection.refuse(403, answers.error("forbidden", text, hint="ask as its owner or as root"))
        await connection.linger()

    def _refused(self, client: Client, act: Act, why: str) -> None:
        """Log and record a refusal, unless this peer had many of them lately."""
        act.result = "forbidden"
        untold = self._refusals.count(client.peer.uid)
        if untold is None:
            return
        more = f" (and {untold} refusals before this one were not logged)" if untold else ""
        self._log(f"api: refused {client.by}: {why}{more}")
        self._record(client, act, {"untold": untold} if untold else {})

    def _record(self, client: Client, act: Act, more: dict[str, int]) -> None:
        peer = client.peer
        entry = {"time_s": time.time(), "uid": peer.uid, "gid": peer.gid, "pid": peer.pid, "user": client.user, "method": act.method}
        entry |= {"path": act.path[:BODY_AUDITED_CHARS], "unit": act.unit, "verb": act.verb, "result": act.result}
        if act.body and len(json.dumps(act.body)) <= BODY_AUDITED_CHARS:
            entry["body"] = act.body
        self._audit({**entry, **more})

    def _make_room(self, is_master: bool) -> bool:
        """End the connection that has owed us a request for longest; only the owner and root may take one of the owner's or root's."""
        for task, is_masters in self._awaited.items():
            if is_master or not is_masters:
                del self._awaited[task]
                task.cancel()
                return True
        return False

    async def _awaited_request(self, connection: Connection, is_master: bool) -> Request | None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None
        self._awaited[task] = is_master
        try:
            return await self._next_request(connection)
        finally:
            self._awaited.pop(task, None)

    async def _next_request(self, connection: Connection) -> Request | None:
        try:
            return await connection.next_request()
        except TooMuch as error:
            await connection.refuse(413, answers.error("too-large", str(error)))
            await connection.linger()
        except h11.RemoteProtocolError as error:
            await connection.refuse(error.error_status_hint, answers.error("bad-request", f"this is not HTTP as supd speaks it: {error}"))
            await connection.linger()
        return None

    async def _answer(self, connection: Connection, request: Request, client: Client, grant: acl.Grant) -> None:
        act = Act(request.method, request.target)
        status = 200
        try:
            answer = await self._dispatch(connection, request, client, grant, act)
            act.result = "done"
        except BadRequest as error:
            act.result = error.code
            status, answer = error.status, answers.error(error.code, error.text, hint=error.hint)
        except Refusal as error:
            act.result = error.code
            status, answer = answers.STATUS_OF_CODE.get(error.code, 409), answers.error(error.code, error.text, error.unit, error.hint)
            if error.code == "forbidden":
                self._refused(client, act, f"{request.method} {request.target[:200]}: {error.text}")
        except (ClientLeft, ConnectionError, TimeoutError):
            raise
        except Exception as error:  # a fault of ours: the client learns that much, the log the rest
            act.result = "internal"
            self._log(f"api: internal error in {request.method} {request.target[:200]}: {error!r}")
            text = "supd could not carry this out because of a fault of its own; its log has the details"
            status, answer = 500, answers.error("internal", text)
        finally:
            if act.changes and act.result != "forbidden":
                self._record(client, act, {})
        if isinstance(answer, Stream):
            await self._stream(connection, answer, client, grant)
        elif isinstance(answer, Text):
            await connection.send(status, answer.content, answer.content_type, answer.headers)
        else:
            await connection.send_json(status, answer)

    async def _dispatch(self, connection: Connection, request: Request, client: Client, grant: acl.Grant, act: Act) -> Answer:
        route, pieces, query = self._table.find(request.method, request.target)
        act.verb, act.unit, act.changes = route.verb, pieces.get("name", "")[:255], route.changes
        world = self._world if grant.is_uniform else Limited(self._world, grant)
        call = Call(world, client.peer, grant, client.by, pieces, query, {}, request.last_event_id)
        try:
            level = _level(route, call, grant)
            if not acl.allows(level, route.access):
                text = f"{request.method} {request.target[:200]} needs the level {route.access}"
                where = {"unit": " there", "log": " there", "template": " there", "all": " on every unit", "any": ""}[route.reaches]
                raise Refusal("forbidden", f"{text}{where}; yours is {level or 'none'}")
            if route.reaches == "unit":
                act.unit = call.unit
            call = replace(call, body=check_body(route, _decode(request.body)))
            act.body = call.body
            if route.changes:
                self._log(f"api: {client.by}: {request.method} {request.target[:200]}")
            return await self._run(connection, route, call)
        except Refusal as error:
            raise Refusal(error.code, error.text, error.unit or pieces.get("name", ""), error.hint) from None

    async def _run(self, connection: Connection, route: Route, call: Call) -> Answer:
        if not route.waits:
            return await route.handler(call)
        return await connection.while_connected(route.handler(call))

    async def _stream(self, connection: Connection, answer: Stream, client: Client, grant: acl.Grant) -> None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None
        self._streams[task] = client, grant
        try:
            if self._access.grant_of(client.peer, client.groups) != grant:
                raise ClientLeft  # the roles changed while this was on its way
            await self._send_events(connection, answer)
        finally:
            del self._streams[task]

    async def _send_events(self, connection: Connection, answer: Stream) -> None:
        events = answer.events
        pending: asyncio.Future[Any] = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)  # a generator enters the stream at its first step: before the client sees our header, and acts on it
        try:
            await connection.start_stream("text/event-stream")
            if answer.begins_after:
                await connection.send_piece(f"id: {answer.begins_after}\n\n".encode())  # sets the reader's id, is no event
            while True:
                while not pending.done():
                    await connection.while_connected(asyncio.wait({pending}, timeout=answer.heartbeat_s))
                    if not pending.done():
                        await connection.send_piece(HEARTBEAT)
                event = pending.result()
                await connection.send_piece(as_server_sent(event))
                if event["kind"] == "gap":
                    return
                pending = asyncio.ensure_future(anext(events))
        except StopAsyncIteration:
            return
        finally:
            if not pending.done():
                pending.cancel()
                await asyncio.gather(pending, return_exceptions=True)
            closing = getattr(events, "aclose", None)  # generators and our own readers have it, a bare iterator need not
            if closing is not None:
                await closing()
            connection.must_close()


def _level(route: Route, call: Call, grant: acl.Grant) -> str | None:
    """The peer's level on what the route reaches. Raises Refusal where that depends on a unit that cannot be told."""
    if grant.is_uniform or route.reaches == "all":
        return grant.level_everywhere()
    if route.reaches == "log" and call.log_owner == OWN:
        return grant.level_everywhere()
    if route.reaches in ("unit", "log"):
        return grant.level_for(call.unit)
    if route.reaches == "template":
        return grant.level_for(f"{split(call.pieces['name']).prefix}@")
    return grant.level_somewhere()


def _decode(body: bytes) -> object:
    if not body:
        return None
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadRequest(400, "bad-request", "the body is not JSON") from None


def _no_constant(text: str) -> None:
    raise ValueError(text)  # NaN and Infinity are Python's, not JSON's
