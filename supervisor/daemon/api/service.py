"""What the API may ask of the manager. The API knows nothing else of it; the shell implements this.

Every method that changes something returns after the change is in the keeper's hands (and on disk where the design says
so). All are called on the event loop's thread. `by` is a sentence fragment: "uid 1000 (ann) pid 4711".
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]


class Refusal(Exception):
    """A request that cannot be met. `code` is one of `model.errors.TRANSACTION_CODES`, "no-such-job" or "bad-request".

    `hint` is what to do next, where the code alone does not tell (`answers.HINT_OF_CODE`).
    """

    def __init__(self, code: str, text: str, unit: str = "", hint: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.unit = unit
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection (SO_PEERCRED, read at accept)."""

    uid: int
    gid: int
    pid: int


class Supervision(Protocol):
    def names(self, patterns: list[str], states: list[str]) -> list[str]:
        """Units whose name or alias matches a glob pattern (all if none) and, if states are given, whose active, sub or load state is one.

        A pattern without glob characters that matches nothing raises Refusal("no-such-unit").
        A template instance that is not loaded yet ("worker@9") is instantiated from its template.
        """

    def present(self, names: list[str]) -> list[str]:
        """Those of these names that are units now, each once; no alias, no pattern, and no instance is made."""

    def show(self, unit: str) -> Json:
        """Every property of one unit, in systemd's names as snake_case (DESIGN, For scripts)."""

    def brief(self, unit: str) -> Json:
        """The shorter object of `list`.

        id, kind, description, load_state, active_state, sub_state, result, main_pid, n_restarts, needs_restart, enabled, job,
        status_text, active_enter_time_s, inactive_enter_time_s (the last two for the column "since"; None when never).
        """

    def relations(self, unit: str) -> Json:
        """Dependencies, forward and reverse: {"requires": [...], "required_by": [...], "after": ...}; only non-empty ones."""

    def why(self, unit: str) -> Json:
        """{unit, active_state, sub_state, because: [{what, unit, time_s, text}], next: {what, time_s} | None}."""

    async def request_job(self, verb: str, unit: str, mode: str, by: str) -> int:
        """Enqueue, and return the job's id; 0 when there is nothing to do.

        verb: start, stop, restart, try-restart, reload, try-reload-or-restart, reload-or-restart.
        """

    async def wait_job(self, job: int) -> Json:
        """{id, unit, type, result, text} once the job is over; Refusal("no-such-job") when it never was or is long gone."""

    def jobs(self) -> list[Json]:
        """Queued jobs: {id, unit, type, state, waits_for: [unit...], since_s}."""

    async def cancel_job(self, job: int, by: str) -> None: ...

    async def kill(self, unit: str, signal: int, whom: str, by: str) -> None: ...

    async def reset_failed(self, unit: str, by: str) -> None: ...

    async def set_enabled(self, unit: str, state: str, by: str) -> None:
        """state: "enabled", "disabled", "masked" or "unmasked". On disk before this returns; not started or stopped by it."""

    async def scale(self, template: str, instances: int, by: str) -> Json:
        """{"started": [names], "stopped": [names], "jobs": [ids]}"""

    async def reload_units(self, by: str) -> Json:
        """Read the unit files again (daemon-reload): {"units": n, "errors": [{file, line, key, message, hint}]}; errors change nothing."""

    async def plan(self, units: list[str]) -> Json:
        """What `apply` of these units (names, patterns, templates for their instances; of all if none) would do.

        {"units": {name: {"action", "changed": [key ...]}}, "errors": [...]}; unchanged units are left out. Changes nothing.
        """

    async def apply(self, units: list[str], by: str) -> Json:
        """Read the unit files and do what `plan` says: its object, with "jobs": [ids]. Errors change nothing."""

    async def isolate(self, unit: str, by: str) -> int: ...

    async def reexec(self, by: str) -> None:
        """Replace manager and keeper by the code now on disk; nothing is restarted. Returns only by Refusal("refused")."""

    async def shutdown(self, by: str, keeps_services: bool = False) -> None:
        """Begin an orderly stop of everything; returns at once."""

    def status(self) -> Json:
        """supd itself.

        version, keeper_pid, manager_pid, started_time_s, mode (project, user, system), units_directories, state_directory,
        log_directory, tracking ("cgroup" or "scan"), load_errors: [{file, line, key, message, hint}], units: {active state: count},
        jobs: count, notes: [sentences a person should know].
        """

    def definition(self, unit: str) -> Json:
        """For `cat`: {"unit", "files": [{"path", "text"}], "origins": {key: "file:line" | "default" ...}}."""

    def log_directory(self, unit: str) -> str:
        """Absolute path of the directory that holds the unit's segments, `current` among them. "supd" is its own log, here and below."""

    async def last_lines(self, unit: str, count: int) -> list[str]:
        """The last lines the unit wrote, decoded with replacement, escapes neutralised."""

    def events_since(self, last_id: str | None, has_marks: bool = False) -> AsyncIterator[Json]:
        """Events as {"id": "<epoch>-<seq>", "time_s", "unit", "kind", "text", ...}; `stream.EventRing` is made for this.

        With a known `last_id` from just after it; with an unknown one a first {"kind": "reset", "snapshot": [brief, ...]}; with
        None only new ones. A reader too slow gets {"kind": "gap"} and the end. With `has_marks` there come {"kind": "changed", "units":
        [name ...]} too, without an id: units whose brief object is another now, be it with an event or without.
        """

    def recent_events(self, count: int) -> list[Json]:
        """The last ones of this manager, oldest first."""

    def figures(self, unit: str) -> Json:
        """For /metrics: {memory_current_bytes, cpu_usage_nsec, log_bytes, log_lost_bytes}; the first two are None without a process."""

    def job_times(self) -> dict[tuple[str, str], tuple[int, int]]:
        """For /metrics, by type and result: how many jobs ended in this manager's life, and the microseconds they took together."""

    async def past_events(self, count: int) -> list[Json]:
        """The last ones, of managers before this one too, oldest first."""

    async def history(self, unit: str | None, limit: int) -> list[Json]:
        """The newest runs, of one unit or of all, oldest first; of a unit that is no more, too.

        {run_id, unit, attempt, started_time_s, ended_time_s, trigger, by, exec_main_code, exec_main_status, result, cpu_usage_nsec,
        memory_peak_bytes, io_read_bytes, io_write_bytes, log_begin, log_end}; result is None while it goes on; the last two are places in
        its log, "SEQUENCE:OFFSET", behind a blank the same of a standard error that is kept apart. Raises Refusal("internal").
        """

    async def past_jobs(self, unit: str | None, limit: int) -> list[Json]:
        """The newest jobs that ended, of one unit or of all, oldest first: {ended_time_s, id, unit, type, result, text, took_s}.

        Ids begin anew with each supd. Raises Refusal("internal").
        """
