"""An in-memory world behind the API: units, jobs and events that obey `Supervision`'s contract, and a server of it in a thread.

Not a mock: it keeps state, so a test asks through the real socket and looks at what came back. The suite in `test_api_contract.py`
is about the interface only and can be run on the real shell too.
"""

import asyncio
import contextlib
import fnmatch
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from supervisor.daemon.api.access import Access
from supervisor.daemon.api.server import ApiServer, Limits
from supervisor.daemon.api.service import Json, Refusal
from supervisor.daemon.api.stream import EventRing

STARTED_S = 1_700_000_000.0


def unit(name: str, active: str = "inactive", sub: str = "dead", **more: Any) -> Json:
    base = {
        "id": name, "kind": "service", "description": f"The {name}", "load_state": "loaded",
        "active_state": active, "sub_state": sub, "result": "success", "status_text": "",
        "main_pid": 4242 if active == "active" else 0, "control_pid": 0, "n_restarts": 0, "exec_main_code": None, "exec_main_status": None,
        "invocation_id": "", "enabled": "enabled", "needs_restart": False, "intent": None,
        "active_enter_time_s": STARTED_S if active == "active" else None, "inactive_enter_time_s": None,
        "memory_current_bytes": None, "cpu_usage_nsec": None, "fragment_path": f"/etc/supd/units/{name}.toml",
    }  # fmt: skip
    return {**base, **more}


def run(unit: str, number: int, **more: Any) -> Json:
    base = {
        "run_id": f"{number:032x}", "unit": unit, "attempt": 1,
        "started_time_s": STARTED_S + number, "ended_time_s": STARTED_S + number + 2.5, "trigger": "request",
        "by": "uid 0 (root) pid 7", "exec_main_code": "exited", "exec_main_status": 3, "result": "exit-code",
        "cpu_usage_nsec": 1_500_000_000, "memory_peak_bytes": 3 << 20, "io_read_bytes": 0, "io_write_bytes": 512,
        "log_begin": "1:0", "log_end": "1:40",
    }  # fmt: skip
    return {**base, **more}


def ended_job(unit: str, number: int, result: str, text: str = "") -> Json:
    ended_s = STARTED_S + number
    return {"ended_time_s": ended_s, "id": number, "unit": unit, "type": "start", "result": result, "text": text, "took_s": 0.25}


