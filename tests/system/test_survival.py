"""What outlives supd's own death: the manager's, answered by the keeper; the keeper's, answered by the next supd."""

import os
import shutil
import signal
import socket
import subprocess

import pytest

import supervisor
from tests.system.arrival import Deadline, ends_in_time
from tests.system.conftest import StartSupd
from tests.system.descent import descendants
from tests.system.supd import Supd
from tests.system.users import PROGRAMS

TICKING = """
[service]
exec_start = "sh -c 'trap \\"exit 7\\" USR1; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done'"
restart = "on-failure"
"""
AS_PID_1 = ["unshare", "--pid", "--fork", "--mount-proc"]
PYTHON_IGNORES = "1001000"  # SIGPIPE and SIGXFSZ: the interpreter's own doing, after exec
UNITS = {
    "ticking": TICKING,
    "leaning": '[unit]\ndepends_on = ["ticking"]\n[service]\nexec_start = "sleep 1000"\n',
    "speaking": """
[service]
type = "notify"
exec_start = "sh -c 'systemd-notify --ready --status=awake; trap \\"systemd-notify --status=asked\\" USR1; while :; do sleep 0.05; done'"
notify_access = "all"
""",
}


def _managers(supd: Supd) -> tuple[int, int]:
    version = supd.json("version")
    return version["keeper_pid"], version["manager_pid"]


def _kill_manager(supd: Supd) -> None:
    _, manager = _managers(supd)
    os.kill(manager, signal.SIGKILL)
    assert ends_in_time(manager, 10)
    deadline = Deadline(20)
    while _managers(supd)[1] == manager:
        assert deadline.remaining_s(), "no new manager came"


def _kill_keeper(supd: Supd) -> None:
    _kill_keeper_of(supd, _managers(supd)[1])


def _kill_keeper_of(supd: Supd, manager: int) -> None:
    os.kill(supd.keeper_pid, signal.SIGKILL)
    supd.wait_for_end(10)
    assert ends_in_time(manager, 10), "the manager leaves at once when the keeper is gone"


def _pids(supd: Supd) -> dict[str, int]:
    return {name: supd.show(name)["main_pid"] for name in ("ticking", "leaning")}


def test_a_manager_that_is_killed_is_replaced_and_no_service_notices(start_supd: StartSupd) -> None:
    supd = start_supd({name: UNITS[name] for name in ("ticking", "leaning")})
    supd.wait_until("leaning", "active")
    before = _pids(supd)
    _kill_manager(supd)
    assert _pids(supd) == before
    assert supd.show("ticking")["active_state"] == "active"


def test_what_a_service_wrote_while_there_was_no_manager_is_in_its_log(start_supd: StartSupd) -> None:
    supd = start_supd({"ticking": UNITS["ticking"]})
    supd.wait_for_line("ticking", "line 3\n")
    _kill_manager(supd)
    supd.wait_for_line("ticking", "line 30\n")
    lines = [line for line in supd.log("ticking").splitlines() if line.startswith("line ")]
    assert lines[:30] == [f"line {i}" for i in range(1, 31)]


def test_a_service_that_ended_while_there_was_no_manager_is_known_by_its_true_status(start_supd: StartSupd) -> None:
    supd = start_supd({"ticking": UNITS["ticking"].replace('restart = "on-failure"', 'restart = "no"')})
    pid = supd.wait_until("ticking", "active")["main_pid"]
    _, manager = _managers(supd)
    os.kill(manager, signal.SIGSTOP)
    os.kill(pid, signal.SIGUSR1)
    os.kill(manager, signal.SIGKILL)
    shown = supd.wait_until("ticking", "failed")
    assert (shown["exec_main_code"], shown["exec_main_status"]) == ("exited", 7)


def test_a_keeper_that_is_killed_leaves_its_services_to_the_next_supd(start_supd: StartSupd) -> None:
    supd = start_supd({name: UNITS[name] for name in ("ticking", "leaning")})
    supd.wait_until("leaning", "active")
    before = _pids(supd)
    _kill_keeper(supd)
    supd.start()
    assert _pids(supd) == before
    assert supd.show("ticking")["n_restarts"] == 0


