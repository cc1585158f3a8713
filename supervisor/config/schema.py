"""Every key a unit file may have: its table, kind, default, systemd directive, meaning, and whether it has an effect yet.

This is the one place where a key is declared: decoding, error hints, the JSON schema and the reference page are all made from it. A default
is written as a person would write it in TOML; a test holds it to the specification's own. `field` names the attribute of the specification
that takes the value as it is; where it is "", `decode` knows what to do. A key marked LATER is known and refused, never ignored.
"""

from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, create_model

from supervisor.config.exec_kinds import CONDITION
from supervisor.config.forwarding import FORWARD
from supervisor.config.kinds import (
    BOOLEAN,
    TEXT,
    TEXTS,
    TIME_SPAN,
    TIME_SPAN_0_IS_NEVER,
    UNIT_NAMES,
    Context,
    Kind,
    expected,
    integer,
    one_of,
    size,
)
from supervisor.config.problems import Mistake
from supervisor.model import names
from supervisor.model.conditions import KINDS
from supervisor.model.specification import Condition

NOT_YET = "not supported yet"
SUPPORTED = "supported"


def key(default: object, systemd: str, meaning: str, field: str = "", *, is_supported: bool = True) -> Any:
    """Declare a key. `default` None: there is none. `systemd` "": a key of supd's own."""
    extra: dict[str, Any] = {
        "x-systemd": systemd,
        "x-status": SUPPORTED if is_supported else NOT_YET,
        "x-field": field,
        "x-default": default,
    }
    return Field(default=None, description=meaning, json_schema_extra=extra)


def later(systemd: str, meaning: str) -> Any:
    return key(None, systemd, meaning, is_supported=False)


