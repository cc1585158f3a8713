"""The runs that are under way, and what they leave behind for attribution.

A run is known from the keeper's "forked" to its "exited". Its claim (the session and group that bear its pid) and its
INVOCATION_ID stay until the unit is down; so does the memory of who was seen, by (pid, start time).

Never: looks at the system. This is bookkeeping.
"""

from supervisor.daemon.attribution import Claim, Identity, Known

# Senders and late main processes remembered per unit: enough for a shell script's children, and bounded whatever they do.
_REMEMBERED_MAX = 256


class Runs:
    """Runs, claims, invocations and memory of every unit."""

    def __init__(self) -> None:
        self._runs: dict[str, dict[int, Identity]] = {}
        self._unit_of_pid: dict[int, str] = {}
        self._claims: dict[int, Claim] = {}
        self._claims_of: dict[str, list[int]] = {}
        self._invocations: dict[str, str] = {}
        self._invocations_of: dict[str, list[str]] = {}
        self._memory: dict[str, dict[Identity, None]] = {}

    def start(self, unit: str, run: int, identity: Identity, invocation_id: str) -> None:
        """Replaying a run that is known changes nothing."""
        self._runs.setdefault(unit, {})[run] = identity
        self._unit_of_pid[identity[0]] = unit
        claim = Claim(unit, identity[1])
        if self._claims.get(identity[0]) != claim:
            self._claims[identity[0]] = claim
            self._claims_of.setdefault(unit, []).append(identity[0])
        if invocation_id and invocation_id not in self._invocations:
            self._invocations[invocation_id] = unit
            self._invocations_of.setdefault(unit, []).append(invocation_id)

    def end(self, unit: str, run: int) -> None:
        identity = self._runs.get(unit, {}).pop(run, None)
        if identity is not None:
            self._unit_of_pid.pop(identity[0], None)
            if not self._runs[unit]:
                del self._runs[unit]

    def identities(self, unit: str) -> list[Identity]:
        """The unit's runs that are under way."""
        return list(self._runs.get(unit, {}).values())

    def unit_of(self, pid: int) -> str | None:
        return self._unit_of_pid.get(pid)

    def identity_of(self, unit: str, pid: int) -> Identity | None:
        return next((identity for identity in self._runs.get(unit, {}).values() if identity[0] == pid), None)

    def remember(self, unit: str, identity: Identity) -> None:
        memory = self._memory.setdefault(unit, {})
        memory[identity] = None
        if len(memory) > _REMEMBERED_MAX:
            del memory[next(iter(memory))]

    def recall(self, pid: int) -> str | None:
        """The unit that a process known only by its pid belonged to when it was last seen."""
        return next((unit for unit, memory in self._memory.items() if any(known == pid for known, _ in memory)), None)

    def remembered(self, unit: str) -> list[Identity]:
        return list(self._memory.get(unit, ()))

    def replace_memory(self, memory: dict[str, dict[Identity, None]]) -> None:
        """What a scan saw: whoever is not in it has ended."""
        self._memory = memory

    def forget(self, unit: str) -> None:
        """The unit is down and nothing of it lives: claims, invocations and memory go."""
        for pid in self._claims_of.pop(unit, ()):
            if (claim := self._claims.get(pid)) is not None and claim.unit == unit:
                del self._claims[pid]
        for invocation_id in self._invocations_of.pop(unit, ()):
            self._invocations.pop(invocation_id, None)
        self._memory.pop(unit, None)

    def known(self, keeper: int, protected: frozenset[int]) -> Known:
        identities: dict[Identity, str] = {identity: unit for unit, memory in self._memory.items() for identity in memory}
        identities.update({identity: unit for unit, runs in self._runs.items() for identity in runs.values()})
        return Known(identities, self._claims, self._invocations, keeper, protected)
