"""From one unit's merged table to its specification: the schema's checks, then what several keys must agree on.

The rules between keys are those of systemd's service_verify() and service_add_extras(), and of DESIGN "Unit files". A key that could
have no effect beside the others is an error here, where systemd would warn. It never looks at another unit (`consistency` does) nor at
the machine.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from supervisor.config import hints
from supervisor.config.kinds import Context
from supervisor.config.mode import Mode
from supervisor.config.probes import read_probes
from supervisor.config.problems import Mistake, Problem
from supervisor.config.schema import UNIT_TABLE, LogTable, Table, TargetTable, keys_of
from supervisor.config.schema_process import DIRECTORY_BASES, SERVICE_TABLE, TASK_TABLE
from supervisor.config.sources import MAIN_TABLES, Path, Source
from supervisor.config.specifiers import Specifiers
from supervisor.model import names
from supervisor.model.specification import Condition, Dependencies, Directory, Execution, Limit, Log, Probe, Service, Unit

_MODELS: dict[str, type[Table]] = {
    "unit": UNIT_TABLE,
    "service": SERVICE_TABLE,
    "task": TASK_TABLE,
    "target": TargetTable,
    "log": LogTable,
}
_LATER_TABLES = ("flow", "timer", "path", "socket", "message")
_EMPTY_MEANS_EMPTY = frozenset({"capability_bounding_set"})  # for every other key an empty list means: as if never written
_FIELDS = {table: {info.name: info.field for info in keys_of(table, model) if info.field} for table, model in _MODELS.items()}
_EXECUTION_FIELDS = frozenset(Execution.__dataclass_fields__)
_SERVICE_FIELDS = frozenset(Service.__dataclass_fields__)
_DEPENDENCY_KINDS = tuple(Dependencies.__dataclass_fields__)
_TIMEOUT_STOP_US = Service().timeout_stop_us


@dataclass(slots=True)
class Decoded:
    """One unit and what only the whole set can decide: `enabled` and `instances` are None where the file says nothing.

    `dependencies` are there even when the unit is not, as far as their own keys are right: what they name is checked all the same.
    """

    unit: Unit | None
    kind: str
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    enabled: bool | None = None
    instances: tuple[str, ...] | None = None
    facts: dict[str, str] = field(default_factory=dict)
    dependencies: Dependencies = field(default_factory=Dependencies)


def decode(source: Source, mode: Mode) -> Decoded:
    """The unit `source.name`; `unit` is None when there are problems."""
    return _Decoder(source, mode).run()


class _Decoder:
    def __init__(self, source: Source, mode: Mode) -> None:
        self.source = source
        self.mode = mode
        self.problems: list[Problem] = []
        self.bad: set[str] = set()  # keys whose value was wrong, about which nothing more is to be said
        self.context = Context(source.name, mode, Specifiers(source.name, mode, source.fragment_path))

    def wrong(self, path: Path, message: str, hint: str = "") -> None:
        file, line = self.source.place(path)
        key = ".".join(part for part in path if isinstance(part, str))
        self.problems.append(Problem(file, line, key, message, hint))

    def run(self) -> Decoded:
        main = self.main_table()
        given: dict[str, dict[str, Any]] = {}
        for table, value in self.source.table.items():
            if table in _LATER_TABLES:
                self.wrong((table,), f"[{table}] is not supported yet")
            elif table not in _MODELS:
                self.wrong((table,), *hints.unknown_table(table, value))
            elif not isinstance(value, dict):
                self.wrong((table,), f"expected a table, [{table}]")
            else:
                given[table] = self.validated(table, value)
        warnings = [Problem(*self.source.place((main, key)), f"{main}.{key}", text) for key, text in self.context.warnings]
        decoded = Decoded(None, "service" if main in ("", "flow") else main, self.problems, warnings)
        unit_keys = given.get("unit", {})
        decoded.enabled = unit_keys.get("enabled")
        decoded.instances = unit_keys.get("instances")
        decoded.facts = self.context.specifiers.facts_used
        if decoded.instances is not None and not names.split(self.source.name).instance:
            self.wrong(("unit", "instances"), "only a template has instances", f"a template's file is named {self.source.name}@.toml")
        decoded.dependencies = self.dependencies(unit_keys)
        unit = self.unit(main, given, decoded.dependencies) if main in given else None
        if not self.problems:
            decoded.unit = unit
        return decoded

    def main_table(self) -> str:
        found = [table for table in MAIN_TABLES if table in self.source.table]
        if len(found) > 1:
            self.wrong((found[1],), f"a unit is one thing, and here are {' and '.join(f'[{table}]' for table in found)}")
        if not found:
            text = "the file says nothing" if not self.source.table else "nothing says what the unit is"
            self.wrong((), f"{text}: one of [service], [task] or [target] is needed")
        return found[0] if found else ""

    def validated(self, table: str, value: dict[str, Any]) -> dict[str, Any]:
        """The given keys of one table, checked one by one; those that are wrong are left out and complained about."""
        model = _MODELS[table]
        cleared = {key: item for key, item in value.items() if item != [] or key in _EMPTY_MEANS_EMPTY or key not in model.model_fields}
        try:
            return model.model_validate(cleared, context=self.context).given()
        except ValidationError as error:
            wrong_keys = {str(one["loc"][0]) for one in error.errors(include_url=False, include_input=False)}
            for one in error.errors(include_url=False):
                self.explain((table, *one["loc"]), one["type"], one.get("ctx", {}))
        self.bad |= {key for key in wrong_keys if key in model.model_fields}
        self.context.warnings.clear()  # the second look finds them again
        good = {key: item for key, item in cleared.items() if key not in wrong_keys}
        return model.model_validate(good, context=self.context).given()

    def explain(self, path: Path, kind: str, details: dict[str, Any]) -> None:
        """One error of pydantic's in our words."""
        if kind == "mistake":
            for index, mistake in details["found"]:
                self.wrong(path if index is None else (*path, index), str(mistake), mistake.hint)
        elif kind == "extra_forbidden":
            home = ".".join(part for part in path[:-1] if isinstance(part, str))
            self.wrong(path, *hints.unknown_key(home, str(path[-1])))
        else:
            self.wrong(path, "expected a table, or a list of tables")

    def clash(self, path: Path, involved: str, message: str, hint: str = "") -> None:
        """A complaint about keys that do not fit together, unless one of `involved` (words) was wrong in itself."""
        if self.bad.isdisjoint(involved.split()):
            self.wrong(path, message, hint)

    def unit(self, main: str, given: dict[str, dict[str, Any]], dependencies: Dependencies) -> Unit:
        unit_keys, main_keys = given.get("unit", {}), given[main]
        named = {field: unit_keys[key] for key, field in _FIELDS["unit"].items() if key in unit_keys}
        named.setdefault("on_change", self.mode.on_change)
        service, execution = None, None
        if main in ("service", "task"):
            execution = self.execution(main, main_keys)
            service = self.service(main_keys, unit_keys) if main == "service" else self.task(main_keys)
            attempts = service.max_attempts or 1
            if main == "task" and attempts > 1:
                # max_attempts is the bound; systemd's default start limit would end the attempts before it.
                named.setdefault("start_limit_interval_us", 0)
        for outcome in ("failure", "success"):
            status, action = f"{outcome}_action_exit_status", f"{outcome}_action"
            if status in unit_keys and unit_keys.get(action, "none") == "none":
                self.clash(("unit", status), action, f"it has no effect without {action}")
        return Unit(
            id=self.source.name,
            kind=main if main != "flow" else "service",
            fragment_path=self.source.fragment_path,
            drop_in_paths=self.source.drop_in_paths,
            aliases=unit_keys.get("aliases", ()),
            dependencies=dependencies,
            conditions=self.conditions("condition_", unit_keys),
            asserts=self.conditions("assert_", unit_keys),
            service=service,
            execution=execution,
            log=Log(**{field: value for key, value in given.get("log", {}).items() if (field := _FIELDS["log"].get(key))}),
            **named,
        )

    def dependencies(self, unit_keys: dict[str, Any]) -> Dependencies:
        found = {kind: unit_keys.get(kind, ()) for kind in _DEPENDENCY_KINDS}
        for kind in ("requires", "after"):
            found[kind] = tuple(dict.fromkeys((*found[kind], *unit_keys.get("depends_on", ()))))
        for key in (*_DEPENDENCY_KINDS, "depends_on"):
            if self.source.name in unit_keys.get(key, ()):
                self.wrong(("unit", key), "a unit cannot depend on itself")
        return Dependencies(**found)

    def conditions(self, prefix: str, unit_keys: dict[str, Any]) -> tuple[Condition, ...]:
        return tuple(one for key, value in unit_keys.items() if key.startswith(prefix) for one in value)

    def execution(self, main: str, keys: dict[str, Any]) -> Execution:
        fields = {field: keys[key] for key, field in _FIELDS[main].items() if key in keys and field in _EXECUTION_FIELDS}
        if "working_directory" in keys:
            fields["working_directory"], fields["working_directory_is_optional"] = keys["working_directory"]
        limits = tuple(value for value in keys.values() if isinstance(value, Limit))
        directories = []
        for base in DIRECTORY_BASES:
            mode_key = f"{base}_directory_mode"
            if mode_key in keys and f"{base}_directory" not in keys:
                self.clash((main, mode_key), f"{base}_directory", f"it has no effect without {base}_directory")
            directories += [Directory(base, path, keys.get(mode_key, 0o755)) for path in keys.get(f"{base}_directory", ())]
        if "runtime_directory_preserve" in keys and "runtime_directory" not in keys:
            self.clash((main, "runtime_directory_preserve"), "runtime_directory", "it has no effect without runtime_directory")
        if keys.get("io_scheduling_class") in (0, 3) and "io_scheduling_priority" in keys:
            self.wrong((main, "io_scheduling_priority"), "the I/O classes none and idle have no priorities")
        return Execution(limits=limits, directories=tuple(directories), **fields)

    def life(self, main: str, keys: dict[str, Any]) -> dict[str, Any]:
        """The fields of Service that are a key's value as it stands."""
        fields = {field: keys[key] for key, field in _FIELDS[main].items() if key in keys and field in _SERVICE_FIELDS}
        for key in ("restart_steps", "retry_steps"):
            longest = key.replace("steps", "max_delay_sec")
            if keys.get(key) and keys.get(longest) is None:
                self.clash((main, key), longest, f"it has no effect without {longest}")
            if keys.get(longest) is not None:
                first_key = key.replace("steps", "sec")
                first_us = keys.get(first_key, 100_000)
                if not keys.get(key):
                    self.clash((main, longest), key, f"it has no effect without {key}")
                elif first_us is None or first_us > keys[longest]:
                    self.wrong((main, first_key), f"it is longer than {longest}")
        return fields

    def service(self, keys: dict[str, Any], unit_keys: dict[str, Any]) -> Service:
        fields = self.life("service", keys)
        if "type" not in keys and not keys.get("exec_start") and self.bad.isdisjoint(("type", "exec_start")):
            fields["type"] = "oneshot"  # as systemd: a service that starts nothing is a oneshot
        kind = fields.get("type", "exec")
        for key in ("timeout_start_us", "timeout_stop_us"):
            if "timeout_sec" in keys:
                fields.setdefault(key, keys["timeout_sec"])
        if kind == "oneshot":
            fields.setdefault("timeout_start_us", None)
        fields["timeout_abort_us"] = keys.get("timeout_abort_sec", fields.get("timeout_stop_us", _TIMEOUT_STOP_US))
        fields["probes"] = self.probes(kind, keys)
        if "pid_file" in keys:
            fields["pid_file"] = self.pid_file(keys["pid_file"], kind)
        needs_notifications = kind in ("notify", "notify-reload") or fields.get("watchdog_us") or fields.get("file_descriptor_store_max")
        if needs_notifications and fields.get("notify_access", "none") == "none":
            fields["notify_access"] = "main"
        self.verify_service(kind, keys, unit_keys)
        return Service(**fields)

    def verify_service(self, kind: str, keys: dict[str, Any], unit_keys: dict[str, Any]) -> None:
        """systemd's service_verify(), and keys without an effect."""
        starts = keys.get("exec_start", ())
        ends_supd = unit_keys.get("success_action", "none") != "none"
        if not starts and kind != "oneshot":
            self.clash(
                ("service", "exec_start"), "exec_start type", f"a service of type {kind} needs exec_start: only a oneshot can do without"
            )
        elif not starts and not keys.get("exec_stop") and not ends_supd:
            self.clash(("service",), "exec_start exec_stop success_action", "it starts nothing and stops nothing: exec_start is missing")
        elif not starts and not keys.get("remain_after_exit") and not ends_supd:
            self.clash(
                ("service",),
                "exec_start remain_after_exit success_action",
                "without exec_start it needs remain_after_exit = true, or it would end at once",
            )
        elif len(starts) > 1 and kind != "oneshot":
            self.clash(
                ("service", "exec_start"), "type", f"{len(starts)} commands are given, and only a oneshot runs several", 'type = "oneshot"'
            )
        if kind == "oneshot":
            self.verify_oneshot(keys)
        if kind != "forking" and "guess_main_pid" in keys:
            self.clash(("service", "guess_main_pid"), "type", "it has an effect on type forking only")
        if kind != "notify-reload" and "reload_signal" in keys:
            self.clash(
                ("service", "reload_signal"), "type", "it has an effect on type notify-reload only", "others reload with exec_reload"
            )
        if "file_descriptor_store_preserve" in keys and not keys.get("file_descriptor_store_max"):
            self.clash(
                ("service", "file_descriptor_store_preserve"),
                "file_descriptor_store_max",
                "it has no effect without file_descriptor_store_max",
            )

    def verify_oneshot(self, keys: dict[str, Any]) -> None:
        restart = keys.get("restart")
        if restart in ("always", "on-success"):
            self.wrong(("service", "restart"), f'a oneshot cannot have restart = "{restart}"', 'it ends by itself; use "on-failure"')
        if keys.get("exit_type") == "cgroup":
            self.wrong(("service", "exit_type"), 'a oneshot cannot have exit_type = "cgroup"')
        if keys.get("runtime_max_sec") is not None:
            self.wrong(("service", "runtime_max_sec"), "it has no effect on a oneshot", "use timeout_start_sec")
        for stage in ("startup", "ready", "health"):
            if stage in keys:
                self.wrong(("service", stage), "a oneshot is done when it ends: nothing can be asked of it")

    def pid_file(self, path: str, kind: str) -> str:
        """Relative to the runtime root, which systemd calls /run; /var/run is the same there."""
        if path.startswith("/var/run/"):
            path = path.removeprefix("/var")
        full = path if path.startswith("/") else f"{self.mode.runtime_root}/{path}"
        parts = [part for part in full.split("/") if part not in ("", ".")]
        if not path or ".." in parts:
            self.wrong(("service", "pid_file"), f'expected a path without "..", got "{path}"')
        if kind in ("oneshot", "idle", "simple", "exec"):
            self.clash(("service", "pid_file"), "type", f"a service of type {kind} is its own main process: it needs no PID file")
        return "/" + "/".join(parts)

    def probes(self, kind: str, keys: dict[str, Any]) -> tuple[Any, ...]:
        found = []
        for stage in ("startup", "ready", "health"):
            for position, table in enumerate(keys.get(stage, ())):
                try:
                    found += read_probes(stage, table, self.context)
                except Mistake as mistake:
                    self.wrong(("service", stage, position), str(mistake), mistake.hint)
        self.verify_ready_descriptors(keys, found)
        return tuple(found)

    def verify_ready_descriptors(self, keys: dict[str, Any], probes: list[Probe]) -> None:
        """Each fd probe has a number of its own, above those of the stored descriptors (from 3 upwards, LISTEN_FDS)."""
        numbers = [int(probe.target) for probe in probes if probe.kind == "fd"]
        first_free = 3 + (keys.get("file_descriptor_store_max") or 0)
        for stage in ("startup", "ready"):
            for position, table in enumerate(keys.get(stage, ())):
                number = table.given().get("fd")
                if number is None:
                    continue
                if numbers.count(number) > 1:
                    self.wrong(("service", stage, position, "fd"), f"descriptor {number} is named by another probe, too")
                if number < first_free:
                    text = f"descriptor {number} may be a stored one (file_descriptor_store_max)"
                    self.wrong(("service", stage, position, "fd"), text, f"fd = {first_free}")

    def task(self, keys: dict[str, Any]) -> Service:
        fields = self.life("task", keys)
        attempts = fields.setdefault("max_attempts", 1)
        fields.setdefault("timeout_start_us", None)
        fields["timeout_abort_us"] = keys.get("timeout_abort_sec", fields.get("timeout_stop_us", _TIMEOUT_STOP_US))
        if not keys.get("exec_start"):
            self.clash(("task", "exec_start"), "exec_start", "a task needs exec_start: one command or a list of them")
        for key in ("retry_sec", "retry_steps", "retry_max_delay_sec"):
            if key in keys and attempts == 1:
                self.clash(("task", key), "max_attempts", "it has no effect while max_attempts is 1")
        return replace(Service(**fields), type="oneshot", restart="on-failure" if attempts > 1 else "no")