def test_a_manager_that_hangs_dies_with_its_keeper_too(start_supd: StartSupd) -> None:
    supd = start_supd({"leaning": '[service]\nexec_start = "sleep 1000"\n'})
    pid = supd.wait_until("leaning", "active")["main_pid"]
    _, manager = _managers(supd)
    os.kill(manager, signal.SIGSTOP)
    _kill_keeper_of(supd, manager)
    supd.start()
    assert supd.show("leaning")["main_pid"] == pid


def test_the_end_of_an_adopted_service_is_unknown_and_counts_as_a_failure(start_supd: StartSupd) -> None:
    supd = start_supd({"leaning": '[service]\nexec_start = "sleep 1000"\n'})
    pid = supd.wait_until("leaning", "active")["main_pid"]
    _kill_keeper(supd)
    supd.start()
    assert supd.show("leaning")["main_pid"] == pid  # it answers: the service is taken over
    os.kill(pid, signal.SIGKILL)
    shown = supd.wait_until("leaning", "failed")
    assert shown["exec_main_code"] == "unknown"


def test_a_service_that_died_with_the_keeper_is_seen_to_be_gone(start_supd: StartSupd) -> None:
    supd = start_supd({"ticking": UNITS["ticking"]})
    pid = supd.wait_until("ticking", "active")["main_pid"]
    _kill_keeper(supd)
    os.kill(pid, signal.SIGKILL)
    supd.start()
    supd.wait_for("ticking", "restarted", lambda shown: shown["main_pid"] not in (0, pid) and shown["active_state"] == "active")


def test_an_adopted_service_is_stopped_for_good_and_its_log_goes_on(start_supd: StartSupd) -> None:
    supd = start_supd({"ticking": UNITS["ticking"]})
    supd.wait_for_line("ticking", "line 3\n")
    _kill_keeper(supd)
    supd.start()
    supd.wait_for_line("ticking", "line 40\n")
    lines = [line for line in supd.log("ticking").splitlines() if line.startswith("line ")]
    assert lines[:40] == [f"line {i}" for i in range(1, 41)]
    supd.supctl("stop", "ticking")
    assert supd.show("ticking")["active_state"] == "inactive"
    supd.stop()


def test_an_adopted_service_outlives_the_next_manager_and_the_next_keeper_too(start_supd: StartSupd) -> None:
    supd = start_supd({name: UNITS[name] for name in ("ticking", "leaning")})
    supd.wait_until("leaning", "active")
    before = _pids(supd)
    _kill_keeper(supd)
    supd.start()
    _kill_manager(supd)
    assert _pids(supd) == before
    _kill_keeper(supd)
    supd.start()
    assert _pids(supd) == before


def test_an_adopted_service_is_heard_on_the_notify_socket_it_knows(start_supd: StartSupd) -> None:
    supd = start_supd({"speaking": UNITS["speaking"]})
    pid = supd.wait_until("speaking", "active")["main_pid"]
    _kill_keeper(supd)
    supd.start()
    os.kill(pid, signal.SIGUSR1)
    supd.wait_for("speaking", "heard", lambda shown: shown["status_text"] == "asked")


def test_two_supd_on_one_state_directory_are_one_too_many(start_supd: StartSupd) -> None:
    supd = start_supd({"leaning": '[service]\nexec_start = "sleep 1000"\n'})
    said = supd.run("supd", "--units", "units")
    assert said.returncode == 1
    assert "another supd already runs" in said.stderr
    assert supd.show("leaning")["active_state"] == "active"


def test_after_an_orderly_end_nothing_is_adopted(start_supd: StartSupd) -> None:
    supd = start_supd({"leaning": '[service]\nexec_start = "sleep 1000"\n'})
    supd.wait_until("leaning", "active")
    supd.stop()
    assert not os.path.exists(supd.path(".supd", "journal"))
    supd.start()
    supd.wait_until("leaning", "active")
    assert "taken over" not in supd.said()


def test_a_keeper_that_execs_in_place_keeps_its_pid_its_services_and_their_true_ends(start_supd: StartSupd) -> None:
    supd = start_supd({name: UNITS[name] for name in ("ticking", "leaning")})
    supd.wait_until("leaning", "active")
    before, (keeper, manager) = _pids(supd), _managers(supd)
    supd.supctl("reexec")
    assert _pids(supd) == before
    assert _managers(supd)[0] == keeper
    assert _managers(supd)[1] != manager
    os.kill(before["leaning"], signal.SIGTERM)
    shown = supd.wait_for("leaning", "down", lambda shown: shown["active_state"] == "inactive")
    assert (shown["exec_main_code"], shown["exec_main_status"]) == ("killed", signal.SIGTERM), "it is still the keeper's own child"


