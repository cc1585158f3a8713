"""What the API may ask of the manager, answered from the engine and the shell's parts (api/service.py is the contract).

It translates: patterns to names, verbs to events, refusals to their codes. It decides nothing about units.
"""

import asyncio
import fnmatch
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from supervisor import __version__
from supervisor.client import logpages
from supervisor.daemon import leaving
from supervisor.daemon.announce import Announcer
from supervisor.daemon.api.service import Json, Refusal
from supervisor.daemon.api.stream import EventRing
from supervisor.daemon.audit import Trail
from supervisor.daemon.definitions import Definitions
from supervisor.daemon.forwarding import Forwarding
from supervisor.daemon.glances import Glances
from supervisor.daemon.history import History, HistoryError
from supervisor.daemon.proctable import Process, usage_of
from supervisor.daemon.reload import Reloader
from supervisor.daemon.roles import Roles
from supervisor.daemon.shell import Shell, now
from supervisor.model import effects as fx
from supervisor.model import events as ev
from supervisor.model.names import OWN
from supervisor.model.states import JobMode, JobType, SubState

DEAD_RESOURCES_PINNED = "dead-resources-pinned"
JOBS_KEPT = 1024  # finished jobs somebody may still ask about
_GLOB = frozenset("*?[")
VERBS = {
    "start": JobType.START,
    "stop": JobType.STOP,
    "restart": JobType.RESTART,
    "try-restart": JobType.TRY_RESTART,
    "reload": JobType.RELOAD,
    "try-reload-or-restart": JobType.TRY_RELOAD,
    "reload-or-restart": JobType.RELOAD_OR_START,
}


