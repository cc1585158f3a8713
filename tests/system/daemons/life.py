"""What every daemon is put through, whatever it serves. The daemons' own tests say how it is asked and reloaded."""

import os
import pwd
import shutil
import signal

from tests.system.arrival import wait_for_end
from tests.system.conftest import StartSupd
from tests.system.descent import Process
from tests.system.supd import Json, Supd, free_port

_HERE = os.path.dirname(__file__)


class Daemon:
    """One daemon in a project of its own: NAME.toml and its configuration files, with @DIR@, @PORT@ and the like filled in."""

    def __init__(self, make_supd: StartSupd, name: str, *configuration: str, user: str = "", **words: str) -> None:
        """`configuration`: file names beside this module. `user`: who must be able to write into the project's `run` directory."""
        self.name = name
        self.port = free_port()
        self.supd: Supd = make_supd({})
        self.directory = self.supd.path("run")
        os.mkdir(self.directory)
        self._words = {"@DIR@": self.directory, "@PORT@": str(self.port), **{f"@{key}@": value for key, value in words.items()}}
        for file_name in configuration:
            self.configure(file_name)
        if user:
            owner = pwd.getpwnam(user)
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self.supd.write(f"units/{name}.toml", self._filled(f"{name}.toml"))

    def _filled(self, file_name: str) -> str:
        with open(os.path.join(_HERE, file_name), encoding="utf-8") as file:
            text = file.read()
        for word, value in self._words.items():
            text = text.replace(word, value)
        return text

    def configure(self, file_name: str, old: str = "", new: str = "", into: str = "") -> None:
        """Write a configuration file into the project, `old` replaced by `new`; `into` is where, if not beside the others."""
        text = self._filled(file_name)
        assert old in text, f"{file_name} does not hold {old!r}"
        self.supd.write(into or f"run/{file_name}", text.replace(old, new) if old else text)

    def start(self) -> Json:
        """Start supd and wait for the daemon's own readiness; the unit's properties at that moment."""
        self.supd.start()
        shown = self.supd.wait_until(self.name, "active")
        assert shown["sub_state"] == "running"
        assert shown["main_pid"] > 0
        return shown


def old_workers(daemon: Daemon, main: Json) -> list[Process]:
    """The processes of the daemon beside its main process, to be handed to `are_gone` after a reload."""
    return [process for process in daemon.supd.processes() if process.pid != main["main_pid"]]


def are_gone(processes: list[Process], within_s: float = 20.0) -> None:
    """Wait for the end of workers that a reload replaces: from then on only new ones answer."""
    assert processes, "the daemon has workers"
    for process in processes:
        wait_for_end(process, within_s)


def is_started_again_after_kill(daemon: Daemon, before: Json) -> Json:
    """Kill the main process with SIGKILL; the unit must come back by itself with another process. Its new properties."""
    os.kill(before["main_pid"], signal.SIGKILL)
    after = daemon.supd.wait_for(
        daemon.name,
        "active again",
        lambda shown: shown["active_state"] == "active" and shown["main_pid"] not in (0, before["main_pid"]),
    )
    assert after["n_restarts"] == 1
    assert after["invocation_id"] != before["invocation_id"]
    return after


def stops_without_a_trace(daemon: Daemon) -> None:
    """`supctl stop` must end every process of the unit, and not count as a failure."""
    assert daemon.supd.processes(), "the daemon runs, so it has processes"
    daemon.supd.supctl("stop", daemon.name)
    shown = daemon.supd.show(daemon.name)
    assert (shown["active_state"], shown["result"], shown["main_pid"]) == ("inactive", "success", 0)
    assert daemon.supd.processes() == []


def copied(source: str, destination: str, user: str) -> None:
    """A copy of a directory that belongs to `user`."""
    shutil.copytree(source, destination)
    owner = pwd.getpwnam(user)
    for directory, _, names in os.walk(destination):
        os.chown(directory, owner.pw_uid, owner.pw_gid)
        for name in names:
            os.chown(os.path.join(directory, name), owner.pw_uid, owner.pw_gid)
    os.chmod(destination, 0o700)
