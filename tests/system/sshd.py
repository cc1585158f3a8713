"""An OpenSSH server of the tests' own, with keys of its own, and the person's ssh_config that leads to it."""

import getpass
import os
import shutil
import signal
import socket
import subprocess

from tests.system.arrival import wait_for_text
from tests.system.descent import descendants

DEADLINE_S = 30.0
SSHD = "/usr/sbin/sshd"


class Sshd:
    """A server for this user on a free port of 127.0.0.1; `path` begins with an `ssh` that knows it as the host `other`."""

    def __init__(self, directory: str, remote_environment: dict[str, str]) -> None:
        assert os.path.exists(SSHD), "openssh-server is missing: .ci/packages installs it"
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
