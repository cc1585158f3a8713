"""Probes: a running unit is asked whether it is well, again and again, and each answer is reported to the engine.

The engine starts and stops probes and counts thresholds; here is only the asking. http, tcp, unix and exec are asked at an
interval, measured from question to question, and no question begins before the last one has its answer. log and fd are told:
they report when the line or the newline comes, and are silent until then (a start that never gets ready has its time-out).

Laws:
- After `stop` no answer of that probe is reported, and no question of it goes on.
- No two questions of one probe overlap.
- A unit without probes costs nothing: no timer, no task, and asyncio is not imported for it.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from supervisor.daemon.logfollow import Follower, LogFollowers
from supervisor.daemon.reactor import Handle, Reactor
from supervisor.daemon.readypipes import ReadyPipes
from supervisor.model.effects import StartProbe, StopProbes
from supervisor.model.events import ProbeReported
from supervisor.model.specification import Command, Probe

if TYPE_CHECKING:
    import asyncio
    import re

RunCommand = Callable[[str, Command, int], Awaitable[tuple[bool, str]]]
"""Runs a command in the unit's context: (unit, command, time-out in microseconds) to (ok, why). Cancelling it ends the process."""

Report = Callable[[ProbeReported], object]
_Tell = Callable[[bool, str], object]
_TOLD = ("log", "fd")


class _Asked(Protocol):
    """A probe under way."""

    def cancel(self) -> object: ...


class Probes:
    """One per manager; all methods are called on the loop's thread, or before there is a loop."""

    def __init__(self, reactor: Reactor, report: Report, run_command: RunCommand, followers: LogFollowers, ready_pipes: ReadyPipes) -> None:
        self._reactor = reactor
        self._report = report
        self._run_command = run_command
        self._followers = followers
        self._ready_pipes = ready_pipes
        self._running: dict[tuple[str, int], dict[int, _Asked]] = {}

    def start(self, effect: StartProbe, probe: Probe) -> None:
        """Begin, after the probe's initial delay. Replaces a probe of the same unit, token and index."""
        probes = self._running.setdefault((effect.unit, effect.token), {})
        if (known := probes.pop(effect.index, None)) is not None:
            known.cancel()
        probes[effect.index] = self._begin(effect, probe)

    def _begin(self, effect: StartProbe, probe: Probe) -> _Asked:
        def tell(ok: bool, text: str) -> None:
            self._report(ProbeReported(effect.unit, effect.token, effect.index, ok, text))

        if probe.kind in _TOLD:
            return _Told(effect, probe, tell, self._reactor, self._followers, self._ready_pipes)
        return _Interval(effect.unit, probe, tell, self._reactor, self._run_command)

    def stop(self, effect: StopProbes) -> None:
        """No answer of these probes is reported from here on."""
        for asked in self._running.pop((effect.unit, effect.token), {}).values():
            asked.cancel()

    def close(self) -> None:
        for key in list(self._running):
            self.stop(StopProbes(*key))


class _Interval:
    """Asks at the probe's interval."""

    def __init__(self, unit: str, probe: Probe, tell: _Tell, reactor: Reactor, run_command: RunCommand) -> None:
        self._unit = unit
        self._probe = probe
        self._tell = tell
        self._run_command = run_command
        self._task: asyncio.Task[None] | None = None
        self._is_cancelled = False
        self._timer: Handle = reactor.call_later_us(probe.initial_delay_us, self._begin)

    def _begin(self) -> None:
        import asyncio

        self._task = asyncio.get_running_loop().create_task(self._ask(), name=f"probe of {self._unit}")

    async def _ask(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        interval_s = self._probe.interval_us / 1e6
        while True:
            asked_s = loop.time()
            ok, text = await self._answer()
            if self._is_cancelled:
                return
            self._tell(ok, text)
            await asyncio.sleep(max(0.0, asked_s + interval_s - loop.time()))

    async def _answer(self) -> tuple[bool, str]:
        import asyncio

        from supervisor.daemon import probequestions

        probe = self._probe
        if probe.kind == "exec":
            if probe.command is None:
                return False, "cannot ask: the exec probe has no command"
            return await self._run_command(self._unit, probe.command, probe.timeout_us)
        question = {"http": probequestions.http, "tcp": probequestions.tcp, "unix": probequestions.unix}[probe.kind]
        try:
            async with asyncio.timeout(probe.timeout_us / 1e6):
                return await question(probe.target)
        except TimeoutError:
            return False, f"no answer from {probe.target} within {probe.timeout_us / 1e6:g} s"

    def cancel(self) -> None:
        self._is_cancelled = True
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


class _Told:
    """Waits for a line of the unit's output, or a newline on its descriptor; each one is a good answer."""

    def __init__(
        self, effect: StartProbe, probe: Probe, tell: _Tell, reactor: Reactor, followers: LogFollowers, ready_pipes: ReadyPipes
    ) -> None:
        self._effect = effect
        self._probe = probe
        self._tell = tell
        self._followers = followers
        self._ready_pipes = ready_pipes
        self._left = max(1, probe.success_threshold)
        self._follower: Follower | None = None
        self._timer: Handle = reactor.call_later_us(probe.initial_delay_us, self._begin)

    def _begin(self) -> None:
        if self._probe.kind == "fd":
            if not self._ready_pipes.listen(self._effect.unit, self._effect.index, self._on_newline):
                self._tell(False, f"no pipe was passed as descriptor {self._probe.target}")
            return
        import re

        try:
            pattern = re.compile(self._probe.target)
        except re.error as error:
            self._tell(False, f"cannot look for {self._probe.target!r} in the output: {error}")
            return
        self._follower = self._followers.follow(self._effect.unit, lambda lines: self._on_lines(pattern, lines))

    def _on_lines(self, pattern: "re.Pattern[str]", lines: list[str]) -> None:
        for line in lines:
            if self._left > 0 and pattern.search(line):
                self._tell_good(f"output matched: {line[:200]}")

    def _on_newline(self) -> None:
        if self._left > 0:
            self._tell_good(f"newline on descriptor {self._probe.target}")

    def _tell_good(self, text: str) -> None:
        self._left -= 1
        if self._left == 0:
            self._stop_listening()
        self._tell(True, text)

    def _stop_listening(self) -> None:
        if self._follower is not None:
            self._follower.cancel()
        if self._probe.kind == "fd":
            self._ready_pipes.ignore(self._effect.unit, self._effect.index)

    def cancel(self) -> None:
        self._left = 0
        self._timer.cancel()
        self._stop_listening()
