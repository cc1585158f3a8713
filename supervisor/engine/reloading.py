"""Carrying out the plan of a new set of definitions, and the way back when a restart that it caused does not come up.

Laws:
- What happens is exactly the plan (plan.py): the wishes become jobs of one kind after the other, by the transactions that were planned.
- A unit restarted for a new definition is on trial until it has been up for `TRIAL_US`. If it fails first, `RollBack` is asked for once;
  the shell answers with `UnitsApplied(rolled_back=...)`, which puts the definition of before in force and starts it.
- A unit that had failed before has nothing good to go back to, so it is on no trial.
- `former` and `trials` are remembered like every record: a crash of the manager forgets neither.
"""

import json
from collections.abc import Callable

from supervisor.engine import plan, probing
from supervisor.engine.core import Core
from supervisor.engine.jobs import Jobs
from supervisor.engine.record import UnitState
from supervisor.model import events as ev
from supervisor.model.codec import decode_unit, encode_unit
from supervisor.model.effects import Answer, Record, RollBack
from supervisor.model.names import is_instance
from supervisor.model.specification import Unit
from supervisor.model.states import ActiveState, JobType

TRIAL_US = 2_000_000  # types without a readiness of their own are "up" before they can have read their configuration
FORMER_PREFIX = "former:"


def scope_of(event: ev.UnitsApplied) -> plan.Scope:
    """Whose on_change is overridden: everybody's after `supctl apply`; after `supctl apply UNIT` that unit's, and no other is touched."""
    if not event.is_asked:
        return plan.auto
    chosen = frozenset(event.chosen)
    return lambda name: "apply" if not chosen or name in chosen else "load"


def on_units_applied(core: Core, jobs: Jobs, event: ev.UnitsApplied, load: Callable[[ev.UnitsLoaded], None]) -> None:
    """Make the plan, put the definitions in force, and ask for its jobs. Answered by `Answer`."""
    wishes = plan.wishes(core, event.units, scope_of(event)) if core.leaving is None else {}
    before = {name: core.specs[name] for name, change in wishes.items() if name in core.specs}
    load(ev.UnitsLoaded(event.units))
    for name, text in event.rolled_back:
        _go_back(core, name, text)
    for name, change in wishes.items():
        _tell(core, name, change, event)
        if change.action == "restart" and name not in dict(event.rolled_back):
            _begin_trial(core, name, before[name])
        elif change.action == "reload":
            core.state_of(name).needs_restart = False
            _forget(core, name)
    for action, names in plan.by_action(wishes):
        planned = jobs.enqueue_many(plan.JOB_OF[action], names, by=event.by or "its definition changed")
        along = [job.unit for job in planned if job.type == JobType.RESTART]
        for name in {*names, *along} if action in ("restart", "start") else ():
            _lift_start_limit(core, name)
    back = [name for name, _ in event.rolled_back if name in core.specs and core.leaving is None and not core.is_kept_down(name)]
    if back:
        jobs.enqueue_many(JobType.RESTART, back, by="its new definition did not come up")
    if event.request:
        core.emit(Answer(event.request))


def _tell(core: Core, name: str, change: plan.Change, event: ev.UnitsApplied) -> None:
    text = {
        "added": "it is known now",
        "removed": "its unit file is gone",
        "live": "its new definition is in force",
        "needs-restart": "its definition changed; `supctl apply` restarts it",
        "needs-stop": "it should not be there any more; `supctl apply` stops it",
    }.get(change.action, f"its definition changed: {change.action}" if name in core.specs else change.action)
    if change.action == "start" and not change.changed:
        text = "it is new and enabled: start"
    elif change.action == "stop" and not change.changed:
        text = "it is no instance of its template any more: stop" if is_instance(name) else "its unit file is gone: stop"
    keys = ", ".join(change.changed)
    fields = (("action", change.action), ("changed", keys), ("by", event.by))
    core.emit(Record(name, "plan", f"{text} ({keys})" if keys else text, fields))


# -- definitions of units that run ---------------------------------------------------------------------------------------


def on_definition_changed(core: Core, state: UnitState, old: Unit, new: Unit) -> None:
    """A unit that is not down gets a new definition: whether its process still runs by another one, and what is watched in it."""
    name = state.name
    if old == new:
        return
    runs_by = plan.running_definition(core, state, old)
    needs_restart = bool(plan.process_keys(runs_by, new))
    is_unproven = name in core.trials and not _is_proven(core, state)
    core.touch(state)
    state.needs_restart = needs_restart
    if plan.as_wished(old, new) != new:
        state.rolled_back = ""
    if not is_unproven:
        core.trials.pop(name, None)
        if needs_restart:
            core.former[name] = runs_by
        else:
            core.former.pop(name, None)
        core.former_changed.add(name)


