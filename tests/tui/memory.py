"""A supd that lives in the test's own loop: `Transport` over a FakeWorld, and the ways in which a link may fail.

It keeps state as the real one does; `test_transport_contract.py` holds both to one suite. Nothing in it waits for time: heartbeats come
when a test calls `beat`.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from typing import Any

from supervisor.client import logpages
from supervisor.client.logfilter import Filter
from supervisor.client.loglines import LocalStream
from supervisor.daemon.api import answers
from supervisor.daemon.api.handlers import ENABLED_OF_VERB
from supervisor.daemon.api.service import Refusal
from supervisor.daemon.api.stream import EventRing
from supervisor.tui.link.protocol import ALIVE, Json, LinkLost, Refused, Relations
from tests.system.api.fake_world import FakeWorld


class MemoryTransport:
    """`world` may be changed at will; `lose` and `restore`, `hush`, `replace_manager` are what happens to links."""

    def __init__(self, world: FakeWorld, label: str = "memory") -> None:
        self.label = label
        self.is_local = True
        self.world = world
        self.asked: list[tuple[str, Any]] = []  # (method, arguments) of every question, in order
        self.access: Json = {"access": "admin", "rights": [{"level": "admin", "patterns": None}]}
        self.log_directories: dict[str, str] = {}  # of files that the client may read
        self.served_logs: dict[str, str] = {}  # of files that only supd may read
        self.is_local = True
        self._is_lost = False
        self._why_lost = ""
        self._streams: set[asyncio.Queue[Json | None]] = set()

    # What happens to the link.

    def lose(self, why: str = "cannot read the answer of supd: the connection ended") -> None:
        """The connection ends, and cannot be made again until `restore`."""
        self._is_lost, self._why_lost = True, why
        for queue in self._streams:
            queue.put_nowait(None)

    def restore(self) -> None:
        self._is_lost = False

    def beat(self) -> None:
        """A heartbeat on every stream."""
        for queue in self._streams:
            queue.put_nowait({"kind": ALIVE})

    def replace_manager(self) -> None:
        """The manager is another one: its numbering of events begins anew."""
        self.world.ring = EventRing(self.world.ring.epoch + "'", lambda: [self.world.brief(name) for name in self.world.units])

    # What may be asked.

    async def hello(self) -> Json:
        self._note("hello")
        return {**self.world.status(), **self.access}

    async def units(self, names: Sequence[str] | None = None) -> list[Json]:
        self._note("units", None if names is None else tuple(names))
        world = self.world
        return [world.brief(name) for name in (world.names([], []) if names is None else world.present(list(names)))]

    async def events(self, last_id: str | None) -> AsyncGenerator[Json, None]:
        self._note("events", last_id)
        latest = self.world.recent_events(1) if last_id is None else []
        position = last_id or (str(latest[0]["id"]) if latest else "")
        queue: asyncio.Queue[Json | None] = asyncio.Queue()
        self._streams.add(queue)
        reader = self.world.ring.since(last_id, has_marks=True)
        forwarding = asyncio.create_task(_forward(reader, queue))
        try:
            yield {"kind": ALIVE, "id": position}
            while (event := await queue.get()) is not None:
                if event["kind"] == ALIVE:
                    yield {"kind": ALIVE, "id": position}
                    continue
                position = str(event.get("id", position))
                yield event
                if event["kind"] == "gap":
                    raise LinkLost("supd ended the stream of events, for it was not read in time")
            raise LinkLost(self._why_lost)
        finally:
            self._streams.discard(queue)
            forwarding.cancel()
            await asyncio.gather(forwarding, return_exceptions=True)
            await reader.aclose()

    async def show(self, unit: str) -> Json:
        self._note("show", unit)
        return self.world.show(self._unit(unit))

    async def why(self, unit: str) -> Json:
        self._note("why", unit)
        return self.world.why(self._unit(unit))

    async def definition(self, unit: str) -> Json:
        self._note("definition", unit)
        return self.world.definition(self._unit(unit))

    async def relations(self) -> dict[str, Relations]:
        self._note("relations")
        found = {name: self.world.relations(name) for name in self.world.names([], [])}
        return {name: kinds for name, kinds in found.items() if kinds}

    async def history(self, unit: str | None = None, limit: int = 100) -> list[Json]:
        self._note("history", unit)
        return await self.world.history(unit, limit)

    async def past_events(self, count: int = 100) -> list[Json]:
        self._note("past_events", count)
        return await self.world.past_events(count)

    async def jobs(self) -> list[Json]:
        self._note("jobs")
        return self.world.jobs()

    async def figures(self, names: Sequence[str] | None = None) -> Json:
        self._note("figures", None if names is None else tuple(names))
        chosen = self.world.names([], []) if names is None else self.world.present(list(names))
        return {"monotonic_s": asyncio.get_running_loop().time(), "units": {name: self.world.figures(name) for name in chosen}}

    async def plan(self, names: Sequence[str] = ()) -> Json:
        self._note("plan", tuple(names))
        return await self.world.plan(list(names))

    async def apply(self, names: Sequence[str] = ()) -> Json:
        self._note("apply", tuple(names))
        self._must("admin")
        return await self.world.apply(list(names), "me")

    async def act(self, verb: str, unit: str, *, mode: str = "replace", signal: int = 15, whom: str = "all") -> Json:
        self._note("act", (verb, unit))
        self._must("operate")
        name, world = self._unit(unit), self.world
        with _refusals(name):
            if verb == "kill":
                await world.kill(name, signal, whom, "me")
            elif verb == "reset-failed":
                await world.reset_failed(name, "me")
            elif verb in ENABLED_OF_VERB:
                await world.set_enabled(name, ENABLED_OF_VERB[verb], "me")
            elif job := await world.request_job(verb, name, mode, "me"):
                return await world.wait_job(job)
        return {"id": 0, "unit": name, "type": verb, "result": "done", "text": ""}

    def log_directory(self, unit: str) -> str:
        return self.log_directories.get(unit, "")

    async def log_bytes(self, unit: str, lines: int = 0, after: str | None = None) -> tuple[bytes, str]:
        """The cursor counts lines."""
        self._note("log_bytes", unit)
        known = self.world.lines.get(self._unit(unit), [])
        chosen = known[-lines:] if after is None else known[int(after) :]
        return "".join(f"{line}\n" for line in chosen if lines or after is not None).encode(), str(len(known))

    async def log_lines(self, unit: str, stream: str, query: dict[str, str]) -> Json:
        self._note("log_lines", (unit, stream))
        is_forward = "after" in query
        place = logpages.read_place(query["after"] if is_forward else query["before"])
        wanted = Filter(int(query.get("since_us", 0)), int(query["until_us"]) if "until_us" in query else None)
        source = LocalStream(unit, self.served_logs.get(unit, "/nonexistent"), stream)
        lines, following, is_over = logpages.page(source, place, int(query["count"]), wanted, is_forward=is_forward)
        return {"lines": [logpages.row_of(line) for line in lines], "next": logpages.place_text(following), "is_over": is_over}

    def _note(self, method: str, arguments: Any = None) -> None:
        self.asked.append((method, arguments))
        if self._is_lost:
            raise LinkLost(self._why_lost)

    def _unit(self, name: str) -> str:
        with _refusals(name):
            return self.world.names([name], [])[0]

    def _must(self, level: str) -> None:
        levels = ("view", "operate", "admin")
        if levels.index(self.access["access"]) < levels.index(level):
            raise Refused(f"this needs the level {level}; yours is {self.access['access']}", answers.HINT_OF_CODE["forbidden"], "forbidden")


@contextlib.contextmanager
def _refusals(unit: str) -> Iterator[None]:
    try:
        yield
    except Refusal as error:
        told = answers.error(error.code, error.text, error.unit or unit)["error"]
        raise Refused(told["message"], told["hint"], told["code"], told["unit"]) from None


async def _forward(reader: AsyncIterator[Json], queue: "asyncio.Queue[Json | None]") -> None:
    async for event in reader:
        queue.put_nowait(event)
