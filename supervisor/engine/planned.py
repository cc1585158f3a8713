"""Jobs to be: what a transaction is built of. A unit may have several until they are merged."""

from supervisor.model.states import JobType


class Planned:
    """One job to be. `needs` maps another job to whether that one matters to this; `needed_by` is the same links from the other end."""

    __slots__ = ("is_wanted_by_root", "matters", "needed_by", "needs", "type", "unit", "waived")

    def __init__(self, type_: JobType, unit: str) -> None:
        self.type = type_
        self.unit = unit
        self.matters = False  # to the anchor
        self.waived: list[str] = []  # units that a stop would wait for, were that not a circle
        self.is_wanted_by_root = False  # asked for directly, without being the anchor (boot)
        self.needs: dict[Planned, bool] = {}
        self.needed_by: dict[Planned, None] = {}


def link(job: Planned, needed: Planned, *, matters: bool) -> None:
    """One wish more of a job for another: it matters if any of them does."""
    job.needs[needed] = job.needs.get(needed, False) or matters
    needed.needed_by[job] = None
