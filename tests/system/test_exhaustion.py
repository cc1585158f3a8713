"""Nothing left of what supd needs: descriptors, processes, disk. It stays up, says what it could not do, and does it when it can again."""

import errno
import json
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.system.arrival import Deadline, changes, ends_in_time
from tests.system.conftest import StartSupd
from tests.system.supd import Supd
from tests.system.users import PROGRAMS, command_as

UNITS = {
    "web": '[unit]\nstart_limit_interval_sec = 0\n[service]\nexec_start = "sleep 1000"\n',
    "late": '[unit]\nenabled = false\nstart_limit_interval_sec = 0\n[service]\nexec_start = "sleep 1000"\n',
    "phoenix": """
[unit]
enabled = false
start_limit_interval_sec = 0
[service]
exec_start = "sleep 1000"
restart = "always"
restart_sec = "200ms"
""",
}
ALONE = 64_321  # a user of whom nothing else runs: the limit of processes is counted by user


@contextmanager
def limited(pid: int, what: int, most: int) -> Iterator[None]:
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, what, before)


@contextmanager
def processes_limited(pid: int, most: int) -> Iterator[None]:
    """As its own user does it: root may lack the capability for another's."""
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        soft = next(line.split()[2] for line in file if line.startswith("Max processes"))
    _set_processes(pid, str(most))
    try:
        yield
    finally:
        _set_processes(pid, soft)


def _set_processes(pid: int, soft: str) -> None:
    subprocess.run(command_as(ALONE, ["prlimit", "--pid", str(pid), f"--nproc={soft}:"]), check=True)


def is_well(supd: Supd) -> None:
    """The same manager answers, what ran runs on, and what could not be started can be."""
    supd.supctl("start", "late")
    assert supd.show("late")["active_state"] == "active"
    supd.supctl("stop", "late")


@pytest.mark.usefixtures("as_root")
def test_without_another_process_a_start_fails_and_a_restart_is_tried_until_there_is_one(start_supd: StartSupd) -> None:
    supd = start_supd(UNITS, uid=ALONE)
    version, web = supd.get("/v1/version"), supd.wait_until("web", "active")
    supd.supctl("start", "phoenix")
    old = supd.show("phoenix")["main_pid"]
    with processes_limited(supd.keeper_pid, 1):
        said = supd.supctl("start", "late", expect=1).stderr
        assert os.strerror(errno.EAGAIN) in said
        os.kill(old, 9)
        supd.wait_for("phoenix", "tried in vain", lambda shown: shown["n_restarts"] >= 2)
        assert supd.get("/v1/version") == version
    shown = supd.wait_for("phoenix", "back", lambda shown: shown["active_state"] == "active" and shown["main_pid"] != old)
    assert shown["n_restarts"] >= 2
    assert supd.show("web")["main_pid"] == web["main_pid"]
    is_well(supd)


@pytest.mark.usefixtures("as_root")
def test_without_another_thread_what_is_asked_is_done_and_answered(start_supd: StartSupd) -> None:
    supd = start_supd(UNITS, uid=ALONE)
    supd.wait_until("web", "active")
    version = supd.get("/v1/version")
    with processes_limited(version["manager_pid"], 1):
        supd.supctl("stop", "web")  # the first change there is, so the first record for the audit trail
        supd.supctl("disable", "web")
        supd.supctl("start", "web")
        supd.write("units/web.toml", UNITS["web"].replace("1000", "1001"))
        supd.supctl("apply")
        assert supd.get("/v1/version") == version
    supd.wait_until("web", "active")
    assert supd.supctl("is-enabled", "web", expect=1).stdout == "disabled\n"
    assert "internal error" not in supd.said()
    is_well(supd)


