"""A supd asked over its control socket: the API's routes as `Transport` has them.

Decides only what is one question and what are several: a list of names is parted so that no request line grows beyond what supd
takes. Text and codes of refusals are the API's.
"""

import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from typing import Any

from supervisor.client.aio import AsyncClient
from supervisor.client.api import EventReading, quote
from supervisor.client.discovery import Place
from supervisor.client.errors import ApiError, BrokenAnswer, NoDaemon
from supervisor.tui.link.protocol import ALIVE, Json, LinkLost, Refused, Relations

QUERY_CHARS = 3500  # supd takes a request line of 4096
QUERY_NAMES = 200  # and 256 fields

_JOB_VERBS = frozenset({"start", "stop", "restart", "reload"})


class HttpTransport:
    """`Transport` for one socket. `reach` is the client's: what makes the socket be there, where that is somebody's work."""

    def __init__(self, place: Place, label: str = "", reach: Callable[[], Awaitable[None]] | None = None) -> None:
        self.label = label or place.path
        self._client = AsyncClient(place, reach)
        self._log_root = ""

    async def hello(self) -> Json:
        said: Json = await self._get("/v1/status")
        directory = str(said.get("log_directory", ""))
        nearest = directory if os.path.isdir(directory) else os.path.dirname(directory)  # made with the first line that is logged
        is_believed = self.is_local and os.path.isabs(directory)
        self._log_root = directory if is_believed and os.access(nearest, os.R_OK | os.X_OK) else ""
        return said

    @property
    def is_local(self) -> bool:
        """Whether the daemon's paths are paths here, and it may be believed about them. Known after `hello`."""
        return not self._client.place.is_forwarded and self._client.peer_uid in (os.geteuid(), 0)

    async def units(self, names: Sequence[str] | None = None) -> list[Json]:
        if names is None:
            whole: list[Json] = await self._get("/v1/units")
            return whole
        found: list[Json] = []
        for query in queries(names):
            found += await self._get(f"/v1/units?{query}")
        return found

    async def events(self, last_id: str | None) -> AsyncGenerator[Json, None]:
        reading = EventReading(last_id)
        stream = self._client.events(reading, is_for_screen=True)
        async with contextlib.aclosing(stream):
            with _troubles():
                async for event in stream:
                    yield {"kind": ALIVE, "id": reading.last_id or ""} if event is None else event
        raise LinkLost("supd ended the stream of events, for it was not read in time")

    async def show(self, unit: str) -> Json:
        return await self._object(f"/v1/units/{quote(unit)}")

    async def why(self, unit: str) -> Json:
        return await self._object(f"/v1/units/{quote(unit)}/why")

    async def definition(self, unit: str) -> Json:
        return await self._object(f"/v1/units/{quote(unit)}/definition")

    async def relations(self) -> dict[str, Relations]:
        return await self._object("/v1/relations")

    async def history(self, unit: str | None = None, limit: int = 100) -> list[Json]:
        runs: list[Json] = await self._get(f"/v1/history?limit={limit}" + (f"&unit={quote(unit)}" if unit is not None else ""))
        return runs

    async def past_events(self, count: int = 100) -> list[Json]:
        events: list[Json] = await self._get(f"/v1/events/recent?count={count}")
        return events

    async def jobs(self) -> list[Json]:
        jobs: list[Json] = await self._get("/v1/jobs")
        return jobs

    async def figures(self, names: Sequence[str] | None = None) -> Json:
        if names is None:
            return await self._object("/v1/figures")
        whole: Json = {"monotonic_s": 0.0, "units": {}}
        for query in queries(names):
            part = await self._object(f"/v1/figures?{query}")
            whole = {"monotonic_s": part["monotonic_s"], "units": {**whole["units"], **part["units"]}}
        return whole

    async def plan(self, names: Sequence[str] = ()) -> Json:
        return await self._object("/v1/plan" + (f"?{'&'.join(f'unit={quote(name)}' for name in names)}" if names else ""))

    async def apply(self, names: Sequence[str] = ()) -> Json:
        return await self._post("/v1/apply", {"units": list(names)} if names else None)

    async def act(self, verb: str, unit: str, *, mode: str = "replace", signal: int = 15, whom: str = "all") -> Json:
        target = f"/v1/units/{quote(unit)}/{verb}"
        if verb in _JOB_VERBS:
            made = await self._post(target, {"mode": mode} if mode != "replace" else None)
            if made["job"]:
                with _troubles():
                    return await self._client.wait_job(made["job"])
        else:
            await self._post(target, {"signal": signal, "whom": whom} if verb == "kill" else None)
        return {"id": 0, "unit": unit, "type": verb, "result": "done", "text": ""}

    def log_directory(self, unit: str) -> str:
        return os.path.join(self._log_root, unit) if self._log_root and "/" not in unit else ""

    async def log_bytes(self, unit: str, lines: int = 0, after: str | None = None) -> tuple[bytes, str]:
        query = f"lines={lines}" if after is None else f"after={quote(after)}"
        with _troubles():
            answer = await self._client.get_answer(f"/v1/units/{quote(unit)}/log?raw=true&{query}")
            if answer.status >= 400:
                answer.value()
            return answer.body, answer.headers.get("supd-log-cursor", "")

    async def log_lines(self, unit: str, stream: str, query: dict[str, str]) -> Json:
        fields = "".join(f"&{name}={quote(value)}" for name, value in query.items())
        return await self._object(f"/v1/units/{quote(unit)}/log/lines?stream={stream}{fields}")

    async def _get(self, target: str) -> Any:
        with _troubles():
            return await self._client.get(target)

    async def _object(self, target: str) -> Json:
        value: Json = await self._get(target)
        return value

    async def _post(self, target: str, body: Json | None = None) -> Json:
        with _troubles():
            value: Json = await self._client.post(target, body)
            return value


def queries(names: Sequence[str]) -> Iterator[str]:
    """The names as `unit=` fields of as many queries as it takes; none for no name."""
    fields: list[str] = []
    chars = 0
    for name in dict.fromkeys(names):
        field = f"unit={quote(name)}"
        if fields and (chars + len(field) >= QUERY_CHARS or len(fields) >= QUERY_NAMES):
            yield "&".join(fields)
            fields, chars = [], 0
        fields.append(field)
        chars += len(field) + 1
    if fields:
        yield "&".join(fields)


@contextlib.contextmanager
def _troubles() -> Iterator[None]:
    """The client's errors in the words of the protocol."""
    try:
        yield
    except ApiError as error:
        raise Refused(error.message, error.hint, error.code, error.unit) from None
    except (NoDaemon, BrokenAnswer) as error:
        raise LinkLost(str(error)) from None
