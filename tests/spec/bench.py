"""Units put into any state with any job, for tables that look at one step of the engine.

    bench = Bench(unit("a", requires=["b"]), unit("b"))
    bench.put("b", "active")
    bench.job("a", JobType.START, JobState.RUNNING)
    bench.change("b", SubState.FAILED)
    assert bench.jobs() == {...}

Nothing is run and no time passes: what is queued stays queued, so that a row sees what was asked for and not what came of it later.
"""

from supervisor.engine import Engine
from supervisor.engine import lifecycle as life
from supervisor.engine.record import Job, UnitState
from supervisor.model.effects import FinishJob
from supervisor.model.events import Instant
from supervisor.model.specification import Unit
from supervisor.model.states import ActiveState, JobMode, JobResult, JobState, JobType, SubState

# One sub state for each active state, as a service has it.
SUB_OF = {
    ActiveState.INACTIVE: SubState.DEAD,
    ActiveState.FAILED: SubState.FAILED,
    ActiveState.ACTIVATING: SubState.START,
    ActiveState.ACTIVE: SubState.RUNNING,
    ActiveState.RELOADING: SubState.RELOAD,
    ActiveState.DEACTIVATING: SubState.STOP_SIGTERM,
}
# The kinds of job that a queue holds; all others come to one of these when they are asked for.
TYPES = (JobType.START, JobType.VERIFY_ACTIVE, JobType.STOP, JobType.RELOAD, JobType.RESTART)


class Bench:
    """An engine whose records are set by hand."""

    def __init__(self, *units: Unit) -> None:
        self.engine = Engine({each.id: each for each in units}, seed="bench")
        self.core = self.engine.core
        self.core.now = Instant(1_000_000_000, 1_700_000_000_000_000)
        self._job_id = 100

    def put(self, name: str, active: ActiveState | str) -> UnitState:
        """The unit has been in this state for ever."""
        state = self.core.state_of(name)
        state.sub = SUB_OF[ActiveState(active)]
        (self.core.not_down.discard if state.active.is_down else self.core.not_down.add)(name)
        return state

    def job(self, name: str, type_: JobType, job_state: JobState = JobState.WAITING) -> Job:
        """The unit has this job."""
        self._job_id += 1
        state = self.core.state_of(name)
        self.core.job_count += state.job is None
        state.job = Job(self._job_id, type_, name, job_state)
        return state.job

    def change(self, name: str, sub: SubState) -> None:
        """The unit enters this state."""
        life.set_state(self.core, self.core.state_of(name), sub)

    def settle(self) -> None:
        """The moment after, when everything else has been done."""
        self.engine.reactions.settle()

    def ask(self, type_: JobType, name: str, mode: JobMode = JobMode.REPLACE) -> int:
        return self.engine.jobs.enqueue(type_, name, mode, by="a test")

    def finish(self, name: str, result: JobResult) -> None:
        """The unit's job ends, and whoever waited for it is told."""
        self.engine.jobs.finish(self.core.state_of(name), result)
        self.engine.jobs.tell_failures()

    def result(self, job: Job) -> str | None:
        """How a job ended; None while it is queued."""
        found = [str(effect.result) for effect in self.core.out if isinstance(effect, FinishJob) and effect.job == job.id]
        return found[0] if found else None

    def jobs(self) -> dict[str, str]:
        """The types of all queued jobs by unit."""
        return {name: str(state.job.type) for name, state in sorted(self.core.states.items()) if state.job is not None}