def test_ten_times_in_place_loses_no_line_and_restarts_nothing(start_supd: StartSupd) -> None:
    supd = start_supd({"ticking": UNITS["ticking"]})
    before = supd.wait_until("ticking", "active")
    for _ in range(10):
        supd.supctl("reexec")
    supd.wait_for_line("ticking", "line 40\n")
    lines = [line for line in supd.log("ticking").splitlines() if line.startswith("line ")]
    assert lines[:40] == [f"line {i}" for i in range(1, 41)]
    after = supd.show("ticking")
    assert (after["main_pid"], after["n_restarts"]) == (before["main_pid"], 0)


def test_a_supd_that_was_told_to_keep_its_services_leaves_them_to_the_next(start_supd: StartSupd) -> None:
    supd = start_supd({name: UNITS[name] for name in ("ticking", "leaning")})
    supd.wait_until("leaning", "active")
    before = _pids(supd)
    supd.supctl("shutdown", "--keep-services")
    assert supd.wait_for_end() == 0
    supd.start()
    assert _pids(supd) == before


def test_whoever_starts_supd_hears_that_it_is_ready_alive_and_stopping(make_supd: StartSupd) -> None:
    supd = make_supd({"leaning": '[service]\nexec_start = "sleep 1000"\n'})
    path = supd.path("outside")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outside:
        outside.bind(path)
        outside.settimeout(20)
        supd.environment |= {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}
        supd.start()
        heard = [outside.recv(4096).decode() for _ in range(4)]
        assert heard[0].startswith("READY=1\n")
        assert heard[1:] == ["WATCHDOG=1"] * 3
        with open(f"/proc/{supd.show('leaning')['main_pid']}/environ", "rb") as environ:
            assert b"NOTIFY_SOCKET" not in environ.read(), "what is meant for supd is not for its services"
        os.kill(supd.keeper_pid, signal.SIGTERM)
        while heard[-1] != "STOPPING=1":
            heard.append(outside.recv(4096).decode())
    assert supd.wait_for_end() == 0


