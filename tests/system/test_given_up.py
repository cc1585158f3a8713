"""Processes that a unit gave up while they lived (a hung reload, an old main process) are still its own: a stop ends them and is over."""

import os
import select
import signal
import socket

import pytest

from tests.system.conftest import StartSupd

HANDING_ON = """
[service]
type = "notify"
notify_access = "all"
timeout_stop_sec = 60
exec_start = "sh -c 'sleep 1000 & systemd-notify --ready MAINPID=$!; wait; sleep 1000'"
"""


@pytest.mark.parametrize("tracking", ["cgroup", "scan"])
def test_a_reload_that_hung_does_not_hold_up_the_stop(start_supd: StartSupd, tracking: str) -> None:
    unit = '[service]\nexec_start = "sleep 1000"\nexec_reload = "sleep 1000"\ntimeout_start_sec = 1\ntimeout_stop_sec = 60\n'
    supd = start_supd({"hung": unit}, tracking=tracking)
    supd.wait_until("hung", "active")
    supd.supctl("reload", "hung", expect=1)
    supd.supctl("stop", "hung", within_s=30)
    shown = supd.show("hung")
    assert (shown["active_state"], shown["result"]) == ("inactive", "success")


@pytest.mark.parametrize("tracking", ["cgroup", "scan"])
def test_when_the_process_that_mainpid_named_is_killed_the_old_one_goes_too(start_supd: StartSupd, tracking: str) -> None:
    supd = start_supd({"handing": HANDING_ON}, tracking=tracking)
    shown = supd.wait_until("handing", "active")
    os.kill(shown["main_pid"], signal.SIGKILL)
    shown = supd.wait_until("handing", "failed", within_s=30)
    assert shown["result"] == "signal"
    assert shown["pids"] == []


def test_a_service_that_says_ready_and_leaves_at_once_was_ready(start_supd: StartSupd) -> None:
    program = """import os, socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
"""
    brief = '[service]\ntype = "notify"\nexec_start = "python3 -S brief.py"\n'
    supd = start_supd({f"brief{i}": brief for i in range(12)}, {"brief.py": program})
    for i in range(12):
        shown = supd.wait_for(f"brief{i}", "over", lambda shown: shown["active_state"] in ("inactive", "failed") and shown["run_id"])
        assert shown["result"] == "success", f"brief{i}: {shown['failed_text']}"


def test_what_a_service_said_is_heard_before_its_end_though_both_are_found_at_once(start_supd: StartSupd) -> None:
    program = """import os, socket
path = os.environ["NOTIFY_SOCKET"]
os.write(os.open("told", os.O_WRONLY), path.encode())
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", path)
"""
    unit = '[unit]\nenabled = false\n[service]\ntype = "notify"\nexec_start = "python3 -S brief.py"\n'
    supd = start_supd({"brief": unit}, {"brief.py": program})
    os.mkfifo(supd.path("told"))
    told = os.open(supd.path("told"), os.O_RDWR)
    manager = supd.get("/v1/version")["manager_pid"]
    try:
        supd.supctl("start", "brief")
        notify_socket = os.read(told, 4096)
        os.close(told)
        supd.wait_until("brief", "inactive")  # it is up for a moment after it said so
        told = os.open(supd.path("told"), os.O_RDONLY | os.O_NONBLOCK)  # here the end of the next one can be seen
        os.kill(supd.keeper_pid, signal.SIGSTOP)
        supd.supctl("start", "--no-block", "brief")
        assert supd.show("brief")["sub_state"] == "start"
        os.kill(manager, signal.SIGSTOP)
        # A stranger's datagram is there before anything of the keeper's: the manager asks the keeper who that may be.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"READY=1", notify_socket)
        os.kill(supd.keeper_pid, signal.SIGCONT)
        with select.epoll() as ends:
            ends.register(told, select.EPOLLHUP)  # the service has ended: it held the other end
            while not any(event & select.EPOLLHUP and not os.read(told, 4096) for _, event in ends.poll(20)):
                pass
    finally:
        os.kill(supd.keeper_pid, signal.SIGCONT)
        os.kill(manager, signal.SIGCONT)
        os.close(told)
    shown = supd.wait_for("brief", "over", lambda shown: shown["active_state"] in ("inactive", "failed"))
    assert shown["result"] == "success", shown["failed_text"]


def test_a_stop_signals_the_main_process_before_its_children(start_supd: StartSupd) -> None:
    polite = """
[service]
exec_start = "sh -c 'trap \\"exit 3\\" TERM; sleep 1000 & wait $!; exit 0'"
success_exit_status = [3]
"""
    supd = start_supd({"polite": polite}, tracking="cgroup")
    shown = supd.wait_for("polite", "waiting", lambda shown: len(shown["pids"]) == 2)
    (child,) = set(shown["pids"]) - {shown["main_pid"]}
    os.kill(supd.keeper_pid, signal.SIGSTOP)  # the main process's signal is on its way through the keeper
    try:
        supd.supctl("stop", "--no-block", "polite")
        assert supd.show("polite")["sub_state"] == "stop-sigterm"
        with open(f"/proc/{child}/stat", encoding="ascii") as stat:
            assert stat.read().split()[2] == "S", "its child is not signalled before it"
    finally:
        os.kill(supd.keeper_pid, signal.SIGCONT)
    shown = supd.wait_until("polite", "inactive")
    assert (shown["exec_main_code"], shown["exec_main_status"]) == ("exited", 3)


@pytest.mark.parametrize("tracking", ["cgroup", "scan"])
def test_the_signal_of_a_stop_does_not_reach_what_runs_after_it(start_supd: StartSupd, tracking: str) -> None:
    # The main process may be gone before the keeper has said that it sent the signal: then exec_stop_post is there already.
    units = [f"brief{i}" for i in range(16)]
    brief = '[unit]\nenabled = false\n[service]\nexec_start = "sleep 1000"\nexec_stop_post = "sleep 0.2"\n'
    supd = start_supd(dict.fromkeys(units, brief), tracking=tracking)
    supd.supctl("start", *units)
    supd.supctl("stop", *units)
    assert {unit: supd.show(unit)["result"] for unit in units} == dict.fromkeys(units, "success")
