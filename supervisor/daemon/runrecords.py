"""What history will say of each run of a unit and of each job, kept safe from the first moment on: a manager's death loses none.

A run is one activation, from the first process prepared for it until its unit is down or waits for its restart; its id is the
unit's invocation id, which its processes, `show` and the log know too. Laws:
- Each change of a record goes to the keeper in the same atom as the state that caused it (DESIGN, The commit rule), under
  `run:<id>`, so that nothing is lost and the use of a process is added once, whatever a replay repeats. A job that ended goes with
  its end, under `job:<id>`.
- The keeper is told to forget a record only after its end is on disk, or was given up and counted by whoever writes.

It runs from before the first spawn, so it imports nothing; what is to be written waits here until a writer is there.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from supervisor.engine.core import Core
from supervisor.model import effects as fx
from supervisor.model.states import Phase, SubState

RUN_PREFIX = "run:"
JOB_PREFIX = "job:"
# The peak of memory is wait4's: of the largest process of the run, and never less than the keeper held when it forked (getrusage(2)).
BLOCK_BYTES = 512  # ru_inblock and ru_oublock count these (getrusage(2))
WAITING_MAX = 20_000  # jobs kept while there is no writer yet; records of runs always are
Json = dict[str, Any]
Entry = tuple[str, Json]  # "run", "job", "event" or AGAIN, and its row
AGAIN = "job-again"  # a job that a manager before this one may have written already

_OVER = frozenset(
    {SubState.DEAD, SubState.FAILED, SubState.DEAD_BEFORE_AUTO_RESTART, SubState.FAILED_BEFORE_AUTO_RESTART, SubState.AUTO_RESTART}
)
_TRIGGER_OF_BY = {"automatic restart": "restart", "boot: it is enabled": "boot"}  # what the engine gives as `by` of its own jobs
_JOB_FIELDS = ("ended_us", "job", "unit", "type", "result", "text", "took_us")
_encode = json.JSONEncoder(separators=(",", ":")).encode


def key_of(entry: Entry) -> str:
    """The key under which the keeper remembers the entry until it is written; "" for one that is not over, and for an event."""
    kind, row = entry
    if kind == "run":
        return RUN_PREFIX + row["run_id"] if row["result"] is not None else ""
    return "" if kind == "event" else f"{JOB_PREFIX}{row['job']}"


class Book(Protocol):
    """What is read of `spawning.RunBook`."""

    @property
    def invocation_id(self) -> str: ...

    @property
    def usage(self) -> dict[str, int] | None: ...

    @property
    def end(self) -> tuple[str, int] | None: ...


class RunRecords:
    """The records of runs and jobs that are not on disk with their end yet."""

    def __init__(self, core: Core, remembered: Mapping[str, str], log_place: Callable[[str], str] = lambda unit: "") -> None:
        """`log_place(unit)`: where the next byte that the unit writes will stand in its log; "" when it has none."""
        self._core = core
        self._log_place = log_place
        self._rows: dict[str, Json] = {}  # of runs
        self._jobs: set[str] = set()  # the keys of those that ended and are not on disk yet
        self._open_of: dict[str, str] = {}  # unit -> the id of its run
        self._waiting: list[Entry] = []
        self._put: Callable[[Entry], None] | None = None
        self.job_times: dict[tuple[str, str], tuple[int, int]] = {}  # (type, result) -> how many ended, and their microseconds together
        for key, text in remembered.items():
            if key.startswith(RUN_PREFIX):
                row = self._rows[key.removeprefix(RUN_PREFIX)] = json.loads(text)
                if row["ended_us"] is None:
                    self._open_of[row["unit"]] = row["run_id"]
                self._write("run", row)
            elif key.startswith(JOB_PREFIX):
                self._jobs.add(key)
                self._write(AGAIN, dict(zip(_JOB_FIELDS, json.loads(text), strict=True)))

    def attach(self, put: Callable[[Entry], None]) -> None:
        """There is a writer now: give it what waits, and from now on each entry at once."""
        self._put = put
        waiting, self._waiting = self._waiting, []
        for entry in waiting:
            put(entry)

    @property
    def open_ids(self) -> list[str]:
        """The runs that are not over."""
        return list(self._open_of.values())

    def take_in(self, effects: Iterable[fx.Effect], books: Mapping[int, Book]) -> dict[str, str]:
        """Note what the effects of one step mean for runs and jobs; what the keeper is to remember with that step."""
        changed: dict[str, None] = {}
        remember: dict[str, str] = {}
        for effect in effects:
            run_id = ""
            if isinstance(effect, fx.Prepare):
                run_id = self._prepared(effect)
            elif isinstance(effect, fx.Forget):
                run_id = self._forgotten(effect, books)
            elif isinstance(effect, fx.Record):
                run_id = self._ended(effect) if effect.kind == "state" else ""
            elif isinstance(effect, fx.FinishJob):
                remember |= self._job_finished(effect)
            if run_id:
                changed[run_id] = None
        for run_id in changed:
            row = self._rows[run_id]
            self._write("run", row)
            remember[RUN_PREFIX + run_id] = _encode(row)
        return remember

    def on_written(self, keys: Iterable[str]) -> dict[str, str]:
        """These (`key_of`) are on disk with their end, or given up: what the keeper is to remember of that (namely nothing)."""
        return {key: "" for key in keys if self._forget(key)}

    def _forget(self, key: str) -> bool:
        if key.startswith(RUN_PREFIX):
            return self._rows.pop(key.removeprefix(RUN_PREFIX), None) is not None
        is_known = key in self._jobs
        self._jobs.discard(key)
        return is_known

    # -- the course of a run ---------------------------------------------------------------------------------------

    def _prepared(self, effect: fx.Prepare) -> str:
        row = self._rows.get(effect.invocation_id)
        if row is None:
            row = self._begin(effect)
        elif effect.phase != Phase.START:
            return ""
        service = self._core.specs[effect.unit].service
        if effect.phase == Phase.START and (service is None or service.type != "forking"):  # of forking the daemon is the main process
            row["main_run"] = effect.run
        return effect.invocation_id

    def _begin(self, effect: fx.Prepare) -> Json:
        state = self._core.states[effect.unit]
        service = self._core.specs[effect.unit].service
        is_task = service is not None and service.max_attempts is not None
        by = state.job.by if state.job is not None else ""
        is_asked = state.job is not None and state.job.is_manual
        row: Json = {
            "run_id": effect.invocation_id,
            "unit": effect.unit,
            "attempt": state.attempt if is_task else state.n_restarts + 1,
            "started_us": self._core.now.wall_us,
            "ended_us": None,
            "trigger": "request" if is_asked else _TRIGGER_OF_BY.get(by, "dependency"),
            "by": by,
            "code": None,
            "status": None,
            "result": None,
            "cpu_us": None,
            "memory_peak_bytes": None,
            "read_bytes": None,
            "written_bytes": None,
            "log_begin": self._log_place(effect.unit) or None,
            "log_end": None,
            "main_run": 0,
        }
        self._rows[effect.invocation_id] = row
        self._open_of[effect.unit] = effect.invocation_id
        return row

    def _forgotten(self, effect: fx.Forget, books: Mapping[int, Book]) -> str:
        """A process of the run ended: its use of the machine is the run's."""
        book = books.get(effect.run)
        row = self._rows.get(book.invocation_id) if book is not None else None
        if book is None or row is None or (not book.usage and book.end is None):
            return ""
        if book.end is not None and row["main_run"] == effect.run:
            row["code"], row["status"] = book.end
        if usage := book.usage:
            row["cpu_us"] = (row["cpu_us"] or 0) + usage["utime_us"] + usage["stime_us"]
            row["memory_peak_bytes"] = max(row["memory_peak_bytes"] or 0, usage["maxrss_kb"] * 1024)
            row["read_bytes"] = (row["read_bytes"] or 0) + usage["inblock"] * BLOCK_BYTES
            row["written_bytes"] = (row["written_bytes"] or 0) + usage["oublock"] * BLOCK_BYTES
        return str(row["run_id"])

    def _ended(self, effect: fx.Record) -> str:
        fields = dict(effect.fields)
        if fields["sub_state"] not in _OVER or (run_id := self._open_of.pop(effect.unit, None)) is None:
            return ""
        row = self._rows[run_id]
        row["ended_us"], row["result"] = self._core.now.wall_us, str(fields["result"])
        row["log_end"] = self._log_place(effect.unit) or None
        state = self._core.states.get(effect.unit)  # None: its file was gone, and with its end it is forgotten
        if row["code"] is None and state is not None and state.invocation_id == run_id and state.main_code is not None:
            row["code"], row["status"] = str(state.main_code), state.main_status  # a step before exec failed, or a daemon's own child
        return run_id

    def _job_finished(self, effect: fx.FinishJob) -> dict[str, str]:
        row: Json = {
            "ended_us": self._core.now.wall_us,
            "job": effect.job,
            "unit": effect.unit,
            "type": str(effect.type),
            "result": str(effect.result),
            "text": effect.text,
            "took_us": effect.took_us,
        }
        count, total_us = self.job_times.get((row["type"], row["result"]), (0, 0))
        self.job_times[row["type"], row["result"]] = (count + 1, total_us + effect.took_us)
        if not self._write("job", row):
            return {}
        key = f"{JOB_PREFIX}{effect.job}"
        self._jobs.add(key)
        return {key: _encode([row[field] for field in _JOB_FIELDS])}

    def note_event(self, event: Json) -> None:
        """An event as it was published. What a service says of itself all the time is not history."""
        if event.get("kind") != "status":
            self._write("event", event)

    def _write(self, kind: str, row: Json) -> bool:
        """False: there is no writer yet, and too much waits for one."""
        entry = (kind, dict(row))
        if self._put is not None:
            self._put(entry)
        elif kind == "run" or len(self._waiting) < WAITING_MAX:
            self._waiting.append(entry)
        else:
            return False
        return True
