"""What every Transport promises, asked of the one over a real socket and of the one in memory alike."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from supervisor.client.discovery import Place
from supervisor.tui.link.http import HttpTransport, queries
from supervisor.tui.link.protocol import ALIVE, Json, LinkLost, Refused, Transport
from tests.system.api.fake_world import FakeWorld, RunningServer
from tests.tui.memory import MemoryTransport

DEADLINE_S = 10


class Stage:
    """A transport, the world behind it, and how to do something to that world on its own loop."""

    def __init__(self, transport: Transport, world: FakeWorld, server: RunningServer | None) -> None:
        self.transport = transport
        self.world = world
        self._server = server

    async def do(self, work: Callable[[], Any]) -> Any:
        if self._server is not None:
            return await asyncio.to_thread(self._server.call, work)
        result = work()
        return await result if asyncio.iscoroutine(result) else result

    async def cut(self) -> None:
        """The manager goes, and another one with the same world takes its place."""
        if self._server is not None:
            await asyncio.to_thread(self._server.call, self._server.replace)
        else:
            assert isinstance(self.transport, MemoryTransport)
            self.transport.lose()
            self.transport.restore()

    async def until_waiting(self, count: int) -> None:
        await self.do(lambda: self.world.until_waiting(count))

    async def publish(self, *texts: str, unit: str = "web") -> None:
        def work() -> None:
            for text in texts:
                self.world.ring.publish({"time_s": 1.0, "unit": unit, "kind": "status", "text": text})

        await self.do(work)


@asynccontextmanager
async def over_http() -> AsyncIterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="tr", dir="/tmp") as directory, RunningServer(directory).running() as server:
        yield Stage(HttpTransport(Place(server.path, "--socket")), server.world, server)


@asynccontextmanager
async def in_memory() -> AsyncIterator[Stage]:
    world = FakeWorld("/logs")
    yield Stage(MemoryTransport(world), world, None)


Story = Callable[[Stage], Awaitable[None]]


@pytest.fixture(params=[over_http, in_memory], ids=["over-http", "in-memory"])
def play(request: pytest.FixtureRequest) -> Callable[[Story], None]:
    def run(story: Story) -> None:
        async def main() -> None:
            async with asyncio.timeout(DEADLINE_S), request.param() as stage:
                await story(stage)

        asyncio.run(main())

    return run


Play = Callable[[Story], None]


async def refusal(asked: Awaitable[Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        await asked
    return caught.value


async def next_event(stream: AsyncIterator[Json]) -> Json:
    """The next value that is an event."""
    while (event := await anext(stream))["kind"] == ALIVE:
        pass
    return event


def test_hello_tells_of_supd_and_of_our_rights(play: Play) -> None:
    async def story(stage: Stage) -> None:
        said = await stage.transport.hello()
        assert (said["version"], said["access"]) == ("0.0.test", "admin")
        assert said["rights"] == [{"level": "admin", "patterns": None}]

    play(story)


def test_units_are_all_or_those_named_that_exist(play: Play) -> None:
    async def story(stage: Stage) -> None:
        every = await stage.transport.units()
        assert [unit["id"] for unit in every] == list(stage.world.units)
        some = await stage.transport.units(["flop", "gone", "web", "flop", "www", "worker@9", "w*"])
        assert [unit["id"] for unit in some] == ["flop", "web"], "no alias, no pattern, each once"
        assert "worker@9" not in stage.world.units, "no instance is made by being looked for"
        assert await stage.transport.units([]) == []

    play(story)


def test_a_name_may_hold_any_character(play: Play) -> None:
    async def story(stage: Stage) -> None:
        name = "a b&unit=web%2F#?é"
        await stage.do(lambda: stage.world.units.update({name: {**stage.world.units["db"], "id": name}}))
        assert [unit["id"] for unit in await stage.transport.units([name])] == [name]
        assert set((await stage.transport.figures([name]))["units"]) == {name}

    play(story)


def test_what_is_known_of_one_unit(play: Play) -> None:
    async def story(stage: Stage) -> None:
        shown = await stage.transport.show("web")
        assert (shown["id"], shown["control_pid"]) == ("web", 0)
        why = await stage.transport.why("flop")
        assert (why["because"][0]["what"], why["next"]["what"]) == ("exit", "restart")
        assert (await stage.transport.definition("web"))["files"][0]["path"] == "/etc/supd/units/web.toml"
        for ask in (stage.transport.show, stage.transport.why, stage.transport.definition):
            told = await refusal(ask("nosuch"))
            assert (told.code, told.unit, told.hint) == ("no-such-unit", "nosuch", "supctl list shows every unit")

    play(story)


def test_what_is_known_of_many(play: Play) -> None:
    async def story(stage: Stage) -> None:
        relations = await stage.transport.relations()
        assert relations["db"] == {"required_by": ["web"]}
        assert set(relations) == {"web", "db", "all"}
        assert [run["unit"] for run in await stage.transport.history()] == ["flop", "web", "flop"]
        assert [run["unit"] for run in await stage.transport.history("flop", 1)] == ["flop"]
        figures = await stage.transport.figures()
        assert (set(figures["units"]), figures["units"]["web"]["memory_current_bytes"]) == (set(stage.world.units), 4096)
        assert set((await stage.transport.figures(["db", "gone"]))["units"]) == {"db"}
        assert (await stage.transport.figures())["monotonic_s"] >= figures["monotonic_s"] > 0
        assert (await stage.transport.plan())["units"]["web"]["action"] == "restart"
        assert (await stage.transport.apply(["web"]))["jobs"] == []
        assert await stage.transport.jobs() == []

    play(story)


def test_a_job_is_done_when_act_returns(play: Play) -> None:
    async def story(stage: Stage) -> None:
        done = await stage.transport.act("start", "db", mode="fail")
        assert (done["unit"], done["type"], done["result"]) == ("db", "start", "done")
        assert stage.world.units["db"]["active_state"] == "active"
        assert stage.world.calls[-1][:3] == ("start", "db", "fail")

    play(story)


def test_a_job_that_fails_is_an_answer(play: Play) -> None:
    async def story(stage: Stage) -> None:
        done = await stage.transport.act("start", "bad")
        assert (done["result"], done["text"]) == ("failed", "start: the main process exited with status 7")

    play(story)


def test_act_waits_for_a_slow_job_even_over_another_manager(play: Play) -> None:
    async def story(stage: Stage) -> None:
        acting = asyncio.ensure_future(stage.transport.act("start", "slow"))
        await stage.until_waiting(1)
        if isinstance(stage.transport, HttpTransport):
            await stage.cut()
            await stage.until_waiting(1)
        assert not acting.done()
        await stage.do(stage.world.release)
        assert (await acting)["result"] == "done"

    play(story)


def test_what_needs_no_job_is_done_at_once(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for verb, unit in (("kill", "web"), ("reset-failed", "flop"), ("disable", "web"), ("mask", "db")):
            done = await stage.transport.act(verb, unit, signal=9, whom="main")
            assert (done["id"], done["unit"], done["result"]) == (0, unit, "done")
        assert stage.world.calls[-1] == ("kill", "web", 9, "main")
        assert stage.world.units["flop"]["active_state"] == "inactive"
        assert (stage.world.units["web"]["enabled"], stage.world.units["db"]["enabled"]) == ("disabled", "masked")

    play(story)


def test_a_refusal_says_why_and_what_next(play: Play) -> None:
    async def story(stage: Stage) -> None:
        told = await refusal(stage.transport.act("start", "broken"))
        assert told.text == "cannot start broken: its unit file has errors"
        assert (told.code, told.unit, told.hint) == ("bad-setting", "broken", "supctl verify names every error with file and line")

    play(story)


def test_the_first_value_of_a_stream_says_that_we_are_in(play: Play) -> None:
    async def story(stage: Stage) -> None:
        async with aclosing(stage.transport.events(None)) as stream:
            assert (await anext(stream))["kind"] == ALIVE
            await stage.publish("one", "two")
            assert [(await next_event(stream))["text"] for _ in range(2)] == ["one", "two"]

    play(story)


def test_an_early_mark_tells_where_to_go_on(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.publish("zero")
        async with aclosing(stage.transport.events(None)) as stream:
            last_id = (await anext(stream))["id"] or (await anext(stream))["id"]  # with the first mark or right behind it
        assert last_id == "e1-1"

    play(story)


def test_a_stream_goes_on_after_an_id(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.publish("one", "two", "three")
        async with aclosing(stage.transport.events("e1-1")) as stream:
            assert [(await next_event(stream))["text"] for _ in range(2)] == ["two", "three"]

    play(story)


def test_an_unknown_id_is_answered_by_a_reset(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.publish("one")
        async with aclosing(stage.transport.events("other-7")) as stream:
            event = await next_event(stream)
            assert (event["kind"], event["id"], len(event["snapshot"])) == ("reset", "e1-1", len(stage.world.units))

    play(story)


def test_the_end_of_a_stream_is_a_lost_link_and_the_next_one_goes_on(play: Play) -> None:
    async def story(stage: Stage) -> None:
        async with aclosing(stage.transport.events(None)) as stream:
            await anext(stream)
            await stage.publish("one")
            last_id = (await next_event(stream))["id"]
            await stage.cut()
            with pytest.raises(LinkLost):
                while True:
                    await anext(stream)
        await stage.publish("two")
        async with aclosing(stage.transport.events(last_id)) as stream:
            assert (await next_event(stream))["text"] == "two"

    play(story)


def test_a_stream_that_is_left_ends_at_the_other_side_too(play: Play) -> None:
    async def story(stage: Stage) -> None:
        async with aclosing(stage.transport.events(None)) as stream:
            await anext(stream)
            assert await stage.do(lambda: len(stage.world.ring._readers)) == 1
        while await stage.do(lambda: len(stage.world.ring._readers)):
            await asyncio.sleep(0)

    play(story)


def test_heartbeats_come_while_nothing_happens(play: Play) -> None:
    async def story(stage: Stage) -> None:
        async with aclosing(stage.transport.events(None)) as stream:
            await anext(stream)
            if isinstance(stage.transport, MemoryTransport):
                stage.transport.beat()
            assert (await anext(stream))["kind"] == ALIVE

    play(story)


def test_long_lists_of_names_are_parted_and_whole(play: Play) -> None:
    async def story(stage: Stage) -> None:
        names = [f"{'long-name-of-a-unit' * 2}-{number}" for number in range(1000)]
        more = {name: {**stage.world.units["db"], "id": name} for name in names}
        await stage.do(lambda: stage.world.units.update(more))
        assert [unit["id"] for unit in await stage.transport.units(names)] == names
        assert list((await stage.transport.figures(names))["units"]) == names

    play(story)


def test_nobody_there_is_a_lost_link(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def main() -> None:
        transport = HttpTransport(Place(str(tmp_path_factory.mktemp("none") / "supd.sock"), "--socket"))
        for asked in (transport.hello(), transport.units(), transport.act("start", "web"), anext(transport.events(None))):
            with pytest.raises(LinkLost, match=r"cannot connect to .*there is no such socket"):
                await asked

    asyncio.run(main())


def test_queries_hold_every_name_once_and_stay_short() -> None:
    parts = list(queries(["b", "a", "b", *(f"{n}" * 50 for n in range(1000))]))
    assert parts[0].startswith("unit=b&unit=a&unit=0")
    assert sum(part.count("unit=") for part in parts) == 1002
    assert max(map(len, parts)) < 4000
    assert list(queries([])) == []
