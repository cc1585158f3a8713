"""What to tell a person who wrote a key or a table that does not exist: the right spelling, the right table, or the nearest known word."""

import re

from supervisor.config.problems import did_you_mean
from supervisor.config.schema import UNIT_TABLE, KeyInfo, LogTable, Table, TargetTable, keys_of
from supervisor.config.schema_process import SERVICE_TABLE, TASK_TABLE, ProbeTable

_TABLES: dict[str, type[Table]] = {
    "unit": UNIT_TABLE,
    "service": SERVICE_TABLE,
    "task": TASK_TABLE,
    "target": TargetTable,
    "log": LogTable,
    "service.startup": ProbeTable,
    "service.ready": ProbeTable,
    "service.health": ProbeTable,
}
_KEYS: dict[str, dict[str, KeyInfo]] = {table: {info.name: info for info in keys_of(table, model)} for table, model in _TABLES.items()}
_KNOWN_TABLES = ("unit", "service", "task", "target", "log", "flow", "timer", "path", "socket", "message")
_FOREIGN = {  # what other supervisors call it
    "command": "exec_start",
    "cmd": "exec_start",
    "autostart": "enabled",
    "autorestart": "restart",
    "directory": "working_directory",
    "cwd": "working_directory",
    "env": "environment",
    "numprocs": "instances",
}


def all_keys() -> list[KeyInfo]:
    """Every key of every table, for the reference page."""
    return [info for keys in _KEYS.values() for info in keys.values()]


def _directives() -> dict[str, list[KeyInfo]]:
    """Keys by systemd's name of them in lower case."""
    found: dict[str, list[KeyInfo]] = {}
    for info in all_keys():
        if info.systemd:
            found.setdefault(info.systemd.lower(), []).append(info)
    return found


def unknown_key(table: str, key: str) -> tuple[str, str]:
    """(message, hint) for a key that `table` does not have."""
    message = f"unknown key in [{table}]"
    same = _directives().get(key.lower().removesuffix("="), [])
    here = [info for info in same if info.table == table]
    if here and key not in _KEYS[table]:
        return message, f"supd spells {key} as {here[0].name}"
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()
    elsewhere = [other for other, keys in _KEYS.items() if snake in keys] or [info.table for info in same]
    if elsewhere:
        name = snake if not same else same[0].name
        if table == "task" and name in ("restart", "restart_steps", "restart_max_delay_sec"):
            return message, "a task has max_attempts, retry_sec, retry_steps and retry_max_delay_sec instead"
        return message, f"{name} belongs in {' or '.join(f'[{one}]' for one in dict.fromkeys(elsewhere))}"
    if key.lower() in _FOREIGN:
        name = _FOREIGN[key.lower()]
        return message, f"supd's word for it is {'unit.' if name in _KEYS['unit'] else ''}{name}"
    return message, did_you_mean(snake, list(_KEYS.get(table, {})))


def unknown_table(name: str, value: object) -> tuple[str, str]:
    """(message, hint) for something at the top of a file that is no known table."""
    if not isinstance(value, dict):
        homes = [table for table, keys in _KEYS.items() if name in keys]
        if homes:
            return "it stands outside of any table", f"put it below [{homes[0]}]"
        return "unknown key outside of any table", did_you_mean(name, ["include"])
    if name == "Install":
        return "unknown table", "WantedBy is unit.wanted_by, and a service starts at boot unless unit.enabled is false"
    if name.lower() in _KNOWN_TABLES:
        return "unknown table", f"tables are in lower case: [{name.lower()}]"
    return "unknown table", did_you_mean(name, list(_KNOWN_TABLES))
