"""Whether a service is started again, when, and how often it may be (SEMANTICS 5.5; systemd.service(5), systemd.unit(5)).

Pure functions of a specification and a record. Nothing is changed here but the start-limit window, by `take_start`.
"""

from supervisor.engine.record import UnitState
from supervisor.model.specification import Service, StatusSet, Unit
from supervisor.model.states import ExitCode, JobType, Result

# restart= -> the results after which it restarts. A skipped condition never restarts.
_FAILURES = frozenset(Result) - {Result.SUCCESS, Result.EXEC_CONDITION}
RESTARTS_AFTER: dict[str, frozenset[Result]] = {
    "no": frozenset(),
    "always": frozenset(Result) - {Result.EXEC_CONDITION},
    "on-success": frozenset({Result.SUCCESS}),
    "on-failure": _FAILURES,
    "on-abnormal": _FAILURES - {Result.EXIT_CODE},
    "on-abort": frozenset({Result.SIGNAL, Result.CORE_DUMP}),
    "on-watchdog": frozenset({Result.WATCHDOG}),
}


def matches(status_set: StatusSet, code: ExitCode | None, status: int) -> bool:
    """Whether a process that ended so is in the list. An end that nobody saw has status 0, which is no signal."""
    return status in (status_set.codes if code == ExitCode.EXITED else status_set.signals)


def shall_restart(service: Service, state: UnitState) -> tuple[bool, str]:
    """Whether the service is started again after it ended as its record tells, and the reason for `why`."""
    if state.job is not None and state.job.type == JobType.STOP:
        return False, "a stop job is queued for it"
    if state.forbids_restart:
        return False, "it was stopped on request"
    if matches(service.restart_prevent_exit_status, state.main_code, state.main_status):
        return False, f"restart_prevent_exit_status holds {state.main_status}"
    if service.max_attempts is not None and state.attempt >= service.max_attempts:
        return False, f"attempt {state.attempt} of {service.max_attempts} was the last"
    if matches(service.restart_force_exit_status, state.main_code, state.main_status):
        if service.type == "oneshot" and state.result == Result.SUCCESS:
            return False, "a oneshot that succeeded is never restarted"
        return True, f"restart_force_exit_status holds {state.main_status}"
    if state.result in RESTARTS_AFTER[service.restart]:
        return True, f"restart = {service.restart} applies to result {state.result}"
    return False, f"restart = {service.restart} does not apply to result {state.result}"


def delay_us(service: Service, step: int, chance: float) -> int | None:
    """The wait before restart `step` (from 1): restart_sec, growing geometrically to the maximum; None is for ever.

    `chance`, 0..1, is where in its jitter this restart lies. systemd.service(5): RestartSteps=, RestartMaxDelaySec=.
    """
    base, most = service.restart_us, service.restart_max_delay_us
    if base is None:
        return None
    delay = float(base)
    if service.restart_steps > 0 and most is not None and most > base:
        if step > service.restart_steps:
            delay = float(most)
        elif step > 1:
            start = max(base, 1)
            delay = start * (most / start) ** ((step - 1) / service.restart_steps)
    return int(delay * (1 + service.restart_jitter * chance))


def take_start(spec: Unit, state: UnitState, now_us: int) -> bool:
    """Count one start in the start-limit window; False if it is one too many (systemd's ratelimit_below)."""
    interval, burst = spec.start_limit_interval_us, spec.start_limit_burst
    if interval == 0 or burst == 0:
        return True
    if not state.limit_from_us or (interval is not None and now_us - state.limit_from_us > interval):
        state.limit_from_us, state.limit_count = now_us, 1
        return True
    if state.limit_count < burst:
        state.limit_count += 1
        return True
    return False


def window_end_us(spec: Unit, state: UnitState) -> int | None:
    """When a start is allowed again; None: never by itself."""
    interval = spec.start_limit_interval_us
    return None if interval is None else state.limit_from_us + interval + 1
