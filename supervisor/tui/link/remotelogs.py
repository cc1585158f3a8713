"""Logs that are asked for through the transport, for the reader of pages, which waits for each answer in a thread of its own.

The reader is the same as for files; each page it wants becomes a question on the loop. Never called on the loop's own thread.
"""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, TypeVar, cast

from supervisor.client import logpages
from supervisor.client.loglines import ERR, OUT
from supervisor.tui.link.protocol import Json, Transport

if TYPE_CHECKING:
    from supervisor.client.api import Client
    from supervisor.client.logpages import Stream

Answer = TypeVar("Answer")


def streams_through(transport: Transport, unit: str) -> "list[Stream]":
    """Both streams of a unit; to be called on the loop."""
    asking = cast("Client", _Asking(transport, asyncio.get_running_loop()))
    return [logpages.RemoteStream(asking, unit, OUT), logpages.RemoteStream(asking, unit, ERR)]


class _Asking:
    """As much of a client as a remote stream needs."""

    def __init__(self, transport: Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop

    def log_lines(self, unit: str, stream: str, query: dict[str, str]) -> Json:
        return self._wait(self._transport.log_lines(unit, stream, query))

    def history(self, unit: str, limit: int) -> list[Json]:
        return self._wait(self._transport.history(unit, limit))

    def _wait(self, question: "Coroutine[object, object, Answer]") -> Answer:
        return asyncio.run_coroutine_threadsafe(question, self._loop).result()
