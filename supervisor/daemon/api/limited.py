"""The manager as a peer may see it whose roles differ from unit to unit: `Supervision`, with every other unit left out.

Lists, jobs, events, figures and the names of related units show only what some right of the peer covers; asking for another unit by name
is refused with the same words whether it exists or not. Whether the level suffices for a change was decided before, from the table of
routes; decided here is only what the table cannot know: whose job a number stands for, and that job mode `flush` is about every unit.
A peer who may look at every unit sees everything.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from supervisor.daemon.api.access import Grant, allows
from supervisor.daemon.api.service import Json, Refusal, Supervision

_GLOB = frozenset("*?[")
_EVENTS_MAX = 10_000  # more than any ring holds
_RUNS_MAX = 10_000  # the newest of all units, of which the peer may see some
_FOR_EVERYBODY = frozenset({"reset", "gap"})


class Limited:
    """`world`, as far as `grant` reaches."""

    def __init__(self, world: Supervision, grant: Grant) -> None:
        self._world = world
        self._grant = grant

    def _sees(self, unit: str) -> bool:
        return self._grant.level_for(unit) is not None

    @property
    def _sees_all(self) -> bool:
        return self._grant.level_everywhere() is not None

    # -- looking ---------------------------------------------------------------------------------------------------

    def names(self, patterns: list[str], states: list[str]) -> list[str]:
        """As the world's; a unit beyond the peer's roles raises Refusal("forbidden") where it is named and is left out elsewhere."""
        if not patterns:
            return [name for name in self._world.names([], states) if self._sees(name)]
        found: dict[str, None] = {}
        for pattern in patterns:
            if _GLOB & set(pattern):
                found.update(dict.fromkeys(name for name in self._world.names([pattern], []) if self._sees(name)))
            else:
                found[self._resolved(pattern)] = None
        if not states:
            return list(found)
        chosen = set(self._world.names([], states))
        return [name for name in found if name in chosen]

    def present(self, names: list[str]) -> list[str]:
        return [name for name in self._world.present(names) if self._sees(name)]

    def _resolved(self, name: str) -> str:
        """The id of a unit that is named. A name beyond the roles may be an alias, and is never a reason to make an instance."""
        found = self._world.names([name] if self._sees(name) else [f"[{name[:1]}]{name[1:]}"], [])
        if len(found) != 1 or not self._sees(found[0]):
            raise Refusal("forbidden", f"your roles do not reach a unit {name[:255]!r}", name[:255])
        return found[0]

    def show(self, unit: str) -> Json:
        return self._with_seen_job(self._world.show(unit))

    def brief(self, unit: str) -> Json:
        return self._with_seen_job(self._world.brief(unit))

    def _with_seen_job(self, shown: Json) -> Json:
        job = shown.get("job")
        return {**shown, "job": self._seen_job(job)} if isinstance(job, dict) else shown

    def _seen_job(self, job: Json) -> Json:
        return {**job, "waits_for": [unit for unit in job["waits_for"] if self._sees(unit)]} if "waits_for" in job else job

    def relations(self, unit: str) -> Json:
        seen = {kind: [name for name in names if self._sees(name)] for kind, names in self._world.relations(unit).items()}
        return {kind: names for kind, names in seen.items() if names}

    def why(self, unit: str) -> Json:
        told = self._world.why(unit)
        return {**told, "because": [link for link in told["because"] if not link["unit"] or self._sees(link["unit"])]}

    def definition(self, unit: str) -> Json:
        return self._world.definition(unit)

    def log_directory(self, unit: str) -> str:
        return self._world.log_directory(unit)

    async def last_lines(self, unit: str, count: int) -> list[str]:
        return await self._world.last_lines(unit, count)

    def status(self) -> Json:
        whole = self._world.status()
        if self._sees_all:
            return whole
        counts: dict[str, int] = {}
        for name in self.names([], []):
            state = str(self._world.brief(name)["active_state"])
            counts[state] = counts.get(state, 0) + 1
        # Errors and notes name files, units and processes of others.
        return {**whole, "units": counts, "jobs": len(self.jobs()), "load_errors": [], "notes": []}

    # -- jobs ------------------------------------------------------------------------------------------------------

    def jobs(self) -> list[Json]:
        return [self._seen_job(job) for job in self._world.jobs() if self._sees(job["unit"])]

    def _unit_of_job(self, job: int) -> str | None:
        return next((str(queued["unit"]) for queued in self._world.jobs() if queued["id"] == job), None)

    async def wait_job(self, job: int) -> Json:
        unit = self._unit_of_job(job)
        if unit is None or self._sees(unit):
            finished = await self._world.wait_job(job)
            if self._sees(finished["unit"]):
                return finished
        raise Refusal("forbidden", f"job {job} is not of a unit that your roles reach")

    async def cancel_job(self, job: int, by: str) -> None:
        unit = self._unit_of_job(job)
        if unit is not None and not allows(self._grant.level_for(unit), "operate"):
            raise Refusal("forbidden", f"job {job} is not of a unit that your roles let you operate")
        await self._world.cancel_job(job, by)

    async def request_job(self, verb: str, unit: str, mode: str, by: str) -> int:
        if mode == "flush" and not allows(self._grant.level_everywhere(), "operate"):
            raise Refusal("forbidden", "job mode flush cancels the jobs of every unit, and your roles do not reach every unit", unit)
        return await self._world.request_job(verb, unit, mode, by)

    # -- changes, allowed by the table of routes -------------------------------------------------------------------

    async def isolate(self, unit: str, by: str) -> int:
        return await self._world.isolate(unit, by)

    async def kill(self, unit: str, signal: int, whom: str, by: str) -> None:
        await self._world.kill(unit, signal, whom, by)

    async def reset_failed(self, unit: str, by: str) -> None:
        await self._world.reset_failed(unit, by)

    async def set_enabled(self, unit: str, state: str, by: str) -> None:
        await self._world.set_enabled(unit, state, by)

    async def scale(self, template: str, instances: int, by: str) -> Json:
        return await self._world.scale(template, instances, by)

    async def reload_units(self, by: str) -> Json:
        return await self._world.reload_units(by)

    async def plan(self, units: list[str]) -> Json:
        if self._sees_all:
            return await self._world.plan(units)
        for unit in units:
            if not self._sees(unit):  # whether there is one is not told either
                raise Refusal("forbidden", f"your roles do not reach a unit {unit[:255]!r}", unit[:255])
        whole = await self._world.plan(units)
        seen = {name: change for name, change in whole["units"].items() if self._sees(name)}
        return {**whole, "units": seen, "errors": [], "rolled_back": [name for name in whole.get("rolled_back", []) if self._sees(name)]}

    async def apply(self, units: list[str], by: str) -> Json:
        return await self._world.apply(units, by)

    async def shutdown(self, by: str, keeps_services: bool = False) -> None:
        await self._world.shutdown(by, keeps_services)

    async def reexec(self, by: str) -> None:
        await self._world.reexec(by)

    # -- events ----------------------------------------------------------------------------------------------------

    def events_since(self, last_id: str | None, has_marks: bool = False) -> AsyncIterator[Json]:
        return _SeenEvents(self._world.events_since(last_id, has_marks), self)

    def recent_events(self, count: int) -> list[Json]:
        seen = [event for event in map(self.seen, self._world.recent_events(_EVENTS_MAX)) if event is not None]
        return seen[-count:] if count > 0 else []

    def figures(self, unit: str) -> Json:
        return self._world.figures(unit)

    def job_times(self) -> dict[tuple[str, str], tuple[int, int]]:
        return self._world.job_times() if self._sees_all else {}

    async def past_events(self, count: int) -> list[Json]:
        seen = [event for event in map(self.seen, await self._world.past_events(_EVENTS_MAX)) if event is not None]
        return seen[-count:] if count > 0 else []

    async def history(self, unit: str | None, limit: int) -> list[Json]:
        return await self._seen_past(self._world.history, unit, limit)

    async def past_jobs(self, unit: str | None, limit: int) -> list[Json]:
        return await self._seen_past(self._world.past_jobs, unit, limit)

    async def _seen_past(self, ask: Callable[[str | None, int], Awaitable[list[Json]]], unit: str | None, limit: int) -> list[Json]:
        if unit is not None:
            if not self._sees(unit):
                raise Refusal("forbidden", f"your roles do not reach {unit}", unit)
            return await ask(unit, limit)
        return [row for row in await ask(None, _RUNS_MAX) if self._sees(row["unit"])][-limit:]

    def seen(self, event: Json) -> Json | None:
        """The event as the peer may see it; None: not at all. What happens to supd as a whole is for those who see every unit."""
        if self._sees_all:
            return event
        if event.get("kind") in _FOR_EVERYBODY:
            if "snapshot" in event:
                return {**event, "snapshot": [self._with_seen_job(brief) for brief in event["snapshot"] if self._sees(brief["id"])]}
            return event
        if event.get("kind") == "changed":
            units = [unit for unit in event["units"] if self._sees(unit)]
            return {**event, "units": units} if units else None
        return event if event.get("unit") and self._sees(event["unit"]) else None


class _SeenEvents:
    """The events of another iterator that a peer may see. `aclose` closes that one."""

    def __init__(self, events: AsyncIterator[Json], limited: Limited) -> None:
        self._events = events
        self._limited = limited

    def __aiter__(self) -> "_SeenEvents":
        return self

    async def __anext__(self) -> Json:
        while True:
            event = self._limited.seen(await anext(self._events))
            if event is not None:
                return event

    async def aclose(self) -> None:
        closing: Any = getattr(self._events, "aclose", None)  # generators and our own readers have it, a bare iterator need not
        if closing is not None:
            await closing()
