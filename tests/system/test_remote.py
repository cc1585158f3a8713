"""`supctl -H HOST` by OpenSSH itself: a server of our own on loopback, with keys of its own, and the person's ssh_config in between."""

import asyncio
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from supervisor.client.forward import Forward
from supervisor.tui.link.http import HttpTransport
from supervisor.tui.link.protocol import ALIVE, LinkLost
from tests.system.arrival import wait_for_text
from tests.system.conftest import StartSupd
from tests.system.descent import descendants
from tests.system.supd import Supd
from tests.system.users import PROGRAMS

DEADLINE_S = 30.0
SSHD = "/usr/sbin/sshd"

UNITS = {"sleeper": '[service]\nexec_start = "sleep 1000"\n'}


class Sshd:
    """A server for this user on a free port of 127.0.0.1; `path` begins with an `ssh` that knows it as the host `other`."""

    def __init__(self, directory: str, remote_environment: dict[str, str]) -> None:
        self.directory = directory
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._at(name)], check=True)
        shutil.copy(self._at("key.pub"), self._at("authorized_keys"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        settings = " ".join(f'"{name}={value}"' for name, value in remote_environment.items())
        self._write("sshd_config", [
            f"ListenAddress 127.0.0.1:{self._port}", f"HostKey {self._at('host_key')}", f"AuthorizedKeysFile {self._at('authorized_keys')}",
            "PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no", "StrictModes no", "PermitRootLogin yes",
            f"PidFile {self._at('pid')}", "AllowStreamLocalForwarding yes", f"SetEnv {settings}",
        ])  # fmt: skip
        self._write("ssh_config", [
            "Host other", "HostName 127.0.0.1", f"Port {self._port}", f"User {getpass.getuser()}", f"IdentityFile {self._at('key')}",
            "IdentitiesOnly yes", f"UserKnownHostsFile {self._at('known_hosts')}", "StrictHostKeyChecking accept-new",
        ])  # fmt: skip
        self._write("ssh", ["#!/bin/sh", f'exec {shutil.which("ssh")} -F {self._at("ssh_config")} "$@"'])
        os.chmod(self._at("ssh"), 0o755)
        self.path = f"{directory}:{os.environ['PATH']}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # it insists on its directory for separated privileges
        command = [SSHD, "-D", "-e", "-f", self._at("sshd_config")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        wait_for_text(self._process.stderr, "Server listening", DEADLINE_S)

    def stop(self) -> None:
        """The server and every connection it holds."""
        if self._process is None:
            return
        for process in [*descendants(self._process.pid)]:
            os.kill(process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._process = None

    def _at(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def _write(self, name: str, lines: list[str]) -> None:
        with open(self._at(name), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


@pytest.fixture
def supd(start_supd: StartSupd) -> Supd:
    return start_supd(UNITS)


@pytest.fixture
def sshd(supd: Supd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    assert os.path.exists(SSHD), "openssh-server is missing: .ci/packages installs it"
    with tempfile.TemporaryDirectory(prefix="sshd-", dir="/tmp") as directory:
        server = Sshd(directory, {"PATH": f"{PROGRAMS}:/usr/bin:/bin", "SUPD_SOCKET": supd.socket_path})
        monkeypatch.setenv("PATH", server.path)
        server.start()
        yield server
        server.stop()


def test_a_verb_is_carried_out_on_the_other_host(supd: Supd, sshd: Sshd) -> None:
    def there(*words: str) -> "subprocess.CompletedProcess[str]":
        return supd.run("supctl", "-H", "other", *words, PATH=sshd.path)

    assert (there("is-active", "sleeper").stdout, there("is-active", "sleeper").returncode) == ("active\n", 0)
    assert there("stop", "sleeper").returncode == 0
    assert there("is-active", "sleeper").returncode == 3
    assert there("status", "sl;reboot").returncode == 4


def test_the_screens_questions_go_over_the_forwarded_socket(supd: Supd, sshd: Sshd) -> None:
    async def story() -> None:
        there = Forward("other", retry_after_s=0.0)
        transport = HttpTransport(there.place, "other", there.ensure)
        try:
            async with asyncio.timeout(DEADLINE_S):
                await there.ensure(may_ask=True)
                assert there.remote_socket == supd.socket_path
                assert (await transport.hello())["manager_pid"] == supd.get("/v1/version")["manager_pid"]
                assert transport.log_directory("sleeper") == ""
                stream = transport.events(None)
                assert (await anext(stream))["kind"] == ALIVE
                assert (await transport.act("stop", "sleeper"))["result"] == "done"
                while (await anext(stream)).get("unit") != "sleeper":
                    pass

                sshd.stop()
                with pytest.raises(LinkLost):
                    while True:
                        await anext(stream)
                assert there._ssh is not None
                await asyncio.to_thread(there._ssh.wait)
                with pytest.raises(LinkLost, match=r"cannot reach other by ssh: .*Connection refused"):
                    await transport.hello()
                sshd.start()
                assert [unit["active_state"] for unit in await transport.units(["sleeper"])] == ["inactive"]
        finally:
            there.close()
        assert not os.path.exists(os.path.dirname(there.place.path))

    asyncio.run(story())
