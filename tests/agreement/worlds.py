"""The two worlds that scenarios are played in: a real systemd, and a supd. Each answers the same few questions in the same words.

A world has a `directory` in which its processes write their lines; `outside` is where this process sees that directory.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.agreement.dbus import Bus, CallFailed
from tests.agreement.scenario import HERE, Json, Scenario, Texts
from tests.system.arrival import Deadline
from tests.system.supd import Supd

INSIDE = "/tmp/agreement"  # in the reference's own file system
GLANCE_S = 0.05  # lines in a file have no event of their own: a waiter looks at least this often
ENDS: dict[int, str | None] = {0: None, 1: "exited", 2: "killed", 3: "dumped"}  # CLD_*, as ExecMainCode has them
PID_FILE = "/run/systemd-reference/pid"
_MANAGER = "org.freedesktop.systemd1.Manager"
_ROOT = "/org/freedesktop/systemd1"
_METHODS = {
    "start": "StartUnit",
    "stop": "StopUnit",
    "restart": "RestartUnit",
    "try-restart": "TryRestartUnit",
    "reload": "ReloadUnit",
    "reload-or-restart": "ReloadOrRestartUnit",
    "try-reload-or-restart": "ReloadOrTryRestartUnit",
}


class Refused(Exception):
    """The request was not taken at all."""


class World(ABC):
    """`change` is notified whenever a unit may have changed."""

    def __init__(self, scenarios: list[Scenario], directory: str, outside: str, has_own_defaults: bool = False) -> None:
        self.change = threading.Condition()
        self.directory, self.outside = directory, outside
        self.texts = {scenario.name: Texts(scenario, directory, has_own_defaults) for scenario in scenarios}
        shutil.rmtree(outside, ignore_errors=True)
        os.mkdir(outside, 0o755)
        for program in ("say", "heard", "talk.py"):
            shutil.copy(os.path.join(HERE, program), outside)
        with open(os.path.join(outside, "talk"), "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {sys.executable} -S -E {directory}/talk.py "$@"\n')
        os.chmod(os.path.join(outside, "talk"), 0o755)
        for scenario in scenarios:
            self._prepare(scenario)

    def _prepare(self, scenario: Scenario) -> None:
        texts = self.texts[scenario.name]
        with open(self.seen(texts.log_path), "w", encoding="utf-8"):
            os.chmod(self.seen(texts.log_path), 0o666)
        os.mkdir(self.seen(texts.own_directory))
        os.chmod(self.seen(texts.own_directory), 0o777)
        for name, text in scenario.files.items():
            with open(os.path.join(self.seen(texts.own_directory), name), "w", encoding="utf-8") as file:
                file.write(text)

    def seen(self, path: str) -> str:
        return self.outside + path.removeprefix(self.directory)

    def lines(self, scenario: Scenario) -> list[str]:
        """What the scenario's processes wrote, in order, without the times."""
        with open(self.seen(self.texts[scenario.name].log_path), encoding="utf-8") as file:
            return [line.rstrip("\n").partition(" ")[2].replace(self.directory, "@") for line in file]

    def wait_for(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Whether it held in time."""
        deadline = Deadline(within_s)
        while not holds():
            if not deadline.remaining_s():
                return False
            with self.change:
                self.change.wait(GLANCE_S)
        return True

    def notify(self) -> None:
        with self.change:
            self.change.notify_all()

    @abstractmethod
    def request(self, verb: str, scenario: Scenario, unit: str, mode: str) -> Callable[[float], str]:
        """Enqueue a job; the answer waits so many seconds for its result. Raises Refused."""

    @abstractmethod
    def kill(self, scenario: Scenario, unit: str, signal_number: int, whom: str) -> None: ...

    @abstractmethod
    def reset_failed(self, scenario: Scenario, unit: str) -> None: ...

    @abstractmethod
    def show(self, scenario: Scenario, unit: str) -> Json: ...

    @abstractmethod
    def details(self, scenario: Scenario, unit: str) -> Json:
        """States, and what the service has said of itself: state, result, errno, descriptors kept, watchdog_usec, main_pid, status_text."""

    @abstractmethod
    def states(self, scenario: Scenario, unit: str) -> tuple[str, str]: ...

    @abstractmethod
    def close(self) -> None: ...


class Reference(World):
    """systemd as `systemd-reference/up` has started it."""

    def __init__(self, scenarios: list[Scenario]) -> None:
        with open(PID_FILE, encoding="utf-8") as file:
            self._inside = f"/proc/{file.read().strip()}/root"
        super().__init__(scenarios, INSIDE, self._inside + INSIDE)
        self._scenarios = scenarios
        self._jobs: dict[int, str] = {}
        self._known: dict[str, Json] = {}
        self._files: list[str] = []
        for scenario in scenarios:
            for unit in scenario.units:
                is_masked = unit in scenario.masked
                self._write(f"{scenario.full(unit)}.{scenario.kind(unit)}", None if is_masked else self.texts[scenario.name].systemds(unit))
        names = " ".join(self._name(scenario, unit) for scenario in scenarios for unit in scenario.names)
        # A unit that nothing refers to is forgotten as soon as it is down, and its last result with it.
        self._write("agr-hold.target", f"[Unit]\nAfter={names}\nIgnoreOnIsolate=yes\n")
        self._bus = Bus(_connected(), self._signal)
        self._manager("Reload")
        self._manager("StartUnit", "ss", "agr-hold.target", "replace")

    def _write(self, name: str, text: str | None) -> None:
        """One unit file; None masks the unit."""
        path = f"{self._inside}/run/systemd/system/{name}"
        self._files.append(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if text is None:
            os.symlink("/dev/null", path)
            return
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def _manager(self, member: str, signature: str = "", *values: object) -> list[Any]:
        return self._bus.call(_ROOT, _MANAGER, member, signature, *values)

    def _signal(self, path: str, member: str, body: list[Any]) -> None:
        if member == "JobRemoved":
            self._jobs[body[0]] = body[3]
        elif member == "PropertiesChanged" and body[0] == "org.freedesktop.systemd1.Unit":
            self._known.setdefault(path, {}).update(body[1])
        else:
            return
        self.notify()

    @staticmethod
    def _name(scenario: Scenario, unit: str) -> str:
        return f"{scenario.full(unit)}.{scenario.kind(unit)}"

    def _path(self, scenario: Scenario, unit: str) -> str:
        name = self._name(scenario, unit).encode()
        return f"{_ROOT}/unit/" + "".join(chr(byte) if chr(byte).isalnum() else f"_{byte:02x}" for byte in name)

    def request(self, verb: str, scenario: Scenario, unit: str, mode: str) -> Callable[[float], str]:
        method, mode = ("StartUnit", "isolate") if verb == "isolate" else (_METHODS[verb], mode)
        try:
            (path,) = self._manager(method, "ss", self._name(scenario, unit), mode)
        except CallFailed as failed:
            raise Refused(str(failed)) from None
        job = int(path.rpartition("/")[2])

        def result(within_s: float) -> str:
            return self._jobs[job] if self.wait_for(lambda: job in self._jobs, within_s) else "waiting"

        return result

    def kill(self, scenario: Scenario, unit: str, signal_number: int, whom: str) -> None:
        try:
            self._manager("KillUnit", "ssi", self._name(scenario, unit), whom, signal_number)
        except CallFailed as failed:
            raise Refused(str(failed)) from None

    def reset_failed(self, scenario: Scenario, unit: str) -> None:
        self._manager("ResetFailedUnit", "s", self._name(scenario, unit))

    def _all(self, scenario: Scenario, unit: str, interface: str) -> Json:
        path = self._path(scenario, unit)
        (properties,) = self._bus.call(path, "org.freedesktop.DBus.Properties", "GetAll", "s", f"org.freedesktop.systemd1.{interface}")
        return dict(properties)

    def states(self, scenario: Scenario, unit: str) -> tuple[str, str]:
        known = self._known.get(self._path(scenario, unit)) or self._all(scenario, unit, "Unit")
        return known["ActiveState"], known["SubState"]

    def show(self, scenario: Scenario, unit: str) -> Json:
        shown = self._all(scenario, unit, "Unit")
        states = {"active_state": shown["ActiveState"], "sub_state": shown["SubState"]}
        if scenario.kind(unit) == "target":
            return states
        more = self._all(scenario, unit, "Service")
        code = ENDS[more["ExecMainCode"]]
        return {
            **states,
            "result": more["Result"],
            "n_restarts": more["NRestarts"],
            "exec_main_code": code,
            "exec_main_status": more["ExecMainStatus"] if code else None,
        }

    def details(self, scenario: Scenario, unit: str) -> Json:
        states, more = self.states(scenario, unit), self._all(scenario, unit, "Service")
        names = {"errno": "StatusErrno", "stored": "NFileDescriptorStore", "watchdog_usec": "WatchdogUSec"}
        state = "/".join(states).replace("reloading/reload", "reloading/reload-notify")  # as it is called since 253: no command runs here
        said = {"state": state, "result": more["Result"], **{key: more[name] for key, name in names.items()}}
        return {**said, "main_pid": more["MainPID"], "status_text": more["StatusText"]}

    def close(self) -> None:
        """Take the files away and stop everything that a scenario left."""
        for path in self._files:
            os.unlink(path)
        self._manager("Reload")  # without its file a unit no longer refuses to be stopped
        for name in ["agr-hold.target", *(self._name(scenario, unit) for scenario in self._scenarios for unit in scenario.names)]:
            with suppress(CallFailed):  # one that is gone already
                self._manager("KillUnit", "ssi", name, "all", 9)
            with suppress(CallFailed):
                self._manager("StopUnit", "ss", name, "ignore-dependencies")
                self._manager("ResetFailedUnit", "s", name)
        self._bus.close()


_HAND_OVER = """
import socket
sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
sock.connect("/run/systemd/private")
socket.send_fds(socket.socket(fileno=0), [b"x"], [sock.fileno()])
"""


def _connected() -> socket.socket:
    """A connection to systemd's private socket, made by a process inside: it speaks only to those whose pid it can see."""
    with open(PID_FILE, encoding="utf-8") as file:
        pid = file.read().strip()
    ours, theirs = socket.socketpair()
    inside = ["nsenter", "-t", pid, "-m", "-p", "-u", "-i", "-C", "-r", "-w", "--", sys.executable, "-S", "-E", "-c", _HAND_OVER]
    subprocess.run(inside, stdin=theirs.fileno(), check=True, timeout=30.0)
    _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    ours.close()
    theirs.close()
    return socket.socket(fileno=descriptors[0])


class Ours(World):
    """supd, in a project of its own."""

    def __init__(self, scenarios: list[Scenario], has_own_defaults: bool = False) -> None:
        directory = tempfile.mkdtemp(prefix="agreement-")
        super().__init__(scenarios, directory, directory, has_own_defaults)
        self._scenarios = scenarios
        units = {scenario.full(unit): self.texts[scenario.name].ours(unit) for scenario in scenarios for unit in scenario.units}
        masked = {scenario.full(unit): "masked" for scenario in scenarios for unit in scenario.masked}
        self.supd = Supd(units, {".supd/enabled.json": json.dumps(masked)})
        self._is_closing = False
        try:
            self.supd.start(within_s=60.0)
        except BaseException:
            self.supd.remove()
            raise
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        while not self._is_closing:
            try:
                with self.supd.events(Deadline(3600.0)) as events:
                    for _ in events:
                        self.notify()
            except (OSError, http.client.HTTPException):
                continue

    def request(self, verb: str, scenario: Scenario, unit: str, mode: str) -> Callable[[float], str]:
        body = {} if verb == "isolate" else {"mode": mode}
        status, answer = self.supd.request("POST", f"/v1/units/{scenario.full(unit)}/{verb}", body)
        if status != 200:
            raise Refused(str(answer))
        job = answer["job"]

        def result(within_s: float) -> str:
            if not job:
                return "done"  # there was nothing to do
            try:
                status, answer = self.supd.request("GET", f"/v1/jobs/{job}?wait=true", within_s=within_s)
            except TimeoutError:
                return "waiting"
            return str(answer["result"]) if status == 200 else "unknown"

        return result

    def kill(self, scenario: Scenario, unit: str, signal_number: int, whom: str) -> None:
        status, answer = self.supd.request("POST", f"/v1/units/{scenario.full(unit)}/kill", {"signal": signal_number, "whom": whom})
        if status != 200:
            raise Refused(str(answer))

    def reset_failed(self, scenario: Scenario, unit: str) -> None:
        self.supd.request("POST", f"/v1/units/{scenario.full(unit)}/reset-failed", {})

    def states(self, scenario: Scenario, unit: str) -> tuple[str, str]:
        status, shown = self.supd.request("GET", f"/v1/units/{scenario.full(unit)}")
        return (shown["active_state"], shown["sub_state"]) if status == 200 else ("inactive", "dead")

    def show(self, scenario: Scenario, unit: str) -> Json:
        shown = self.supd.show(scenario.full(unit))
        keys = ["active_state", "sub_state"]
        if scenario.kind(unit) != "target":
            keys += ["result", "n_restarts", "exec_main_code", "exec_main_status"]
        return {key: shown[key] for key in keys}

    def details(self, scenario: Scenario, unit: str) -> Json:
        shown = self.supd.show(scenario.full(unit))
        names = {"errno": "status_errno", "stored": "n_file_descriptor_store", "watchdog_usec": "watchdog_usec"}
        said = {"state": f"{shown['active_state']}/{shown['sub_state']}", "result": shown["result"]}
        said |= {key: shown[name] or 0 for key, name in names.items()}
        return {**said, "main_pid": shown["main_pid"], "status_text": shown["status_text"]}

    def close(self) -> None:
        for scenario in self._scenarios:
            for unit in scenario.names:
                with suppress(Refused):  # nothing of it runs
                    self.kill(scenario, unit, 9, "all")
        self._is_closing = True
        self.supd.stop(within_s=30.0)
        self._listener.join(5.0)
        self.supd.remove()
        shutil.rmtree(self.directory)
