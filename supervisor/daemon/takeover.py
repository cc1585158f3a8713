"""After the manager died, or the keeper: table, journal and descriptors become books again, and what happened meanwhile is told in order.

The engine has been restored from the remembered records already. Every step is harmless to repeat, for this manager may die too.
"""

from typing import Any

from supervisor.daemon import recovery
from supervisor.daemon.orphans import remembered
from supervisor.daemon.proberuns import PROBE_PHASE, end_probe
from supervisor.daemon.shell import Shell
from supervisor.daemon.spawning import RunBook
from supervisor.model import effects as fx
from supervisor.model.events import DeadlineReached
from supervisor.model.states import SubState

# A socket ends with its last descriptor, and what is sent to its name after that with it.
_UNHEARD = "it was starting when supd was killed; a READY=1 that it sent before this supd came is lost"


def take_over(shell: Shell) -> None:
    """Adopt descriptors, runs and cgroups; replay the table; ask again for what was under way."""
    table = shell.link.table
    shell.spawning.adopt(shell.link.stored)
    orphans = remembered(table["remembered"])
    for run, entry in orphans.items():
        _adopt_orphan(shell, run, table["runs"].setdefault(run, entry))
    by_unit: dict[str, list[tuple[int, int, int, str]]] = {}
    for run, entry in table["runs"].items():
        if entry["phase"] == PROBE_PHASE:
            # Nobody waits for its answer any more: the stage's probes are begun anew.
            end_probe(shell, run, 0 if any(report[0] == "exited" for report in entry["reports"]) else entry["pid"])
            continue
        state = shell.engine.core.states.get(entry["unit"])
        invocation_id = state.invocation_id if state is not None else ""
        shell.spawning.runs[run] = RunBook(entry["unit"], invocation_id, entry.get("pid") or 0)
        if invocation_id:
            shell.pump.begin_run(entry["unit"], invocation_id)
        if entry.get("pid") and not any(report[0] == "exited" for report in entry["reports"]):
            by_unit.setdefault(entry["unit"], []).append((run, entry["pid"], entry["start_time_ticks"], invocation_id))
    for unit, runs in by_unit.items():
        shell.processes.restore(unit, runs)
    shell.resume()
    for entry in table["runs"].values():
        for report in entry["reports"] if entry["phase"] != PROBE_PHASE else ():
            shell.spawning.on_report(report)
    for report in table["reaped"]:
        shell.spawning.on_report(report)
    shell.take(DeadlineReached())
    shell.finish()
    for run in orphans:
        if run not in shell.orphans:
            shell.orphans.forget(run)


def recover(shell: Shell, found: dict[str, Any]) -> bool:
    """A keeper before this one died: go on with what its journal says was there (recovery.py). `found` goes into the table.

    Whether supd alone had died, in the midst of its work: some service survives, so what is down is so for a reason and stays down.
    """
    was_at_work = found["has_booted"] and shell.engine.core.leaving is None
    shell.link.table["runs"] = {**found["runs"], **shell.link.table["runs"]}
    shell.engine.core.leaving, shell.engine.core.left = None, False  # a shutdown that was cut short is not gone on with
    for run, entry in found["runs"].items():
        if not entry["reports"]:
            entry["reports"].append(["spawn_failed", run, "FORK", 0, 1])
        elif not any(report[0] in ("exited", "spawn_failed") for report in entry["reports"]):
            _adopt_orphan(shell, run, entry)
    for name, spec in shell.engine.core.specs.items():
        is_up = not shell.engine.core.active(name).is_down
        if is_up and spec.service is not None and spec.service.notify_access != "none" and shell.notify is not None:
            shell.notify.open(name)  # under the name that the service knows
    take_over(shell)
    for name, state in shell.engine.core.states.items():
        service = shell.engine.core.specs[name].service if name in shell.engine.core.specs else None
        if state.sub == SubState.START and service is not None and service.type in ("notify", "notify-reload"):
            shell.on_record(fx.Record(name, "recovered", _UNHEARD))
    return was_at_work and any(run in shell.orphans for run in found["runs"])


def _adopt_orphan(shell: Shell, run: int, entry: dict[str, Any]) -> None:
    kinds = {report[0] for report in entry["reports"]}
    if "exited" in kinds:
        return
    if "execed" not in kinds and recovery.is_alive(entry):
        # The dead keeper was to hear of that. One that cannot be executed after all is seen to end.
        entry["reports"].append(["execed", run])
    if not shell.orphans.adopt(run, entry):
        entry["reports"].append(["exited", run, "unknown", 0, {}])
