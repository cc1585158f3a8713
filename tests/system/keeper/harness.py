"""A real keeper with a real manager process that the test steers. Nothing is faked but the manager's will."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.keeper.messages import SpawnRequest
from supervisor.keeper.reap import start_time_ticks

REPOSITORY = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("manager_program.py")
DEADLINE_S = 30.0
BOOT = "import sys; from supervisor.keeper.main import run_keeper; sys.exit(run_keeper(sys.argv[1:]))"

Report = list[Any]


class Manager:
    """One manager process, from the test's side."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self._messages: list[dict[str, Any]] = []
        self.reports: list[Report] = []
        self.sent: list[bool] = []
        self.is_closed = False
        self.hello: dict[str, Any] = {}
        self.wait(lambda: bool(self.hello))
        self.table: dict[str, Any] = self.hello["table"]
        self.pid: int = self.hello["pid"]

    def _read(self, limit_s: float) -> None:
        if not select.select([self._connection], [], [], max(0.0, limit_s))[0]:
            return
        data = self._connection.recv(1 << 20)
        if not data:
            raise EOFError("the manager is gone")
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            self.hello = message.get("hello", self.hello)
            self.reports += message.get("reports", [])
            self.is_closed = self.is_closed or message.get("closed", False)
            if "sent" in message:
                self.sent.append(message["sent"])

    def wait(self, condition: Callable[[], bool], what: str = "the manager") -> None:
        end_s = time.monotonic() + DEADLINE_S
        while not condition():
            left_s = end_s - time.monotonic()
            assert left_s > 0, f"{what} did not come; so far: {self.reports[-20:]}"
            self._read(left_s)

    def command(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        line = json.dumps(message).encode() + b"\n"
        if descriptors:
            for first in range(0, len(descriptors), 250):
                socket.send_fds(self._connection, [b" "], descriptors[first : first + 250])
        self._connection.sendall(line)

    def send(self, *ops: list[Any], remember: dict[str, str] | None = None, descriptors: list[int] | None = None) -> None:
        plain = [[op[0], op[1].as_dict()] if op[0] == "spawn" and isinstance(op[1], SpawnRequest) else op for op in ops]
        own = descriptors or []
        already = len(self.sent)
        self.command({"remember": remember or {}, "ops": plain, "descriptors": len(own)}, own)
        self.wait(lambda: len(self.sent) > already, "the batch's hand-over")

    def of_run(self, run: int) -> list[Report]:
        return [report for report in self.reports if report[1] == run and report[0] not in ("reaped", "signaled")]

    def wait_report(self, kind: str, run: int) -> Report:
        self.wait(lambda: any(report[0] == kind for report in self.of_run(run)), f"{kind} of run {run}")
        return next(report for report in self.of_run(run) if report[0] == kind)

    def wait_outcome(self, run: int) -> list[Report]:
        """Reports of the run up to its end."""
        self.wait(lambda: any(report[0] in ("exited", "spawn_failed") for report in self.of_run(run)), f"the end of run {run}")
        return self.of_run(run)

    def wait_closed(self) -> None:
        """Until this process is gone."""
        end_s = time.monotonic() + DEADLINE_S
        try:
            while time.monotonic() < end_s:
                self._read(end_s - time.monotonic())
        except (EOFError, ConnectionResetError):
            return
        raise AssertionError("the manager lives on")

    def kill_only(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def kill(self) -> None:
        self.kill_only()
        self.wait_closed()

    def close(self) -> None:
        self._connection.close()


def interpreter_for(uid: int | None) -> str:
    """A Python of our version that this user may execute: a virtual environment of root's may lie behind /root."""
    if uid is None:
        return sys.executable
    wanted = "import sys; sys.exit(sys.version_info < (3, 11))"
    for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            if not subprocess.run([path, "-c", wanted], check=False, user=uid, group=uid, extra_groups=[], cwd="/").returncode:
                return path
        except OSError:
            continue  # not there, or not for this user
    pytest.skip(f"no Python 3.11 that uid {uid} may execute")


class Keeper:
    """A keeper process; `managers` grows with every start."""

    def __init__(self, directory: Path, uid: int | None = None, **options: Any) -> None:
        self.directory = directory
        path = str(directory / "control")
        python = interpreter_for(uid)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(16)
        self._listener.settimeout(DEADLINE_S)
        Path(path).chmod(0o777)
        self.stderr_path = directory / "stderr"
        self._next_run = 0
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
        if uid is not None:
            directory.chmod(0o777)
            options |= {"user": uid, "group": uid, "extra_groups": []}
        with self.stderr_path.open("wb") as stderr:
            self.process = subprocess.Popen(
                [python, "-c", BOOT, python, str(PROGRAM), path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=environment,
                cwd=directory,
                **options,
            )
        self.managers: list[Manager] = []
        self.manager = self.next_manager()

    def next_manager(self) -> Manager:
        """The manager that connects next."""
        connection, _ = self._listener.accept()
        connection.settimeout(DEADLINE_S)
        self.manager = Manager(connection)
        self.managers.append(self.manager)
        return self.manager

    def try_kill_next_manager(self, limit_s: float) -> None:
        """Kill the next manager as soon as it connects, if one does within the limit."""
        if select.select([self._listener], [], [], limit_s)[0]:
            self.next_manager().kill_only()

    def request(self, *argv: str, **fields: Any) -> SpawnRequest:
        """A request for the next run; output goes nowhere unless said otherwise."""
        self._next_run += 1
        defaults: dict[str, Any] = {
            "run": self._next_run,
            "unit": f"unit{self._next_run}",
            "phase": "main",
            "path": argv[0],
            "argv": list(argv),
            "environment": [],
            "pid_variables": [],
            "stdin": ["null"],
            "stdout": ["null"],
            "stderr": ["null"],
        }
        return SpawnRequest(**(defaults | fields))

    def output_of(self, *argv: str, **fields: Any) -> bytes:
        """What a program writes to standard output, run to its end by the keeper."""
        output = self.directory / f"output{self._next_run}"
        output.touch()
        output.chmod(0o666)
        fields.setdefault("stdout", ["open", str(output), os.O_WRONLY | os.O_TRUNC, 0])
        request = self.request(*argv, **fields)
        self.manager.send(["spawn", request])
        outcome = self.manager.wait_outcome(request.run)
        assert outcome[-1][0] == "exited", outcome
        return output.read_bytes()

    def wait_reaped(self, run: int) -> None:
        """Until the run's process is gone. Every turn is a round trip through the keeper's loop, which reaps."""
        pid = self.manager.wait_report("forked", run)[2]
        end_s = time.monotonic() + DEADLINE_S
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < end_s, f"run {run} was not reaped"
            self.output_of("/bin/true")

    def leave(self, status: int = 0) -> int:
        """Let the manager say leave, and end; returns the keeper's exit status."""
        self.manager.send(["leave", status])
        self.manager.command({"exit": 0})
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        """End everything, whatever state it is in."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)  # or it would start another manager meanwhile
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            for pid in map(int, children):
                os.kill(pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
        for report in (report for manager in self.managers for report in manager.reports if report[0] == "forked"):
            if start_time_ticks(report[2]) == report[3]:  # it outlived its keeper
                os.kill(report[2], signal.SIGKILL)
        for manager in self.managers:
            manager.close()
        self._listener.close()

    def said(self) -> str:
        return self.stderr_path.read_text()
