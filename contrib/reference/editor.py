"""supd-unit.schema.json: the JSON schema that tells an editor what may stand in a unit file.

It is looser than supd itself: what only a reader of values can know (a command line, a time span, two keys that must agree) is
left to `supctl verify`. A key that supd knows and refuses is refused here too, with the same words.
"""

import json
from typing import Any

from supervisor.config.schema import UNIT_TABLE, LogTable, Table, TargetTable
from supervisor.config.schema_process import SERVICE_TABLE, TASK_TABLE

_TABLES: dict[str, type[Table]] = {"unit": UNIT_TABLE, "service": SERVICE_TABLE, "task": TASK_TABLE, "target": TargetTable, "log": LogTable}
_MANUAL = "https://www.freedesktop.org/software/systemd/man/latest/systemd.directives.html"


def schema() -> str:
    """The whole schema, as text."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {
        "include": {
            "description": "Files that are merged underneath this one, the last uppermost; relative to this file.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        }
    }
    for name, model in _TABLES.items():
        table = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update({title: _tidied(one) for title, one in table.pop("$defs", {}).items()})
        properties[name] = _tidied(table)
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "supd unit file",
        "description": "One unit of supd, or a drop-in for one.",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "$defs": definitions,
    }
    return json.dumps(whole, indent=1) + "\n"


def _tidied(table: dict[str, Any]) -> dict[str, Any]:
    """One table without pydantic's titles and our own marks, which an editor would show or stumble over."""
    table.pop("title", None)
    for name, key in table.get("properties", {}).items():
        table["properties"][name] = _key(key)
    return table


def _key(key: dict[str, Any]) -> dict[str, Any]:
    directive, status, default = key.pop("x-systemd", ""), key.pop("x-status", ""), key.pop("x-default", None)
    key.pop("x-field", None)
    key.pop("title", None)
    key.pop("default", None)
    if directive:
        key["description"] = f"{key['description']} systemd: {directive}="
        key["x-taplo"] = {"links": {"key": f"{_MANUAL}#{directive}="}}
    if status == "not supported yet":
        return {"description": f"Not supported yet. {key['description']}", "not": {}}
    if key.get("type") == "array" and "$ref" in key.get("items", {}):  # as everywhere, one table is a list of one
        key["anyOf"] = [key["items"], {"type": "array", "items": key.pop("items")}]
        del key["type"]
    if default is not None:
        key["default"] = default
    return key
