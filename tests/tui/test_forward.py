"""A supd of another host, over a socket that ssh forwards: found, reached again, believed in what it says but not in paths, left clean."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

from supervisor.client import forward
from supervisor.client.discovery import Place
from supervisor.client.errors import Unreachable
from supervisor.client.forward import Forward
from supervisor.tui.link.http import HttpTransport
from supervisor.tui.link.protocol import ALIVE, LinkLost
from tests.system.api.fake_world import RunningServer
from tests.system.arrival import ends_in_time
from tests.tui.ssh import FakeSsh

DEADLINE_S = 20


class Stage:
    """A supd that serves, an ssh that leads to it, and a forward between."""

    def __init__(self, ssh: FakeSsh, server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", ssh.path_variable)
        self.ssh = ssh
        self.server = server
        self.forwards: list[Forward] = []

    def to(self, host: str, remote_socket: str = "", retry_after_s: float = 0.0) -> Forward:
        made = Forward(host, remote_socket, retry_after_s=retry_after_s)
        self.forwards.append(made)
        return made


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with tempfile.TemporaryDirectory(prefix="fw", dir="/tmp") as directory, RunningServer(directory).running() as server:
        made = Stage(FakeSsh(directory, server.path), server, monkeypatch)
        yield made
        for one in made.forwards:
            one.close()


async def test_the_socket_is_found_by_asking_the_supctl_there(stage: Stage) -> None:
    there = stage.to("chatty")
    await there.ensure(may_ask=True)
    assert there.remote_socket == stage.server.path
    transport = HttpTransport(there.place, "chatty", there.ensure)
    assert (await transport.hello())["version"] == "0.0.test"
    asked, led = (run["argv"] for run in stage.ssh.runs())
    assert isinstance(asked, list) and isinstance(led, list)
    assert asked[-3:] == ["--", "chatty", "supctl version --json"]
    assert led[-2:] == ["--", "chatty"]
    assert f"{there.place.path}:{stage.server.path}" in led


async def test_a_named_socket_is_not_asked_for(stage: Stage) -> None:
    there = stage.to("bare", stage.server.path)
    await there.ensure()
    assert (await HttpTransport(there.place, "bare", there.ensure).units(["web"]))[0]["id"] == "web"
    assert len(stage.ssh.runs()) == 1


async def test_the_socket_here_is_ours_alone(stage: Stage) -> None:
    there = stage.to("chatty")
    await there.ensure()
    directory = os.stat(os.path.dirname(there.place.path))
    assert (stat.S_IMODE(directory.st_mode), directory.st_uid) == (0o700, os.geteuid())


async def test_a_path_from_there_is_not_opened_here(stage: Stage) -> None:
    """The world's log directory exists here too, and its daemon has our uid: without the forward between, it is opened."""
    stage.server.world.log_root = stage.ssh.directory
    there = stage.to("chatty")
    near, far = HttpTransport(Place(stage.server.path, "--socket")), HttpTransport(there.place, "chatty", there.ensure)
    await near.hello()
    await far.hello()
    assert (near.is_local, far.is_local) == (True, False)
    assert near.log_directory("web") == os.path.join(stage.ssh.directory, "web")
    assert far.log_directory("web") == ""


async def test_what_an_ending_ssh_breaks_the_next_question_mends(stage: Stage) -> None:
    there = stage.to("chatty")
    transport = HttpTransport(there.place, "chatty", there.ensure)
    stream = transport.events(None)
    async with asyncio.timeout(DEADLINE_S):
        assert (await anext(stream))["kind"] == ALIVE
        stage.ssh.cut()
        os.kill(stage.ssh.pid(), signal.SIGKILL)
        with pytest.raises(LinkLost):
            while True:
                await anext(stream)
        with pytest.raises(LinkLost, match="cannot reach chatty by ssh: ssh: connect to host away port 22: No route to host"):
            await transport.hello()
        stage.ssh.mend()
        assert (await transport.hello())["version"] == "0.0.test"


async def test_a_failure_is_not_tried_again_at_once(stage: Stage) -> None:
    there = stage.to("away", retry_after_s=3600.0)
    for _ in range(5):
        with pytest.raises(Unreachable):
            await there.ensure()
    assert len(stage.ssh.runs()) == 1


async def test_a_later_ssh_may_ask_nobody(stage: Stage) -> None:
    there = stage.to("chatty")
    await there.ensure(may_ask=True)
    os.kill(stage.ssh.pid(), signal.SIGKILL)
    assert there._ssh is not None
    await asyncio.to_thread(there._ssh.wait)
    await there.ensure()
    first, again = stage.ssh.runs()[1], stage.ssh.runs()[2]
    assert "BatchMode=yes" not in str(first["argv"])
    assert "BatchMode=yes" in str(again["argv"])


async def test_the_end_leaves_nothing(stage: Stage) -> None:
    there = stage.to("chatty")
    await there.ensure()
    ssh = stage.ssh.pid()
    there.close()
    assert ends_in_time(ssh, DEADLINE_S)
    assert not os.path.exists(os.path.dirname(there.place.path))


def test_ssh_ends_when_we_are_killed(stage: Stage) -> None:
    program = (
        "import asyncio, sys, time\nfrom supervisor.client.forward import Forward\n"
        "there = Forward('chatty')\nasyncio.run(there.ensure())\nprint(there.place.path, flush=True)\nsys.stdin.read()\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None and owner.stdin is not None
    path = owner.stdout.readline().strip()
    ssh = stage.ssh.pid()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    owner.stdin.close()
    assert ends_in_time(ssh, DEADLINE_S)
    os.unlink(path)
    os.unlink(os.path.join(os.path.dirname(path), "ssh.err"))
    os.rmdir(os.path.dirname(path))


NAME_IT = "name the socket: supctl -H {host} --socket PATH tui"

REFUSED = [
    ("away", "cannot reach away by ssh: ssh: connect to host away port 22: No route to host"),
    ("bare", f"cannot ask bare for its supd: supctl is not in the PATH of a shell without a login there; {NAME_IT}"),
    (
        "idle",
        "no supd answers on idle; supctl there says:\n  supctl: no supd was found. Looked at:\n"
        f"    /run/supd/supd.sock: there is no socket\nStart it there, or {NAME_IT}",
    ),
    ("old", f"cannot ask old for its supd: the supctl there does not say where its socket is, perhaps it is older; {NAME_IT}"),
]


@pytest.mark.parametrize(("host", "message"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_what_cannot_be_reached_is_said(stage: Stage, host: str, message: str) -> None:
    with pytest.raises(Unreachable) as caught:
        await stage.to(host).ensure()
    assert str(caught.value) == message.format(host=host)


async def test_without_ssh_it_says_what_is_missing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Unreachable, match="there is no ssh here; install the OpenSSH client"):
        await stage.to("chatty").ensure()


@pytest.mark.parametrize("host", ["", "-oProxyCommand=touch /tmp/x"])
def test_a_host_is_never_an_option_of_ssh(host: str) -> None:
    with pytest.raises(Unreachable, match="this is no name of a host"):
        Forward(host)


@pytest.mark.parametrize("path", ["relative.sock", "/run/${HOME}/s", "/run/a\nb"])
def test_a_socket_that_ssh_would_read_otherwise_is_refused(path: str) -> None:
    with pytest.raises(Unreachable, match="must be an absolute path"):
        Forward("chatty", path)


def test_colons_and_percent_signs_in_paths_reach_ssh_as_they_are() -> None:
    assert forward._escaped("/a:b%c\\d") == "/a\\:b%%c\\\\d"