class FakeWorld:
    """Starting a unit named "slow" waits for `release`; one named "bad" fails; every other one does at once what it is told."""

    def __init__(self, log_root: str) -> None:
        self.log_root = log_root
        self.units: dict[str, Json] = {
            u["id"]: u
            for u in (
                unit("web", "active", "running", status_text="serving 3 clients"),
                unit("db"),
                unit("slow"),
                unit("bad"),
                unit("broken", load_state="bad-setting"),
                unit("flop", "failed", "failed", result="exit-code", exec_main_code="exited", exec_main_status=3),
                unit("all", "active", "active", kind="target"),
            )
        }
        self.aliases = {"www": "web"}
        self.lines: dict[str, list[str]] = {"bad": [f"line {n}" for n in range(1, 13)], "web": ["hello", "world"]}
        self.finished: dict[int, Json] = {}
        self.queued: dict[int, Json] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.ring = EventRing("e1", lambda: [self.brief(name) for name in self.units], ring_events=64, queue_events=16)
        self.runs: list[Json] = [run("flop", 1), run("web", 2, trigger="boot", ended_time_s=None, result=None), run("flop", 3)]
        self.ended_jobs: list[Json] = [ended_job("web", 1, "done"), ended_job("flop", 2, "failed", text="it left")]
        self.waiting = 0
        self._changed = asyncio.Condition()
        self._job = 0

    def names(self, patterns: list[str], states: list[str]) -> list[str]:
        chosen = [] if patterns else list(self.units)
        for pattern in patterns:
            name = self.aliases.get(pattern, pattern)
            found = [name] if name in self.units else fnmatch.filter(self.units, pattern)
            if not found and name.startswith("worker@"):
                self.units[name] = unit(name)
                found = [name]
            if not found and not any(c in pattern for c in "*?["):
                raise Refusal("no-such-unit", f"there is no unit {pattern!r}", pattern)
            chosen += [name for name in found if name not in chosen]
        words = ("active_state", "sub_state", "load_state")
        return [n for n in chosen if not states or any(self.units[n][word] in states for word in words)]

    def present(self, names: list[str]) -> list[str]:
        return [name for name in dict.fromkeys(names) if name in self.units]

    def show(self, unit: str) -> Json:
        return dict(self.units[unit])

    def brief(self, unit: str) -> Json:
        hidden = ("control_pid", "invocation_id", "intent", "memory_current_bytes", "cpu_usage_nsec")
        return {key: value for key, value in self.units[unit].items() if key not in hidden}

    def relations(self, unit: str) -> Json:
        return {"web": {"requires": ["db"], "after": ["db"]}, "db": {"required_by": ["web"]}, "all": {"wants": ["web", "db"]}}.get(unit, {})

    def why(self, unit: str) -> Json:
        known = self.units[unit]
        because = [{"what": "exit", "unit": unit, "time_s": STARTED_S, "text": "the main process exited with status 3"}]
        coming = {"what": "restart", "time_s": STARTED_S + 4} if unit == "flop" else None
        return {"unit": unit, "active_state": known["active_state"], "sub_state": known["sub_state"], "because": because, "next": coming}

    async def request_job(self, verb: str, unit: str, mode: str, by: str) -> int:
        self.calls.append((verb, unit, mode, by))
        if self.units[unit]["load_state"] != "loaded":
            raise Refusal("bad-setting", f"cannot {verb} {unit}: its unit file has errors", unit)
        if verb in ("reload", "try-restart") and self.units[unit]["active_state"] != "active":
            if verb == "reload":
                raise Refusal("not-applicable", f"cannot reload {unit}: it is not active", unit)
            return 0
        self._job += 1
        kind = "start" if verb == "reload-or-restart" else verb.removeprefix("try-")
        self.queued[self._job] = {"id": self._job, "unit": unit, "type": kind, "state": "running", "waits_for": [], "since_s": time.time()}
        if unit != "slow":
            await self._finish(self._job)
        return self._job

    async def _finish(self, job: int) -> None:
        known = self.queued.pop(job)
        name, kind = known["unit"], known["type"]
        ok = name != "bad" or kind == "stop"
        if kind != "reload":
            state = ("inactive", "dead") if kind == "stop" else ("active", "running") if ok else ("failed", "failed")
            self.units[name] |= {"active_state": state[0], "sub_state": state[1], "main_pid": 4242 if state[0] == "active" else 0}
            if not ok:
                self.units[name] |= {"result": "exit-code", "exec_main_code": "exited", "exec_main_status": 7}
        self.finished[job] = {
            "id": job, "unit": name, "type": kind, "result": "done" if ok else "failed",
            "text": "" if ok else "start: the main process exited with status 7",
        }  # fmt: skip
        self.ring.publish({"time_s": time.time(), "unit": name, "kind": "job", "text": f"{kind} job {job} is over"})
        async with self._changed:
            self._changed.notify_all()

    async def release(self) -> None:
        for job in list(self.queued):
            await self._finish(job)

    async def wait_job(self, job: int) -> Json:
        if job not in self.queued and job not in self.finished:
            raise Refusal("no-such-job", f"there is no job {job}")
        async with self._changed:
            self.waiting += 1
            self._changed.notify_all()
            try:
                await self._changed.wait_for(lambda: job in self.finished)
            finally:
                self.waiting -= 1
                self._changed.notify_all()
        return self.finished[job]

    async def until_waiting(self, count: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.waiting == count)

    def jobs(self) -> list[Json]:
        return list(self.queued.values())

    async def cancel_job(self, job: int, by: str) -> None:
        if job not in self.queued:
            raise Refusal("no-such-job", f"there is no job {job}")
        known = self.queued.pop(job)
        self.finished[job] = {"id": job, "unit": known["unit"], "type": known["type"], "result": "canceled", "text": ""}
        async with self._changed:
            self._changed.notify_all()

    async def kill(self, unit: str, signal: int, whom: str, by: str) -> None:
        self.calls.append(("kill", unit, signal, whom))

    async def reset_failed(self, unit: str, by: str) -> None:
        if self.units[unit]["active_state"] == "failed":
            self.units[unit] |= {"active_state": "inactive", "sub_state": "dead", "result": "success"}

    async def set_enabled(self, unit: str, state: str, by: str) -> None:
        self.units[unit]["enabled"] = {"unmasked": "enabled"}.get(state, state)

    async def scale(self, template: str, instances: int, by: str) -> Json:
        if template != "worker":
            raise Refusal("no-such-unit", f"there is no template {template!r}", template)
        return {"started": [f"worker@{n}" for n in range(1, instances + 1)], "stopped": [], "jobs": []}

    async def plan(self, units: list[str]) -> Json:
        return {"units": {"web": {"action": "restart", "changed": ["service.exec_start"]}}, "errors": []}

    async def apply(self, units: list[str], by: str) -> Json:
        return {**await self.plan(units), "jobs": []}

    async def reload_units(self, by: str) -> Json:
        error = {"file": "broken.toml", "line": 3, "key": "service.restart", "message": 'got "allways"', "hint": 'did you mean "always"?'}
        return {"units": len(self.units), "errors": [error]}

    async def isolate(self, unit: str, by: str) -> int:
        raise Refusal("refused", f"cannot isolate {unit}: allow_isolate is false", unit)

    async def shutdown(self, by: str, keeps_services: bool = False) -> None:
        self.calls.append(("shutdown", keeps_services))

    async def reexec(self, by: str) -> None:
        self.calls.append(("reexec",))

    def status(self) -> Json:
        counts: dict[str, int] = {}
        for known in self.units.values():
            counts[known["active_state"]] = counts.get(known["active_state"], 0) + 1
        return {
            "version": "0.0.test", "keeper_pid": 11, "manager_pid": os.getpid(), "started_time_s": STARTED_S, "mode": "project",
            "units_directories": ["/p/units"], "state_directory": "/p/.supd", "log_directory": self.log_root, "tracking": "scan",
            "load_errors": [], "units": counts, "jobs": len(self.queued), "notes": [],
        }  # fmt: skip

    def definition(self, unit: str) -> Json:
        files = [{"path": f"/etc/supd/units/{unit}.toml", "text": '[service]\nexec_start = "x"\n'}]
        origins = {"service.exec_start": f"/etc/supd/units/{unit}.toml:2", "service.type": "default"}
        return {"unit": unit, "files": files, "origins": origins}

    def log_directory(self, unit: str) -> str:
        return os.path.join(self.log_root, unit)

    async def last_lines(self, unit: str, count: int) -> list[str]:
        return self.lines.get(unit, [])[-count:]

    def events_since(self, last_id: str | None, has_marks: bool = False) -> AsyncIterator[Json]:
        return self.ring.since(last_id, has_marks)

    def recent_events(self, count: int) -> list[Json]:
        return self.ring.recent(count)

    def figures(self, unit: str) -> Json:
        is_up = self.units[unit]["active_state"] == "active"
        return {
            "memory_current_bytes": 4096 if is_up else None,
            "cpu_usage_nsec": 1_500_000_000 if is_up else None,
            "log_bytes": 90,
            "log_lost_bytes": 7,
        }

    def job_times(self) -> dict[tuple[str, str], tuple[int, int]]:
        return {("start", "done"): (2, 3_000_000)}

    async def past_events(self, count: int) -> list[Json]:
        return self.ring.recent(count)

    async def history(self, unit: str | None, limit: int) -> list[Json]:
        return [run for run in self.runs if unit in (None, run["unit"])][-limit:]

    async def past_jobs(self, unit: str | None, limit: int) -> list[Json]:
        return [job for job in self.ended_jobs if unit in (None, job["unit"])][-limit:]


