"""The manager through the eyes of a peer with roles on some units: what is left out, what is refused, and what stays as it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from supervisor.daemon.api.access import Grant, Right
from supervisor.daemon.api.limited import Limited
from supervisor.daemon.api.service import Refusal
from tests.system.api.fake_world import FakeWorld

# web and slow may be operated; flop may be looked at.
RIGHTS = (Right("operate", ("web", "slow", "worker@*")), Right("view", ("flop",)))


def ran(story: Callable[[FakeWorld, Limited], Awaitable[Any]], rights: tuple[Right, ...] = RIGHTS) -> Any:
    async def main() -> Any:
        world = FakeWorld("/logs")
        async with asyncio.timeout(10):
            return await story(world, Limited(world, Grant(rights)))

    return asyncio.run(main())


def refusal(story: Callable[[FakeWorld, Limited], Awaitable[Any]]) -> str:
    with pytest.raises(Refusal) as caught:
        ran(story)
    assert caught.value.code == "forbidden"
    return caught.value.text


NAMES: list[tuple[str, list[str], list[str], list[str]]] = [
    ("all of them", [], [], ["web", "slow", "flop"]),
    ("those in a state", [], ["failed"], ["flop"]),
    ("a pattern that matches others too", ["*"], [], ["web", "slow", "flop"]),
    ("a pattern that matches others alone", ["d*"], [], []),
    ("a pattern and a state", ["*"], ["running"], ["web"]),
    ("a name", ["web"], [], ["web"]),
    ("a name in another state", ["web"], ["failed"], []),
    ("an instance that is made", ["worker@3"], [], ["worker@3"]),
]


@pytest.mark.parametrize(("patterns", "states", "expected"), [row[1:] for row in NAMES], ids=[row[0] for row in NAMES])
def test_names_are_those_the_roles_reach(patterns: list[str], states: list[str], expected: list[str]) -> None:
    async def story(world: FakeWorld, limited: Limited) -> list[str]:
        return limited.names(patterns, states)

    assert ran(story) == expected


def test_units_named_one_by_one_are_those_the_roles_reach() -> None:
    async def story(world: FakeWorld, limited: Limited) -> list[str]:
        return limited.present(["web", "db", "gone", "flop"])

    assert ran(story) == ["web", "flop"]


@pytest.mark.parametrize("name", ["db", "nosuch", "other@1", "all"])
def test_a_name_beyond_the_roles_is_refused_and_makes_no_instance(name: str) -> None:
    async def story(world: FakeWorld, limited: Limited) -> None:
        before = list(world.units)
        try:
            limited.names([name], [])
        finally:
            assert list(world.units) == before

    assert refusal(story) == f"your roles do not reach a unit {name!r}"


def test_a_job_of_another_unit_is_neither_shown_nor_told_nor_cancelled() -> None:
    async def start(world: FakeWorld, limited: Limited) -> int:
        world.units["mail"] = {**world.units["slow"], "id": "mail"}
        world.queued[7] = {"id": 7, "unit": "mail", "type": "start", "state": "running", "waits_for": [], "since_s": 0.0}
        return 7

    async def wait(world: FakeWorld, limited: Limited) -> None:
        job = await start(world, limited)
        assert limited.jobs() == []
        await limited.wait_job(job)

    async def wait_for_a_finished_one(world: FakeWorld, limited: Limited) -> None:
        job = await start(world, limited)
        await world.release()
        await limited.wait_job(job)

    async def cancel(world: FakeWorld, limited: Limited) -> None:
        job = await start(world, limited)
        try:
            await limited.cancel_job(job, "me")
        finally:
            assert job in world.queued

    for story in (wait, wait_for_a_finished_one, cancel):
        assert "job 7 is not of a unit that your roles" in refusal(story)


def test_a_job_of_a_unit_that_may_only_be_looked_at_is_shown_and_not_cancelled() -> None:
    async def story(world: FakeWorld, limited: Limited) -> None:
        world.queued[7] = {"id": 7, "unit": "flop", "type": "start", "state": "waiting", "waits_for": ["db", "web"], "since_s": 0.0}
        assert [(job["id"], job["waits_for"]) for job in limited.jobs()] == [(7, ["web"])]
        await limited.cancel_job(7, "me")

    assert "let you operate" in refusal(story)


def test_his_own_job_is_waited_for_and_cancelled() -> None:
    async def story(world: FakeWorld, limited: Limited) -> str:
        job = await limited.request_job("start", "slow", "replace", "me")
        assert [queued["id"] for queued in limited.jobs()] == [job]
        await limited.cancel_job(job, "me")
        return str((await limited.wait_job(job))["result"])

    assert ran(story) == "canceled"


def test_an_unknown_job_is_unknown() -> None:
    async def story(world: FakeWorld, limited: Limited) -> None:
        for ask in (limited.wait_job(99), limited.cancel_job(99, "me")):
            with pytest.raises(Refusal) as caught:
                await ask
            assert caught.value.code == "no-such-job"

    ran(story)


@pytest.mark.parametrize(("everywhere", "is_allowed"), [(None, False), ("view", False), ("operate", True)])
def test_to_flush_the_queue_takes_a_role_on_every_unit(everywhere: str | None, is_allowed: bool) -> None:
    async def story(world: FakeWorld, limited: Limited) -> bool:
        try:
            await limited.request_job("start", "web", "flush", "me")
        except Refusal as refused:
            assert refused.code == "forbidden"
        return bool(world.calls)

    assert ran(story, (*RIGHTS, *([Right(everywhere)] if everywhere else []))) is is_allowed


def test_related_units_and_causes_beyond_the_roles_are_left_out() -> None:
    async def story(world: FakeWorld, limited: Limited) -> tuple[Any, Any]:
        chain = {"unit": "web", "active_state": "inactive", "sub_state": "dead", "next": None}
        links = [{"what": "dependency", "unit": unit, "time_s": None, "text": ""} for unit in ("web", "db", "")]
        world.why = lambda unit: {**chain, "because": links}  # type: ignore[method-assign]  # this world's own chain has one unit
        return limited.relations("web"), [link["unit"] for link in limited.why("web")["because"]]

    assert ran(story) == ({}, ["web", ""])


def test_status_counts_what_is_seen_and_keeps_what_is_said_of_others() -> None:
    async def story(world: FakeWorld, limited: Limited) -> Any:
        whole = {**world.status(), "load_errors": [{"file": "db.toml"}], "notes": ["db is odd"]}
        world.status = lambda: whole  # type: ignore[method-assign]  # a world with something to hide
        return limited.status()

    status = ran(story)
    assert (status["units"], status["load_errors"], status["notes"]) == ({"active": 1, "inactive": 1, "failed": 1}, [], [])
    assert ran(story, (*RIGHTS, Right("view")))["notes"] == ["db is odd"]


# Published, as (unit, kind), and whether it is told.
EVENTS = [("web", "state", True), ("db", "state", False), ("", "shutdown", False), ("flop", "job-finished", True), ("slow", "state", True)]


def test_events_of_others_and_of_supd_itself_are_left_out_and_the_ids_stay() -> None:
    async def story(world: FakeWorld, limited: Limited) -> None:
        events = limited.events_since(None)
        ids = [world.ring.publish({"unit": unit, "kind": kind})["id"] for unit, kind, _ in EVENTS]
        told = [id_ for id_, row in zip(ids, EVENTS, strict=True) if row[2]]
        assert [(await anext(events))["id"] for _ in told] == told
        assert [event["id"] for event in limited.recent_events(100)] == told
        assert [event["id"] for event in limited.recent_events(2)] == told[-2:]
        assert limited.recent_events(0) == []
        later = limited.events_since(ids[1])
        assert [(await anext(later))["id"] for _ in told[1:]] == told[1:]
        reset = await anext(limited.events_since("gone-1"))
        assert [brief["id"] for brief in reset["snapshot"]] == ["web", "slow", "flop"]

    ran(story)


def test_marks_name_only_the_units_the_roles_reach() -> None:
    async def story(world: FakeWorld, limited: Limited) -> list[Any]:
        events = limited.events_since(None, has_marks=True)
        world.ring.mark({"kind": "changed", "unit": "", "units": ["db"]})
        world.ring.mark({"kind": "changed", "unit": "", "units": ["db", "flop", "web"]})
        return list((await anext(events))["units"])

    assert ran(story) == ["flop", "web"]


def test_closing_the_events_frees_the_reader() -> None:
    async def story(world: FakeWorld, limited: Limited) -> None:
        events: Any = limited.events_since(None)
        await events.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(events)

    ran(story)
