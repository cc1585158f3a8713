"""A small world of its own for each test of preparation: roots, a Preparer, units, and real processes made from its requests.

`World.launch` gives a prepared request to a real keeper and returns what the program said of itself. Nothing is imitated: what a
test reads is what a service would find.
"""

import importlib
import json
import os
import select
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from supervisor.daemon.prepare import Context, Preparer
from supervisor.daemon.privileges import Own
from supervisor.keeper.messages import SpawnRequest
from supervisor.model.effects import Prepare
from supervisor.model.specification import Command, Execution, Service, Unit
from supervisor.model.states import Phase
from tests.system.keeper.harness import Keeper, interpreter_for

DEADLINE_S = 20

NOBODY = 65534
EVERYTHING = (1 << 41) - 1


PYTHON = interpreter_for(NOBODY if os.getuid() == 0 else None)

# Prints what only the process itself can know. One line of JSON.
SELF_PORTRAIT = """
import ctypes, json, os, resource
status = dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
umask = os.umask(0)
number = {"x86_64": 252, "aarch64": 31}.get(os.uname().machine)
print(json.dumps({
    "uids": os.getresuid(), "gids": os.getresgid(), "groups": sorted(os.getgroups()), "umask": umask,
    "cwd": os.getcwd(), "environment": dict(os.environ), "nice": os.getpriority(os.PRIO_PROCESS, 0),
    "affinity": sorted(os.sched_getaffinity(0)), "oom": int(open("/proc/self/oom_score_adj").read()),
    "nofile": resource.getrlimit(resource.RLIMIT_NOFILE), "core": resource.getrlimit(resource.RLIMIT_CORE),
    "bounding": int(status["CapBnd"], 16), "ambient": int(status["CapAmb"], 16), "effective": int(status["CapEff"], 16),
    "no_new_privileges": status["NoNewPrivs"] == "1", "pid": os.getpid(),
    "io_priority": ctypes.CDLL(None).syscall(number, 1, 0) if number else None,
}))
"""


def own(uid: int = 0, gid: int = 0, groups: frozenset[int] = frozenset(), capabilities: int = EVERYTHING) -> Own:
    return Own(uid, gid, groups, capabilities, capabilities, EVERYTHING)


NOBODYS = own(NOBODY, NOBODY, capabilities=0)
ORDINARY = own(1000, 1000, frozenset({1000, 44}), 0)


@dataclass
class World:
    """Roots below `directory`, which every user may enter."""

    directory: Path
    mode: str = "system"

    def context(self, **changes: Any) -> Context:
        roots = {base: f"{self.directory}/{base}" for base in ("runtime", "state", "cache", "logs", "configuration")}
        standard = Context(
            mode=self.mode,
            base_environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            own_environment={"PATH": "/own/bin", "TOKEN": "secret", "EMPTY": ""},
            directory=str(self.directory),
            roots=roots,
            notify_socket_path=lambda unit: f"{self.directory}/n/{unit.id}",
        )
        return replace(standard, **changes)

    def prepare(
        self,
        unit: Unit,
        phase: Phase = Phase.START,
        environment: Mapping[str, str] | None = None,
        command: Command | None = None,
        descriptors: tuple[tuple[str, str], ...] = (),
        **context: Any,
    ) -> SpawnRequest:
        effect = Prepare(
            unit.id,
            7,
            phase,
            command or service_of(unit).exec_start[0],
            "0123456789abcdef0123456789abcdef",
            tuple((environment or {}).items()),
        )
        return Preparer(self.context(**context)).prepare(effect, unit, descriptors)

    def variables(self, unit: Unit, **arguments: Any) -> dict[str, str]:
        request = self.prepare(unit, **arguments)
        return dict(entry.split("=", 1) for entry in request.environment)

    def launch(self, unit: Unit, keeper_uid: int | None = None, **arguments: Any) -> dict[str, Any]:
        """What the self portrait of a unit says of itself; the keeper, and so supd, is `keeper_uid`'s (None: ours)."""
        output = self.directory / "portrait"
        output.touch()
        output.chmod(0o666)
        execution = replace(execution_of(unit), standard_output=f"truncate:{output}", standard_error="inherit")
        request = self.prepare(replace(unit, execution=execution), **arguments)
        own_directory = self.directory / "keeper"
        own_directory.mkdir()
        keeper = Keeper(own_directory, keeper_uid)
        try:
            keeper.manager.send(["spawn", request])
            outcome = keeper.manager.wait_outcome(request.run)
        finally:
            keeper.close()
        text = output.read_text()
        assert outcome[-1][2:4] == ["exited", 0], f"{outcome}: {text}"
        portrait: dict[str, Any] = json.loads(text.splitlines()[-1])
        return portrait


def service_of(unit: Unit) -> Service:
    assert unit.service is not None
    return unit.service


def execution_of(unit: Unit) -> Execution:
    assert unit.execution is not None
    return unit.execution


def command(path: str, *arguments: str, **keys: Any) -> Command:
    return Command(path, (path, *arguments), **keys)


PORTRAIT = command(PYTHON, "-I", "-S", "-c", SELF_PORTRAIT.replace("$", "$$"))
TRUE = command("/bin/true")


def unit(name: str = "web", main: Command = TRUE, service: dict[str, Any] | None = None, **execution: Any) -> Unit:
    return Unit(name, "service", service=Service(exec_start=(main,), **(service or {})), execution=Execution(**execution))


def as_nobody(question: Callable[[], str]) -> str:
    """The answer to a question asked by a process without any privilege; what it raises is raised here as text.

    The modules it may need are loaded before, since this interpreter's library may lie in root's home.
    """
    for module in ("accounts", "privileges", "limits", "directories", "credentials"):
        importlib.import_module(f"supervisor.daemon.{module}")
    for module in ("pwd", "grp", "resource"):
        importlib.import_module(module)
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        answer = "the child said nothing"
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            answer = "." + question()
        except BaseException as error:  # told to the parent, which raises it
            answer = f"!{error!r}"
        finally:
            os.write(write_end, answer.encode())
            os._exit(0)
    os.close(write_end)
    answer = _read_to_end(read_end).decode()
    os.waitpid(pid, 0)
    assert answer.startswith("."), answer
    return answer[1:]


def _read_to_end(fd: int) -> bytes:
    """Everything until end of file, within the deadline for each piece."""
    pieces: list[bytes] = []
    try:
        while True:
            ready, _, _ = select.select([fd], [], [], DEADLINE_S)
            assert ready, f"nothing came for {DEADLINE_S} s"
            piece = os.read(fd, 65536)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
    finally:
        os.close(fd)
