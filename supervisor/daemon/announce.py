"""What supd says of itself: one line on stderr for what a person must know, one event for everything.

It chooses words, never actions. Levels: error, warning, info, debug. Text that came from a service is neutralised, so that
nothing a unit says can act on the terminal supd runs in.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from supervisor.client.terminal import neutralise
from supervisor.model.effects import FinishJob, Record
from supervisor.model.states import JobResult

LEVELS = ("error", "warning", "info", "debug")
_LEVEL_OF = {
    "failed": "error",
    "spawn": "error",
    "start-limit": "error",
    "watchdog": "error",
    "timeout": "warning",
    "restart": "warning",
    "dependency": "warning",
    "condition": "info",
    "transaction": "warning",
    "cycle": "warning",
    "action": "warning",
    "definition": "info",
    "plan": "info",
    "rollback": "warning",
    "intent": "debug",
    "probe": "warning",
    "main-pid": "debug",
    "notify": "info",
    "recovered": "info",
    "kill": "info",
    "job": "info",
}
_STATES_SAID = frozenset({"running", "exited", "active", "failed", "dead"})

Json = dict[str, Any]


class Announcer:
    """Says and publishes. Events before `publish` is given (before the API is up) are kept for it."""

    def __init__(self, level: str) -> None:
        self._level = LEVELS.index(level)
        self._early: list[Json] = []
        self._publish: Callable[[Json], object] | None = None
        self.recent_errors: list[str] = []
        self._unlogged: list[tuple[str, str]] = []  # what was said before there was a log
        self._log: Callable[[str, str], object] | None = None

    def attach_log(self, write: Callable[[str, str], object]) -> None:
        """`write(level, text)` keeps a line in supd's own log."""
        for level, text in self._unlogged:
            write(level, text)
        self._unlogged.clear()
        self._log = write

    def attach(self, publish: Callable[[Json], object]) -> None:
        for event in self._early:
            publish(event)
        self._early = []
        self._publish = publish

    def say(self, level: str, text: str) -> None:
        """One line on stderr and in supd's own log, if the level is wanted."""
        if LEVELS.index(level) <= self._level:
            if self._log is None:
                self._unlogged.append((level, text))
            else:
                self._log(level, text)
            try:
                sys.stderr.write(f"supd: {neutralise(text)}\n")
                sys.stderr.flush()
            except OSError:
                pass  # whoever read it is gone: no reason to stop supervising

    def event(self, unit: str, kind: str, text: str, fields: Json) -> None:
        event = {"time_s": time.time(), "unit": unit, "kind": kind, "text": text, **fields}
        if self._publish is None:
            self._early.append(event)
        else:
            self._publish(event)

    def on_files(self, text: str, errors: list[Json]) -> None:
        """What became of the unit files as a whole: an event of no unit."""
        self.event("", "unit-files", text, {"errors": errors})

    def on_record(self, record: Record) -> None:
        fields = dict(record.fields)
        if record.kind == "state":
            self._say_state(record.unit, str(fields["sub_state"]), str(fields["old_sub_state"]))
        else:
            self.say(_LEVEL_OF.get(record.kind, "debug"), f"{record.unit}: {record.text}")
        self.event(record.unit, record.kind, record.text, fields)

    def _say_state(self, unit: str, sub: str, old: str) -> None:
        level = "info" if sub in _STATES_SAID and sub != "failed" and old != "auto-restart" else "debug"
        word = {"running": "up", "exited": "done, and stays active", "active": "reached", "dead": "down"}.get(sub, sub)
        self.say(level, f"{unit}: {word}" if level == "info" else f"{unit}: {old} -> {sub}")

    def on_job(self, job: FinishJob) -> None:
        fields = {"job": job.job, "type": str(job.type), "result": str(job.result)}
        text = f"{job.type} job {job.job}: {job.result}" + (f": {job.text}" if job.text else "")
        self.event(job.unit, "job-finished", text, fields)
        if job.result not in (JobResult.DONE, JobResult.CANCELED):
            self.say("debug", f"{job.unit}: {text}")
