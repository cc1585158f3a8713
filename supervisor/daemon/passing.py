"""What the processes of a unit's start are passed beside their standard descriptors: stored ones, and ready pipes.

Stored descriptors (`fdstore`) come from 3 upwards with LISTEN_FDS; the pipe of an `fd` probe (`readypipes`) comes at the number
the unit names and is counted nowhere. Here is decided who may store, when a store is dropped, and which pipe a run gets.

Laws (sd_notify(3), systemd.service(5)):
- Only a process that `notify_access` lets speak may store or remove, and only while the unit is not down.
- file_descriptor_store_preserve: "no" drops the store whenever the unit goes down; "restart" when it is down and no job is queued
  for it; "yes" when the unit is no more.
- A ready pipe is made anew for every run, so that a word of the last run cannot be taken for one of this.
"""

import errno
import os
from typing import TYPE_CHECKING, Any

from supervisor.daemon.fdstore import PREFIX as STORE_PREFIX
from supervisor.daemon.fdstore import FdStore
from supervisor.daemon.readypipes import ReadyPipes
from supervisor.engine.notifications import may_speak
from supervisor.engine.phases import DOWN_STATES
from supervisor.model import effects as fx
from supervisor.model.events import Notified
from supervisor.model.specification import Service
from supervisor.model.states import Phase, SubState

if TYPE_CHECKING:
    from supervisor.daemon.shell import Shell

READY_PREFIX = "ready"
FLUSH_LIMIT_S = 5.0  # the keeper always reads


class Passing:
    """One per manager."""

    def __init__(self, shell: "Shell") -> None:
        self._shell = shell
        self.store = FdStore(shell.reactor, self._send)
        self.ready_pipes = ReadyPipes(shell.reactor)
        self._told_full: set[str] = set()

    def _send(self, ops: list[Any], descriptors: list[int]) -> None:
        """Hand over at once: the datagram that brought the descriptors is consumed next."""
        if not self._shell.link.send({}, ops, descriptors):
            self._shell.link.flush_all(FLUSH_LIMIT_S)

    # -- storing ---------------------------------------------------------------------------------------------------

    def on_notified(self, event: Notified, descriptors: list[int]) -> None:
        """Keep or remove what the datagram says; what is kept is taken out of `descriptors`."""
        fields = event.fields
        wants_removal, wants_storage = fields.get("FDSTOREREMOVE") == "1", fields.get("FDSTORE") == "1"
        if not (wants_removal or wants_storage) or (service := self._service_of_speaker(event)) is None:
            return
        unit, name = event.unit, fields.get("FDNAME", "")
        if wants_removal:
            if name:
                self.store.remove(unit, name)
            else:
                self._note(unit, "FDSTOREREMOVE=1 came without a valid FDNAME= and was ignored")
            return
        if descriptors and not self._shell.link.has_room_for(len(descriptors)):
            self._note(unit, f"descriptors to store were closed: {os.strerror(errno.EMFILE)} in the keeper; raise supd's limit (ulimit -n)")
            return
        maximum = service.file_descriptor_store_max
        rejected = self.store.add(unit, descriptors, name, maximum, is_watched=fields.get("FDPOLL") != "0")
        if not rejected:
            self._told_full.discard(unit)
        elif unit not in self._told_full:
            self._told_full.add(unit)
            self._note(unit, f"its descriptor store is full (file_descriptor_store_max = {maximum}): what it sends beyond that is closed")

    def _service_of_speaker(self, event: Notified) -> Service | None:
        """The unit's service if this process may speak for it now (the engine says so of the rest of the datagram)."""
        core = self._shell.engine.core
        spec, state = core.specs.get(event.unit), core.states.get(event.unit)
        if spec is None or spec.service is None or state is None or state.sub in DOWN_STATES:
            return None
        return spec.service if may_speak(spec.service, state, event.pid) else None

    def _note(self, unit: str, text: str) -> None:
        self._shell.on_record(fx.Record(unit, "notify", text))

    # -- passing ---------------------------------------------------------------------------------------------------

    def lend(self, effect: fx.Prepare) -> list[tuple[str, str]]:
        """(stored name, FDNAME) of what the process gets from 3 upwards: only those of exec_start get any (EXEC_PASS_FDS)."""
        return self.store.lend(effect.unit, effect.run) if effect.phase == Phase.START else []

    def place(self, unit: str, ops: list[Any], descriptors: list[int]) -> list[list[Any]] | None:
        """New ready pipes for a run of exec_start: adds the ops that store them; [stored name, number] of each."""
        spec = self._shell.engine.core.specs.get(unit)
        if spec is None or spec.service is None:
            return None
        placed: list[list[Any]] = []
        for index, probe in enumerate(spec.service.probes):
            if probe.kind == "fd":
                key = f"{READY_PREFIX}:{unit}:{index}"
                descriptors.append(self.ready_pipes.renew(unit, index))
                ops.append(["store", key, False])
                placed.append([key, int(probe.target)])
        return placed or None

    # -- over time -------------------------------------------------------------------------------------------------

    def adopt(self, key: str, descriptor: int) -> None:
        """Take over what the keeper held, if it is of these kinds."""
        kind, _, rest = key.partition(":")
        if kind == STORE_PREFIX:
            self.store.adopt(key, descriptor)
        elif kind == READY_PREFIX:
            unit, _, index = rest.rpartition(":")
            self.ready_pipes.adopt(unit, int(index), descriptor)

    def settle_all(self) -> None:
        """Drop what nobody will ask for: after `adopt`, and when unit files are gone."""
        for unit in self.store.units():
            self.settle(unit)
        for unit in self.ready_pipes.units():
            state = self._shell.engine.core.states.get(unit)
            if state is None or state.sub in DOWN_STATES:
                self._close_ready_pipes(unit)

    def release(self, unit: str) -> None:
        """The unit is down."""
        self._close_ready_pipes(unit)
        if self.store.count(unit) and self._preserve(unit) == "no":
            self.store.drop_all(unit)
        self.settle(unit)

    def settle(self, unit: str) -> None:
        """Drop the unit's store if it is down for good: called when it went down, and when a job of it ended."""
        if not self.store.count(unit):
            return
        preserve, state = self._preserve(unit), self._shell.engine.core.states.get(unit)
        is_down = state is None or (state.sub in (SubState.DEAD, SubState.FAILED) and state.job is None)
        if is_down and preserve != "yes":
            self.store.drop_all(unit)
            self._told_full.discard(unit)

    def holds_any(self, unit: str) -> bool:
        """Whether the unit has stored descriptors or ready pipes."""
        return bool(self.store.count(unit)) or unit in self.ready_pipes.units()

    def is_pinned(self, unit: str) -> bool:
        """Whether the unit keeps descriptors though it is down."""
        return bool(self.store.count(unit)) and self._preserve(unit) == "yes"

    def _preserve(self, unit: str) -> str:
        core = self._shell.engine.core
        spec = core.specs.get(unit)
        if spec is None or spec.service is None or unit in core.vanished:
            return "restart"
        return spec.service.file_descriptor_store_preserve

    def _close_ready_pipes(self, unit: str) -> None:
        if ops := [["drop", f"{READY_PREFIX}:{unit}:{index}"] for index in self.ready_pipes.close_all(unit)]:
            self._send(ops, [])