class RunningServer:
    """The API on a real socket, its loop in a thread; `call` runs a coroutine there."""

    def __init__(self, directory: str, access: Access | None = None, limits: Limits | None = None) -> None:
        self.path = os.path.join(directory, "supd.sock")
        self.log_lines: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.bind(self.path)
        self._socket.listen(64)
        self._access = access or Access(os.getuid())
        self._limits = limits
        self._directory = directory

    @contextlib.contextmanager
    def running(self) -> Iterator["RunningServer"]:
        ready = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._main(ready)))
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            self.loop.call_soon_threadsafe(self._stop.set)
            thread.join(10)
            self._socket.close()
            assert not thread.is_alive()

    async def _main(self, ready: threading.Event) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.world = FakeWorld(os.path.join(self._directory, "logs"))
        await self._serve()
        ready.set()
        await self._stop.wait()
        await self._server.close()

    async def _serve(self) -> None:
        self._server = ApiServer(self.world, self._access, self.log_lines.append, self._limits)
        await self._server.start(self._socket.fileno())

    async def replace(self) -> None:
        """What a client sees when the manager dies and the next one takes up the same listening socket and the same world."""
        await self._server.close()
        await self._serve()

    def call(self, work: Callable[[], Any]) -> Any:
        """The result of a function, awaited when it gives a coroutine, run on the server's loop."""

        async def run() -> Any:
            result = work()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)
