"""What a process is told of its unit's life: which variables, in which phase, for whom (systemd.exec(5), Environment Variables Set ...)."""

from itertools import product

import pytest

from supervisor.engine import environment
from supervisor.engine.record import Process
from supervisor.model.states import ExitCode, Phase, Result
from tests.spec.bench import Bench
from tests.spec.build import target, unit

STARTING = {Phase.CONDITION, Phase.START_PRE, Phase.START, Phase.START_POST}
STOPPING = {Phase.STOP, Phase.STOP_POST}
ENDS = {
    # how the main process ended: what is said of it
    (None, 0): {},
    (ExitCode.UNKNOWN, 0): {},
    (ExitCode.EXITED, 0): {"EXIT_CODE": "exited", "EXIT_STATUS": "0"},
    (ExitCode.EXITED, 15): {"EXIT_CODE": "exited", "EXIT_STATUS": "15"},
    (ExitCode.KILLED, 15): {"EXIT_CODE": "killed", "EXIT_STATUS": "TERM"},
    (ExitCode.DUMPED, 6): {"EXIT_CODE": "dumped", "EXIT_STATUS": "ABRT"},
}


@pytest.mark.parametrize("is_main", [True, False])
@pytest.mark.parametrize("phase", Phase)
def test_each_phase_is_told_what_concerns_it(phase: Phase, is_main: bool) -> None:
    for (code, status), said in ENDS.items():
        for has_main, has_pid, is_triggered, watchdog_us in product((True, False), (True, False), (True, False), (None, 0, 5)):
            bench = Bench(unit("a", watchdog_us=watchdog_us))
            state = bench.put("a", "active")
            state.main = Process(Phase.START, 0, 7, 1007 if has_pid else 0, "execed") if has_main else None
            state.result, state.main_code, state.main_status = Result.WATCHDOG, code, status
            state.monitor = {"MONITOR_UNIT": "x"} if is_triggered else {}
            expected: dict[str, str] = {}
            if has_main and has_pid and not is_main:
                expected["MAINPID"] = "1007"
            if phase in STOPPING:
                expected |= {"SERVICE_RESULT": "watchdog", **said}
            if is_main and watchdog_us:
                expected["WATCHDOG_USEC"] = "5"
            if phase in STARTING and is_triggered:
                expected["MONITOR_UNIT"] = "x"
            told = environment.variables(bench.core, state, Process(phase, 0, 9), is_main=is_main)
            assert dict(told) == expected
            assert len(told) == len(expected)


@pytest.mark.parametrize("own", [-1, 0, 7])
@pytest.mark.parametrize("written", [None, 0, 5])
def test_the_watchdog_in_force_is_the_service_s_own_or_the_one_of_its_file(written: int | None, own: int) -> None:
    bench = Bench(unit("a", watchdog_us=written), target("t"))
    state = bench.put("a", "active")
    state.watchdog_us = own
    assert environment.watchdog_us(bench.core, state) == ((written or None) if own < 0 else (own or None))
    assert environment.watchdog_us(bench.core, bench.put("t", "inactive")) is None


@pytest.mark.parametrize("end", ENDS)
def test_who_is_triggered_is_told_by_whom_and_how_that_ended(end: tuple[ExitCode | None, int]) -> None:
    bench = Bench(unit("a"))
    state = bench.put("a", "failed")
    state.result, state.invocation_id, (state.main_code, state.main_status) = Result.TIMEOUT, "id", end
    said = {f"MONITOR_{name}": value for name, value in ENDS[end].items()}
    told = {"MONITOR_SERVICE_RESULT": "timeout", "MONITOR_INVOCATION_ID": "id", "MONITOR_UNIT": "a", **said}
    assert environment.monitor_variables(state) == told
