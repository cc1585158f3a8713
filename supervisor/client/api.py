"""Everything supd can be asked, as methods: the one way to the API for supctl, for tests and for other people's programs.

Synchronous, one connection per request, no state but the place of the socket. A question that only reads is asked again when
the manager was replaced in the middle of it: the keeper holds the socket, so the next manager answers. A request that changes
something is never sent twice. Every method raises ApiError for a refusal, NoDaemon when nobody answers, BrokenAnswer when the
answer broke off.
"""

import os
import time

from supervisor.client.connection import ANSWER_TIMEOUT_S, Answer, Exchange
from supervisor.client.discovery import Place
from supervisor.client.errors import BrokenAnswer, NoDaemon
from supervisor.client.wire import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    Json = dict[str, Any]

RETRY_FOR_S = 15.0
_RETRY_PAUSE_S = 0.1
UNKNOWN_ID = "unknown"  # we cannot tell what we missed, so supd shall answer with a reset
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@:"


def quote(text: str) -> str:
    """Percent-encoding for one piece of a path or of a query (RFC 3986)."""
    return "".join([chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in os.fsencode(text)])


class Client:
    """A supd, by the place of its socket. `peer_uid` is known after the first answer."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.peer_uid: int | None = None

    # Reading.

    def units(self, patterns: "Sequence[str]" = (), states: "Sequence[str]" = (), full: bool = False) -> "list[Json]":
        """The brief object (or with `full` every property) of each unit that matches."""
        fields = [f"pattern={quote(pattern)}" for pattern in patterns] + [f"state={quote(state)}" for state in states]
        fields += ["full=true"] if full else []
        units: list[Json] = self._get("/v1/units" + ("?" + "&".join(fields) if fields else "")).value()
        return units

    def show(self, unit: str) -> "Json":
        return self._object(f"/v1/units/{quote(unit)}")

    def show_raw(self, unit: str) -> bytes:
        """The API's own bytes of `show`, for `--json`."""
        answer = self._get(f"/v1/units/{quote(unit)}")
        if answer.status >= 400:
            answer.value()
        return answer.body

    def relations(self, unit: str) -> "dict[str, list[str]]":
        return self._object(f"/v1/units/{quote(unit)}/relations")

    def why(self, unit: str) -> "Json":
        return self._object(f"/v1/units/{quote(unit)}/why")

    def definition(self, unit: str) -> "Json":
        return self._object(f"/v1/units/{quote(unit)}/definition")

    def log(self, unit: str, lines: int) -> "Json":
        """{"unit", "directory", "lines"}: the last lines, escapes neutralised."""
        return self._object(f"/v1/units/{quote(unit)}/log?lines={lines}")

    def log_bytes(self, unit: str, lines: int = 0, after: str | None = None) -> tuple[bytes, str]:
        """Raw bytes and the cursor after them: the last `lines`, or what came since the cursor `after`."""
        query = f"lines={lines}" if after is None else f"after={quote(after)}"
        answer = self._get(f"/v1/units/{quote(unit)}/log?raw=true&{query}")
        if answer.status >= 400:
            answer.value()
        return answer.body, answer.headers.get("supd-log-cursor", "")

    def log_lines(self, unit: str, stream: str, query: "dict[str, str]") -> "Json":
        """{"lines", "next", "is_over"}: one page of one stream; `logpages.RemoteStream` reads with it."""
        fields = "".join([f"&{name}={quote(value)}" for name, value in query.items()])
        return self._object(f"/v1/units/{quote(unit)}/log/lines?stream={stream}{fields}")

    def jobs(self) -> "list[Json]":
        jobs: list[Json] = self._get("/v1/jobs").value()
        return jobs

    def status(self) -> "Json":
        return self._object("/v1/status")

    def version(self) -> "Json":
        return self._object("/v1/version")

    def recent_events(self, count: int) -> "list[Json]":
        events: list[Json] = self._get(f"/v1/events/recent?count={count}").value()
        return events

    def history(self, unit: str | None = None, limit: int = 100) -> "list[Json]":
        """The newest runs, of one unit or of all, oldest first."""
        runs: list[Json] = self._get(f"/v1/history?limit={limit}" + (f"&unit={quote(unit)}" if unit is not None else "")).value()
        return runs

    def past_jobs(self, unit: str | None = None, limit: int = 100) -> "list[Json]":
        """The newest jobs that ended, of one unit or of all, oldest first."""
        jobs: list[Json] = self._get(f"/v1/history/jobs?limit={limit}" + (f"&unit={quote(unit)}" if unit is not None else "")).value()
        return jobs

    def events(self, last_id: str | None = None, deadline_s: float | None = None) -> "Iterator[Json | None]":
        """Events as they come, for ever; a broken stream is taken up again where it ended, so nothing is missed.

        The first value is None, given once supd has entered us as a reader: what is asked after it cannot miss an event. After
        `deadline_s` (time.monotonic()) every further value is None at once.
        """
        reading = EventReading(last_id)
        has_begun = False
        broken_s: float | None = None
        while True:
            if has_begun and reading.last_id is None:
                reading.last_id = UNKNOWN_ID
            try:
                exchange = Exchange(self.place, "GET", "/v1/events", headers=reading.headers())
                self.peer_uid = exchange.peer_uid
                for event in _events_of(exchange, deadline_s, has_begun, reading):
                    has_begun, broken_s = True, None
                    yield event
            except BrokenAnswer:
                broken_s = broken_s or time.monotonic()
                if not has_begun or time.monotonic() - broken_s > RETRY_FOR_S:
                    raise
            time.sleep(_RETRY_PAUSE_S)

    def wait_job(self, job: int, first_tick_s: float | None = None, on_tick: "Callable[[], float] | None" = None) -> "Json":
        """The finished job: {id, unit, type, result, text}. While it runs `on_tick` is called and says in how many seconds again."""
        broken_s: float | None = None
        tick_s = first_tick_s
        while True:
            exchange = Exchange(self.place, "GET", f"/v1/jobs/{job}?wait=true")
            self.peer_uid = exchange.peer_uid
            try:
                while (answer := exchange.answer(tick_s)) is None:
                    broken_s = None
                    tick_s = on_tick() if on_tick is not None else None
                finished: Json = answer.value()
                return finished
            except BrokenAnswer:
                # The manager was replaced while we waited: the next one knows the job.
                broken_s = broken_s or time.monotonic()
                if time.monotonic() - broken_s > RETRY_FOR_S:
                    raise
                time.sleep(_RETRY_PAUSE_S)
            finally:
                exchange.close()

    # Changing.

    def request_job(self, verb: str, unit: str, mode: str = "replace") -> "Json":
        """{"unit", "job"}; job 0 when there was nothing to do."""
        return self._post(f"/v1/units/{quote(unit)}/{verb}", {"mode": mode} if mode != "replace" else None)

    def isolate(self, unit: str) -> "Json":
        return self._post(f"/v1/units/{quote(unit)}/isolate")

    def cancel_job(self, job: int) -> None:
        self._ask("DELETE", f"/v1/jobs/{job}").value()

    def kill(self, unit: str, signal: int, whom: str = "all") -> None:
        self._post(f"/v1/units/{quote(unit)}/kill", {"signal": signal, "whom": whom})

    def reset_failed(self, unit: str) -> None:
        self._post(f"/v1/units/{quote(unit)}/reset-failed")

    def set_enabled(self, verb: str, unit: str) -> "Json":
        """verb: enable, disable, mask or unmask."""
        return self._post(f"/v1/units/{quote(unit)}/{verb}")

    def scale(self, template: str, instances: int) -> "Json":
        return self._post(f"/v1/units/{quote(template)}/scale", {"instances": instances})

    def reload_units(self) -> "Json":
        return self._post("/v1/reload-units")

    def plan(self, units: "Sequence[str]" = ()) -> "Json":
        """{"units": {name: {"action", "changed"}}, "errors"}: what `apply` would do."""
        query = "&".join(f"unit={quote(unit)}" for unit in units)
        return self._object("/v1/plan" + (f"?{query}" if query else ""))

    def apply(self, units: "Sequence[str]" = ()) -> "Json":
        """As `plan`, done; with "jobs", the ids of those that are under way."""
        return self._post("/v1/apply", {"units": list(units)} if units else None)

    def shutdown(self, keeps_services: bool = False) -> None:
        self._post("/v1/shutdown", {"keep_services": True} if keeps_services else None)

    def reexec(self) -> None:
        """Returns when the connection ended, which is how it succeeds; raises ApiError when it was refused."""
        try:
            self._post("/v1/reexec")
        except BrokenAnswer:
            pass  # the manager that was asked is gone: that is what was asked

    # Asking.

    def _object(self, target: str) -> "Json":
        value: Json = self._get(target).value()
        return value

    def _post(self, target: str, body: "Json | None" = None) -> "Json":
        value: Json = self._ask("POST", target, body).value()
        return value

    def _get(self, target: str) -> Answer:
        deadline_s = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                return self._ask("GET", target)
            except BrokenAnswer:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(_RETRY_PAUSE_S)

    def _ask(self, method: str, target: str, body: "Json | None" = None) -> Answer:
        exchange = Exchange(self.place, method, target, body)
        self.peer_uid = exchange.peer_uid
        answer = exchange.answer(ANSWER_TIMEOUT_S)
        if answer is None:
            exchange.close()
            text = f"supd at {self.place.path} is there but did not answer within {ANSWER_TIMEOUT_S:.0f} s"
            raise NoDaemon(f"{text}.\nIts services run on. What it says itself (its stderr) tells whether its manager can be started.")
        return answer