class World:
    """`Supervision`, for real."""

    def __init__(
        self,
        shell: Shell,
        definitions: Definitions,
        announcer: Announcer,
        started_wall_s: float,
        roles: Roles,
        trail: Trail,
        reloader: Reloader,
    ) -> None:
        self._shell = shell
        self._definitions = definitions
        self._announcer = announcer
        self._started_wall_s = started_wall_s
        self._roles = roles
        self._trail = trail
        self._reloader = reloader
        self._waiters: dict[int, list[asyncio.Future[Json]]] = {}
        self._finished: OrderedDict[int, Json] = OrderedDict()
        self.ring = EventRing(os.urandom(4).hex(), lambda: [self.brief(name) for name in self.names([], [])])
        announcer.attach(lambda event: shell.run_records.note_event(self.ring.publish(event)))
        shell.on_job = self._on_job
        shell.on_settled = Glances(shell.engine, self.ring).tell
        self._history: History | None = None
        self._forwarding: Forwarding | None = None

    def attach_history(self, history: History) -> None:
        """What was before this manager, once the thread that knows it is there."""
        self._history = history

    def attach_forwarding(self, forwarding: Forwarding) -> None:
        """Who sends logs elsewhere, and says how that goes."""
        self._forwarding = forwarding

    # -- looking ---------------------------------------------------------------------------------------------------

    def names(self, patterns: list[str], states: list[str]) -> list[str]:
        core = self._shell.engine.core
        known = sorted(set(core.specs) | {name for name in core.states if name in core.vanished})
        if patterns:
            chosen: dict[str, None] = {}
            for pattern in patterns:
                for name in self._matching(pattern, known):
                    chosen[name] = None
            known = list(chosen)
        if states:
            known = [name for name in known if self._is_in(name, states)]
        return known

    def present(self, names: list[str]) -> list[str]:
        return [name for name in dict.fromkeys(names) if self._shell.engine.knows(name)]

    def _matching(self, pattern: str, known: list[str]) -> list[str]:
        core = self._shell.engine.core
        if not _GLOB & set(pattern):
            name = core.aliases.get(pattern, pattern)
            if name not in core.specs and not self._definitions.instantiate(name):
                raise Refusal("no-such-unit", f"there is no unit {pattern}", pattern)
            return [name]
        found = fnmatch.filter(known, pattern)
        found += [core.aliases[alias] for alias in fnmatch.filter(core.aliases, pattern) if core.aliases[alias] not in found]
        return found

    def _is_in(self, name: str, states: list[str]) -> bool:
        brief = self._with_store(name, self._shell.engine.brief(name))
        return bool({str(brief["active_state"]), str(brief["sub_state"]), str(brief["load_state"])} & set(states))

    def _known(self, unit: str) -> str:
        return self._matching(unit, [])[0] if not _GLOB & set(unit) else self._unknown(unit)

    def _unknown(self, unit: str) -> str:
        raise Refusal("no-such-unit", f"there is no unit {unit}", unit)

    def brief(self, unit: str) -> Json:
        name = self._known(unit)
        return self._with_store(name, self._shell.engine.brief(name))

    def _with_store(self, name: str, shown: Json) -> Json:
        """What is down and keeps descriptors in its store has a state of its own, as in systemd (service_determine_dead_state)."""
        if shown["sub_state"] == SubState.DEAD and self._shell.spawning.passing.is_pinned(name):
            shown["sub_state"] = DEAD_RESOURCES_PINNED
        return shown

    def figures(self, unit: str) -> Json:
        name = self._known(unit)
        pump, usage = self._shell.pump, self._usage(self._shell.processes.members(name, max_age_ms=1000))
        return {**usage, "log_bytes": pump.kept_bytes(name), "log_lost_bytes": pump.lost_bytes(name)}

    def job_times(self) -> dict[tuple[str, str], tuple[int, int]]:
        return self._shell.run_records.job_times

    @staticmethod
    def _usage(members: list[Process]) -> Json:
        usages = [usage for p in members if (usage := usage_of(p.pid)) is not None]
        return {
            "memory_current_bytes": sum(usage.resident_bytes for usage in usages) if usages else None,
            "cpu_usage_nsec": sum(usage.cpu_nsec for usage in usages) if usages else None,
        }

    def show(self, unit: str) -> Json:
        name = self._known(unit)
        members = self._shell.processes.members(name, max_age_ms=1000)
        out = self._with_store(name, self._shell.engine.show(name))
        out |= self._usage(members)
        out["pids"] = [p.pid for p in members]
        out["processes"] = [{"pid": p.pid, "comm": p.comm} for p in members]
        out["tracking"] = self._shell.processes.tracking
        out["n_file_descriptor_store"] = self._shell.spawning.passing.store.count(name)
        out["log_lost_bytes"] = self._shell.pump.lost_bytes(name)
        out["origins"] = self._definitions.origins(name)
        return out

    def relations(self, unit: str) -> Json:
        return self._shell.engine.core.graph.kinds(self._known(unit))

    def why(self, unit: str) -> Json:
        return self._shell.engine.why(self._known(unit), now())

    def jobs(self) -> list[Json]:
        self._shell.engine.core.now = now()
        return self._shell.engine.list_jobs()

    def definition(self, unit: str) -> Json:
        return self._definitions.definition(self._known(unit))

    def log_directory(self, unit: str) -> str:
        return os.path.abspath(self._shell.pump.directory_of(unit if unit == OWN else self._known(unit)))

    async def last_lines(self, unit: str, count: int) -> list[str]:
        name, pump = unit if unit == OWN else self._known(unit), self._shell.pump
        pump.drain(name)
        return await asyncio.to_thread(logpages.last_texts, logpages.streams_of(name, pump.directory_of(name)), count)

    def status(self) -> Json:
        shell = self._shell
        counts: dict[str, int] = {}
        for name in shell.engine.core.specs:
            state = str(shell.engine.core.active(name))
            counts[state] = counts.get(state, 0) + 1
        mode = self._definitions.mode
        return {
            "version": __version__,
            "keeper_pid": shell.link.table["keeper_pid"],
            "manager_pid": os.getpid(),
            "started_time_s": self._started_wall_s,
            "mode": mode.kind,
            "units_directories": list(mode.unit_directories),
            "state_directory": mode.state_directory,
            "log_directory": os.path.dirname(shell.pump.directory_of("x")),
            "tracking": shell.processes.tracking,
            "load_errors": [*self._definitions.errors(), *self._roles.errors()],
            "units": counts,
            "jobs": len(shell.engine.list_jobs()),
            "notes": self._notes(),
            "leaving": None if shell.engine.core.leaving is None else leaving.text(shell),
        }

    def _notes(self) -> list[str]:
        notes = [*self._reloader.notes(), *self._shell.pump.notes(), *self._trail.notes()]
        notes += self._history.notes() if self._history is not None else []
        notes += self._forwarding.notes() if self._forwarding is not None else []
        if self._shell.intents.trouble:
            notes.append(self._shell.intents.trouble)
        strangers = self._shell.processes.unattributed()
        if strangers:
            names = ", ".join(f"pid {p.pid} ({p.comm})" for p in strangers[:8])
            notes.append(f"unattributed processes, which no unit's stop will touch: {names}")
        if self._shell.processes.tracking == "scan":
            notes.append("processes are tracked by scans of /proc: one that leaves its session, environment and parent at once is not seen")
        return notes

    # -- asking for jobs -------------------------------------------------------------------------------------------

    def _ask(self, make: Any) -> fx.Answer:
        answer = self._shell.request(make)
        if answer.code:
            raise Refusal(answer.code, answer.text)
        return answer

    async def request_job(self, verb: str, unit: str, mode: str, by: str) -> int:
        name = self._known(unit)
        try:
            job_mode = JobMode(mode)
        except ValueError:
            raise Refusal("bad-request", f"there is no job mode {mode}; one of {', '.join(JobMode)}") from None
        type_ = VERBS[verb]
        if type_ in (JobType.RELOAD_OR_START, JobType.TRY_RELOAD) and not self._shell.engine.core.can_reload(name):
            type_ = JobType.RESTART if type_ == JobType.RELOAD_OR_START else JobType.TRY_RESTART
        return self._ask(lambda number: ev.JobRequested(number, type_, name, job_mode, by=by)).job

    async def isolate(self, unit: str, by: str) -> int:
        name = self._known(unit)
        return self._ask(lambda number: ev.JobRequested(number, JobType.START, name, JobMode.ISOLATE, by=by)).job

    def _on_job(self, job: fx.FinishJob) -> None:
        self._announcer.on_job(job)
        result = {"id": job.job, "unit": job.unit, "type": str(job.type), "result": str(job.result), "text": job.text}
        self._finished[job.job] = result
        if len(self._finished) > JOBS_KEPT:
            self._finished.popitem(last=False)
        for future in self._waiters.pop(job.job, ()):
            if not future.done():
                future.set_result(result)

    async def wait_job(self, job: int) -> Json:
        if (known := self._result_of(job)) is not None:
            return known
        if not any(queued["id"] == job for queued in self._shell.engine.list_jobs()):
            raise Refusal("no-such-job", f"there is no job {job}: it never was, or it ended long ago")
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(job, []).append(future)
        try:
            return await future
        finally:
            waiting = self._waiters.get(job)
            if waiting is not None and future in waiting:
                waiting.remove(future)
                if not waiting:
                    del self._waiters[job]

    def _result_of(self, job: int) -> Json | None:
        if (known := self._finished.get(job)) is not None:
            return known
        for state in self._shell.engine.core.states.values():
            if state.last_job and state.last_job[0] == job:
                id_, type_, result, text = state.last_job
                return {"id": id_, "unit": state.name, "type": type_, "result": result, "text": text}
        return None

    async def cancel_job(self, job: int, by: str) -> None:
        self._ask(lambda number: ev.JobCancelRequested(number, job, by))

    async def kill(self, unit: str, signal: int, whom: str, by: str) -> None:
        name = self._known(unit)
        self._ask(lambda number: ev.KillRequested(number, name, signal, whom, by))

    async def reset_failed(self, unit: str, by: str) -> None:
        name = self._known(unit)
        self._ask(lambda number: ev.FailureReset(number, name))

    async def shutdown(self, by: str, keeps_services: bool = False) -> None:
        if keeps_services:
            self._shell.leave_services()
        else:
            self._shell.post(ev.ShutdownRequested(by=by))

    async def reexec(self, by: str) -> None:
        self._announcer.say("info", f"re-executing the code now on disk, as {by} asked; no service is touched")
        refusal: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def on_failed(text: str) -> None:
            if not refusal.done():
                refusal.set_result(text)

        self._shell.on_reexec_failed = on_failed
        self._shell.link.send({}, [["reexec"]])
        text = f"cannot re-execute: {await refusal}; supd goes on as it is"
        raise Refusal("refused", text, hint="make the installation of supd whole (pip install --force-reinstall), then supctl reexec again")

    # -- definitions -----------------------------------------------------------------------------------------------

    async def set_enabled(self, unit: str, state: str, by: str) -> None:
        name = self._known(unit)
        await self._definitions.set_enabled(name, state)
        self._announcer.event(name, "enabled", f"{state} by {by}", {"state": state})

    async def reload_units(self, by: str) -> Json:
        return await self._roles.reload(self._definitions)

    async def plan(self, units: list[str]) -> Json:
        return await self._reloader.plan(units)

    async def apply(self, units: list[str], by: str) -> Json:
        return await self._reloader.apply(units, by)

    async def scale(self, template: str, instances: int, by: str) -> Json:
        return await self._reloader.scale(template, instances, by)

    # -- events ----------------------------------------------------------------------------------------------------

    def events_since(self, last_id: str | None, has_marks: bool = False) -> AsyncIterator[Json]:
        return self.ring.since(last_id, has_marks)

    def recent_events(self, count: int) -> list[Json]:
        return self.ring.recent(count)

    async def past_events(self, count: int) -> list[Json]:
        recent = self.ring.recent(count)
        if not len(recent) < count or self._history is None:
            return recent
        known = {event["id"] for event in recent}
        try:
            earlier = [event for event in await self._history.events(count) if event["id"] not in known]
        except HistoryError:
            return recent  # `status` tells what is wrong with history
        return [*earlier, *recent][-count:]

    async def history(self, unit: str | None, limit: int) -> list[Json]:
        return await self._of_history(lambda history, name: history.runs(name, limit), unit)

    async def past_jobs(self, unit: str | None, limit: int) -> list[Json]:
        return await self._of_history(lambda history, name: history.jobs(name, limit), unit)

    async def _of_history(self, ask: Callable[[History, str | None], Awaitable[list[Json]]], unit: str | None) -> list[Json]:
        if self._history is None:
            return []
        try:
            return await ask(self._history, None if unit is None else self._shell.engine.core.aliases.get(unit, unit))
        except HistoryError as error:
            raise Refusal("internal", f"cannot read the history: {error}") from None


def _numbered(wish: ev.JobRequested, number: int) -> ev.JobRequested:
    return ev.JobRequested(number, wish.type, wish.unit, wish.mode, wish.by, wish.is_manual)
