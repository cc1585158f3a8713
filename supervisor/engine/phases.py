"""The sub states in groups, the commands of each phase, and how a process leaves a unit's books: what every part of a life needs.

It decides nothing. Source of the groups: SEMANTICS 5.4.
"""

from supervisor.engine.core import Core
from supervisor.engine.record import Process, UnitState
from supervisor.model.effects import Forget
from supervisor.model.specification import Command, Service
from supervisor.model.states import ACTIVE_OF, Phase, SubState

S = SubState
SIGKILL = 9

SIGTERM_STATES = frozenset({S.STOP_SIGTERM, S.FINAL_SIGTERM})
SIGKILL_STATES = frozenset({S.STOP_SIGKILL, S.FINAL_SIGKILL})
WATCHDOG_STATES = frozenset({S.STOP_WATCHDOG, S.FINAL_WATCHDOG})
KILL_STATES = SIGTERM_STATES | SIGKILL_STATES | WATCHDOG_STATES
FINAL_STATES = frozenset({S.FINAL_WATCHDOG, S.FINAL_SIGTERM, S.FINAL_SIGKILL})
STARTING_STATES = frozenset({S.CONDITION, S.START_PRE, S.START, S.START_POST})
RELOAD_STATES = frozenset({S.RELOAD, S.RELOAD_SIGNAL, S.RELOAD_NOTIFY})
DOWN_STATES = frozenset(sub for sub, active in ACTIVE_OF.items() if active.is_down)


def service_of(core: Core, state: UnitState) -> Service:
    service = core.specs[state.name].service
    assert service is not None, f"{state.name} is no service"
    return service


def commands_of(service: Service, phase: Phase) -> tuple[Command, ...]:
    return {
        Phase.CONDITION: service.exec_condition,
        Phase.START_PRE: service.exec_start_pre,
        Phase.START: service.exec_start,
        Phase.START_POST: service.exec_start_post,
        Phase.RELOAD: service.exec_reload,
        Phase.STOP: service.exec_stop,
        Phase.STOP_POST: service.exec_stop_post,
    }[phase]


def forget(core: Core, state: UnitState, process: Process) -> None:
    """Give up a process that has no pid yet, or close the books of one that ended."""
    if process.stage == "idle":
        core.idle_pending.pop(state.name, None)
    if process.run:
        core.emit(Forget(state.name, process.run))
    if state.main is process:
        state.main = None
    elif state.control is process:
        state.control = None
