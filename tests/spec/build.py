"""Units for tests, written the way a unit file is: keyword arguments are the file's keys, in whatever table they live.

    unit("web", exec_start="web", requires=["db"], restart="on-failure")

It decides where a key belongs (unit, dependencies, service, execution) by the field names of the specification, and nothing else: defaults
are the specification's own. It never reads a file and never uses pydantic.
"""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from supervisor.model.specification import Command, Dependencies, Execution, Service, StatusSet, Unit

MS = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND

_UNIT_KEYS = {f.name for f in fields(Unit)}
_DEPENDENCY_KEYS = {f.name for f in fields(Dependencies)}
_SERVICE_KEYS = {f.name for f in fields(Service)}
_EXECUTION_KEYS = {f.name for f in fields(Execution)}


def command(line: str) -> Command:
    """One Exec* line: words split at blanks, the `-` prefix honoured."""
    ignores_failure = line.startswith("-")
    words = tuple(line.lstrip("-").split())
    return Command(path=words[0], argv=words, ignores_failure=ignores_failure)


def commands(lines: str | Iterable[str]) -> tuple[Command, ...]:
    """Exec* lines given as one string or a list of them."""
    return tuple(command(line) for line in ([lines] if isinstance(lines, str) else lines))


def statuses(*codes: int, signals: Iterable[int] = ()) -> StatusSet:
    """SuccessExitStatus= and its like."""
    return StatusSet(codes=tuple(codes), signals=tuple(signals))


def unit(name: str, **keys: Any) -> Unit:
    """One service (or, with `kind="task"`, one task). Raises TypeError for a key that no table has."""
    own: dict[str, Any] = {"kind": "service"}
    edges: dict[str, Any] = {}
    service: dict[str, Any] = {"exec_start": commands("run")}
    execution: dict[str, Any] = {}
    for key, value in keys.items():
        if isinstance(value, list):
            value = tuple(value)
        if key in _DEPENDENCY_KEYS:
            edges[key] = value
        elif key in _UNIT_KEYS:
            own[key] = value
        elif key in _SERVICE_KEYS:
            service[key] = commands(value) if key.startswith("exec_") else value
        elif key in _EXECUTION_KEYS:
            execution[key] = value
        else:
            raise TypeError(f"unit {name}: no table has the key {key!r}")
    if service.get("type") == "oneshot":
        service.setdefault("timeout_start_us", None)  # systemd.service(5): off for oneshot
    if service.get("type") in ("notify", "notify-reload") or service.get("watchdog_us"):
        service.setdefault("notify_access", "main")  # implied (systemd.service(5))
    return Unit(id=name, dependencies=Dependencies(**edges), service=Service(**service), execution=Execution(**execution), **own)


def target(name: str, **keys: Any) -> Unit:
    """One target: a group without a process."""
    own: dict[str, Any] = {}
    edges: dict[str, Any] = {}
    for key, value in keys.items():
        if isinstance(value, list):
            value = tuple(value)
        (edges if key in _DEPENDENCY_KEYS else own)[key] = value
    return Unit(id=name, kind="target", dependencies=Dependencies(**edges), **own)
