"""What a new set of definitions means for each unit: the plan that `supctl apply --plan` prints and `reloading` carries out.

It compares values, so a comment, another order of keys or a moved file is no change. It changes nothing and starts nothing. Laws:
- A running process is restarted only for what it was started with; the rest (restart policy, time-outs, stop commands, dependencies,
  start limits ...) is in force at once.
- What a person stopped stays down; what he asked to be applied (`supctl apply`) overrides on_change = "ignore".
- What restarts with a unit (`systemd.unit(5)`, Requires=, PartOf= ...) stands in the plan too: the same transaction is planned and dropped.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from supervisor.engine.core import Core
from supervisor.engine.record import UnitState
from supervisor.engine.transaction import plan_many
from supervisor.model.specification import Dependencies, Execution, Unit
from supervisor.model.states import ActiveState, JobType

# Actions that are jobs, in the order in which they are asked for.
JOB_OF = {"stop": JobType.STOP, "restart": JobType.RESTART, "start": JobType.START, "reload": JobType.RELOAD}
_ACTION_OF = {job: action for action, job in JOB_OF.items()}

# Keys of a service that its running process was not started with: they are read again whenever they are needed.
LIVE = frozenset(
    {
        *("restart", "restart_mode", "restart_us", "restart_steps", "restart_max_delay_us", "restart_jitter", "restart_reset_us"),
        *("max_attempts", "timeout_start_us", "timeout_stop_us", "timeout_abort_us", "timeout_start_failure_mode"),
        *("timeout_stop_failure_mode", "runtime_max_us", "exec_reload", "exec_stop", "exec_stop_post", "kill_mode", "kill_signal"),
        *("restart_kill_signal", "final_kill_signal", "watchdog_signal", "reload_signal", "send_sigkill", "send_sighup"),
        *("success_exit_status", "restart_prevent_exit_status", "restart_force_exit_status", "probes"),
        *("file_descriptor_store_preserve", "runtime_directory_preserve"),
    }
)
# Where the specification's order says nothing: tables, sets and lists that are read as sets.
_UNORDERED = frozenset(
    {
        *("environment", "limits", "directories", "credentials", "supplementary_groups", "pass_environment", "unset_environment"),
        *("cpu_affinity", "ambient_capabilities", "capability_bounding_set", "conditions", "asserts", "probes", "sockets", "aliases"),
        *(field.name for field in fields(Dependencies)),
    }
)
_NOT_COMPARED = frozenset({"id", "fragment_path", "drop_in_paths", "service", "execution", "dependencies", "enabled_state", "load_error"})
_NAME_OF = {
    "is_enabled": "enabled",
    "is_masked": "masked",
    "conditions": "condition_*",
    "asserts": "assert_*",
    "limits": "limit_*",
    "directories": "*_directory",
    "environment_files": "environment_file",
    "credentials": "load_credential",
    "probes": "startup/ready/health",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one unit, and the keys that differ ("service.exec_start").

    action: unchanged, added (known, not started), removed (was down), live (in force at once or at its next start), reload, restart, start,
    stop; needs-restart and needs-stop: on_change = "ignore" leaves it to `supctl apply`.
    """

    action: str
    changed: tuple[str, ...] = ()


Plan = dict[str, Change]
Scope = Callable[[str], str]  # by unit: "auto" (on_change decides), "apply" (a person asked for it) or "load" (nothing is done to it)


def auto(_unit: str) -> str:
    return "auto"


def _same(name: str, one: Any, other: Any) -> bool:
    if one == other:
        return True
    return name in _UNORDERED and isinstance(one, tuple) and isinstance(other, tuple) and frozenset(one) == frozenset(other)


def _differing(one: Any, other: Any) -> list[str]:
    return [f.name for f in fields(one) if not _same(f.name, getattr(one, f.name), getattr(other, f.name))]


def _key(table: str, name: str) -> str:
    name = _NAME_OF.get(name, name)
    return f"{table}.{name.removesuffix('_us')}_sec" if name.endswith("_us") else f"{table}.{name}"


def process_keys(old: Unit, new: Unit) -> tuple[str, ...]:
    """The differing keys that a running process would have to be restarted for."""
    if old.service is new.service and old.execution is new.execution:
        return ()
    if old.service is None or new.service is None:
        return ("kind",)
    if old.kind != new.kind:
        return ("kind",)
    names = _differing(old.service, new.service) + _differing(old.execution or Execution(), new.execution or Execution())
    return tuple(_key(new.kind, name) for name in names if name not in LIVE)


def changed_keys(old: Unit, new: Unit) -> tuple[str, ...]:
    """Every key that differs."""
    own = [name for name in _differing(old, new) if name not in _NOT_COMPARED]
    keys = [_key("unit", name) for name in own + _differing(old.dependencies, new.dependencies)]
    for one, other in ((old.service, new.service), (old.execution, new.execution)):
        if one is None or other is None:
            keys += ["kind"] if one is not other and "kind" not in keys else []
        else:
            keys += [_key(new.kind, name) for name in _differing(one, other)]
    return tuple(keys)


