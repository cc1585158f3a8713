"""Where a service's type decides: who is its main process, what its end before it was ready means, how it reloads (systemd.service(5))."""

from itertools import product

import pytest

from supervisor.engine.record import Process
from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.specification import Probe
from supervisor.model.states import ExitCode, JobMode, JobState, JobType, Phase, Result, SubState
from tests.spec.bench import Bench
from tests.spec.build import unit

S = SubState
TOKEN = 9


def _in(sub: SubState, *, main: bool = False, control: Phase | None = None, **keys: object) -> Bench:
    """A service in a state, with processes of it left that nobody knows by name."""
    bench = Bench(unit("a", **{"kill_mode": "process", **keys}))
    state = bench.put("a", "active")
    state.sub, state.is_empty, state.is_main_known = sub, False, main
    state.main = Process(Phase.START, 0, 7, 1007, "execed") if main else None
    state.control = Process(control, 0, 8, 1008, "execed") if control else None
    bench.core.counter = 10
    return bench


# -- an end before it was ready ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("access", ["none", "main", "exec", "all"])
@pytest.mark.parametrize("remains", [False, True])
@pytest.mark.parametrize("stage", ["", "startup", "ready"])
@pytest.mark.parametrize("type_", ["exec", "notify", "notify-reload"])
def test_who_ends_before_it_was_ready(type_: str, stage: str, remains: bool, access: str) -> None:
    """A start that waits for a word or a probe fails with its main process, unless another process may still speak for one that remains."""
    probes = [Probe("startup", "tcp", "127.0.0.1:1"), Probe("ready", "tcp", "127.0.0.1:1")] if stage else []
    for status, by_override in product((0, 3), (False, True)):
        bench = _in(
            S.START,
            main=True,
            type=type_,
            remain_after_exit=remains,
            probes=probes,
            exec_stop="stop",
            exec_start_post="post",
            notify_access="exec" if by_override else access,
        )
        state = bench.core.states["a"]
        state.notify_access = access if by_override else ""
        state.probe_stage, state.probe_token = stage, TOKEN if stage else 0
        bench.engine.handle(ev.Exited("a", 7, ExitCode.EXITED, status), bench.core.now)
        is_awaited = type_ != "exec" or stage != ""
        if status:
            expected = (S.FAILED, Result.EXIT_CODE)
        elif not is_awaited:
            expected = (S.EXITED, Result.SUCCESS) if remains else (S.STOP, Result.SUCCESS)
        elif not stage and remains and access != "main":
            expected = (S.START, Result.SUCCESS)
        else:
            expected = (S.FAILED, Result.PROTOCOL)
        assert (state.sub, state.result) == expected


@pytest.mark.parametrize("is_main_known", [True, False])
def test_when_nobody_is_left_who_could_say_that_it_is_ready(is_main_known: bool) -> None:
    bench = _in(S.START, type="notify", remain_after_exit=True, notify_access="main")
    state = bench.core.states["a"]
    state.is_main_known, state.empty_token = is_main_known, TOKEN
    bench.engine.handle(ev.Emptied("a", TOKEN), bench.core.now)
    assert (state.sub, state.result) == ((S.FAILED, Result.PROTOCOL) if is_main_known else (S.START, Result.SUCCESS))


# -- type forking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("post", [[], ["post"]])
@pytest.mark.parametrize("pid_file", ["", "/run/a.pid"])
@pytest.mark.parametrize("status", [0, 3])
@pytest.mark.parametrize("is_last", [False, True])
def test_the_end_of_the_parent_asks_for_the_pid_file_which_exec_start_post_or_who_is_left_may_still_write(
    is_last: bool, status: int, pid_file: str, post: list[str]
) -> None:
    bench = _in(S.START, control=Phase.START, type="forking", pid_file=pid_file, exec_start_post=post)
    bench.core.states["a"].is_empty = False
    bench.engine.handle(ev.Exited("a", 8, ExitCode.EXITED, status, is_last=is_last), bench.core.now)
    state = bench.core.states["a"]
    asked = [(effect.path, effect.waits) for effect in bench.core.out if isinstance(effect, do.ReadPidFile)]
    assert asked == ([(pid_file, bool(pid_file) and not post and not is_last)] if status == 0 else [])
    assert (state.main_code, state.main_status) == ((None, 0) if status == 0 else (ExitCode.EXITED, 3))
    assert (state.sub, state.result) == ((S.START, Result.SUCCESS) if status == 0 else (S.FAILED, Result.EXIT_CODE))


@pytest.mark.parametrize("pid_file", ["", "/run/a.pid"])
@pytest.mark.parametrize("type_", ["forking", "exec"])
@pytest.mark.parametrize("main", [True, False])
def test_after_exec_start_post_a_pid_file_that_nobody_has_read_is_waited_for(main: bool, type_: str, pid_file: str) -> None:
    bench = _in(S.START_POST, main=main, control=Phase.START_POST, type=type_, pid_file=pid_file, exec_start_post="post")
    bench.core.states["a"].is_empty = False
    bench.engine.handle(ev.Exited("a", 8, ExitCode.EXITED, 0), bench.core.now)
    asks = type_ == "forking" and not main and pid_file != ""
    assert [effect.waits for effect in bench.core.out if isinstance(effect, do.ReadPidFile)] == ([True] if asks else [])
    assert bench.core.states["a"].sub == (S.START_POST if asks else S.RUNNING)


