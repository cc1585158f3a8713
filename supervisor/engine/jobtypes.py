"""The algebra of job types: what merges with what, what is redundant, what a verb comes to (SEMANTICS 5.1; systemd's job.c).

Tables and pure functions only.
"""

from supervisor.model.states import ActiveState, JobType

START, VERIFY, STOP, RELOAD, RESTART = (
    JobType.START,
    JobType.VERIFY_ACTIVE,
    JobType.STOP,
    JobType.RELOAD,
    JobType.RESTART,
)
RELOAD_OR_START = JobType.RELOAD_OR_START

# Every pair that merges, once; a type merges with itself; stop merges with nothing else.
_MERGED: dict[frozenset[JobType], JobType] = {
    frozenset({START, VERIFY}): START,
    frozenset({START, RELOAD}): RELOAD_OR_START,
    frozenset({START, RESTART}): RESTART,
    frozenset({VERIFY, RELOAD}): RELOAD,
    frozenset({VERIFY, RESTART}): RESTART,
    frozenset({RELOAD, RESTART}): RESTART,
}


def merge(a: JobType, b: JobType) -> JobType | None:
    """The one type that does the work of both, or None if they contradict each other."""
    return a if a == b else _MERGED.get(frozenset({a, b}))


def is_conflicting(a: JobType, b: JobType) -> bool:
    return merge(a, b) is None


def is_superset(a: JobType, b: JobType) -> bool:
    """Whether doing `a` also does `b`."""
    return merge(a, b) == a


def merge_and_collapse(a: JobType, b: JobType, active: ActiveState) -> JobType | None:
    """As `merge`, with a collapsing type resolved by the unit's state."""
    merged = merge(a, b)
    return None if merged is None else collapse(merged, active)


def collapse(type_: JobType, active: ActiveState) -> JobType | None:
    """What a verb comes to in this state; None: there is nothing to do."""
    is_going_or_gone = active.is_down or active == ActiveState.DEACTIVATING
    if type_ == JobType.TRY_RESTART:
        return None if is_going_or_gone else RESTART
    # What is still starting has nothing to read anew: its start reads all there is.
    if type_ == JobType.TRY_RELOAD:
        return RELOAD if active.is_up else None
    if type_ == RELOAD_OR_START:
        return RELOAD if active.is_up else START
    return type_


def is_redundant(type_: JobType, active: ActiveState) -> bool:
    """Whether the unit is already where the job would bring it. A restart or reload never is."""
    if type_ in (START, VERIFY):
        return active.is_up
    if type_ == STOP:
        return active.is_down
    return False


def waits_for(mine: JobType, other: JobType, *, is_mine_after: bool) -> bool:
    """Whether a job waits for the job of an ordered neighbour (`job_compare`).

    A stop goes before a start whatever the direction; two stops go in reverse; a restart counts as the stop it begins with.
    `is_mine_after`: my unit is After= the other's (else it is Before=).
    """
    if is_mine_after:
        return mine not in (STOP, RESTART)
    return other in (STOP, RESTART)
