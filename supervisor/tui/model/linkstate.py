"""How the way to supd stands, as a value: the session makes a new one with each change, the screens only read the newest.

It never flatters: "live" means that something was heard within the last seconds; "stale" that the connection is open and silent,
so what is on the screen may be old; "lost" that there is none.
"""

from dataclasses import dataclass

CONNECTING = "connecting"
LIVE = "live"
STALE = "stale"
LOST = "lost"


@dataclass(frozen=True, slots=True)
class LinkState:
    """Times are of the machine the screens run on: `since_s`, `next_try_s` monotonic, `heard_time_s` since the epoch.

    `reason` says why it is lost, as a sentence. `next_try_s` is when it is tried again. `heard_time_s` is when anything was last heard
    (None: never). `outage` is set once a lost connection is back, until the next change of phase.
    """

    phase: str = CONNECTING
    since_s: float = 0.0
    reason: str = ""
    next_try_s: float | None = None
    heard_time_s: float | None = None
    round_trip_s: float | None = None
    outage: "Outage | None" = None


@dataclass(frozen=True, slots=True)
class Outage:
    """What a lost connection came to. `recovered` events were told of afterwards; `is_complete`: none was missed.

    When it is not complete nobody can tell how many were lost: everything was fetched anew instead.
    """

    seconds: float
    recovered: int
    is_complete: bool
    is_other_manager: bool = False
