"""The control socket of a supd on another host, as a socket here, for as long as an ssh of ours lives.

The system's ssh does all of it, with the person's own configuration: `ssh -N -L /private/sock:/remote/supd.sock HOST`. Where the socket
is there, `supctl version --json` on the other host says, unless it was named. Nothing listens on a network here: the socket lies in a
directory of mode 0700. What answers on it is our own ssh, so it has our uid, and still speaks for another machine: `Place.is_forwarded`
says that no path it names may be opened here.

Invariants: at most one ssh forwards at a time; it ends with us, also when we are killed. ssh may ask a person (password, host key) only
while `may_ask`: later a full-screen program owns the terminal. Everything that fails is Unreachable, with what ssh said.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from supervisor.client import tether
from supervisor.client.discovery import Place
from supervisor.client.errors import Unreachable

CONNECT_TIMEOUT_S = 10
ALIVE_EVERY_S = 5  # ssh asks the other end so often, and gives up after three questions without an answer
READY_TIMEOUT_S = 30.0  # for an ssh that may not ask anybody; a person who types a password has all the time he wants
RETRY_AFTER_S = 1.0
_LOOK_AGAIN_S = 0.02
_END_TIMEOUT_S = 2.0

_SSH_FAILED = 255  # ssh(1): "or with 255 if an error occurred"
_NO_SUCH_COMMAND = 127
_NO_DAEMON = 69  # supctl's
_SOCKET_PATH_MAX = 100  # sun_path ends at 108

# Settings for a command of ours: no tunnels of X11 or agents, no terminal, and no command of the person's own in the way.
_QUIET = ("-a", "-x", "-T", "-o", "RemoteCommand=none", "-o", "PermitLocalCommand=no", "-o", f"ConnectTimeout={CONNECT_TIMEOUT_S}")


class Forward:
    """`place` is where to connect here. `remote_socket`: the socket on `host`, "" to ask the supctl there."""

    def __init__(self, host: str, remote_socket: str = "", program: str = "ssh", retry_after_s: float = RETRY_AFTER_S) -> None:
        if not host or host.startswith("-"):
            raise Unreachable(f"cannot reach {host!r} by ssh: this is no name of a host")
        if remote_socket:
            _check(remote_socket)
        self.host = host
        self.remote_socket = remote_socket
        self._program = program
        self._retry_after_s = retry_after_s
        self._directory = _private_directory()
        self.place = Place(os.path.join(self._directory, "s"), f"by ssh to {host}", is_forwarded=True)
        self._said = os.path.join(self._directory, "ssh.err")
        self._ssh: subprocess.Popen[bytes] | None = None
        self._lock = asyncio.Lock()
        self._not_before_s = 0.0
        self._last_failure = ""

    async def ensure(self, may_ask: bool = False) -> None:
        """Return when the socket is there, after starting ssh if none lives. Raises Unreachable.

        A failure is not tried again for `retry_after_s`: whoever asks meanwhile gets the same answer.
        """
        async with self._lock:
            if self._ssh is not None and self._ssh.poll() is None:
                return
            if time.monotonic() < self._not_before_s:
                raise Unreachable(self._last_failure)
            try:
                if not self.remote_socket:
                    self.remote_socket = await self._ask_where(may_ask)
                await self._start(may_ask)
            except Unreachable as error:
                self._not_before_s = time.monotonic() + self._retry_after_s
                self._last_failure = str(error)
                raise

    def close(self) -> None:
        """End ssh, and leave nothing behind."""
        self._end()
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _ask_where(self, may_ask: bool) -> str:
        command = self._command(may_ask, *_QUIET, "--", self.host, "supctl version --json")
        process = self._spawn(command, subprocess.PIPE)
        try:
            output = await asyncio.to_thread(process.communicate)
        finally:
            if process.poll() is None:
                process.terminate()
        return self._socket_of(process.returncode, output[0].decode("utf-8", "replace"))

    def _socket_of(self, status: int, output: str) -> str:
        """The socket that the supctl there talks to; its answer is the last line, after whatever a login prints."""
        if status == _SSH_FAILED:
            raise Unreachable(self._unreachable())
        name_it = f"name the socket: supctl -H {self.host} --socket PATH tui"
        cannot = f"cannot ask {self.host} for its supd"
        if status == _NO_SUCH_COMMAND:
            raise Unreachable(f"{cannot}: supctl is not in the PATH of a shell without a login there; {name_it}")
        if status == _NO_DAEMON:
            raise Unreachable(f"no supd answers on {self.host}; supctl there says:\n{self._quoted()}\nStart it there, or {name_it}")
        if status != 0:
            raise Unreachable(f"{cannot}: supctl there left with status {status}: {self._last_words()}; {name_it}")
        try:
            path = str(json.loads(output.strip().splitlines()[-1])["socket"])
        except (ValueError, IndexError, KeyError, TypeError):
            raise Unreachable(f"{cannot}: the supctl there does not say where its socket is, perhaps it is older; {name_it}") from None
        _check(path)
        return path

    async def _start(self, may_ask: bool) -> None:
        self._end()
        alive = ("-o", f"ServerAliveInterval={ALIVE_EVERY_S}", "-o", "ServerAliveCountMax=3")
        # A master connection that is shared (ControlMaster) would keep the forwarding after us: this ssh has a connection of its own.
        own = ("-S", "none", "-o", "ExitOnForwardFailure=yes", "-o", "StreamLocalBindUnlink=yes")
        what = f"{_escaped(self.place.path)}:{_escaped(self.remote_socket)}"
        self._ssh = self._spawn(self._command(may_ask, "-N", *own, *alive, *_QUIET, "-L", what, "--", self.host), subprocess.DEVNULL)
        deadline_s = float("inf") if may_ask else time.monotonic() + READY_TIMEOUT_S
        while not _is_connectable(self.place.path):
            if self._ssh.poll() is not None:
                raise Unreachable(self._unreachable())
            if time.monotonic() > deadline_s:
                self._end()
                raise Unreachable(f"cannot reach {self.host} by ssh: it has not connected within {READY_TIMEOUT_S:.0f} s")
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _command(self, may_ask: bool, *words: str) -> list[str]:
        return [self._program, *(() if may_ask else ("-o", "BatchMode=yes")), *words]

    def _spawn(self, command: Sequence[str], stdout: int) -> "subprocess.Popen[bytes]":
        """Its stderr goes to a file: what it says there is read when it failed, and no pipe can fill up."""
        if shutil.which(command[0]) is None:
            raise Unreachable(f"cannot reach {self.host}: there is no {command[0]} here; install the OpenSSH client")
        tethered = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command)
        with open(self._said, "wb") as said:
            return subprocess.Popen(tethered, stdin=subprocess.DEVNULL, stdout=stdout, stderr=said)

    def _end(self) -> None:
        if self._ssh is None:
            return
        self._ssh.terminate()
        try:
            self._ssh.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._ssh.send_signal(signal.SIGKILL)
            self._ssh.wait()
        self._ssh = None
        if os.path.exists(self.place.path):
            os.unlink(self.place.path)

    def _stderr(self) -> str:
        try:
            with open(self._said, encoding="utf-8", errors="replace") as said:
                return said.read(64 * 1024).replace("\r", "").strip()
        except OSError:
            return ""

    def _quoted(self) -> str:
        return "\n".join(f"  {line}" for line in self._stderr().splitlines()) or "  nothing"

    def _last_words(self) -> str:
        return (self._stderr().splitlines() or ["it says nothing"])[-1]

    def _unreachable(self) -> str:
        return f"cannot reach {self.host} by ssh: {self._last_words()}"


def _private_directory() -> str:
    """A directory that is ours alone (mkdtemp makes it 0700), with a path short enough for a socket."""
    room = _SOCKET_PATH_MAX - len("/supctl-xxxxxxxx/s")
    for parent in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"):
        if parent.startswith("/") and len(os.fsencode(parent)) <= room and os.access(parent, os.W_OK | os.X_OK):
            return tempfile.mkdtemp(prefix="supctl-", dir=parent)
    raise Unreachable("cannot forward a socket: neither $XDG_RUNTIME_DIR nor /tmp can be written to")


def _check(path: str) -> None:
    """Refuse what ssh would not take as the path it is."""
    if not path.startswith("/") or "${" in path or any(ord(character) < 32 for character in path):
        raise Unreachable(f"cannot forward the socket {path!r}: it must be an absolute path without control characters or '${{'")


def _escaped(path: str) -> str:
    """`path` as a part of ssh's -L: a colon would end it, and a percent sign begins a token (ssh_config(5), TOKENS)."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace("%", "%%")


def _is_connectable(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        try:
            end.connect(path)
        except OSError:
            return False
    return True
