"""The manager's shell and the keeper, played in virtual time: turns effects into events.

Laws:
- The commit rule holds, as in the real shell: the records of a step, its spawns, its forgets and its signals to known runs are one
  packet to the keeper, all or nothing; then the other effects are carried out, in order. What a report of a fork changed goes with
  the next packet, for the keeper's table brings it about again.
- A `crash` loses exactly what a kill -9 of the manager loses (preparations, probes, watches, unread reports) and nothing of the `Machine`.
- What is due at the same instant happens in the order in which it was asked for; a time-out comes after everything else of its instant.
- Every turn calls `Engine.check_invariants`; `observers` see each event with its effects before they are carried out.
"""

import heapq
from collections.abc import Callable

from supervisor.engine import Engine
from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.specification import Unit
from supervisor.model.states import ExitCode, Phase
from tests.spec.behaviour import Process, daemonizes, exits, runs, says_ready
from tests.spec.machine import Datagram, Living, Machine, answer_to_signal

BOOT_MONO_US = 1_000_000_000
BOOT_WALL_US = 1_700_000_000_000_000


class ManagerCrashed(Exception):
    """Raised inside a turn where `crash_point` says so; `Shell` recovers from it."""


class Shell:
    """One engine with everything around it, and no will of its own."""

    def __init__(self, *units: Unit, seed: str = "world") -> None:
        self.units = {u.id: u for u in units}
        self.seed = seed
        self.now_us = BOOT_MONO_US
        self.sees_the_last = True  # as the kernel's register of a unit's processes does; a scan of /proc does not
        self.wall_shift_us = 0  # how far somebody has set the wall clock
        self.machine = Machine()
        self.engine = Engine(dict(self.units), seed=seed, strict=True)
        self.scripts: dict[tuple[str, Phase], list[Process]] = {}
        self.conditions: dict[str, bool] = {}
        self.asserts: dict[str, bool] = {}
        self.probe_answers: dict[tuple[str, int], list[bool]] = {}
        self.main_pid_is_unknown: set[str] = set()  # units whose PID file is not there, or not yet
        self.answers: dict[int, do.Answer] = {}
        self.finished: dict[int, do.FinishJob] = {}
        self.records: list[do.Record] = []
        self.intents: list[do.SaveIntent] = []
        self.left: do.Leave | None = None
        self.history: list[tuple[int, ev.Event | do.Effect]] = []
        self.observers: list[Callable[[ev.Event, list[do.Effect]], None]] = []
        self.crash_point: Callable[[str], bool] = lambda _point: False
        self.is_committed = True  # the keeper knows all that the engine knows
        self._sequence = 0
        self._due: list[tuple[int, int, bool, Callable[[], None]]] = []  # (when, order, is lost in a crash, what)
        self._prepared: dict[int, do.Prepare] = {}
        self._watches: dict[str, int] = {}
        self._pid_files_awaited: dict[str, do.ReadPidFile] = {}
        self._probes: set[tuple[str, int]] = set()  # (unit, token)
        self._chosen: dict[int, Process] = {}  # the script of each run, drawn once even if a crash makes it prepare twice
        self._hunted: set[str] = set()  # units whose processes are killed as they appear (Kill.is_repeated)
        self._commit([])

    # One step of the manager -----------------------------------------------------------------------------------------

    def step(self, event: ev.Event) -> None:
        """Tell the engine, commit, carry out: one turn of the manager's loop."""
        self._guard(lambda: self._turn(event))

    def run_one_due(self) -> bool:
        """Let the next thing happen that is due now; False when there is none."""
        if not self._due or self._due[0][0] > self.now_us:
            return False
        self._guard(heapq.heappop(self._due)[3])
        return True

    def next_moment(self) -> int | None:
        """When something is due next, a time-out included."""
        moments = [self._due[0][0]] if self._due else []
        deadline_us = self.engine.next_deadline()
        if deadline_us is not None:
            moments.append(deadline_us)
        return min(moments) if moments else None

    def _guard(self, action: Callable[[], None]) -> None:
        try:
            action()
        except ManagerCrashed:
            self.crash()

    def _turn(self, event: ev.Event) -> None:
        self._maybe_crash("before the event")
        self.history.append((self.now_us, event))
        effects = self._handle(event)
        self.engine.check_invariants()
        for observer in self.observers:
            observer(event, effects)
        self._maybe_crash("before the commit")
        self.is_committed = bool(effects) or not isinstance(event, ev.Forked)
        if self.is_committed:
            self._commit(effects)
            self._carry_out(effects)

    def _instant(self) -> ev.Instant:
        return ev.Instant(self.now_us, BOOT_WALL_US + self.now_us - BOOT_MONO_US + self.wall_shift_us)

    def _maybe_crash(self, point: str) -> None:
        if self.crash_point(point):
            raise ManagerCrashed(point)

    def _commit(self, effects: list[do.Effect]) -> None:
        """One packet to the keeper: what is in it happened, whatever becomes of the manager."""
        self.machine.remember(self._take_changed())
        self.history.extend((self.now_us, effect) for effect in effects)
        for effect in effects:
            match effect:
                case do.Spawn():
                    self._spawn(effect)
                case do.Forget():
                    self._prepared.pop(effect.run, None)
                    self.machine.forget(effect.run)
                case do.Kill() if effect.whom != "others":
                    self._strike_all(effect, [p for p in self.machine.of_unit(effect.unit) if p.run and p.run in effect.runs])

    def _handle(self, event: ev.Event) -> list[do.Effect]:
        return self.engine.handle(event, self._instant())

    def _take_changed(self) -> dict[str, str]:
        return self.engine.take_changed()

    def crash(self) -> None:
        """Kill the manager and start it again, until one lives long enough to have taken over."""
        while True:
            self._due = [entry for entry in self._due if not entry[2]]
            heapq.heapify(self._due)
            self._prepared.clear()
            self._watches.clear()
            self._pid_files_awaited.clear()
            self._probes.clear()
            self._hunted.clear()
            try:
                self._take_over()
            except ManagerCrashed:
                continue
            return

    def _restore(self) -> None:
        self.engine = Engine.restore(dict(self.units), dict(self.machine.remembered), seed=self.seed, strict=True)

    def _take_over(self) -> None:
        """Restore, ask again for what was under way, replay the keeper's whole table: in the order of the real shell."""
        self._restore()
        effects = self.engine.resume(self._instant())
        self._commit(effects)
        self._carry_out(effects)
        for unit in sorted(self.machine.sockets):
            self._later(0, lambda unit=unit: self._read_socket(unit), is_volatile=True)  # type: ignore[misc]  # the default binds
        for run in sorted(self.machine.runs):
            self._replay(run)
        for unit, pid, code, status in list(self.machine.reaped):
            self._turn(ev.AlienExited(unit, pid, code, status))

    def _replay(self, run: int) -> None:
        entry = self.machine.runs.get(run)
        if entry is None:
            return
        if entry.pid:
            self._turn(ev.Forked(entry.unit, run, entry.pid))
        if entry.has_execed:
            self._turn(ev.Execed(entry.unit, run))
        if entry.spawn_failed:
            self._turn(ev.SpawnFailed(entry.unit, run, *entry.spawn_failed))
        if entry.exited:
            self._report_exit(run)

    # Carrying out effects --------------------------------------------------------------------------------------------

    def _carry_out(self, effects: list[do.Effect]) -> None:
        for effect in effects:
            self._maybe_crash("between effects")
            self._apply(effect)

    def _apply(self, effect: do.Effect) -> None:
        match effect:
            case do.Answer():
                self.answers[effect.request] = effect
            case do.FinishJob():
                assert effect.job not in self.finished, f"job {effect.job} ended twice"
                self.finished[effect.job] = effect
            case do.CheckConditions():
                self._later(0, lambda: self._check(effect), is_volatile=True)
            case do.Prepare():
                self._prepare(effect)
            case do.Kill():
                self._kill_others(effect)
            case do.WatchEmpty():
                self._watches[effect.unit] = effect.token
                self._later(0, lambda: self._look_for_emptiness(effect.unit), is_volatile=True)
            case do.ReadPidFile():
                self._later(0, lambda: self._read_pid_file(effect), is_volatile=True)
            case do.StartProbe():
                self._start_probe(effect)
            case do.StopProbes():
                self._probes.discard((effect.unit, effect.token))
            case do.Release():
                if not effect.will_restart:
                    self.machine.sockets.pop(effect.unit, None)
            case do.SaveIntent():
                self.intents.append(effect)
            case do.Record():
                self.records.append(effect)
            case do.Leave():
                self.left = effect

    def _later(self, span_us: int, action: Callable[[], None], *, is_volatile: bool) -> None:
        self._sequence += 1
        heapq.heappush(self._due, (self.now_us + span_us, self._sequence, is_volatile, action))

    def _report(self, action: Callable[[], None]) -> None:
        """A report of the keeper: reports arrive in the order in which things happened."""
        self._later(0, action, is_volatile=True)

    def _check(self, effect: do.CheckConditions) -> None:
        holds, asserts_hold = self.conditions.get(effect.unit, True), self.asserts.get(effect.unit, True)
        failed = "" if holds and asserts_hold else "path_exists=/nowhere"
        self._turn(ev.ConditionsChecked(effect.unit, effect.check, holds, asserts_hold, failed))

    def _script(self, unit: str, phase: Phase) -> Process:
        """The script of the next spawn. Unscripted, a program does what its service type promises."""
        scripts = self.scripts.get((unit, phase))
        if scripts:
            return scripts.pop(0) if len(scripts) > 1 else scripts[0]
        service = self.units[unit].service if unit in self.units else None
        if phase is not Phase.START or service is None or service.type == "oneshot":
            return exits(0)
        if service.type in ("notify", "notify-reload"):
            return says_ready()
        return daemonizes() if service.type == "forking" else runs()

    def _prepare(self, effect: do.Prepare) -> None:
        if effect.run not in self._chosen:
            self._chosen[effect.run] = self._script(effect.unit, effect.phase)
        script = self._chosen[effect.run]
        self._prepared[effect.run] = effect

        def finish() -> None:
            if effect.run not in self._prepared:
                return  # forgotten meanwhile
            if script.prepare_fails:
                del self._prepared[effect.run]
                step, status = script.prepare_fails
                self._turn(ev.PrepareFailed(effect.unit, effect.run, step, status, f"cannot prepare {effect.unit}: {step}"))
            else:
                self._turn(ev.Prepared(effect.unit, effect.run))

        self._later(script.prepare_takes_us, finish, is_volatile=True)

    def _spawn(self, effect: do.Spawn) -> None:
        phase = self._prepared.pop(effect.run).phase
        script = self._chosen.pop(effect.run)
        entry = self.machine.open_run(effect.run, effect.unit, phase)
        if script.spawn_fails and script.spawn_fails[0] == "fork":
            entry.spawn_failed = script.spawn_fails
            self._report(lambda: self._report_spawn_failure(effect.run))
            return
        process = self.machine.fork(effect.unit, effect.run, phase, script)
        entry.pid = process.pid
        self._report(lambda: self._turn(ev.Forked(effect.unit, effect.run, process.pid)))
        self._later(script.exec_takes_us, lambda: self._exec(process), is_volatile=False)
        self._hunted.discard(effect.unit)  # a process that the engine wants is not hunted

    def _exec(self, process: Living) -> None:
        if process.pid not in self.machine.living or process.run is None:
            return
        entry = self.machine.runs[process.run]
        script = process.script
        if script.spawn_fails:
            del self.machine.living[process.pid]
            entry.spawn_failed = script.spawn_fails
            run = process.run
            if entry.is_forgotten:
                del self.machine.runs[run]
            self._report(lambda: self._report_spawn_failure(run))
            self._look_for_emptiness(process.unit)
            return
        entry.has_execed = True
        self._report(lambda: self._turn(ev.Execed(process.unit, process.run or 0)))
        self._live(process)
        for child in script.leaves:
            born = self.machine.fork(process.unit, None, process.phase, child)
            self._live(born)
            if process.unit in self._hunted:
                self._strike(born, 9)

    def _live(self, process: Living) -> None:
        """Schedule what the script does by itself."""
        script = process.script
        for when_us, fields in script.says:
            self._later(when_us, lambda fields=fields: self._say(process, fields), is_volatile=False)  # type: ignore[misc]  # the default binds
        if script.lives_us is not None:
            self._later(script.lives_us, lambda: self._die(process, script.code, script.status), is_volatile=False)

    def _say(self, process: Living, fields: dict[str, str]) -> None:
        if process.pid in self.machine.living:
            self._send(process.unit, process.pid, fields)

    def _die(self, process: Living, code: ExitCode, status: int) -> None:
        if process.pid not in self.machine.living:
            return
        is_told = self.machine.bury(process, code, status)
        if is_told and process.run is None:
            self._report(lambda: self._report_alien(process.unit, process.pid, code, status))
        elif is_told:
            run = process.run or 0
            self._report(lambda: self._report_exit(run))
        self._later(0, lambda: self._look_for_emptiness(process.unit), is_volatile=True)

    # What the keeper and the kernel report ---------------------------------------------------------------------------

    def _report_spawn_failure(self, run: int) -> None:
        entry = self.machine.runs.get(run)
        if entry and entry.spawn_failed:
            self._turn(ev.SpawnFailed(entry.unit, run, *entry.spawn_failed, text=f"cannot execute the program of {entry.unit}"))

    def _report_exit(self, run: int) -> None:
        entry = self.machine.runs.get(run)
        if entry is None or entry.exited is None:
            return
        self._read_socket(entry.unit)  # exit comes last (DESIGN, The engine)
        if run in self.machine.runs:
            self._turn(ev.Exited(entry.unit, run, *entry.exited, is_last=self._is_last(entry.unit)))

    def _is_last(self, unit: str) -> bool:
        return self.sees_the_last and self.machine.is_empty(unit)

    def _report_alien(self, unit: str, pid: int, code: ExitCode, status: int) -> None:
        self._read_socket(unit)
        self._turn(ev.AlienExited(unit, pid, code, status, is_last=self._is_last(unit)))
        self.machine.reaped = [entry for entry in self.machine.reaped if entry[1] != pid]

    def _send(self, unit: str, pid: int, fields: dict[str, str]) -> None:
        self._sequence += 1
        self.machine.sockets.setdefault(unit, []).append(Datagram(pid, dict(fields), self._sequence))
        self._later(0, lambda: self._read_socket(unit), is_volatile=True)

    def _read_socket(self, unit: str) -> None:
        """Peek, handle, commit, consume: a datagram read twice is harmless."""
        while datagrams := self.machine.sockets.get(unit):
            datagram = datagrams[0]
            main_pid = datagram.fields.get("MAINPID", "")
            named = self.machine.living.get(int(main_pid)) if main_pid.isdigit() else None
            is_ours = named is not None and named.unit == unit
            self._turn(ev.Notified(unit, datagram.pid, dict(datagram.fields), main_pid_is_ours=is_ours))
            left = self.machine.sockets.get(unit)
            if left and left[0].sequence == datagram.sequence:
                left.pop(0)

    def _look_for_emptiness(self, unit: str) -> None:
        token = self._watches.get(unit)
        if token is not None and self.machine.is_empty(unit):
            del self._watches[unit]
            self._hunted.discard(unit)
            self._turn(ev.Emptied(unit, token))

    def _read_pid_file(self, effect: do.ReadPidFile) -> None:
        left_behind = [p for p in self.machine.of_unit(effect.unit) if p.run is None]
        if left_behind and effect.unit not in self.main_pid_is_unknown:
            self._turn(ev.PidFileRead(effect.unit, effect.token, left_behind[0].pid))
        elif effect.waits:
            self._pid_files_awaited[effect.unit] = effect
        else:
            self._turn(ev.PidFileRead(effect.unit, effect.token, 0, text="cannot read the PID file: it does not exist"))

    def phase_of(self, run: int) -> Phase | None:
        """Which phase a run was prepared for, if it waits to be spawned."""
        prepared = self._prepared.get(run)
        return prepared.phase if prepared else None

    # Signals and probes ----------------------------------------------------------------------------------------------

    def _kill_others(self, effect: do.Kill) -> None:
        """What the keeper does not know: main processes learned late, and every other process of the unit."""
        processes = self.machine.of_unit(effect.unit)
        known = {pid for pid, run in zip(effect.pids, effect.runs, strict=True) if run}
        if effect.whom in ("main", "control"):
            chosen = [p for p in processes if p.pid in effect.pids and p.pid not in known]
        elif effect.whom == "others":
            chosen = [p for p in processes if p.pid not in effect.pids]
        else:
            chosen = [p for p in processes if effect.is_repeated or p.pid not in known]
        self._strike_all(effect, chosen)
        if effect.is_repeated and effect.whom in ("all", "others"):
            self._hunted.add(effect.unit)

    def _strike_all(self, effect: do.Kill, chosen: list[Living]) -> None:
        for process in chosen:
            self._strike(process, effect.signal)
            if effect.and_hangup:
                self._strike(process, 1)
            if effect.and_continue:
                self._strike(process, 18)

    def _strike(self, process: Living, signal: int) -> None:
        for fields in process.script.says_on_signal.get(signal, ()):
            self._send(process.unit, process.pid, {key: value.replace("NOW", str(self.now_us)) for key, value in fields.items()})
        end = answer_to_signal(process.script, signal)
        if end is None or (process.is_doomed and signal != 9):
            return
        process.is_doomed = True
        self._later(0 if signal == 9 else process.script.dies_in_us, lambda: self._die(process, *end), is_volatile=False)

    def _start_probe(self, effect: do.StartProbe) -> None:
        spec = self.engine.core.specs.get(effect.unit)
        service = spec.service if spec else None
        if service is None or effect.index >= len(service.probes):
            return
        probe = service.probes[effect.index]
        self._probes.add((effect.unit, effect.token))

        def ask() -> None:
            if (effect.unit, effect.token) not in self._probes:
                return
            answers = self.probe_answers.setdefault((effect.unit, effect.index), [True])
            ok = answers.pop(0) if len(answers) > 1 else answers[0]
            self._later(probe.interval_us, ask, is_volatile=True)
            self._turn(ev.ProbeReported(effect.unit, effect.token, effect.index, ok, "" if ok else "connection refused"))

        self._later(probe.initial_delay_us, ask, is_volatile=True)
