"""The moment processes of a unit have ended, without asking again and again: a pidfd is readable once its process has.

A unit cannot be empty while one process of it lives. So a few of them are enough: when all that are watched have ended, and
not before, it is worth looking at the unit again.
"""

import os
from collections.abc import Callable, Iterable

from supervisor.daemon import pidfds
from supervisor.daemon.attribution import Identity
from supervisor.daemon.reactor import Reactor

# Each is a descriptor while somebody waits; more would only spare a look now and then.
_WATCHED_MAX = 4


class ExitWatch:
    """Calls `on_ended(unit)` when the watched processes of a unit have ended. Watching again replaces what was watched."""

    def __init__(self, reactor: Reactor, on_ended: Callable[[str], object]) -> None:
        self._reactor = reactor
        self._on_ended = on_ended
        self._pidfds: dict[str, set[int]] = {}

    def watch(self, unit: str, identities: Iterable[Identity]) -> None:
        """With none of `identities` alive, `on_ended` is called at once."""
        self.forget(unit)
        watched: set[int] = set()
        for pid, start_time_ticks in identities:
            if len(watched) == _WATCHED_MAX:
                break
            pidfd = pidfds.open_process(pid, start_time_ticks)
            if pidfd is not None:
                watched.add(pidfd)
                self._reactor.add_reader(pidfd, lambda pidfd=pidfd: self._ended(unit, pidfd))  # type: ignore[misc] # the default binds
        if watched:
            self._pidfds[unit] = watched
        else:
            self._on_ended(unit)

    def is_watching(self, unit: str) -> bool:
        return unit in self._pidfds

    def forget(self, unit: str) -> None:
        for pidfd in self._pidfds.pop(unit, ()):
            self._reactor.remove_reader(pidfd)
            os.close(pidfd)

    def _ended(self, unit: str, pidfd: int) -> None:
        watched = self._pidfds.get(unit)
        if watched is None or pidfd not in watched:
            return
        watched.discard(pidfd)
        self._reactor.remove_reader(pidfd)
        os.close(pidfd)
        if not watched:
            del self._pidfds[unit]
            self._on_ended(unit)

    def close(self) -> None:
        for unit in list(self._pidfds):
            self.forget(unit)
