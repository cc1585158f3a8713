"""The way to the API for programs with an asyncio loop: `api.Client`'s rules, where nothing ever blocks.

The same place of the socket, the same check of who listens, the same errors, one connection per request, and the same law of
repetition: what only reads is asked again when the manager was replaced in the middle of it, what changes something is never sent
twice. What differs: a stream of events ends with its connection, and whoever reads it decides when to go on, for a person may be
looking at what happens meanwhile. A request that is cancelled closes its connection.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from supervisor.client.api import RETRY_FOR_S, EventReading
from supervisor.client.connection import (
    ANSWER_TIMEOUT_S,
    ENDED,
    Answer,
    checked_peer,
    connect_to,
    head_of,
    no_daemon,
    request_bytes,
    whole_answer,
)
from supervisor.client.discovery import Place
from supervisor.client.errors import BrokenAnswer, NoDaemon

Json = dict[str, Any]

READ_BYTES = 64 * 1024
_RETRY_PAUSE_S = 0.1
_FULL_QUEUE_PAUSE_S = 0.02


class AsyncClient:
    """A supd, by the place of its socket. `peer_uid` is known after the first answer.

    `reach` is awaited before each connection, and sees to it that there is something at the place to connect to; it may raise NoDaemon.
    """

    def __init__(self, place: Place, reach: Callable[[], Awaitable[None]] | None = None) -> None:
        self.place = place
        self.reach = reach
        self.peer_uid: int | None = None

    async def get(self, target: str) -> Any:
        """The JSON at `target`, asked for again while managers change. Raises ApiError, NoDaemon, BrokenAnswer."""
        return (await self.get_answer(target)).value()

    async def get_answer(self, target: str) -> Answer:
        """The answer of a GET as it is; its status may tell of a refusal."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + RETRY_FOR_S
        while True:
            try:
                return await self._ask("GET", target)
            except BrokenAnswer:
                if loop.time() > deadline_s:
                    raise
            await asyncio.sleep(_RETRY_PAUSE_S)

    async def post(self, target: str, body: Json | None = None) -> Any:
        """The JSON that answers a change. BrokenAnswer: the manager went away in the middle of it, and may have begun or not."""
        return (await self._ask("POST", target, body)).value()

    async def wait_job(self, job: int) -> Json:
        """The finished job {id, unit, type, result, text}, however long it takes; the next manager knows it too."""
        loop = asyncio.get_running_loop()
        broken_s: float | None = None
        while True:
            try:
                finished: Json = (await self._ask("GET", f"/v1/jobs/{job}?wait=true", timeout_s=None)).value()
                return finished
            except BrokenAnswer:
                broken_s = broken_s or loop.time()
                if loop.time() - broken_s > RETRY_FOR_S:
                    raise
            await asyncio.sleep(_RETRY_PAUSE_S)

    async def events(self, reading: EventReading, is_for_screen: bool = False) -> AsyncGenerator[Json | None, None]:
        """Events after `reading.last_id`, which moves with them, until the connection ends; then BrokenAnswer, after a `gap` nothing.

        The first value is None, given once supd has entered us as a reader; another one may follow when supd tells where we stand.
        `is_for_screen`: one comes after each second of silence too, and what changes without an event is told by marks
        {"kind": "changed", "units": [...]}, which have no id.
        """
        target = "/v1/events" + ("?heartbeat=true&changes=true" if is_for_screen else "")
        async with _Exchange(self, "GET", target, headers=reading.headers()) as exchange:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await exchange.await_head()
            yield None
            async for line in exchange.lines():
                event = reading.take(line)
                if event is not None or line.startswith(b":") or reading.has_moved_alone:
                    yield event
                if event is not None and event.get("kind") == "gap":
                    return

    async def _ask(self, method: str, target: str, body: Json | None = None, timeout_s: float | None = ANSWER_TIMEOUT_S) -> Answer:
        try:
            async with asyncio.timeout(timeout_s), _Exchange(self, method, target, body) as exchange:
                return await exchange.answer()
        except TimeoutError:
            raise NoDaemon(f"supd at {self.place.path} is there but did not answer within {ANSWER_TIMEOUT_S:.0f} s") from None


class _Exchange:
    """One request under way, as an async context; leaving it closes the connection."""

    def __init__(self, client: AsyncClient, method: str, target: str, body: Json | None = None, headers: str = "") -> None:
        self._client = client
        self._place = client.place
        self._request = request_bytes(method, target, body, headers)
        self._received = bytearray()
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    async def __aenter__(self) -> "_Exchange":
        try:
            await self._connect()
            self._client.peer_uid = checked_peer(self._socket, self._place)
            try:
                await self._loop.sock_sendall(self._socket, self._request)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before we had said all; the refusal is there to be read
        except BaseException:
            self._socket.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    async def _connect(self) -> None:
        """A Unix socket connects at once or not at all; EAGAIN says that too many wait to be accepted, and select(2) cannot tell when."""
        if self._client.reach is not None:
            await self._client.reach()
        while True:
            try:
                connect_to(self._socket, self._place)
                return
            except BlockingIOError:
                await asyncio.sleep(_FULL_QUEUE_PAUSE_S)
            except OSError as error:
                raise no_daemon(self._place, error) from None

    async def _receive(self) -> None:
        try:
            piece = await self._loop.sock_recv(self._socket, READ_BYTES)
        except ConnectionResetError:
            piece = b""
        if not piece:
            raise BrokenAnswer(ENDED)
        self._received += piece

    async def answer(self) -> Answer:
        while (whole := whole_answer(self._received, self._place)) is None:
            await self._receive()
        return whole

    async def await_head(self) -> None:
        """Wait until the answer has begun, and drop its head. Raises ApiError for a refusal."""
        while (parted := head_of(self._received, self._place)) is None:
            await self._receive()
        if parted[0] >= 400:
            (await self.answer()).value()
        del self._received[: parted[2]]

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """The lines of a body without an end. Raises BrokenAnswer where it ends all the same."""
        while True:
            while (newline := self._received.find(b"\n")) >= 0:
                line = bytes(self._received[:newline])
                del self._received[: newline + 1]
                yield line
            await self._receive()
