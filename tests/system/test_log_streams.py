"""Where a service's output goes: a standard error of its own, another unit's log, and both over the deaths of manager and keeper."""

import os
import signal
import socket
import subprocess
from itertools import pairwise

import pytest

from tests.system.arrival import Deadline, ends_in_time
from tests.system.conftest import StartSupd
from tests.system.users import PROGRAMS

SPEAKER = """
import signal, sys
signal.signal(signal.SIGHUP, lambda *_: (print("out again", flush=True), print("err again", file=sys.stderr, flush=True)))
print("out", flush=True)
print("err", file=sys.stderr, flush=True)
while True:
    signal.pause()
"""
APART = '[service]\nexec_start = "python3 -I -S speaker.py"\nstandard_error = "log"\n'


def test_a_standard_error_of_its_own_is_told_apart_over_the_deaths_of_manager_and_keeper(start_supd: StartSupd) -> None:
    supd = start_supd({"web": APART}, {"speaker.py": SPEAKER})
    supd.wait_for_line("web", "err")
    assert supd.supctl("logs", "web", "-o", "cat", "--stderr").stdout == "err\n"
    assert {line.split(" ", 3)[3] for line in supd.supctl("logs", "web").stdout.splitlines()} == {"web: out", "web/stderr: err"}
    status = supd.supctl("status", "web").stdout.splitlines()
    assert set(status[-2:]) == {"out", "err"}
    version = supd.json("version")
    os.kill(version["manager_pid"], signal.SIGKILL)
    assert ends_in_time(version["manager_pid"], 10)
    os.kill(supd.show("web")["main_pid"], signal.SIGHUP)
    supd.wait_for_line("web", "err again")
    manager = supd.json("version")["manager_pid"]
    os.kill(version["keeper_pid"], signal.SIGKILL)
    supd.wait_for_end()
    assert ends_in_time(manager, 10)
    supd.start()
    os.kill(supd.show("web")["main_pid"], signal.SIGHUP)
    deadline = Deadline(20)
    while supd.supctl("logs", "web", "-o", "cat", "--stderr").stdout != "err\nerr again\nerr again\n":
        assert deadline.remaining_s()
    with open(supd.path(".supd", "logs", "web", "current"), encoding="ascii") as file:
        assert file.read() == "out\nout again\nout again\n"


def test_a_unit_may_write_into_the_log_of_another_that_never_ran(start_supd: StartSupd) -> None:
    writes = '[service]\ntype = "oneshot"\nexec_start = "sh -c \'echo out; echo err >&2\'"\n'
    logger = '[service]\nexec_start = "sleep 1000"\n[unit]\nenabled = false\naliases = ["collector"]\n'
    supd = start_supd({"web": writes + 'standard_output = "unit:collector"\nstandard_error = "log"\n', "logger": logger})
    supd.wait_for_line("logger", "out")
    assert supd.log("logger") == "out\n"
    assert supd.supctl("logs", "web", "-o", "cat").stdout == "err\n"
    failing = supd.supctl("start", "web", expect=0)
    assert failing.stdout == ""
    assert supd.log("logger") == "out\nout\n"


def test_supd_has_a_log_of_its_own_with_the_last_words_of_its_managers_and_of_the_keeper(start_supd: StartSupd) -> None:
    supd = start_supd({"web": '[service]\nexec_start = "sleep 1000"\n'})
    supd.wait_until("web", "active")
    manager = supd.json("version")["manager_pid"]
    os.kill(manager, signal.SIGKILL)
    assert ends_in_time(manager, 10)
    said = supd.watch("logs", "supd", "-f", "-o", "cat", "-n", "1000", until="info: web: up")
    supd.watch("logs", "supd", "-f", "-o", "cat", "-n", "1000", until="warning: the manager was started again; no service was touched")
    whole = supd.log("supd")
    assert whole.startswith(said)
    ended = f"warning: the manager (pid {manager}) ended with signal 9; every service runs on, a new manager starts at once\n"
    assert whole.index(ended) < whole.index("warning: the manager was started again")
    assert "project mode, 1 units from" in supd.supctl("logs", "supd", "--run", "-1", "-o", "cat").stdout
    assert "supd" not in [line.split(" ")[3] for line in supd.supctl("logs").stdout.splitlines()]
    supd.stop()
    assert supd.supctl("logs", "supd", "-o", "cat", "--grep", "started again").stdout.startswith("warning: ")
    assert "up" not in supd.supctl("logs").stdout


