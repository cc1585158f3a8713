"""Probes that run a command: a process of the unit like any other, spawned by the keeper, never by the manager.

Each has a run of its own, which is no run of the engine's: its reports end here. Invariant: a command that is given up
(time-out, probe stopped) is killed with all it has started in its session's first group, and its run forgotten.
"""

import asyncio
import os
from typing import TYPE_CHECKING, Any

from supervisor.daemon.prepare_error import PrepareError
from supervisor.daemon.proberuns import PROBE_PHASE, end_probe
from supervisor.model.effects import Prepare
from supervisor.model.specification import Command
from supervisor.model.states import Phase

if TYPE_CHECKING:
    from supervisor.daemon.shell import Shell


class ExecProbes:
    """One per manager."""

    def __init__(self, shell: "Shell") -> None:
        self._shell = shell
        self._runs: dict[int, asyncio.Future[tuple[bool, str]]] = {}
        self._pids: dict[int, int] = {}  # those whose end was not reported

    async def run(self, unit: str, command: Command, timeout_us: int) -> tuple[bool, str]:
        """Run the command in the unit's context: whether it left with 0, and what happened otherwise."""
        shell = self._shell
        spec, state = shell.engine.core.specs[unit], shell.engine.core.states[unit]
        run = shell.engine.core.mint()
        variables = (("MAINPID", str(state.main.pid)),) if state.main is not None and state.main.pid else ()
        effect = Prepare(unit, run, Phase.CONDITION, command, state.invocation_id, variables)
        try:
            request = await asyncio.to_thread(shell.preparer.prepare, effect, spec)
            request.cgroup = shell.processes.cgroup_of(unit)
        except PrepareError as error:
            return False, str(error)
        except (OSError, ValueError) as error:
            return False, f"the command could not be prepared: {error}"
        request.phase = PROBE_PHASE
        ended: asyncio.Future[tuple[bool, str]] = asyncio.get_running_loop().create_future()
        self._runs[run] = ended
        # The counter goes with it, so that no later run is given this one's number.
        shell.link.send(shell.engine.take_changed(), [["spawn", request]])
        try:
            async with asyncio.timeout(timeout_us / 1e6):
                return await ended
        except TimeoutError:
            return False, f"{command.path} did not end within {timeout_us / 1e6:g} s"
        finally:
            del self._runs[run]
            end_probe(shell, run, self._pids.pop(run, 0))

    def on_report(self, report: list[Any]) -> bool:
        """Take a report if it is of a probe's run; whether it was."""
        ended = self._runs.get(report[1])
        if ended is None:
            return False
        if report[0] == "forked":
            self._pids[report[1]] = report[2]
        elif report[0] in ("exited", "spawn_failed"):
            self._pids.pop(report[1], None)
        if report[0] == "exited" and not ended.done():
            _, _, code, status, _ = report
            is_good = code == "exited" and status == 0
            ended.set_result((is_good, "" if is_good else f"the command was {code} with {status}"))
        elif report[0] == "spawn_failed" and not ended.done():
            ended.set_result((False, f"cannot run it ({report[2]}): {os.strerror(report[3]).lower()}"))
        return True
