"""When the engine must be woken, derived from state, and what it means when that time has come (SEMANTICS 5.6).

No deadline is ever set or cancelled: each is computed from its unit's record, so no path can forget one. The heap below holds
what was computed last; an entry that no longer agrees with its unit is dropped when it is met.

Invariant: `next_deadline` equals the least `deadline_of` over all units.
"""

from heapq import heappop, heappush

from supervisor.engine import environment, killing, phases, probing
from supervisor.engine import lifecycle as life
from supervisor.engine.core import Core
from supervisor.engine.phases import S
from supervisor.engine.record import UnitState
from supervisor.model.specification import SECOND_US, Service
from supervisor.model.states import JobType, Result, SubState

IDLE_WAIT_US = 5 * SECOND_US  # how long type idle waits for the queue at most (systemd.service(5))
CHECK_TIMEOUT_US = 90 * SECOND_US  # how long conditions may take to evaluate (a hung network file system)

_WATCHED_STATES = frozenset({S.START_POST, S.RUNNING, *phases.RELOAD_STATES})


def span_us(service: Service, state: UnitState) -> int | None:
    """How long the unit may stay in its present sub state; None: for ever."""
    sub = state.sub
    if sub == S.START and service.type in ("simple", "idle") and state.main is not None and not state.main.is_running:
        return None  # one that runs and is still not up waits for what another definition, replaced meanwhile, had promised
    if sub in phases.STARTING_STATES or sub in phases.RELOAD_STATES:
        return service.timeout_start_us
    if sub in phases.WATCHDOG_STATES:
        return service.timeout_abort_us
    if sub in (S.STOP, S.STOP_SIGTERM, S.STOP_SIGKILL, S.STOP_POST, S.FINAL_SIGTERM, S.FINAL_SIGKILL):
        return service.timeout_stop_us
    return None


def state_deadline_of(service: Service, state: UnitState) -> int | None:
    """When the present sub state has lasted too long."""
    if state.sub == S.AUTO_RESTART:
        is_going_down = state.job is not None and state.job.type == JobType.STOP
        return state.restart_at_us if state.restart_at_us > 0 and not is_going_down else None
    if state.sub == S.RUNNING:
        at = None if service.runtime_max_us is None else state.up_since_us + service.runtime_max_us
    else:
        span = span_us(service, state)
        at = None if span is None else state.timer_from_us + span
    return None if at is None else max(at, state.extended_us)


def watchdog_deadline_of(core: Core, state: UnitState) -> int | None:
    if state.sub not in _WATCHED_STATES or not state.watchdog_from_us:
        return None
    span = environment.watchdog_us(core, state)
    return None if span is None else state.watchdog_from_us + span


def deadline_of(core: Core, state: UnitState) -> int | None:
    """The next moment (monotonic microseconds) at which this unit must be looked at."""
    times = []
    if state.check and state.job is not None:
        times.append(state.job.began_us + CHECK_TIMEOUT_US)
    if state.upheld_retry_us:
        times.append(state.upheld_retry_us)
    spec = core.specs.get(state.name)
    if spec is not None and spec.service is not None:
        if (at := state_deadline_of(spec.service, state)) is not None:
            times.append(at)
        if (at := watchdog_deadline_of(core, state)) is not None:
            times.append(at)
        if state.name in core.idle_pending:
            times.append(state.entered_us + IDLE_WAIT_US)
    return min(times) if times else None


class Deadlines:
    """The heap of what was computed last."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._armed: dict[str, int] = {}

    def update(self, core: Core, name: str) -> None:
        """Compute one unit's deadline again after it was touched."""
        state = core.states.get(name)
        at = None if state is None else deadline_of(core, state)
        if at is None:
            self._armed.pop(name, None)
        elif self._armed.get(name) != at:
            self._armed[name] = at
            heappush(self._heap, (at, name))

    def next(self) -> int | None:
        """The earliest deadline, or None: then the engine need not be woken at all."""
        heap = self._heap
        while heap and self._armed.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now_us: int) -> list[str]:
        """The units whose deadline has come, earliest first."""
        names = []
        while (at := self.next()) is not None and at <= now_us:
            _, name = heappop(self._heap)
            del self._armed[name]
            names.append(name)
        return names