@pytest.mark.parametrize("pid", [0, 1009])
@pytest.mark.parametrize("pid_file", ["", "/run/a.pid"])
@pytest.mark.parametrize("sub", [S.START, S.START_POST, S.RUNNING])
def test_what_a_pid_file_says(sub: SubState, pid_file: str, pid: int) -> None:
    bench = _in(sub, type="forking", pid_file=pid_file, exec_stop="stop")
    state = bench.core.states["a"]
    state.pid_file_token = TOKEN
    bench.engine.handle(ev.PidFileRead("a", TOKEN, pid, text="" if pid else "cannot read it"), bench.core.now)
    assert state.pid_file_token == 0
    assert (state.main.pid if state.main else 0) == pid
    lost = {S.START: S.FAILED, S.START_POST: S.STOP}.get(sub) if pid_file and not pid else None
    assert (state.sub, state.result) == ((lost, Result.PROTOCOL) if lost else (S.RUNNING, Result.SUCCESS))
    assert state.failed_text == ("cannot read it" if lost else "")


# -- reloads -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], ["again"]])
@pytest.mark.parametrize("main", [True, False])
@pytest.mark.parametrize("type_", ["exec", "notify", "notify-reload"])
def test_a_reload_is_by_signal_or_by_command_or_both(type_: str, main: bool, command: list[str]) -> None:
    bench = _in(S.RUNNING, main=main, type=type_, exec_reload=command, reload_signal=10)
    state = bench.core.states["a"]
    state.reload_result = Result.TIMEOUT
    job = bench.job("a", JobType.RELOAD)
    bench.engine.jobs.wake("a")
    bench.engine.jobs.run_ready()
    is_signalled = type_ == "notify-reload" and main
    kills = [effect for effect in bench.core.out if isinstance(effect, do.Kill)]
    assert kills == ([do.Kill("a", 10, "main", (1007,), (7,), and_continue=True)] if is_signalled else [])
    assert state.sub == (S.RELOAD if command else S.RELOAD_SIGNAL if is_signalled else S.RUNNING)
    assert (state.reload_begin_us == bench.core.now.mono_us) == is_signalled
    assert state.reload_result == Result.SUCCESS
    assert bench.result(job) == (None if command or is_signalled else "done")


# -- on the way down -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sub", [S.DEAD_BEFORE_AUTO_RESTART, S.FAILED_BEFORE_AUTO_RESTART, S.DEAD, S.FAILED])
def test_an_end_that_a_restart_follows_is_a_failure_and_no_end(sub: SubState) -> None:
    """OnFailure= fires before each automatic restart; OnSuccess= and the actions do not (TEST-23; unit_notify)."""
    is_last = sub in (S.DEAD, S.FAILED)
    has_failed = sub in (S.FAILED, S.FAILED_BEFORE_AUTO_RESTART)
    for action in ("failure_action", "success_action"):
        bench = Bench(unit("a", on_failure=["alarm"], on_success=["next"], **{action: "exit"}), unit("alarm"), unit("next"))
        state = bench.put("a", "deactivating")
        state.monitor = {"MONITOR_UNIT": "x"}
        bench.change("a", sub)
        assert (bench.core.leaving is not None) == (is_last and (action == "failure_action") == has_failed)
        if bench.core.leaving is None:
            assert bench.jobs() == ({"alarm": "start"} if has_failed else {"next": "start"} if is_last else {})
        assert state.monitor == ({} if is_last else {"MONITOR_UNIT": "x"})


def test_leaving_stops_what_is_up_or_has_a_job_and_for_good() -> None:
    bench = Bench(*map(unit, ("up", "starting", "queued", "down", "failed")))
    bench.put("up", "active")
    bench.put("starting", "activating")
    bench.put("failed", "failed")
    bench.put("down", "inactive")
    bench.job("queued", JobType.START)
    bench.job("starting", JobType.START, JobState.RUNNING)
    bench.engine.reactions.begin_leaving(0, "shutdown")
    assert bench.jobs() == dict.fromkeys(("queued", "starting", "up"), "stop")
    for name in bench.jobs():
        job = bench.core.job_of(name)
        assert job is not None
        assert job.is_irreversible


@pytest.mark.parametrize("mode", [JobMode.REPLACE, JobMode.FAIL])
def test_what_a_hook_starts_is_asked_for_in_the_mode_that_the_unit_names(mode: JobMode) -> None:
    """systemd.unit(5), OnFailureJobMode=."""
    bench = Bench(unit("a", on_failure=["b"], on_failure_job_mode=str(mode)), unit("b"))
    bench.put("a", "active")
    bench.put("b", "deactivating")
    bench.job("b", JobType.STOP)
    bench.change("a", S.FAILED)
    assert bench.jobs() == {"b": "start" if mode == JobMode.REPLACE else "stop"}
