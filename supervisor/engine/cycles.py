"""Circles in the order of planned and queued jobs (systemd's transaction_verify_order_one).

A circle is found, not broken: what is given up is the transaction's affair. Iterative: a chain of ten thousand units must not meet the
interpreter's recursion limit.
"""

from collections.abc import Iterator, Mapping, Sequence

from supervisor.engine import jobtypes
from supervisor.engine.core import Core
from supervisor.engine.planned import Planned
from supervisor.model.states import JobType

Jobs = Mapping[str, Sequence[Planned]]


def find(core: Core, jobs: Jobs) -> list[str]:
    """The units of one circle, each of which would wait for the next and the last for the first; [] when there is none."""
    finished: set[str] = set()
    for start in jobs:
        if start in finished:
            continue
        path: list[str] = [start]
        on_path = {start}
        branches = [_waited_for(core, jobs, start)]
        while branches:
            other = next(branches[-1], None)
            if other is None:
                branches.pop()
                done = path.pop()
                on_path.discard(done)
                finished.add(done)
            elif other in on_path:
                return path[path.index(other) :]
            elif other not in finished:
                path.append(other)
                on_path.add(other)
                branches.append(_waited_for(core, jobs, other))
    return []


def _waited_for(core: Core, jobs: Jobs, unit: str) -> Iterator[str]:
    """The units whose planned or queued job this unit's job would wait for."""
    mine = _type_of(core, jobs, unit)
    if mine is None:
        return
    waived = _waived_by(core, jobs, unit)
    for kind, is_mine_after in (("after", True), ("before", False)):
        for other in core.graph.of(unit, kind):
            theirs = _type_of(core, jobs, other)
            if other not in waived and theirs is not None and jobtypes.waits_for(mine, theirs, is_mine_after=is_mine_after):
                yield other


def _waived_by(core: Core, jobs: Jobs, unit: str) -> list[str]:
    if planned := jobs.get(unit):
        return planned[0].waived
    queued = core.job_of(unit)
    return [] if queued is None else queued.waived


def _type_of(core: Core, jobs: Jobs, unit: str) -> JobType | None:
    if planned := jobs.get(unit):
        return planned[0].type
    queued = core.job_of(unit)
    return None if queued is None or queued.ignores_order else queued.type