class Table(BaseModel):
    """A table of a unit file: what is not declared is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def given(self) -> dict[str, Any]:
        """The keys that the file sets, by name, with their checked values."""
        values = self.__dict__
        return {name: values[name] for name in self.model_fields_set}


def assembled(name: str, bases: tuple[type[Table], ...], families: dict[str, Any]) -> type[Table]:
    """A table of the keys of `bases` and of key families such as limit_*: each of `families` is (type, key)."""
    return cast("type[Table]", create_model(name, __base__=bases, __doc__=bases[0].__doc__, **families))


def _read_instances(value: object, context: Context, key_name: str) -> tuple[str, ...]:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10_000:
        return tuple(str(number) for number in range(1, value + 1))
    if not isinstance(value, list):
        raise expected("a number of instances or a list of their names", value)
    found = []
    for item in value:
        instance = str(item) if isinstance(item, int) and not isinstance(item, bool) else item
        if not isinstance(instance, str) or not instance or not names.is_valid(f"x@{instance}"):
            raise expected("a number of instances or a list of their names", item)
        found.append(instance)
    if len(set(found)) < len(found):
        raise Mistake("an instance is named twice")
    return tuple(found)


INSTANCES = Kind(
    "number, or a list of names",
    _read_instances,
    {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "array", "items": {"type": ["string", "integer"]}}]},
)
_UNITS = tuple[str, ...]
_ACTION = one_of("none", "exit", "exit-force", later=("reboot", "reboot-force", "poweroff", "poweroff-force", "halt", "kexec"))
_JOB_MODE = one_of("fail", "replace", "replace-irreversibly", "isolate", "flush", "ignore-dependencies", "ignore-requirements")
_BURST = integer(0, 2**31 - 1, "number")
_STATUS = integer(0, 255)
BYTES = size(0)
SEGMENT_SIZE = size(4096)


class _UnitTable(Table):
    """[unit]: what a unit is to other units."""

    description: Annotated[str, TEXT] = key("", "Description", "What the unit is, in a few words.", "description")
    documentation: Annotated[tuple[str, ...], TEXTS] = key([], "Documentation", "Where to read more: URLs.", "documentation")
    depends_on: Annotated[_UNITS, UNIT_NAMES] = key([], "", "Short for both requires and after.")
    after: Annotated[_UNITS, UNIT_NAMES] = key([], "After", "When both start, this one waits for these; when both stop, they wait.")
    before: Annotated[_UNITS, UNIT_NAMES] = key([], "Before", "When both start, these wait for this one.")
    requires: Annotated[_UNITS, UNIT_NAMES] = key([], "Requires", "Started with this unit, which stops or restarts when they are.")
    requisite: Annotated[_UNITS, UNIT_NAMES] = key([], "Requisite", "Must be up already, or this unit fails to start.")
    wants: Annotated[_UNITS, UNIT_NAMES] = key([], "Wants", "Started with this unit, whatever becomes of them.")
    binds_to: Annotated[_UNITS, UNIT_NAMES] = key([], "BindsTo", "As requires, and this unit stops when they end by themselves.")
    part_of: Annotated[_UNITS, UNIT_NAMES] = key([], "PartOf", "This unit stops and restarts when they do.")
    upholds: Annotated[_UNITS, UNIT_NAMES] = key([], "Upholds", "Started again and again as long as this unit is up.")
    conflicts: Annotated[_UNITS, UNIT_NAMES] = key([], "Conflicts", "Starting one stops the other.")
    propagates_reload_to: Annotated[_UNITS, UNIT_NAMES] = key([], "PropagatesReloadTo", "Reloaded when this unit is.")
    propagates_stop_to: Annotated[_UNITS, UNIT_NAMES] = key([], "PropagatesStopTo", "Stopped when this unit is.")
    on_failure: Annotated[_UNITS, UNIT_NAMES] = key([], "OnFailure", "Started whenever this unit fails.")
    on_success: Annotated[_UNITS, UNIT_NAMES] = key([], "OnSuccess", "Started when this unit ends well.")
    on_failure_job_mode: Annotated[str, _JOB_MODE] = key("replace", "OnFailureJobMode", "How on_failure is queued.", "on_failure_job_mode")
    on_success_job_mode: Annotated[str, _JOB_MODE] = key("fail", "OnSuccessJobMode", "How on_success is queued.", "on_success_job_mode")
    required_by: Annotated[_UNITS, UNIT_NAMES] = key([], "RequiredBy", "Those units require this one, unless it is disabled.")
    wanted_by: Annotated[_UNITS, UNIT_NAMES] = key([], "WantedBy", "Those units want this one, unless it is disabled.")
    aliases: Annotated[_UNITS, UNIT_NAMES] = key([], "Alias", "Other names of this unit.")
    enabled: Annotated[bool, BOOLEAN] = key(None, "", "Whether it starts at boot: by default a service does, a task does not.")
    instances: Annotated[tuple[str, ...], INSTANCES] = key(None, "", "Of a template: how many instances there are, or which.")
    on_change: Annotated[str, one_of("restart", "reload", "ignore")] = key(None, "", "What a changed definition does to it.", "on_change")
    start_limit_interval_sec: Annotated[int | None, TIME_SPAN] = key(
        "10s", "StartLimitIntervalSec", "The time in which starts are counted; 0 counts none.", "start_limit_interval_us"
    )
    start_limit_burst: Annotated[int, _BURST] = key(
        5, "StartLimitBurst", "So many starts are allowed in that time; 0 is no limit.", "start_limit_burst"
    )
    start_limit_policy: Annotated[str, one_of("give-up", "delay")] = key(
        "give-up", "", "Beyond the limit: fail for good, or wait until a start is allowed again.", "start_limit_policy"
    )
    refuse_manual_start: Annotated[bool, BOOLEAN] = key(False, "RefuseManualStart", "Only other units may start it.", "refuse_manual_start")
    refuse_manual_stop: Annotated[bool, BOOLEAN] = key(False, "RefuseManualStop", "Only other units may stop it.", "refuse_manual_stop")
    allow_isolate: Annotated[bool, BOOLEAN] = key(False, "AllowIsolate", "`isolate` may be asked of it.", "allow_isolate")
    ignore_on_isolate: Annotated[bool, BOOLEAN] = key(
        False, "IgnoreOnIsolate", "Not stopped when another unit is isolated.", "ignore_on_isolate"
    )
    stop_when_unneeded: Annotated[bool, BOOLEAN] = key(
        False, "StopWhenUnneeded", "Stopped when no unit that is up needs it.", "stop_when_unneeded"
    )
    recover_dependents: Annotated[bool, BOOLEAN] = key(
        True, "", "Units that failed because this one did are started when it is back.", "recover_dependents"
    )
    failure_action: Annotated[str, _ACTION] = key(
        "none", "FailureAction", "What supd does when it fails: exit ends supd.", "failure_action"
    )
    success_action: Annotated[str, _ACTION] = key(
        "none", "SuccessAction", "What supd does when it ends well: exit ends supd.", "success_action"
    )
    failure_action_exit_status: Annotated[int, _STATUS] = key(
        None, "FailureActionExitStatus", "supd's exit status then; by default the main process's.", "failure_action_exit_status"
    )
    success_action_exit_status: Annotated[int, _STATUS] = key(
        None, "SuccessActionExitStatus", "supd's exit status then; by default the main process's.", "success_action_exit_status"
    )


_SPELLED = {"cpus": "CPUs", "ac_power": "ACPower"}


def _condition_directive(prefix: str, kind: str) -> str:
    return prefix + _SPELLED.get(kind, "".join(word.capitalize() for word in kind.split("_")))


_conditions: dict[str, Any] = {
    f"{prefix}_{kind}": (
        Annotated[tuple[Condition, ...], CONDITION],
        key(
            [],
            _condition_directive(prefix.capitalize(), kind),
            "The start is skipped unless this holds." if prefix == "condition" else "The start fails unless this holds.",
        ),
    )
    for prefix in ("condition", "assert")
    for kind in KINDS
}
UNIT_TABLE = assembled("UnitTable", (_UnitTable,), _conditions)


class TargetTable(Table):
    """[target]: a group of units; it has no keys of its own."""


class LogTable(Table):
    """[log]: how output is kept."""

    max_size: Annotated[int, SEGMENT_SIZE] = key("128M", "", "A segment of the log is closed at this size.", "max_size_bytes")
    max_age_sec: Annotated[int | None, TIME_SPAN_0_IS_NEVER] = key(
        "infinity", "", "A segment of the log is closed at this age.", "max_age_us"
    )
    keep: Annotated[int, integer(1, 100_000, "number")] = key(16, "", "So many segments are kept.", "keep")
    compress: Annotated[bool, BOOLEAN] = key(False, "", "Whether closed segments are compressed.", "compress")
    rate_limit_interval_sec: Annotated[int | None, TIME_SPAN] = key(
        "30s", "LogRateLimitIntervalSec", "The time in which bytes are counted.", "rate_limit_interval_us"
    )
    rate_limit_bytes: Annotated[int, BYTES] = key(0, "", "So many bytes are kept in that time; 0 is no limit.", "rate_limit_bytes")
    forward: Annotated[tuple[str, ...], FORWARD] = key([], "", "Where output goes besides.", "forward")


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """One key, for hints and for the reference page."""

    table: str
    name: str
    kind: str
    default: object
    systemd: str
    meaning: str
    is_supported: bool
    field: str


def keys_of(table: str, model: type[Table]) -> list[KeyInfo]:
    """Every key of one table, in the order of declaration."""
    found = []
    for name, info in model.model_fields.items():
        extra = info.json_schema_extra
        if not isinstance(extra, dict) or "x-status" not in extra:
            continue
        kinds = [one.name for one in info.metadata if isinstance(one, Kind)]
        found.append(
            KeyInfo(
                table=table,
                name=name,
                kind=kinds[0] if kinds else "table, or a list of tables",
                default=extra["x-default"],
                systemd=str(extra["x-systemd"]),
                meaning=info.description or "",
                is_supported=extra["x-status"] == SUPPORTED,
                field=str(extra["x-field"]),
            )
        )
    return found