def test_lines_are_forwarded_and_none_is_missing_though_the_manager_is_killed(start_supd: StartSupd) -> None:
    counter = "import time\nfor n in range(3000):\n    print(n, flush=True)\n    time.sleep(0.0005)\n"
    unit = '[unit]\nenabled = false\n[service]\ntype = "oneshot"\nremain_after_exit = true\nexec_start = "python3 -I -S counter.py"\n'
    supd = start_supd({}, {"counter.py": counter})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        path = supd.path("syslog")
        receiver.bind(path)
        receiver.settimeout(30)
        supd.write("units/count.toml", unit + f'[log]\nforward = "syslog:{path}"\n')
        supd.supctl("reload-units")
        supd.supctl("start", "--no-block", "count")
        arrived: list[int] = []
        while len(arrived) < 500:
            arrived.append(int(receiver.recv(9999).rpartition(b": ")[2]))
        os.kill(supd.json("version")["manager_pid"], signal.SIGKILL)
        while arrived[-1] != 2999:
            arrived.append(int(receiver.recv(9999).rpartition(b": ")[2]))
    assert sorted(set(arrived)) == list(range(3000))
    assert len([1 for before, after in pairwise(arrived) if after != before + 1]) <= 1  # it went back once, if at all


FLOODS = '[unit]\nenabled = false\n[service]\ntype = "oneshot"\nremain_after_exit = true\nexec_start = "python3 -I -S flood.py"\n'
FLOOD = "import os\nfor n in range(600):\n    os.write(1, b'%05d' % n + b'x' * 9994 + b'\\n')\n"  # 6 MB


def test_a_full_disk_holds_up_no_service_and_is_told_in_the_log_and_in_status_when_it_is_over(make_supd: StartSupd, as_root: None) -> None:
    supd = make_supd(
        {"flood": FLOODS, "says": FLOODS.replace("flood.py", "says.py")}, {"flood.py": FLOOD, "says.py": "print('room again')"}
    )
    logs = supd.path(".supd", "logs")
    os.makedirs(logs)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", logs], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        supd.start()
        supd.supctl("start", "flood")
        lost = supd.show("flood")["log_lost_bytes"]
        assert 5_000_000 - 2_000_000 < lost < 6_000_000
        assert "cannot write the log of flood: No space left on device" in supd.supctl("status").stdout
        os.truncate(os.path.join(logs, "flood", "current"), 0)
        supd.write("flood.py", "print('room again')\n")
        supd.supctl("restart", "flood")
        assert supd.log("flood") == f"\n-- supd: {lost} bytes of output are missing here; the log could not be written --\nroom again\n"
        assert f"note: {lost} bytes that flood wrote were lost (the log could not be written)" in supd.supctl("status").stdout
        assert "of its output were lost; supctl logs flood shows where" in supd.supctl("status", "flood").stdout
        supd.stop()
    finally:
        subprocess.run(["umount", "-l", logs], check=True)


def test_a_follower_that_does_not_read_holds_up_nobody_and_misses_nothing(start_supd: StartSupd) -> None:
    supd = start_supd({"flood": FLOODS + '[log]\nmax_size = "1M"\nkeep = 100\n'}, {"flood.py": FLOOD})
    environment = {**supd.environment, "SUPD_SOCKET": supd.socket_path}
    command = [os.path.join(PROGRAMS, "supctl"), "logs", "-f", "-o", "cat", "flood"]
    with subprocess.Popen(command, cwd=supd.directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as follower:
        assert follower.stdout is not None
        supd.supctl("start", "flood")  # its output pipe is full long before this is over, and nobody empties it
        expected = b"".join(b"%05d" % n + b"x" * 9994 + b"\n" for n in range(600))
        assert follower.stdout.read(len(expected)) == expected
        follower.terminate()