def restart_probes(core: Core, state: UnitState, old: Unit) -> None:
    """The probes of a running stage changed under it: they begin anew. Called with the new definition in force."""
    new = core.specs[state.name]
    if state.probe_token and old.service is not None and new.service is not None and old.service.probes != new.service.probes:
        stage = state.probe_stage
        probing.stop(core, state)
        probing.begin_again(core, state, stage)


def on_definition_changed_while_down(core: Core, state: UnitState, old: Unit | None, new: Unit | None) -> None:
    """The unit is down and has no job: nothing runs by any definition. A failed trial is over only once its definition changed."""
    if old == new or (old is not None and new is not None and plan.as_wished(old, new) == new):
        return
    _forget(core, state.name)
    if state.rolled_back or state.needs_restart:
        core.touch(state)
        state.rolled_back, state.needs_restart = "", False


def _forget(core: Core, name: str) -> None:
    if core.former.pop(name, None) is not None or core.trials.pop(name, None) is not None:
        core.trials.pop(name, None)
        core.former_changed.add(name)


# -- trials ------------------------------------------------------------------------------------------------------------


def _begin_trial(core: Core, name: str, old: Unit) -> None:
    """Called for a unit that is up and about to be restarted; a trial under way goes on with the last good definition."""
    core.former.setdefault(name, old)
    core.trials[name] = "begun"
    core.former_changed.add(name)


def _is_proven(core: Core, state: UnitState) -> bool:
    """Whether the unit has come up and stayed so: its definition is a good one."""
    return not state.needs_restart and bool(state.up_since_us) and core.now.mono_us - state.up_since_us >= TRIAL_US


def on_down(core: Core, state: UnitState) -> bool:
    """The unit went down; whether that is the failure of a trial, for which `RollBack` has been asked now."""
    name = state.name
    if core.trials.get(name) != "begun" or state.needs_restart:
        return False  # on no trial, or still with its old process
    if state.active != ActiveState.FAILED:
        return False
    if core.leaving is not None or core.is_kept_down(name) or _is_proven(core, state):
        _forget(core, name)
        return False
    if state.forbids_restart:
        return False  # it was to go down, and how badly it did says nothing against its start; the trial goes on with the next one
    core.trials[name] = "failed"
    core.former_changed.add(name)
    why = state.failed_text or str(state.result)
    core.note(name, "rollback", f"it does not come up by its new definition ({why}); the one of before is taken again")
    core.emit(RollBack(name, core.former[name], why))
    return True


def ask_again(core: Core) -> None:
    """After a restart of the manager: what was asked for and not yet answered."""
    for name, stage in sorted(core.trials.items()):
        if stage == "failed" and name in core.former:
            state = core.state_of(name)
            core.emit(RollBack(name, core.former[name], state.failed_text or str(state.result)))


def _go_back(core: Core, name: str, text: str) -> None:
    """The definition of before is in force again."""
    core.trials.pop(name, None)
    core.former.pop(name, None)
    core.former_changed.add(name)
    state = core.state_of(name)
    state.needs_restart = False
    state.rolled_back = text
    _lift_start_limit(core, name)
    core.emit(Record(name, "rollback", text))


def _lift_start_limit(core: Core, name: str) -> None:
    """Starts of another definition say nothing about this one, and what restarts with it has not failed: saving often is no crash loop."""
    state = core.state_of(name)
    state.limit_from_us = state.limit_count = 0


# -- what outlives the manager -------------------------------------------------------------------------------------------


def dump_changed(core: Core) -> dict[str, str]:
    """The keys to be remembered that changed; "" forgets."""
    out = {}
    for name in sorted(core.former_changed):
        unit = core.former.get(name)
        value = [encode_unit(unit), core.trials.get(name, "")] if unit is not None else None
        out[FORMER_PREFIX + name] = json.dumps(value, separators=(",", ":")) if value else ""
    core.former_changed = set()
    return out


def restore(core: Core, remembered: dict[str, str]) -> None:
    """What `dump_changed` wrote."""
    for key, text in remembered.items():
        if key.startswith(FORMER_PREFIX) and text:
            name = key.removeprefix(FORMER_PREFIX)
            content, stage = json.loads(text)
            core.former[name] = decode_unit(content)
            if stage:
                core.trials[name] = stage
