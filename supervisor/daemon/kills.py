"""The signals the engine asks for: those to known runs go to the keeper with the records, the others are sent from here.

Laws:
- A signal to a known run is in the same atom as the state that asked for it, so it is sent once, whatever becomes of this manager.
- The main process first, then the others, as systemd does; what is meant for one life of a unit never reaches the next.
"""

from typing import TYPE_CHECKING, Any

from supervisor.model import effects as fx

if TYPE_CHECKING:
    from supervisor.daemon.shell import Shell

SIGCONT, SIGHUP = 18, 1


class Kills:
    """One per manager."""

    def __init__(self, shell: "Shell") -> None:
        self._shell = shell
        self._waiting: list[tuple[fx.Kill, str]] = []  # with the life of the unit for which they were meant

    def add_signals(self, effect: fx.Kill, ops: list[Any]) -> None:
        """Signals to known runs go with the records, so that they are sent once, whatever becomes of this manager."""
        if effect.whom == "others":
            return
        for run in effect.runs:
            if run and run not in self._shell.orphans:
                ops.append(["signal", run, effect.signal])
                if effect.and_continue:
                    ops.append(["signal", run, SIGCONT])
                if effect.and_hangup:
                    ops.append(["signal", run, SIGHUP])

    def kill_others(self, effect: fx.Kill) -> None:
        """What the keeper does not know: aliens, and every other process of the unit."""
        known = list(zip(effect.pids, effect.runs, strict=False))
        aliens = tuple(pid for pid, run in known if not run or run in self._shell.orphans)
        if effect.whom in ("main", "control"):
            if aliens:
                self._shell.processes.kill(fx.Kill(effect.unit, effect.signal, "main", aliens, (), effect.and_continue, effect.and_hangup))
        elif effect.is_repeated or effect.whom == "others":
            self._shell.processes.kill(effect)
        else:
            spared = tuple(pid for pid, run in known if run and run not in self._shell.orphans)
            others = fx.Kill(effect.unit, effect.signal, "others", spared, (), effect.and_continue, effect.and_hangup)
            if spared:
                self._after_the_known(others)
            else:
                self._shell.processes.kill(others)

    def _after_the_known(self, others: fx.Kill) -> None:
        """First the main process, then the others, as systemd does: a shell that waits for its child would else see that end first.

        The keeper signals the known ones; its echo says that it has. By then the unit may live another life, which is left alone.
        """
        state = self._shell.engine.core.states.get(others.unit)
        life = state.invocation_id if state is not None else ""
        waiting = (others, life)
        self._waiting.append(waiting)
        self._shell.after_keeper(lambda: self._send_once(waiting))

    def before_the_next_run(self, unit: str) -> None:
        """The main process's end may overtake the echo: what waits for that goes out now, for it was not meant for the next run."""
        for waiting in [waiting for waiting in self._waiting if waiting[0].unit == unit]:
            self._send_once(waiting)

    def _send_once(self, waiting: tuple[fx.Kill, str]) -> None:
        if waiting not in self._waiting:
            return
        self._waiting.remove(waiting)
        others, life = waiting
        state = self._shell.engine.core.states.get(others.unit)
        if state is not None and state.invocation_id == life and not state.active.is_down:
            self._shell.processes.kill(others)
