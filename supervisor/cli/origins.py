"""cat --origins: every value that is in force for a unit, and where it comes from: a line of a file, or nobody's but the default.

A value that a file sets is shown as it is written there; the file's text comes from supd, nothing is opened. What no file sets is shown
from the schema as "default", or, where supd has something else in force (a default of the mode, or what follows from another key),
as "implied". This is where supctl loads `supervisor.config`, and only here and in `verify`.
"""

import tomllib

from supervisor.cli.screen import Screen, table
from supervisor.client.terminal import neutralise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from supervisor.config.schema import KeyInfo

    Json = dict[str, Any]

_MAIN_TABLES = ("service", "task", "target")


def values(definition: "Json") -> "dict[str, Json]":
    """{"table.key": {"value", "origin"}}: first what files set, in the order of files and lines, then what nobody set."""
    from supervisor.config.hints import all_keys

    origins: dict[str, str] = definition["origins"]
    tables = {str(file["path"]): _parsed(str(file["text"])) for file in definition["files"]}
    known = {f"{info.table}.{info.name}": info for info in all_keys()}
    specification: Json = definition.get("specification") or {}
    found: dict[str, Json] = {}
    for key in sorted(origins, key=lambda key: _place(origins[key])):
        path, _, _ = origins[key].rpartition(":")
        value = _at(tables.get(path), key)
        if key in known and not isinstance(value, dict | _Missing):
            found[key] = {"value": value, "origin": origins[key]}
        elif key not in known and not isinstance(value, _Missing) and key.rpartition(".")[0] in known:
            found[key] = {"value": value, "origin": origins[key]}  # a variable in a table such as environment
        elif isinstance(value, _Missing):  # of a file that is included: supd has the value, if not its text
            found[key] = {"value": _in_force(known.get(key), specification), "origin": origins[key]}
    kind = next((name for name in _MAIN_TABLES if name == specification.get("kind")), "")
    for key, info in known.items():
        is_set = key in origins or any(one.startswith(f"{key}.") for one in origins)
        if info.table not in ("unit", kind) or not info.is_supported or is_set:
            continue
        value = _in_force(info, specification)
        if value not in (None, info.default):
            found[key] = {"value": value, "origin": "implied"}
        elif info.default not in (None, "", [], {}):
            found[key] = {"value": info.default, "origin": "default"}
    return found


def show(out: Screen, definition: "Json") -> None:
    rows = [(neutralise(key), _toml(one["value"]), neutralise(str(one["origin"]))) for key, one in values(definition).items()]
    lines = table(("KEY", "VALUE", "FROM"), rows)
    out.write(out.paint(lines[0], "bold"))
    for line, row in zip(lines[1:], rows, strict=True):
        out.write(out.paint(line, "grey") if row[2] == "default" else line)


class _Missing:
    """The file that is named is not among those that supd sent, or does not hold the key."""


_MISSING = _Missing()


def _parsed(text: str) -> "Json":
    try:
        return tomllib.loads(text, parse_float=_number)
    except tomllib.TOMLDecodeError:
        return {}  # it was changed since it was loaded; what is in force is known all the same


def _number(text: str) -> float | str:
    """TOML's inf is systemd's infinity, and JSON has no number for either."""
    return "infinity" if text.endswith("inf") else float(text)


def _at(found: "Any", key: str) -> "Any":
    for piece in key.split("."):
        if not isinstance(found, dict) or piece not in found:
            return _MISSING
        found = found[piece]
    return found


def _place(origin: str) -> tuple[str, int]:
    path, _, line = origin.rpartition(":")
    return path, int(line) if line.isdigit() else 0


def _in_force(info: "KeyInfo | None", specification: "Json") -> "Any":
    """What supd has for a key that is one field of the specification, as it would be written; None when that is the field's default."""
    if info is None or not info.field:
        return None
    for part in (specification, specification.get("service") or {}, specification.get("execution") or {}):
        if info.field in part:
            return _written(info, part[info.field])
    return None


def _written(info: "KeyInfo", value: "Any") -> "Any":
    from supervisor.model.exitstatus import signal_name
    from supervisor.model.quantities import format_time_span

    if info.field.endswith("_us"):
        return format_time_span(value)
    if info.kind == "signal" and isinstance(value, int):
        return f"SIG{signal_name(value)}"
    if info.kind == "permission bits" and isinstance(value, int):
        return f"{value:04o}"
    return value


def _toml(value: "Any") -> str:
    """A value as in a unit file, on one line."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return neutralise('"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"')
    if isinstance(value, list):
        return "[" + ", ".join([_toml(item) for item in value]) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join([f"{neutralise(str(key))} = {_toml(item)}" for key, item in value.items()]) + " }" if value else "{}"
    return str(value)
