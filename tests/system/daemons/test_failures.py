"""What goes wrong most often with a new unit: each start fails at once, and the message names the step, in `supctl start` and for good.

The steps and their exit statuses are systemd.exec(5)'s, "Process Exit Codes".
"""

import socket

import pytest

from tests.system.conftest import StartSupd
from tests.system.daemons.life import Daemon
from tests.system.supd import Supd

pytestmark = pytest.mark.usefixtures("as_root")

_UNIT = """
[unit]
enabled = false
[service]
type = "{type}"
exec_start = "{exec_start}"
{more}
"""

# name, exec_start, further keys, exit status, what the message must hold
_STEPS = [
    ("a program that is not there", "/usr/sbin/ngnix -g x", "", 203, ["203/EXEC", "/usr/sbin/ngnix", "No such file or directory"]),
    ("a bare name found nowhere", "ngnix", "", 203, ["203/EXEC", "ngnix"]),
    ("a program that is not executable", "/etc/passwd", "", 203, ["203/EXEC", "/etc/passwd", "Permission denied"]),
    ("a directory as program", "/etc", "", 203, ["203/EXEC", "/etc"]),
    ("a user that does not exist", "/bin/true", 'user = "nosuchuser"', 217, ["217/USER", "nosuchuser"]),
    ("a group that does not exist", "/bin/true", 'group = "nosuchgroup"', 216, ["216/GROUP", "nosuchgroup"]),
    ("a working directory that is not there", "/bin/true", 'working_directory = "/no/such/dir"', 200, ["200/CHDIR", "/no/such/dir"]),
]


def _failing(start_supd: StartSupd, unit_type: str, exec_start: str, more: str) -> Supd:
    return start_supd({"broken": _UNIT.format(type=unit_type, exec_start=exec_start, more=more)})


@pytest.mark.parametrize("unit_type", ["exec", "notify", "oneshot"])
@pytest.mark.parametrize(("exec_start", "more", "status", "expected"), [row[1:] for row in _STEPS], ids=[row[0] for row in _STEPS])
def test_a_step_that_fails_before_the_program_runs_is_named(
    start_supd: StartSupd, unit_type: str, exec_start: str, more: str, status: int, expected: list[str]
) -> None:
    supd = _failing(start_supd, unit_type, exec_start, more)
    said = supd.supctl("start", "broken", expect=1)
    text = said.stdout + said.stderr
    for word in expected:
        assert word in text
    shown = supd.show("broken")
    assert (shown["active_state"], shown["result"]) == ("failed", "exit-code")
    assert (shown["exec_main_code"], shown["exec_main_status"]) == ("exited", status)
    assert shown["main_pid"] == 0
    why = supd.supctl("why", "broken").stdout
    assert f"status {status}" in why
    for word in expected[1:]:
        assert word in why


def test_a_simple_service_counts_as_started_and_fails_afterwards(start_supd: StartSupd) -> None:
    """systemd.service(5): `simple` is up after fork, so that `start` succeeds even where the program cannot be executed."""
    supd = _failing(start_supd, "simple", "/usr/sbin/ngnix", "")
    supd.supctl("start", "broken")
    shown = supd.wait_until("broken", "failed")
    assert (shown["result"], shown["exec_main_status"]) == ("exit-code", 203)


_TAKEN = [
    ("redis", ["redis.conf"], "redis", "Address already in use"),
    ("haproxy", ["haproxy.cfg"], "", "cannot bind socket (Address already in use)"),
    ("mosquitto", ["mosquitto.conf", "mosquitto.acl"], "mosquitto", "Address already in use"),
    ("memcached", [], "memcache", "Address already in use"),
]


@pytest.mark.parametrize(("name", "files", "user", "words"), _TAKEN, ids=[f"{row[0]} on a taken port" for row in _TAKEN])
def test_a_taken_port_fails_the_start_with_the_daemons_own_last_lines(
    make_supd: StartSupd, name: str, files: list[str], user: str, words: str
) -> None:
    daemon = Daemon(make_supd, name, *files, user=user)
    with socket.create_server(("127.0.0.1", daemon.port)) as taken:
        assert taken.fileno() >= 0
        daemon.supd.write(f"units/{name}.toml.d/quiet.toml", '[unit]\nenabled = false\n[service]\nrestart = "no"\n')
        if name == "memcached":
            # A TCP probe is answered by whoever holds the port; this one asks the daemon.
            daemon.supd.write(f"units/{name}.toml.d/ready.toml", '[service.ready]\ntcp = "127.0.0.1:1"\n')
        daemon.supd.start()
        said = daemon.supd.supctl("start", name, expect=1)
    assert words in said.stdout + said.stderr
    shown = daemon.supd.show(name)
    assert (shown["active_state"], shown["main_pid"]) == ("failed", 0)
    assert daemon.supd.processes() == []
