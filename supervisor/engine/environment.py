"""The variables that only the engine knows: what a process is told about its unit's life (`systemd.exec(5)`).

The shell adds them to what the unit file says. Nothing is decided here.
"""

from supervisor.engine.core import Core
from supervisor.engine.record import Process, UnitState
from supervisor.model.exitstatus import signal_name
from supervisor.model.states import ExitCode, Phase

Variables = tuple[tuple[str, str], ...]

_STARTING = frozenset({Phase.CONDITION, Phase.START_PRE, Phase.START, Phase.START_POST})
_STOPPING = frozenset({Phase.STOP, Phase.STOP_POST})


def exit_status_text(code: ExitCode | None, status: int) -> str:
    """$EXIT_STATUS: the number of an exit, the name of a signal without SIG, "" where unknown."""
    if code is None or code == ExitCode.UNKNOWN:
        return ""
    if code == ExitCode.EXITED:
        return str(status)
    return signal_name(status)


def watchdog_us(core: Core, state: UnitState) -> int | None:
    """The watchdog's span in force: the unit's own or what WATCHDOG_USEC= set; None: off."""
    if state.watchdog_us >= 0:
        return state.watchdog_us or None
    service = core.specs[state.name].service
    return (service.watchdog_us or None) if service else None


def variables(core: Core, state: UnitState, process: Process, *, is_main: bool) -> Variables:
    """MAINPID, SERVICE_RESULT, EXIT_CODE, EXIT_STATUS, WATCHDOG_USEC and MONITOR_*, where each applies."""
    out: list[tuple[str, str]] = []
    if state.main is not None and state.main.pid and not is_main:
        out.append(("MAINPID", str(state.main.pid)))
    if process.phase in _STOPPING:
        out.append(("SERVICE_RESULT", state.result))
        if state.main_code is not None and state.main_code != ExitCode.UNKNOWN:
            out.append(("EXIT_CODE", state.main_code))
            out.append(("EXIT_STATUS", exit_status_text(state.main_code, state.main_status)))
    if is_main and (span := watchdog_us(core, state)) is not None:
        out.append(("WATCHDOG_USEC", str(span)))
    if process.phase in _STARTING:
        out.extend(state.monitor.items())
    return tuple(out)


def monitor_variables(state: UnitState) -> dict[str, str]:
    """MONITOR_*: what a unit started by our on_failure or on_success is told of us."""
    out = {
        "MONITOR_SERVICE_RESULT": str(state.result),
        "MONITOR_INVOCATION_ID": state.invocation_id,
        "MONITOR_UNIT": state.name,
    }
    if state.main_code is not None and state.main_code != ExitCode.UNKNOWN:
        out["MONITOR_EXIT_CODE"] = str(state.main_code)
        out["MONITOR_EXIT_STATUS"] = exit_status_text(state.main_code, state.main_status)
    return out