class EventReading:
    """Lines of server-sent events to events. `last_id` is where the reader stands: the id to go on from."""

    __slots__ = ("_data", "_has_id", "has_moved_alone", "last_id")

    def __init__(self, last_id: str | None) -> None:
        self.last_id = last_id
        self.has_moved_alone = False  # the line taken last has ended an id without an event: supd told where we stand
        self._has_id = False
        self._data = b""

    def headers(self) -> str:
        """The header lines that ask for what comes after `last_id`. A stream begins anew: half an event is forgotten."""
        self._data = b""
        return "" if self.last_id is None else f"Last-Event-ID: {self.last_id}\r\n"

    def take(self, line: bytes) -> "Json | None":
        """The event that this line completes."""
        self.has_moved_alone = not line and self._has_id and not self._data
        if line.startswith(b"id: "):
            self.last_id = line[4:].decode("ascii", "replace")
            self._has_id = True
        elif line.startswith(b"data: "):
            self._data += line[6:]
        elif not line and self._data:
            event: Json = parse(self._data)
            self._data = b""
            self._has_id = False
            return event
        elif not line:
            self._has_id = False
        return None


def _events_of(exchange: Exchange, deadline_s: float | None, is_again: bool, reading: EventReading) -> "Iterator[Json | None]":
    """The events of one server-sent-event stream, after a None that says it has begun (unless it `is_again` one of several)."""
    try:
        exchange.await_head()
        if not is_again:
            yield None
        for line in exchange.lines(deadline_s):
            if line is None:
                yield None
            elif (event := reading.take(line)) is not None:
                yield event
                if event.get("kind") == "gap":
                    return
    finally:
        exchange.close()
