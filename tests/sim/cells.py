"""Every (sub state, event) cell of the life-cycle table: which must be visited, and which cannot be.

A cell is "visited" when an event that names a unit arrived while the unit was in that sub state, timely or late.
"""

from supervisor.model.states import SubState

EVENTS = (
    "JobRequested",
    "FailureReset",
    "KillRequested",
    "IntentLoaded",
    "ConditionsChecked",
    "Prepared",
    "PrepareFailed",
    "Forked",
    "Execed",
    "SpawnFailed",
    "Exited",
    "AlienExited",
    "PidFileRead",
    "Emptied",
    "Notified",
    "ProbeReported",
)

# Sub states that no event can meet, with the reason.
UNSEEN_STATES = {
    SubState.DEAD_BEFORE_AUTO_RESTART: "passed through within one event, on the way to auto-restart",
    SubState.FAILED_BEFORE_AUTO_RESTART: "passed through within one event, on the way to auto-restart",
}

IMPOSSIBLE: dict[tuple[str, str], str] = {}


def expected() -> set[tuple[str, str]]:
    """All cells that can be visited."""
    return {(str(sub), event) for sub in SubState if sub not in UNSEEN_STATES for event in EVENTS} - set(IMPOSSIBLE)
