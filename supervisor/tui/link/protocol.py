"""What the screens may ask of a supd, and the two ways an answer may fail to come.

The screens and the session know nothing else of it: HttpTransport asks a real one, the tests ask one that lives in memory, and both
are held to one suite. Every method may raise LinkLost (nobody answered; it may be asked again later) and Refused (supd answered,
and will not). JSON names are the API's.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

Json = dict[str, Any]
Relations = dict[str, list[str]]  # {"requires": [unit ...], "required_by": [...], "after": ...}; only non-empty ones

# Kinds of marks in the stream of events that are no events: see Transport.events.
ALIVE = "alive"
CHANGED = "changed"
VERBS = ("start", "stop", "restart", "reload", "kill", "reset-failed", "enable", "disable", "mask", "unmask")


class LinkLost(Exception):
    """Nobody answers, or the answer broke off. `str()` says why, as a whole sentence."""


class Refused(Exception):
    """supd answered, and refused: `text` says what and why, `hint` the next step ("" where there is none), `code` is the API's."""

    def __init__(self, text: str, hint: str = "", code: str = "", unit: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint
        self.code = code
        self.unit = unit


class Transport(Protocol):
    """A supd that can be asked. `label` names it on the screen: a host or a socket."""

    label: str

    @property
    def is_local(self) -> bool:
        """Whether paths that it names may be opened here: the host is this one, the daemon ours or root's. Known after `hello`."""

    async def hello(self) -> Json:
        """/v1/status: version, keeper_pid, manager_pid, started_time_s, mode, load_errors, notes, ...

        With it what we may do: `access` ("view", "operate" or "admin", the highest level on any unit) and `rights`
        ([{level, patterns}], patterns null for every unit).
        """

    async def units(self, names: Sequence[str] | None = None) -> list[Json]:
        """The brief object of every unit, or of those of `names` that exist; one that does not is left out."""

    def events(self, last_id: str | None) -> AsyncGenerator[Json, None]:
        """Events from just after `last_id` (None: from now), as they come, until the connection ends: then LinkLost.

        Between them come marks {"kind": "alive", "id": id to go on from, "" while there is none}: the first value always is one, given
        once supd has entered us, so that what is asked after it cannot miss an event; later ones tell at least every second that it
        is there; and {"kind": "changed", "units": [name ...]}: these look different now, with an event or without.
        {"kind": "reset"}: events after `last_id` are no longer known. {"kind": "gap"}: some were lost because we were slow; the stream
        ends after it. Whoever does not read it to its end must `aclose` it.
        """

    async def show(self, unit: str) -> Json: ...

    async def why(self, unit: str) -> Json: ...

    async def definition(self, unit: str) -> Json:
        """{"unit", "files": [{"path", "text"}], "origins": {key: "file:line" | "default" ...}}."""

    async def relations(self) -> dict[str, Relations]:
        """Every unit that has any."""

    async def history(self, unit: str | None = None, limit: int = 100) -> list[Json]:
        """The newest runs, of one unit or of all, oldest first."""

    async def past_events(self, count: int = 100) -> list[Json]:
        """The last events, of managers before this one too, oldest first."""

    async def jobs(self) -> list[Json]: ...

    async def figures(self, names: Sequence[str] | None = None) -> Json:
        """{"monotonic_s", "units": {name: {memory_current_bytes, cpu_usage_nsec, log_lost_bytes, ...}}}, of `names` (as `units`) or of all.

        `monotonic_s` is supd's clock, for rates.
        """

    async def plan(self, names: Sequence[str] = ()) -> Json:
        """{"units": {name: {"action", "changed": [key ...]}}, "errors": [{file, line, key, message, hint}]}. Changes nothing."""

    async def apply(self, names: Sequence[str] = ()) -> Json:
        """As `plan`, done; with "jobs", the ids of those under way. Errors change nothing."""

    async def act(self, verb: str, unit: str, *, mode: str = "replace", signal: int = 15, whom: str = "all") -> Json:
        """Do one of VERBS to a unit, and wait until it is over.

        `mode` is for the job verbs (start, stop, restart, reload), `signal` and `whom` are for kill. Returns the finished job {id, unit,
        type, result, text}; id 0 where there was no job to be done. A job that failed is an answer, not a refusal. Nothing is sent twice.
        """

    def log_directory(self, unit: str) -> str:
        """The directory of the unit's log files where we may read them, "" where `log_bytes` must be asked.

        Known after `hello`; a daemon of another uid than ours or root's is never believed about paths.
        """

    async def log_bytes(self, unit: str, lines: int = 0, after: str | None = None) -> tuple[bytes, str]:
        """Raw bytes of the log and the cursor after them: the last `lines` (1 MiB at most), or what came since the cursor `after`."""

    async def log_lines(self, unit: str, stream: str, query: dict[str, str]) -> Json:
        """{"lines", "next", "is_over"}: one page of one stream of the log, as `client.logpages` asks for it."""
