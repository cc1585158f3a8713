"""The session's laws, with a supd in memory and a time that moves only when told to."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

from supervisor.tui.link.protocol import Json, Refused
from supervisor.tui.link.session import BACKOFF_JITTER, GIVE_UP_AFTER_S, STALE_AFTER_S, Session
from supervisor.tui.model.figures import Figures
from supervisor.tui.model.linkstate import LIVE, LOST, STALE
from supervisor.tui.model.units import UnitStore
from tests.system.api.fake_world import FakeWorld
from tests.system.api.fake_world import unit as made_unit
from tests.tui.memory import MemoryTransport
from tests.tui.virtual import VirtualTime, settle, until

DEADLINE_S = 10


class Scene:
    """A session that runs, and everything around it."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self.transport = MemoryTransport(world)
        self.time = VirtualTime()
        self.store = UnitStore()
        self.figures = Figures()
        self.changes = 0
        self.session = Session(
            self.transport, self.store, self.figures, self.time, self._on_change, sleep=self.time.sleep, chance=random.Random(1)
        )

    def _on_change(self) -> None:
        self.changes += 1

    def say(self, unit: str, kind: str = "state", **fields: Any) -> None:
        """A unit changes, and supd tells."""
        if unit:
            self.world.units[unit] = {**self.world.units[unit], **fields}
        self.world.ring.publish({"time_s": self.time.time_s(), "unit": unit, "kind": kind, "text": ""})

    async def pass_time(self, seconds: float) -> None:
        """Time passes step by step, as sleepers wake, with heartbeats as long as the connection is there."""
        end_s = self.time.monotonic_s() + seconds
        while (left_s := end_s - self.time.monotonic_s()) > 1e-9:
            await settle(20)
            step_s = self.time.due_in_s
            self.time.advance(min(left_s, max(step_s, 0.01)) if step_s is not None else left_s)
            await settle(20)

    async def until_live(self) -> None:
        await until(lambda: self.session.link.phase == LIVE)

    def sub(self, name: str) -> str | None:
        unit = self.store.get(name)
        return None if unit is None else str(unit.brief["sub_state"])

    def fetches(self) -> list[Any]:
        return [arguments for method, arguments in self.transport.asked if method == "units"]


def play(story: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE_S):
            scene = Scene(FakeWorld("/logs"))
            running = asyncio.create_task(scene.session.run())
            try:
                await story(scene)
                assert scene.session.troubles == []
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            assert running.cancelled(), "it ends when it is cancelled, and not before"

    asyncio.run(main())


def test_it_enters_the_stream_before_it_fetches() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        assert [method for method, _ in scene.transport.asked] == ["events", "hello", "units"]
        assert scene.store.names == sorted(scene.world.units)
        assert scene.session.status["version"] == "0.0.test"
        assert not scene.store.is_stale

    play(story)


def test_an_event_makes_its_unit_be_fetched_and_no_other() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        scene.say("db", active_state="active", sub_state="running")
        await until(lambda: scene.sub("db") == "running")
        assert scene.fetches() == [None, ("db",)]

    play(story)


def test_many_events_are_one_fetch_and_there_are_ten_a_second_at_most() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        scene.say("web")
        await until(lambda: len(scene.fetches()) == 2)
        for n in range(50):
            scene.say("db", status_text=str(n))
            scene.say("flop")
            await settle(3)
        assert len(scene.fetches()) == 2, "the tenth of a second is not over"
        await scene.pass_time(0.1)
        assert scene.fetches()[2:] == [("db", "flop")]
        unit = scene.store.get("db")
        assert unit is not None
        assert unit.brief["status_text"] == "49"

    play(story)


def test_many_dirty_units_are_fetched_as_all() -> None:
    async def story(scene: Scene) -> None:
        scene.world.units.update({f"u{n}": made_unit(f"u{n}") for n in range(500)})
        await scene.until_live()
        scene.say("web")
        await until(lambda: len(scene.fetches()) == 2)
        for n in range(300):
            scene.world.units[f"u{n}"]["sub_state"] = "running"
            scene.world.ring.publish({"unit": f"u{n}", "kind": "state"})
            await settle(2)
        await scene.pass_time(0.1)
        assert scene.fetches()[2:] == [None]
        assert scene.sub("u299") == "running"

    play(story)


def test_what_changes_without_an_event_is_fetched_too() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        heard: list[Json] = []
        scene.session.listen(heard.append)
        scene.world.units["db"]["main_pid"] = 77
        scene.world.ring.mark({"kind": "changed", "unit": "", "units": ["db"]})
        await until(lambda: (unit := scene.store.get("db")) is not None and unit.brief["main_pid"] == 77)
        assert scene.fetches() == [None, ("db",)]
        assert heard == [], "a mark is no event"

    play(story)


