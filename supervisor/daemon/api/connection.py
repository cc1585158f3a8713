"""One HTTP/1.1 connection: bytes to requests and answers to bytes. Knows limits and time, nothing of units, routes or access.

Rules of the protocol are h11's. This adds: a bound on the body, a bound on silence, and the notice of a client that left.
"""

import asyncio
import contextlib
import json
import select
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

import h11

READ_BYTES = 64 * 1024
LINGER_S = 1.0

T = TypeVar("T")


class ClientLeft(Exception):
    """The client closed its end while we were working for it, or between two requests."""


class TooMuch(Exception):
    """A body beyond the limit."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    body: bytes
    last_event_id: str | None


class Connection:
    """`header_bytes` and `body_bytes` bound a request; `idle_s` bounds each wait for the client, to send or to read."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, header_bytes: int, body_bytes: int, idle_s: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=header_bytes)
        self._header_bytes = header_bytes
        self._body_bytes = body_bytes
        self._idle_s = idle_s
        self._is_closing = False
        self._is_head = False  # the answer to this request has no body

    async def next_request(self) -> Request | None:
        """The next request, whole; None when the client has ended the conversation. Raises TooMuch and h11.RemoteProtocolError."""
        async with asyncio.timeout(self._idle_s):
            event = await self._next_event()
            if not isinstance(event, h11.Request):
                return None
            self._is_head = bytes(event.method) == b"HEAD"
            headers = {bytes(name): bytes(value) for name, value in event.headers}
            # h11 bounds a header that is not whole yet; one that came in a single read is bounded here.
            if sum(len(name) + len(value) + 4 for name, value in headers.items()) > self._header_bytes:
                raise h11.RemoteProtocolError(f"the header is beyond the limit of {self._header_bytes} bytes", error_status_hint=431)
            declared = headers.get(b"content-length", b"0")
            if int(declared) > self._body_bytes:
                raise TooMuch(f"a body of {declared.decode()[:20]} bytes is beyond the limit of {self._body_bytes}")
            if self._http.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, headers=[]))
            body = bytearray()
            while isinstance(piece := await self._next_event(), h11.Data):
                body += piece.data
                if len(body) > self._body_bytes:
                    raise TooMuch(f"the body is beyond the limit of {self._body_bytes} bytes")
            last_id = headers.get(b"last-event-id")
            return Request(
                bytes(event.method).decode("ascii"),
                bytes(event.target).decode("ascii"),
                bytes(body),
                None if last_id is None else last_id.decode("latin-1"),
            )

    async def _next_event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(READ_BYTES))
        return event

    async def while_connected(self, work: Awaitable[T]) -> T:
        """The result of `work`; when the client leaves first, `work` is cancelled and ClientLeft raised. Early bytes are kept."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                # A client that sent more than one read's worth ahead is not watched: its bytes wait, bounded, and it is still there.
                watch = asyncio.ensure_future(self._reader.read(READ_BYTES)) if self._may_read_ahead() else None
                await asyncio.wait({task, watch} if watch is not None else {task}, return_when=asyncio.FIRST_COMPLETED)
                if watch is None:
                    continue
                if not watch.done():
                    watch.cancel()
                    await asyncio.gather(watch, return_exceptions=True)
                    continue
                data = watch.result()
                if not data and not task.done() and self._has_hung_up():
                    raise ClientLeft
                self._http.receive_data(data)
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _has_hung_up(self) -> bool:
        """Whether the peer closed both directions; one that only ended its sending (as `nc -N` does) still wants the answer."""
        poll = select.poll()
        poll.register(self._writer.get_extra_info("socket").fileno(), 0)  # POLLHUP is always told
        return any(events & select.POLLHUP for _, events in poll.poll(0))

    def _may_read_ahead(self) -> bool:
        data, is_closed = self._http.trailing_data
        return not is_closed and len(data) < READ_BYTES

    async def send_json(self, status: int, value: Any) -> None:
        await self.send(status, json.dumps(value, separators=(",", ":")).encode() + b"\n", "application/json")

    async def send(self, status: int, content: bytes, content_type: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """A whole answer."""
        fields = [("Content-Type", content_type), ("Content-Length", str(len(content))), *headers]
        if self._is_closing:
            fields.append(("Connection", "close"))
        body = () if self._is_head else (h11.Data(data=content),)
        self._write(h11.Response(status_code=status, headers=fields), *body, h11.EndOfMessage())
        await self._drain()

    async def refuse(self, status: int, value: Any) -> None:
        """The last answer on this connection, possible even before or amid a request."""
        self._is_closing = True
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self.send_json(status, value)

    async def start_stream(self, content_type: str) -> None:
        """The head of an answer whose end is not known."""
        fields = [("Content-Type", content_type), ("Cache-Control", "no-store"), ("Connection", "close")]
        self._write(h11.Response(status_code=200, headers=fields))
        await self._drain()

    async def send_piece(self, content: bytes) -> None:
        self._write(h11.Data(data=content))
        await self._drain()

    def must_close(self) -> None:
        """The stream's end: the message is ended properly where that is still possible, and nothing follows on this connection."""
        self._is_closing = True
        if self._http.our_state is h11.SEND_BODY and not self._writer.is_closing():
            self._write(h11.EndOfMessage())

    def start_next(self) -> bool:
        """Make ready for another request; False when this connection is at its end."""
        if self._is_closing or self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def linger(self) -> None:
        """After a refusal: read what the client is still sending for a moment, so that it sees the answer and not a broken pipe."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            self._writer.write_eof()
            async with asyncio.timeout(LINGER_S):
                while await self._reader.read(READ_BYTES):
                    pass

    def close(self) -> None:
        """End the connection. What is still to be sent is sent; a client that does not read it within the idle time is cut off."""
        transport = self._writer.transport
        self._writer.close()
        if transport.get_write_buffer_size() > 0:
            asyncio.get_running_loop().call_later(self._idle_s, _cut_off, transport)

    def cut_off(self) -> None:
        """End the connection now, whatever is still to be sent."""
        self._writer.transport.abort()

    def _write(self, *events: h11.Event) -> None:
        data = b"".join(self._http.send(event) or b"" for event in events)
        if data:
            self._writer.write(data)

    async def _drain(self) -> None:
        async with asyncio.timeout(self._idle_s):
            await self._writer.drain()


def _cut_off(transport: asyncio.WriteTransport) -> None:
    """One that has sent everything meanwhile is closed already, and must not be aborted: it has no loop any more."""
    if transport.get_write_buffer_size() > 0:
        transport.abort()
