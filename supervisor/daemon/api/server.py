"""The control API's server: HTTP/1.1 by h11 over asyncio streams, on a Unix socket that the keeper bound and holds.

Laws:
- SO_PEERCRED is read once, at accept, before a byte is parsed; a peer without access gets 403, a line in the log, and the end.
- Every limit has its answer: header 431, body 413, too many connections 503 at once, silence the end of the connection.
- Whatever bytes arrive, the answer is a 4xx with a sentence. A 500 is a fault of ours; it names no internals, the log does.
- A client that leaves while it waits (a long poll, the event stream) frees what it held at once; one that does not read is cut off.
- Closing the server never removes the socket's file: the keeper owns it, and connections wait there for the next manager.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h11

from supervisor.daemon.api import access as acl
from supervisor.daemon.api import answers
from supervisor.daemon.api.connection import ClientLeft, Connection, Request, TooMuch
from supervisor.daemon.api.handlers import TABLE
from supervisor.daemon.api.routes import Answer, BadRequest, Call, Route, Stream, Table, Text, check_body
from supervisor.daemon.api.service import Peer, Refusal, Supervision
from supervisor.daemon.api.stream import as_server_sent


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what clients may hold. `idle_s` bounds the wait for a request's bytes and for a slow reader alike."""

    connections: int = 256
    header_bytes: int = 16 * 1024
    body_bytes: int = 1024 * 1024
    idle_s: float = 30.0


class ApiServer:
    """Serves one `Supervision` on one listening socket. `log` takes a line for supd's own log."""

    def __init__(
        self, world: Supervision, access: acl.Access, log: Callable[[str], None], limits: Limits | None = None, table: Table = TABLE
    ) -> None:
        self._world = world
        self._access = access
        self._log = log
        self._limits = limits or Limits()
        self._table = table
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listening_fd: int) -> None:
        """Accept on a socket that already listens. The descriptor is duplicated; the caller keeps its own."""
        duplicate = socket.fromfd(listening_fd, socket.AF_UNIX, socket.SOCK_STREAM)
        # From 3.13 on asyncio would unlink the socket's file at close; it is the keeper's.
        keeping: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
        self._server = await asyncio.start_unix_server(self._accepted, sock=duplicate, backlog=1024, limit=64 * 1024, **keeping)

    async def close(self) -> None:
        """Stop accepting and end every connection. Returns when they are gone."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        connection = Connection(reader, writer, self._limits.header_bytes, self._limits.body_bytes, self._limits.idle_s)
        try:
            await self._serve(connection, writer.get_extra_info("socket"))
        except (ClientLeft, ConnectionError, TimeoutError):
            pass  # the client's own doing, and it is not there any more to be told
        except asyncio.CancelledError:
            pass  # `close`: the task ends here, and asyncio's stream callback must not see it as a failure
        except Exception as error:  # a fault of ours must not end the server, nor go unseen
            self._log(f"api: a connection ended by an internal error: {error!r}")
        finally:
            self._connections.discard(task)
            connection.close()

    async def _serve(self, connection: Connection, end: Any) -> None:
        peer = acl.peer_of(end)
        if len(self._connections) > self._limits.connections:
            text = f"supd already serves {self._limits.connections} connections; try again in a moment"
            await connection.refuse(503, answers.error("too-busy", text))
            return
        level = self._access.level_of(peer, acl.groups_of(end))
        if level is None:
            self._log(f"api: refused {acl.describe(peer)}: neither the owner (uid {self._access.owner_uid}), root, nor of the socket group")
            text = f"uid {peer.uid} may not talk to this supd; it belongs to uid {self._access.owner_uid}"
            await connection.refuse(403, answers.error("forbidden", text, hint="ask as its owner or as root"))
            await connection.linger()
            return
        by = acl.describe(peer)
        while (request := await self._next_request(connection)) is not None:
            await self._answer(connection, request, peer, level, by)
            if not connection.start_next():
                return

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

    async def _answer(self, connection: Connection, request: Request, peer: Peer, level: str, by: str) -> None:
        try:
            answer = await self._dispatch(connection, request, peer, level, by)
        except BadRequest as error:
            await connection.send_json(error.status, answers.error(error.code, error.text, hint=error.hint))
        except Refusal as error:
            await connection.send_json(answers.STATUS_OF_CODE.get(error.code, 409), answers.error(error.code, error.text, error.unit))
        except (ClientLeft, ConnectionError, TimeoutError):
            raise
        except Exception as error:  # a fault of ours: the client learns that much, the log the rest
            self._log(f"api: internal error in {request.method} {request.target[:200]}: {error!r}")
            text = "supd could not carry this out because of a fault of its own; its log has the details"
            await connection.send_json(500, answers.error("internal", text))
        else:
            if isinstance(answer, Stream):
                await self._stream(connection, answer)
            elif isinstance(answer, Text):
                await connection.send(200, answer.content, answer.content_type, answer.headers)
            else:
                await connection.send_json(200, answer)

    async def _dispatch(self, connection: Connection, request: Request, peer: Peer, level: str, by: str) -> Answer:
        route, pieces, query = self._table.find(request.method, request.target)
        if not acl.allows(level, route.access):
            self._log(f"api: refused {by}: {request.method} {request.target[:200]} needs {route.access}, the peer has {level}")
            raise BadRequest(403, "forbidden", f"{request.method} {request.target[:200]} needs the level {route.access}; yours is {level}")
        body = check_body(route, _decode(request.body))
        if route.changes:
            self._log(f"api: {by}: {request.method} {request.target[:200]}")
        call = Call(self._world, peer, by, pieces, query, body, request.last_event_id)
        try:
            return await self._run(connection, route, call)
        except Refusal as error:
            raise Refusal(error.code, error.text, error.unit or pieces.get("name", "")) from None

    async def _run(self, connection: Connection, route: Route, call: Call) -> Answer:
        if not route.waits:
            return await route.handler(call)
        return await connection.while_connected(route.handler(call))

    async def _stream(self, connection: Connection, answer: Stream) -> None:
        events = answer.events
        pending: asyncio.Future[Any] = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)  # a generator enters the stream at its first step: before the client sees our header, and acts on it
        try:
            await connection.start_stream("text/event-stream")
            if answer.begins_after:
                await connection.send_piece(f"id: {answer.begins_after}\n\n".encode())  # sets the reader's id, is no event
            while True:
                event = await connection.while_connected(pending)
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


def _decode(body: bytes) -> object:
    if not body:
        return None
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadRequest(400, "bad-request", "the body is not JSON") from None


def _no_constant(text: str) -> None:
    raise ValueError(text)  # NaN and Infinity are Python's, not JSON's
