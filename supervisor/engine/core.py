"""What all parts of the engine share: the units, their records, the clock of this step, and the way out for effects.

It decides nothing. Laws: a record is changed only after `touch` (or through `state_of`, which touches); every decision goes
through `note`, so that `why` can tell it; nothing here or below reads a clock, draws a random number or does I/O.
"""

from collections.abc import Callable
from hashlib import blake2b

from supervisor.engine.graph import Graph
from supervisor.engine.record import BECAUSE_MAX, Job, Reason, UnitState
from supervisor.model.effects import Effect, Record
from supervisor.model.events import Instant
from supervisor.model.specification import Unit
from supervisor.model.states import ActiveState, SubState, Wanted


def _no_reaction(state: UnitState, old: SubState) -> None:
    raise AssertionError("the engine was not assembled")


class Core:
    """Shared state of one engine."""

    def __init__(self, units: dict[str, Unit], seed: str) -> None:
        self.specs = dict(units)
        self.aliases = {alias: name for name, spec in units.items() for alias in spec.aliases}
        self.graph = Graph(units)
        self.states: dict[str, UnitState] = {}
        self.seed = seed
        self.counter = 0  # runs, jobs and tokens are minted from it: a number is never used twice
        self.now = Instant(0, 0)
        self.out: list[Effect] = []
        self.changed: set[str] = set()
        self.waiting_changed: set[str] = set()  # whose jobs wait for others than before; derived, so no change of a record
        self.former: dict[str, Unit] = {}  # the definition a unit runs by, or ran by well, where another is in force now
        self.trials: dict[str, str] = {}  # units restarted for a new definition: "begun" or "failed" (reloading.py)
        self.former_changed: set[str] = set()
        self.vanished: set[str] = set()  # still up, but their unit file is gone
        self.leaving: tuple[int, str] | None = None  # exit status and reason of a shutdown under way
        self.left = False
        self.idle_pending: dict[str, None] = {}  # services of type idle that wait for the queue to be empty
        self.restarts_due: dict[str, None] = {}  # units whose restart has no delay, within the event that brought it about
        self.job_count = 0
        self.not_down: set[str] = set()  # units that are neither inactive nor failed
        self.impossible_count = 0
        # Set once by the Engine: what follows from a change of state.
        self.on_change: Callable[[UnitState, SubState], None] = _no_reaction

    # -- records ---------------------------------------------------------------------------------------------------

    def state_of(self, name: str) -> UnitState:
        """The record of a unit, to be changed."""
        state = self.states.get(name)
        if state is None:
            state = self.states[name] = UnitState(name)
        self.changed.add(name)
        return state

    def touch(self, state: UnitState) -> None:
        self.changed.add(state.name)

    def active(self, name: str) -> ActiveState:
        state = self.states.get(name)
        return ActiveState.INACTIVE if state is None else state.active

    def job_of(self, name: str) -> Job | None:
        state = self.states.get(name)
        return None if state is None else state.job

    def can_reload(self, name: str) -> bool:
        service = self.specs[name].service
        if service is None:
            return True  # a target: a reload is only passed on
        return bool(service.exec_reload) or service.type == "notify-reload"

    def is_kept_down(self, name: str) -> bool:
        """Whether a person's last word on this unit was stop."""
        state = self.states.get(name)
        return state is not None and state.intent is not None and state.intent.wanted == Wanted.DOWN

    # -- minting ---------------------------------------------------------------------------------------------------

    def mint(self) -> int:
        """The next run, job or token number."""
        self.counter += 1
        return self.counter

    def hash_of(self, *parts: object) -> str:
        """32 hexadecimal digits that depend on the seed and the parts only."""
        return blake2b(":".join((self.seed, *map(str, parts))).encode(), digest_size=16).hexdigest()

    # -- saying ----------------------------------------------------------------------------------------------------

    def emit(self, effect: Effect) -> None:
        self.out.append(effect)

    def note(self, name: str, what: str, text: str, cause: str = "", **fields: str | int | None) -> None:
        """Record a decision about a unit: for the event stream, history and `why`."""
        state = self.state_of(name)
        state.because.append(Reason(what, cause or name, self.now.wall_us, text))
        del state.because[:-BECAUSE_MAX]
        self.out.append(Record(name, what, text, tuple(fields.items())))