def as_wished(definition: Unit, unit: Unit) -> Unit:
    """A definition of a unit with what people wish of the unit now (enabled, masked): who wants it counts only while it is enabled."""
    wished = replace(definition.dependencies, wanted_by=unit.dependencies.wanted_by, required_by=unit.dependencies.required_by)
    return replace(
        definition, dependencies=wished, is_enabled=unit.is_enabled, enabled_state=unit.enabled_state, is_masked=unit.is_masked
    )


def running_definition(core: Core, state: UnitState, old: Unit) -> Unit:
    """The definition that the unit's process was started with."""
    return core.former.get(state.name, old) if state.needs_restart else old


def wishes(core: Core, units: Mapping[str, Unit], scope: Scope = auto) -> Plan:
    """What is asked for each unit by itself, unchanged units left out. `units` is the whole new set."""
    plan: Plan = {}
    for name in sorted(core.specs.keys() | units.keys()):
        change = _wish(core, name, units.get(name), scope(name))
        if change is not None:
            plan[name] = change
    return plan


def _wish(core: Core, name: str, new: Unit | None, scope: str) -> Change | None:
    old, state = core.specs.get(name), core.states.get(name) or UnitState(name)
    if new is None:
        return _gone(old, state, scope) if old is not None else None
    may_start = scope != "load" and new.is_enabled and not new.is_unusable and not core.is_kept_down(name)
    if old is None:
        return Change("start" if may_start else "added")
    if not state.needs_restart and (old is new or old == new):
        return None
    if new.is_unusable:
        return _unusable(old, new, state, scope)
    before = running_definition(core, state, old)
    changed = changed_keys(before, new)
    if not changed and not old.is_unusable:
        taken_back = changed_keys(old, new)
        return Change("live", taken_back) if taken_back else None
    if old.is_unusable and state.active.is_down:
        return Change("start" if may_start else "live", changed)
    policy = _policy(new, scope)
    process = process_keys(before, new)
    if state.active.is_down:
        is_to_start = (process and state.active == ActiveState.FAILED) or (new.is_enabled and not old.is_enabled)
        return Change("start" if is_to_start and may_start and policy != "ignore" else "live", changed)
    if not process or state.active == ActiveState.DEACTIVATING:
        return Change("live", changed) if before is old or changed_keys(old, new) else None
    if policy == "ignore" or "kind" in process:
        return Change("needs-restart", changed)
    if policy == "reload" and state.active == ActiveState.ACTIVE and _can_reload(new):
        return Change("reload", changed)
    return Change("restart", changed)


def _policy(unit: Unit, scope: str) -> str:
    if scope == "load":
        return "ignore"
    return "restart" if scope == "apply" and unit.on_change == "ignore" else unit.on_change


def _can_reload(unit: Unit) -> bool:
    return unit.service is not None and (bool(unit.service.exec_reload) or unit.service.type == "notify-reload")


def _gone(old: Unit, state: UnitState, scope: str) -> Change:
    if state.active.is_down:
        return Change("removed")
    return Change("needs-stop" if _policy(old, scope) == "ignore" else "stop")


def _unusable(old: Unit, new: Unit, state: UnitState, scope: str) -> Change | None:
    changed = changed_keys(old, new)
    if not changed:
        return None
    if state.active.is_down:
        return Change("live", changed)
    return Change("stop" if scope == "apply" else "needs-stop", changed)


class _Preview(Core):
    """The engine's books with the new definitions, to plan on: nothing that is noted here is kept."""

    def note(self, name: str, what: str, text: str, cause: str = "", **fields: str | int | None) -> None:
        """Planning twice must not be told twice."""


def make(core: Core, units: Mapping[str, Unit], scope: Scope = auto) -> Plan:
    """The whole plan, with what restarts, starts and stops because of others. Unchanged units are left out."""
    plan = wishes(core, units, scope)
    preview = _Preview(dict(units), core.seed)
    for name, unit in core.specs.items():
        preview.specs.setdefault(name, unit)  # what vanished is still there to be stopped
    preview.states = dict(core.states)
    preview.vanished = set(core.vanished)
    for action, names in by_action(plan):
        for job in plan_many(preview, JOB_OF[action], names):
            known = plan.get(job.unit)
            if (known is None or known.action not in JOB_OF) and job.type in _ACTION_OF:
                plan[job.unit] = Change(_ACTION_OF[job.type], known.changed if known else ())
    return dict(sorted(plan.items()))


def by_action(plan: Plan) -> Iterable[tuple[str, list[str]]]:
    """The units of each action that is a job, in the order in which the jobs are asked for."""
    for action in JOB_OF:
        names = [name for name, change in plan.items() if change.action == action]
        if names:
            yield action, names


def text_of(change: Change) -> str:
    """One change as a fragment of a sentence: "restart (service.exec_start)"."""
    return f"{change.action} ({', '.join(change.changed)})" if change.changed else change.action