def waits_for(service: Service, state: UnitState) -> str:
    """What a unit that is starting or reloading waits for, in words; "" where its state says it all."""
    if state.sub in (S.RELOAD_SIGNAL, S.RELOAD_NOTIFY):
        return "it has not said that the reload is over (READY=1)"
    if state.sub not in (S.START, S.START_POST):
        return ""
    if state.pid_file_token:
        return f"its PID file {service.pid_file} names no process of it" if service.pid_file else "its main process is not known"
    if state.probe_stage:
        kinds = ", ".join(f"{probe.kind} {probe.target}".strip() for probe in service.probes if probe.stage == state.probe_stage)
        return f"its {state.probe_stage} probes do not all hold yet ({kinds})"
    if state.sub == S.START and service.type in ("notify", "notify-reload"):
        return "it has not said READY=1"
    return ""


# -- when it is time ---------------------------------------------------------------------------------------------------


def on_state_timeout(core: Core, state: UnitState) -> None:
    """The present sub state has lasted too long (service_dispatch_timer). Automatic restarts are the engine's affair."""
    service = phases.service_of(core, state)
    sub = state.sub
    if sub == S.RUNNING:
        core.note(state.name, "timeout", "it ran for runtime_max_sec and is stopped")
        life.enter_stop(core, state, Result.TIMEOUT)
        return
    text = f"{sub} took longer than {_key_of(sub)} ({(span_us(service, state) or 0) / 1_000_000:g} s) allows"
    text += f": {waited}" if (waited := waits_for(service, state)) else ""
    core.note(state.name, "timeout", text, state=sub)
    if sub not in phases.RELOAD_STATES and not state.failed_text:
        state.failed_step, state.failed_text = str(sub), text
    if sub in phases.STARTING_STATES:
        probing.stop(core, state)
        _escalate(core, state, service.timeout_start_failure_mode, is_final=False)
    elif sub in phases.RELOAD_STATES:
        killing.kill_control(core, state)
        state.reload_result = Result.TIMEOUT
        state.notify_state = "ready" if state.notify_state == "reloading" else state.notify_state
        life.enter_running(core, state, Result.SUCCESS)
    elif sub == S.STOP:
        _escalate(core, state, service.timeout_stop_failure_mode, is_final=False)
    elif sub == S.STOP_POST:
        _escalate(core, state, service.timeout_stop_failure_mode, is_final=True)
    elif sub in (S.STOP_SIGTERM, S.FINAL_SIGTERM) and service.timeout_stop_failure_mode == "abort":
        life.enter_signal(core, state, S.STOP_WATCHDOG if sub == S.STOP_SIGTERM else S.FINAL_WATCHDOG, Result.TIMEOUT)
    elif sub in (S.STOP_SIGTERM, S.STOP_WATCHDOG):
        _escalate(core, state, "kill", is_final=False)
    elif sub in (S.FINAL_SIGTERM, S.FINAL_WATCHDOG):
        _escalate(core, state, "kill", is_final=True)
    elif sub == S.STOP_SIGKILL:
        life.enter_stop_post(core, state, Result.TIMEOUT)
    elif sub == S.FINAL_SIGKILL:
        core.note(state.name, "timeout", "processes are left even after SIGKILL; nothing more can be done about them")
        life.enter_dead(core, state, Result.TIMEOUT, allows_restart=True)


def _escalate(core: Core, state: UnitState, mode: str, *, is_final: bool) -> None:
    """terminate, abort or kill, as timeout_*_failure_mode says (`systemd.service(5)`)."""
    if mode == "terminate":
        life.enter_signal(core, state, S.FINAL_SIGTERM if is_final else S.STOP_SIGTERM, Result.TIMEOUT)
    elif mode == "abort":
        life.enter_signal(core, state, S.FINAL_WATCHDOG if is_final else S.STOP_WATCHDOG, Result.TIMEOUT)
    elif phases.service_of(core, state).send_sigkill:
        life.enter_signal(core, state, S.FINAL_SIGKILL if is_final else S.STOP_SIGKILL, Result.TIMEOUT)
    elif is_final:
        life.enter_dead(core, state, Result.TIMEOUT, allows_restart=False)
    else:
        life.enter_stop_post(core, state, Result.TIMEOUT)


def _key_of(sub: SubState) -> str:
    if sub in phases.STARTING_STATES or sub in phases.RELOAD_STATES:
        return "timeout_start_sec"
    return "timeout_abort_sec" if sub in phases.WATCHDOG_STATES else "timeout_stop_sec"


def on_watchdog(core: Core, state: UnitState, text: str) -> None:
    """No WATCHDOG=1 in time, or the service asked for it (WATCHDOG=trigger)."""
    core.note(state.name, "watchdog", text)
    state.failed_text = text
    life.enter_signal(core, state, S.STOP_WATCHDOG, Result.WATCHDOG)
