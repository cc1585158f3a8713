"""From the tables startup, ready and health of a service to probes: one table with several questions is several probes.

Checks the form of what is asked: a URL, a "host:port", a socket's path, a regular expression, a descriptor. Whether the answer can be good
is nobody's business before the unit runs.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from supervisor.config.kinds import Context, absolute_path
from supervisor.config.problems import Mistake, shown
from supervisor.config.schema import Table
from supervisor.model.specification import Command, Probe

KINDS = ("http", "tcp", "unix", "exec", "log", "fd")
_ONCE = ("log", "fd")  # they tell that something has happened, not that it still holds


def read_probes(stage: str, table: Table, context: Context) -> list[Probe]:
    """The probes of one table of one stage. Raises Mistake."""
    given = table.given()
    asked = [kind for kind in KINDS if kind in given]
    if not asked:
        raise Mistake(f"nothing is asked: one of {', '.join(KINDS)} is needed")
    timing = {
        field: given[key]
        for key, field in (
            ("interval_sec", "interval_us"),
            ("timeout_sec", "timeout_us"),
            ("initial_delay_sec", "initial_delay_us"),
            ("success_threshold", "success_threshold"),
            ("failure_threshold", "failure_threshold"),
        )
        if key in given
    }
    for key in ("interval_us", "timeout_us", "initial_delay_us"):
        if key in timing and timing[key] is None:
            raise Mistake(f"{key.removesuffix('_us')}_sec cannot be infinity")
    if timing.get("interval_us") == 0:
        raise Mistake("interval_sec cannot be 0")
    return [_probe(stage, kind, given[kind], context, timing) for kind in asked]


def _probe(stage: str, kind: str, value: Any, context: Context, timing: dict[str, Any]) -> Probe:
    if stage == "health" and kind in _ONCE:
        raise Mistake(f"{kind} tells once that the unit is up, and health is asked all along", "move it to [service.ready]")
    if kind == "exec":
        return Probe(stage, kind, "", command=_single(value), **timing)
    return Probe(stage, kind, _target(kind, value, context), **timing)


def _single(commands: tuple[Command, ...]) -> Command:
    if len(commands) != 1:
        raise Mistake(f"exec takes one command, got {len(commands)}")
    return commands[0]


def _target(kind: str, value: Any, context: Context) -> str:
    match kind:
        case "http":
            return _url(value)
        case "tcp":
            return _host_port(value)
        case "unix":
            return absolute_path(value, context)
        case "log":
            try:
                re.compile(value)
            except re.error as error:
                raise Mistake(f"log is no regular expression: {error}") from None
            return str(value)
    return str(value)


def _url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError:
        is_good = False
    if not is_good:
        raise Mistake(f"http must be a URL that begins with http:// or https://, got {shown(url)}")
    return url


def _host_port(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536) or " " in text:
        raise Mistake(f'tcp must be "host:port", got {shown(text)}', "for example 127.0.0.1:8000")
    return text
