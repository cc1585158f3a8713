"""A scenario: a few units, the steps that are taken with them, and how the two supervisors' unit files come from one text.

A scenario is one TOML file below `scenarios/`; its name is the file's path without the suffix. Its keys:

    since = 252                 the first systemd that knows all of it (252 is what the reference runs)
    steps = ["start a", ...]    see `steps.py`
    is_ordered = true           the order of all lines of all units is compared, not only each unit's own
    is_alone = true             it is about every unit there is (isolate): played when all others are over
    masked = ["b"]              units that are masked
    files = { "env" = "X=1" }   files made beforehand; @dir@ in a command or value is the directory that holds them
    [a.unit] [a.service] ...    unit `a`, in supd's notation

Each unit is loaded under the scenario's own prefix, so that all scenarios live side by side. The systemd unit follows from supd's by
the naming rule alone (DESIGN, Unit files): `exec_start_pre` is `ExecStartPre=`, the words in `SPELLING` have capitals of their own.
Where supd's default is unlike systemd's, both are given systemd's value, unless the defaults themselves are to be compared.
"""

import json
import os
import tomllib
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "scenarios")
SPELLING = {"pid": "PID", "cpu": "CPU", "io": "IO", "oom": "OOM", "sigkill": "SIGKILL", "sighup": "SIGHUP", "umask": "UMask"}
REFERENCES = frozenset(
    ("after", "before", "requires", "requisite", "wants", "binds_to", "part_of", "upholds", "conflicts", "on_failure", "on_success")
).union(("propagates_reload_to", "propagates_stop_to"))
SYSTEMDS_DEFAULTS: dict[str, Json] = {
    "unit": {"recover_dependents": False},
    "service": {"type": "simple", "restart_reset_sec": 0},
}
EVERYWHERE: dict[str, Json] = {"unit": {"enabled": False}, "service": {"working_directory": "/"}}
OWN_KEYS = ("since", "steps", "files", "is_ordered", "is_alone", "masked")
SUPDS_OWN = frozenset(("recover_dependents", "restart_reset_sec", "enabled"))


@dataclass(frozen=True)
class Scenario:
    name: str
    steps: list[str]
    units: dict[str, dict[str, Json]]
    since: int = 252
    is_ordered: bool = False
    is_alone: bool = False
    masked: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        return "agr-" + self.name.replace("/", "-") + "-"

    def full(self, unit: str) -> str:
        return self.prefix + unit

    @property
    def names(self) -> list[str]:
        """Every unit that the steps or dependencies can bring to life; a template stands for the instances that steps name."""
        words = {word for step in self.steps for word in step.split()}
        instances = sorted(word for word in words if "@" in word and word.partition("@")[0] + "@" in self.units)
        return [*(unit for unit in self.units if not unit.endswith("@")), *instances]

    def _tables(self, unit: str) -> dict[str, Json]:
        return self.units.get(unit) or self.units[unit.partition("@")[0] + "@"]

    def speaks_at_once(self, unit: str) -> bool:
        """Whether the first act of its main process is to write the line `main`."""
        return str(self._tables(unit).get("service", {}).get("exec_start", "")).startswith("@say main")

    def can_reload(self, unit: str, verb: str) -> bool:
        """Whether a verb that reloads or restarts comes to a reload of this unit."""
        service = self._tables(unit).get("service", {})
        return "reload" in verb and ("exec_reload" in service or service.get("type") == "notify-reload")

    def kind(self, unit: str) -> str:
        return "target" if "target" in self._tables(unit) else "service"


def load() -> list[Scenario]:
    """Every scenario, by name."""
    found = []
    for directory, _, names in sorted(os.walk(ROOT)):
        for name in sorted(names):
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                table = tomllib.load(file)
            own = {key: table.pop(key) for key in OWN_KEYS if key in table}
            found.append(Scenario(os.path.relpath(path, ROOT).removesuffix(".toml"), units=table, **own))
    return sorted(found, key=lambda scenario: scenario.name)


def directive(key: str) -> str:
    """`systemd`'s name of a key: the naming rule."""
    if key.startswith("limit_"):
        return "Limit" + key.removeprefix("limit_").upper()
    return "".join(SPELLING.get(word, word.capitalize()) for word in key.split("_"))


class Texts:
    """The unit files of a scenario. `directory` holds `say`, `talk` and each scenario's log and files, in either world."""

    def __init__(self, scenario: Scenario, directory: str, has_own_defaults: bool = False) -> None:
        self._scenario, self._directory, self._has_own_defaults = scenario, directory, has_own_defaults

    @property
    def log_path(self) -> str:
        return f"{self._directory}/{self._scenario.prefix}log"

    @property
    def own_directory(self) -> str:
        return f"{self._directory}/{self._scenario.prefix}dir"

    def ours(self, unit: str) -> str:
        """units/NAME.toml."""
        lines = []
        for table, keys in self._tables(unit).items():
            lines.append(f"[{table}]")
            lines += [f"{key} = {_toml(self._value(unit, key, value, ''))}" for key, value in keys.items()]
        return "\n".join(lines) + "\n"

    def systemds(self, unit: str) -> str:
        """NAME.service or NAME.target."""
        lines = []
        for table, keys in self._tables(unit).items():
            lines.append(f"[{table.capitalize()}]" if table != "target" else "[Unit]")
            for key, value in keys.items():
                if key not in SUPDS_OWN:
                    lines += _assignments(directive(key), self._value(unit, key, value, ".service"))
        return "\n".join(lines) + "\n"

    def _tables(self, unit: str) -> dict[str, Json]:
        tables: dict[str, Json] = {"unit": {}, **self._scenario.units[unit]}
        result = {}
        for table, keys in tables.items():
            defaults = {} if self._has_own_defaults else SYSTEMDS_DEFAULTS.get(table, {})
            result[table] = {**EVERYWHERE.get(table, {}), **defaults, **keys}
        if unit.endswith("@"):
            result["unit"].pop("enabled")
        return result

    def _value(self, unit: str, key: str, value: Any, suffix: str) -> Any:
        if isinstance(value, list):
            return [self._value(unit, key, item, suffix) for item in value]
        if isinstance(value, dict):
            return {name: self._value(unit, key, item, suffix) for name, item in value.items()}
        if not isinstance(value, str):
            return value
        if key in REFERENCES:
            is_target = bool(suffix) and value in self._scenario.units and self._scenario.kind(value) == "target"
            return self._scenario.full(value) + (".target" if is_target else suffix)
        for program in ("say", "talk", "heard"):
            value = value.replace(f"@{program} ", f"{self._directory}/{program} {self.log_path} {unit} ")
        return value.replace("@dir@", self.own_directory).replace("@prefix@", self._scenario.prefix)


def _assignments(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"{name}={'yes' if value else 'no'}"]
    if isinstance(value, list):
        return [line for item in value for line in _assignments(name, item)]
    if isinstance(value, dict):
        return [f"{name}={_quoted(f'{key}={item}')}" for key, item in value.items()]
    return [f"{name}={value}"]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)  # strings, numbers and booleans are written alike in both notations