@pytest.mark.parametrize("who", ["keeper_pid", "manager_pid"])
def test_without_another_descriptor_supd_stays_and_starts_again_when_there_are_some(start_supd: StartSupd, who: str) -> None:
    supd = start_supd(UNITS)
    version, web = supd.get("/v1/version"), supd.wait_until("web", "active")
    pid = version[who]
    with limited(pid, resource.RLIMIT_NOFILE, len(os.listdir(f"/proc/{pid}/fd")) + 1):
        # The manager may have none for this connection; it takes it up when there is one.
        asked = subprocess.Popen(
            [os.path.join(PROGRAMS, "supctl"), "start", "late"],
            env={**supd.environment, "SUPD_SOCKET": supd.socket_path},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _, said = asked.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            said = ""
    if asked.returncode is None:
        _, said = asked.communicate(timeout=30)
    assert asked.returncode == 0 or os.strerror(errno.EMFILE) in said or "closed" in said, said
    assert supd.get("/v1/version") == version
    assert supd.show("web")["main_pid"] == web["main_pid"]
    is_well(supd)


def test_a_keeper_without_another_descriptor_refuses_by_name_and_still_starts_a_manager(start_supd: StartSupd) -> None:
    supd = start_supd(UNITS)
    version, web = supd.get("/v1/version"), supd.wait_until("web", "active")
    with limited(supd.keeper_pid, resource.RLIMIT_NOFILE, len(os.listdir(f"/proc/{supd.keeper_pid}/fd"))):
        said = supd.supctl("start", "late", expect=1).stderr
        assert "cannot be kept: Too many open files in the keeper; raise supd's limit (ulimit -n)" in said
        assert supd.get("/v1/version") == version
        os.kill(version["manager_pid"], signal.SIGKILL)
        assert supd.get("/v1/version")["manager_pid"] != version["manager_pid"]  # clients wait at the socket, which is the keeper's
        assert supd.show("web")["main_pid"] == web["main_pid"]
        supd.supctl("stop", "web")
    is_well(supd)
    supd.supctl("start", "web")


def test_a_manager_with_few_descriptors_refuses_new_units_by_name_and_keeps_some_for_who_talks_to_it(start_supd: StartSupd) -> None:
    supd = start_supd(UNITS)
    manager_pid, web = supd.get("/v1/version")["manager_pid"], supd.wait_until("web", "active")
    with limited(manager_pid, resource.RLIMIT_NOFILE, len(os.listdir(f"/proc/{manager_pid}/fd")) + 16):
        said = supd.supctl("start", "late", expect=1).stderr
        assert "Too many open files in the manager; raise supd's limit (ulimit -n)" in said
        supd.supctl("restart", "web")  # which needs nothing new
        assert supd.show("web")["main_pid"] != web["main_pid"]
    is_well(supd)


@pytest.mark.parametrize("tracking", ["cgroup", "scan"])
def test_who_is_left_of_a_unit_is_found_and_killed_once_there_is_a_descriptor_to_look_with(start_supd: StartSupd, tracking: str) -> None:
    pair = """[unit]
enabled = false
[service]
exec_start = "sh -c 'sleep 1000 & exec sleep 1001'"
"""
    supd = start_supd({"pair": pair}, tracking=tracking)
    supd.supctl("start", "pair")
    shown = supd.wait_for("pair", "two", lambda shown: len(shown["pids"]) == 2)
    (child,) = set(shown["pids"]) - {shown["main_pid"]}
    manager_pid = supd.get("/v1/version")["manager_pid"]
    deadline = Deadline(30)
    # Nothing new can be opened, what is open stays.
    with supd.events(deadline) as events, limited(manager_pid, resource.RLIMIT_NOFILE, 3):
        os.kill(shown["main_pid"], signal.SIGKILL)
        assert next(event for event in events if event.get("sub_state") not in (None, "running"))["sub_state"] == "stop-sigterm"
        os.kill(child, 0)  # nobody could be looked for, so nobody is said to be gone
    assert supd.wait_until("pair", "failed")["result"] == "signal"
    assert ends_in_time(child, 10)
    assert supd.get("/v1/version")["manager_pid"] == manager_pid


def _wish(state_directory: str, unit: str) -> str:
    try:
        with open(os.path.join(state_directory, "intent.json"), encoding="utf-8") as file:
            return str(json.load(file).get(unit, [""])[0])
    except FileNotFoundError:
        return ""


@pytest.mark.usefixtures("as_root")
def test_a_full_disk_under_the_state_is_said_and_harms_no_service(make_supd: StartSupd) -> None:
    supd = make_supd(UNITS)
    state = supd.path(".supd")
    os.mkdir(state, 0o755)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "tmpfs", state], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        supd.start()
        version, web = supd.get("/v1/version"), supd.wait_until("web", "active")
        ballast = os.path.join(state, "ballast")
        with open(ballast, "wb", buffering=0) as file, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            while True:
                file.write(bytes(4096))
        refused = supd.supctl("disable", "web", expect=None)
        assert refused.returncode != 0 and os.strerror(errno.ENOSPC) in refused.stderr
        supd.supctl("start", "late")
        supd.supctl("restart", "web")
        supd.supctl("stop", "late")
        assert supd.get("/v1/version") == version
        assert os.strerror(errno.ENOSPC) in supd.said() or os.strerror(errno.ENOSPC) in supd.supctl("status").stdout
        with changes(state) as come:
            os.unlink(ballast)
            while _wish(state, "late") != "down":
                assert come(20), "a wish that the full disk did not take is not written when there is room"
        supd.supctl("disable", "web")
        is_well(supd)
        assert any(run["unit"] == "late" for run in supd.json("history", "late"))
        assert supd.show("web")["main_pid"] != web["main_pid"]
        supd.stop()
    finally:
        if supd.is_running:
            supd.stop()
        subprocess.run(["umount", "-l", state], check=False)