def test_units_that_come_and_go_are_shown_and_forgotten() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        scene.world.units["new"] = made_unit("new")
        scene.say("new", kind="definition")
        await until(lambda: "new" in scene.store)
        del scene.world.units["new"]
        scene.world.ring.publish({"unit": "new", "kind": "definition"})
        await scene.pass_time(0.1)
        assert "new" not in scene.store

    play(story)


def test_an_event_of_no_unit_makes_supd_itself_be_asked() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        before = sum(method == "hello" for method, _ in scene.transport.asked)
        scene.say("", kind="unit-files")
        await until(lambda: sum(method == "hello" for method, _ in scene.transport.asked) == before + 1)

    play(story)


def test_silence_makes_it_stale_and_a_heartbeat_live_again() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        await scene.pass_time(STALE_AFTER_S - 0.1)
        assert (scene.session.link.phase, scene.store.is_stale) == (LIVE, False)
        await scene.pass_time(0.2)
        assert (scene.session.link.phase, scene.store.is_stale) == (STALE, True)
        heard = scene.session.link.heard_time_s
        assert heard is not None
        assert abs(heard - (scene.time.time_s() - 3.1)) < 0.01
        scene.transport.beat()
        await until(lambda: scene.session.link.phase == LIVE)
        assert not scene.store.is_stale

    play(story)


def test_heartbeats_keep_it_live_without_a_question() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        asked = len(scene.transport.asked)
        for _ in range(10):
            await scene.pass_time(1.0)
            scene.transport.beat()
            await settle()
        assert (scene.session.link.phase, len(scene.transport.asked)) == (LIVE, asked)

    play(story)


def test_a_connection_that_stays_silent_is_given_up_and_made_anew() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        await scene.pass_time(GIVE_UP_AFTER_S + 0.01)
        await until(lambda: scene.session.link.phase == LOST)
        assert scene.session.link.reason == "supd said nothing for 13 s"
        await scene.pass_time(0.3)
        await scene.until_live()

    play(story)


def test_a_lost_link_is_told_and_dimmed_and_the_reason_kept() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        scene.transport.lose("cannot connect to /x: nobody listens there")
        await until(lambda: scene.session.link.phase == LOST)
        assert scene.session.link.reason == "cannot connect to /x: nobody listens there"
        assert scene.session.link.next_try_s is not None
        assert scene.session.link.next_try_s > scene.time.monotonic_s()
        assert scene.store.is_stale
        assert len(scene.store) == len(scene.world.units), "what was known stays readable"

    play(story)


def test_tries_come_sooner_first_and_every_five_seconds_later_with_jitter() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        scene.transport.lose()
        tried_s: list[float] = []
        seen = 0
        for _ in range(4000):
            await scene.pass_time(0.01)
            tries = sum(method == "events" for method, _ in scene.transport.asked)
            if tries > seen:
                seen = tries
                tried_s.append(scene.time.monotonic_s())
        waits_s = [later - earlier for earlier, later in pairwise(tried_s)]
        for wait_s, nominal_s in zip(waits_s, (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0), strict=False):
            assert nominal_s * (1 - BACKOFF_JITTER) - 0.02 <= wait_s <= nominal_s * (1 + BACKOFF_JITTER) + 0.02
        assert len(waits_s) >= 9
        assert len({round(wait_s, 2) for wait_s in waits_s[5:]}) > 1, "they are not in step with others"

    play(story)


def test_a_person_may_try_at_once() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        scene.transport.lose()
        await until(lambda: scene.session.link.phase == LOST)
        await scene.pass_time(9.0)
        await until(lambda: scene.session.link.next_try_s is not None)
        scene.transport.restore()
        scene.session.resync()
        await scene.until_live()

    play(story)


def test_after_an_outage_nothing_is_missed_while_supd_still_knows_the_last_event() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        heard: list[Json] = []
        scene.session.listen(heard.append)
        scene.say("web", kind="before")
        await until(lambda: heard)
        scene.transport.lose()
        await until(lambda: scene.session.link.phase == LOST)
        for _ in range(3):
            scene.say("db", kind="meanwhile")
        scene.transport.restore()
        await scene.pass_time(0.3)
        await scene.until_live()
        await until(lambda: len(heard) == 4)
        assert [event["kind"] for event in heard] == ["before", *["meanwhile"] * 3]
        scene.transport.beat()
        await scene.pass_time(1.1)
        outage = scene.session.link.outage
        assert outage is not None
        assert (outage.recovered, outage.is_complete, scene.session.gaps) == (3, True, 0)
        assert 0.1 < outage.seconds < 0.4

    play(story)


