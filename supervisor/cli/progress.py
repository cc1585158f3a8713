"""The one line that is rewritten while jobs run, on a terminal only: "web: start-post, waiting for db (12 s of 90 s)"."""

import time

from supervisor.cli.session import Session
from supervisor.model.errors import SupdError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Json = dict[str, Any]

FIRST_S = 0.4  # what is over sooner shows nothing
TICK_S = 1.0  # the line shows seconds


class Progress:
    """One line for all jobs of a command: that of the job which is waited for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._begun_s = time.time()
        self._is_shown = False

    @property
    def first_tick_s(self) -> float | None:
        """None off a terminal: nothing is ever shown there."""
        return FIRST_S if self._session.err.is_terminal else None

    def of(self, made: "Json") -> "Callable[[], float]":
        """What to call at each tick of this job; it says when to be called again."""
        return lambda: self.show(made)

    def show(self, made: "Json") -> float:
        try:
            line = self._line(made)
        except SupdError:
            line = f"{made['unit']}: supd is being replaced, still waiting"  # the wait itself reports what lasts
        screen = self._session.err
        screen.stream.write(f"\r\x1b[K{screen.cut(line)}")
        screen.stream.flush()
        self._is_shown = True
        return TICK_S

    def _line(self, made: "Json") -> str:
        unit = self._session.client.show(str(made["unit"]))
        jobs = self._session.client.jobs()
        job = next((job for job in jobs if job["id"] == made["job"]), None)
        waits_for = ", ".join(job.get("waits_for") or []) if job else ""
        begun_s = (job or {}).get("since_s") or self._begun_s
        now_s = time.time()
        coming = self._session.client.why(str(made["unit"])).get("next")
        limit = f" of {coming['time_s'] - begun_s:.0f} s" if coming and (coming.get("time_s") or 0) > now_s else ""
        waiting = f", waiting for {waits_for}" if waits_for else ""
        return f"{made['unit']}: {unit['sub_state']}{waiting} ({max(0, now_s - begun_s):.0f} s{limit})"

    def clear(self) -> None:
        if self._is_shown:
            self._session.err.stream.write("\r\x1b[K")
            self._session.err.stream.flush()
            self._is_shown = False