ORPHANS = 1_000
ORPHANING = f"""
import os, sys, time
with open("/proc/self/status") as status:
    print(*(line.split()[1].lstrip("0") or "0" for line in status if line.startswith(("SigBlk", "SigIgn", "SigCgt"))), flush=True)
for number in range({ORPHANS}):
    if os.fork() == 0:
        if os.fork() == 0:
            while os.getppid() != 1:
                os.sched_yield()
            os._exit(number % 200)
        os._exit(0)
    os.wait()

def zombies():
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{{pid}}/stat") as stat:
                found += stat.read().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            pass
    return found

end = time.monotonic() + 30
while (left := zombies() + sum(p.isdigit() for p in os.listdir("/proc")) - int(sys.argv[2])) > 0 and time.monotonic() < end:
    pass
print(zombies(), flush=True)
STATUS
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [("sys.exit(0)", 0), ("sys.exit(7)", 7), ("os.kill(os.getpid(), 9)", 255)],
    ids=["success", "failure", "a signal"],
)
def test_as_pid_1_it_reaps_strangers_and_ends_with_its_units_status(make_supd: StartSupd, as_root: None, end: str, status: int) -> None:
    job = '[unit]\nsuccess_action = "exit"\nfailure_action = "exit"\n[service]\nexec_start = "python3 -I -S job.py 0 3"\n'
    supd = make_supd({"job": job}, {"job.py": ORPHANING.replace("STATUS", end)})
    done = subprocess.run(
        [*AS_PID_1, "--kill-child", os.path.join(PROGRAMS, "supd"), "--units", "units"],
        cwd=supd.directory, env=supd.environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    with open(supd.path(".supd", "logs", "job", "current"), encoding="utf-8") as log:
        signals, zombies = log.read().splitlines()
    assert zombies == "0", "no orphan is left a zombie"
    blocked, ignored, _caught_by_python = signals.split()
    assert (blocked, ignored) == ("0", PYTHON_IGNORES), "a child begins with an empty mask and default dispositions"


def test_as_pid_1_a_second_sigterm_does_not_wait_for_a_time_out(make_supd: StartSupd, as_root: None) -> None:
    loop = "sh -c 'trap : TERM; while :; do sleep 0.05; done'"
    supd = make_supd({"stubborn": f'[service]\nexec_start = "{loop}"\ntimeout_stop_sec = 3000\n'})
    with subprocess.Popen(
        [*AS_PID_1, os.path.join(PROGRAMS, "supd"), "--log-level", "debug", "--units", "units"],
        cwd=supd.directory, env=supd.environment, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        _read_until(process, "stubborn: up")
        (keeper,) = [p.pid for p in descendants(process.pid) if p.command == "supd"][:1]
        os.kill(keeper, signal.SIGTERM)
        _read_until(process, "stubborn: running -> stop-sigterm")
        os.kill(keeper, signal.SIGTERM)
        assert process.stderr is not None
        process.stderr.read()
    assert process.returncode == 0


def _read_until(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stderr is not None
    said = [process.stderr.readline()]
    while words not in said[-1]:
        assert said[-1], "".join(said)
        said.append(process.stderr.readline())


def test_as_pid_1_a_sigterm_stops_everything_in_order(make_supd: StartSupd, as_root: None) -> None:
    supd = make_supd({name: UNITS[name] for name in ("ticking", "leaning")})
    unshare = [*AS_PID_1, os.path.join(PROGRAMS, "supd"), "--units", "units"]
    with subprocess.Popen(unshare, cwd=supd.directory, env=supd.environment, stderr=subprocess.PIPE, text=True) as process:
        _read_until(process, "leaning: up")
        assert process.stderr is not None
        (keeper,) = [p.pid for p in descendants(process.pid) if p.command == "supd"][:1]
        os.kill(keeper, signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert rest.index("leaning: down") < rest.index("ticking: down")


WAITING = """
[service]
type = "notify"
notify_access = "all"
timeout_start_sec = "infinity"
exec_start = "sh -c 'read go < go; systemd-notify --ready --status=awake; echo told > told; exec sleep 1000'"
"""


def test_what_is_ready_while_there_is_no_manager_is_active_after_the_next_one_came(make_supd: StartSupd) -> None:
    """The notify socket is the keeper's: what is said meanwhile waits there."""
    supd = make_supd({"late": WAITING})
    for fifo in ("go", "told"):
        os.mkfifo(supd.path(fifo))
    site = supd.path("site", "supervisor")
    shutil.copytree(os.path.dirname(supervisor.__file__), site, ignore=shutil.ignore_patterns("__pycache__", "tui"))
    supd.environment["PYTHONPATH"] = supd.path("site")
    supd.start()
    pid = supd.wait_until("late", "start")["main_pid"]
    # No manager can come until its code is there again.
    main = os.path.join(site, "daemon", "__main__.py")
    os.rename(main, main + "~")
    _, manager = _managers(supd)
    os.kill(manager, signal.SIGKILL)
    assert ends_in_time(manager, 10)
    with open(supd.path("go"), "w", encoding="ascii") as go:
        go.write("go\n")
    with open(supd.path("told"), encoding="ascii") as told:
        assert told.read() == "told\n"
    os.rename(main + "~", main)
    shown = supd.wait_until("late", "active")
    assert (shown["sub_state"], shown["main_pid"], shown["status_text"], shown["n_restarts"]) == ("running", pid, "awake", 0)


def test_of_a_service_that_was_starting_when_the_keeper_died_it_is_told_what_may_be_lost(make_supd: StartSupd) -> None:
    """A socket ends with its last holder. What the service says from then on is heard."""
    supd = make_supd({"late": WAITING, "speaking": UNITS["speaking"]})
    for fifo in ("go", "told"):
        os.mkfifo(supd.path(fifo))
    supd.start()
    supd.wait_until("speaking", "active")
    pid = supd.wait_until("late", "start")["main_pid"]
    _kill_keeper(supd)
    supd.start()
    assert supd.show("late")["sub_state"] == "start"  # answered by a manager that has taken it over, and listens to it
    with open(supd.path("go"), "w", encoding="ascii") as go:
        go.write("go\n")
    assert supd.wait_until("late", "running")["main_pid"] == pid
    assert "late: it was starting when supd was killed; a READY=1 that it sent before this supd came is lost" in supd.said()
    assert "speaking: it was starting" not in supd.said()