def test_a_manager_that_was_replaced_is_told_and_counted_and_everything_fetched_anew() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        scene.say("web")
        await until(lambda: len(scene.fetches()) == 2)
        scene.transport.lose()
        await until(lambda: scene.session.link.phase == LOST)
        scene.transport.replace_manager()
        scene.world.units["db"]["sub_state"] = "running"  # nobody tells of it
        scene.transport.restore()
        await scene.pass_time(0.3)
        await until(lambda: scene.sub("db") == "running")
        scene.transport.beat()
        await scene.pass_time(1.1)
        outage = scene.session.link.outage
        assert outage is not None
        assert (outage.is_complete, outage.is_other_manager, scene.session.gaps) == (False, True, 1)

    play(story)


def test_a_reader_that_was_too_slow_goes_on_where_it_was() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        heard: list[Json] = []
        scene.session.listen(heard.append)
        for n in range(60):  # beyond the queue of a reader, within the ring
            scene.world.ring.publish({"unit": "db", "kind": "state", "n": n})
        await until(lambda: scene.session.link.phase == LOST)
        await scene.pass_time(0.3)
        await scene.until_live()
        await until(lambda: heard and heard[-1].get("n") == 59)
        assert [event["n"] for event in heard if "n" in event] == list(range(60))
        assert scene.session.gaps == 0

    play(story)


def test_figures_are_asked_for_only_while_somebody_looks() -> None:
    async def story(scene: Scene) -> None:
        def asked() -> list[Any]:
            return [arguments for method, arguments in scene.transport.asked if method == "figures"]

        async def beating(seconds: int) -> None:
            for _ in range(seconds):
                await scene.pass_time(1.0)
                scene.transport.beat()
                await settle()

        await scene.until_live()
        await beating(3)
        assert asked() == []
        scene.session.watch(["web", "db"])
        await beating(10)
        kinds = asked()
        assert kinds[:6] == [None, *[("db", "web")] * 4, None]
        assert 9 <= len(kinds) <= 11
        assert scene.figures.memory_bytes == 2 * 4096, "web and all are up, and nothing else"
        scene.session.watch(None)
        await settle()
        count = len(asked())
        await beating(10)
        assert len(asked()) == count

    play(story)


def test_newly_visible_units_get_their_figures_at_once() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        scene.session.watch(["web"])
        await until(lambda: ("figures", None) in scene.transport.asked)
        scene.session.watch(["flop"])
        await until(lambda: ("figures", ("flop",)) in scene.transport.asked)

    play(story)


def test_a_person_may_have_everything_fetched_anew() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        scene.world.units["db"]["sub_state"] = "running"  # nobody tells of it
        scene.session.resync()
        await until(lambda: scene.sub("db") == "running")
        assert scene.fetches() == [None, None]

    play(story)


def test_relations_are_kept_until_unit_files_change() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()
        assert (await scene.session.relations())["db"] == {"required_by": ["web"]}
        await scene.session.relations()
        assert sum(method == "relations" for method, _ in scene.transport.asked) == 1
        scene.say("web", kind="plan")
        await until(lambda: len(scene.fetches()) == 2)
        await scene.session.relations()
        assert sum(method == "relations" for method, _ in scene.transport.asked) == 2

    play(story)


def test_a_supd_that_refuses_us_is_asked_again_and_says_why() -> None:
    async def story(scene: Scene) -> None:
        async def refuse() -> Json:
            raise Refused("uid 1000 may not talk to this supd; it belongs to uid 0", code="forbidden")

        allowed = scene.transport.hello
        scene.transport.hello = refuse  # type: ignore[method-assign]  # what a role that was taken away does
        await until(lambda: scene.session.link.phase == LOST)
        assert scene.session.link.reason == "uid 1000 may not talk to this supd; it belongs to uid 0"
        scene.transport.hello = allowed  # type: ignore[method-assign]  # as it was
        await scene.pass_time(0.3)
        await scene.until_live()

    play(story)


def test_an_answer_that_cannot_be_understood_ends_nothing() -> None:
    async def story(scene: Scene) -> None:
        async def nonsense(names: Any = None) -> list[Json]:
            return [{"who": "knows"}]

        await scene.until_live()
        allowed = scene.transport.units
        scene.transport.units = nonsense  # type: ignore[method-assign]  # what no supd sends
        scene.say("db")
        await until(lambda: scene.session.troubles)
        assert scene.session.troubles == ["KeyError('id')"]
        scene.session.troubles.clear()
        scene.transport.units = allowed  # type: ignore[method-assign]  # as it was
        scene.say("db", sub_state="running")
        await scene.pass_time(0.1)
        assert scene.sub("db") == "running"

    play(story)


def test_a_listener_that_fails_is_not_the_sessions_end() -> None:
    async def story(scene: Scene) -> None:
        await scene.until_live()

        def fail(event: Json) -> None:
            raise KeyError("a screen's fault")

        leave = scene.session.listen(fail)
        scene.say("db", sub_state="running")
        await until(lambda: scene.sub("db") == "running")
        assert scene.session.troubles == ['KeyError("a screen\'s fault")']
        scene.session.troubles.clear()
        leave()
        scene.say("db")
        await settle()

    play(story)
