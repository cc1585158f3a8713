"""Descriptors that services hand to supd for safe keeping (FDSTORE=1 of sd_notify(3)), and get back when they start again.

The keeper holds each one under `fd:<unit>:<number>:<watched>:<FDNAME>`: the name says everything, so that a manager that was
started again needs nothing else. This process holds it as well, to see it hang up.

Laws:
- When `add` returns, what it kept is on its way to the keeper: only then may the datagram that brought it be consumed.
- One open file is stored once for a unit; more than the unit's maximum is never kept.
- A descriptor that hangs up or fails is dropped, unless the service said FDPOLL=0, or the kernel cannot watch it (a file).
- What a run was promised stays with the keeper until the run is spawned or given up.

Never: reads or writes a stored descriptor. Which units may store, and when a store is dropped, is decided in `passing`.
"""

import os
import select
from collections.abc import Callable
from typing import Any

from supervisor.daemon.openfiles import is_same_open_file
from supervisor.daemon.reactor import Reactor

PREFIX = "fd"
DEFAULT_NAME = "stored"  # sd_notify(3), FDNAME=

Send = Callable[[list[Any], list[int]], object]
"""Hands ops with their descriptors to the keeper."""


class _Stored:
    """One descriptor: our copy, and the name the keeper knows it by."""

    __slots__ = ("descriptor", "is_watched", "key", "name", "unit")

    def __init__(self, unit: str, key: str, name: str, descriptor: int) -> None:
        self.unit = unit
        self.key = key
        self.name = name
        self.descriptor = descriptor
        self.is_watched = False


class FdStore:
    """One per manager; every method is called on the loop's thread, or before there is a loop."""

    def __init__(self, reactor: Reactor, send: Send) -> None:
        self._reactor = reactor
        self._send = send
        self._stores: dict[str, list[_Stored]] = {}
        self._watched: dict[int, _Stored] = {}
        self._number = 0
        self._epoll: select.epoll | None = None
        self._lent: dict[int, str] = {}  # run to unit
        self._late: dict[str, list[str]] = {}  # keys to be dropped when the unit's runs are spawned

    def count(self, unit: str) -> int:
        """How many descriptors the unit has stored."""
        return len(self._stores.get(unit, ()))

    def units(self) -> list[str]:
        """The units that have stored any."""
        return [unit for unit, stored in self._stores.items() if stored]

    def add(self, unit: str, descriptors: list[int], name: str, maximum: int, *, is_watched: bool) -> int:
        """Keep what is new, up to the unit's maximum, and take it out of `descriptors`; how many found no room.

        Duplicates stay in the list, to be closed by the caller like those that found no room.
        """
        store = self._stores.setdefault(unit, [])
        kept: list[_Stored] = []
        rejected = 0
        for descriptor in list(descriptors):
            if len(store) >= maximum:
                rejected += 1
            elif not any(is_same_open_file(known.descriptor, descriptor) for known in store):
                self._number += 1
                key = f"{PREFIX}:{unit}:{self._number}:{int(is_watched)}:{name or DEFAULT_NAME}"
                stored = _Stored(unit, key, name or DEFAULT_NAME, descriptor)
                descriptors.remove(descriptor)
                store.append(stored)
                kept.append(stored)
        if kept:
            self._send([["store", stored.key, False] for stored in kept], [stored.descriptor for stored in kept])
        if is_watched:
            for stored in kept:
                self._watch(stored)
        return rejected

    def adopt(self, key: str, descriptor: int) -> None:
        """Take over what the keeper held while there was no manager. Owns `descriptor` from now on."""
        unit, number, watched, name = key.removeprefix(PREFIX + ":").rsplit(":", 3)
        self._number = max(self._number, int(number))
        stored = _Stored(unit, key, name, descriptor)
        self._stores.setdefault(unit, []).append(stored)
        if watched == "1":
            self._watch(stored)

    def remove(self, unit: str, name: str) -> None:
        """Drop every descriptor of this name (FDSTOREREMOVE=1)."""
        self._drop([stored for stored in self._stores.get(unit, ()) if stored.name == name])

    def drop_all(self, unit: str) -> None:
        """The unit's store is dropped."""
        self._drop(list(self._stores.get(unit, ())))
        self._stores.pop(unit, None)

    # What a run is promised

    def lend(self, unit: str, run: int) -> list[tuple[str, str]]:
        """(key, FDNAME) of all that is stored, oldest first: the keeper holds them until `give_back`."""
        promised = [(stored.key, stored.name) for stored in self._stores.get(unit, ())]
        if promised:
            self._lent[run] = unit
        return promised

    def give_back(self, run: int) -> list[Any]:
        """The run is spawned or given up: the ops that drop what went away meanwhile, to follow its spawn."""
        unit = self._lent.pop(run, None)
        if unit is None or unit in self._lent.values():
            return []
        return [["drop", key] for key in self._late.pop(unit, ())]

    def _drop(self, dropped: list[_Stored]) -> None:
        ops: list[Any] = []
        for stored in dropped:
            self._unwatch(stored)
            self._stores[stored.unit].remove(stored)
            os.close(stored.descriptor)
            if stored.unit in self._lent.values():
                self._late.setdefault(stored.unit, []).append(stored.key)
            else:
                ops.append(["drop", stored.key])
        if ops:
            self._send(ops, [])

    # Hang-ups

    def _watch(self, stored: _Stored) -> None:
        if self._epoll is None:
            self._epoll = select.epoll()
            self._reactor.add_reader(self._epoll.fileno(), self._on_hang_up)
        try:
            self._epoll.register(stored.descriptor, 0)  # EPOLLHUP and EPOLLERR are always told
        except PermissionError:
            return  # nothing that can hang up
        self._watched[stored.descriptor] = stored
        stored.is_watched = True

    def _unwatch(self, stored: _Stored) -> None:
        if stored.is_watched and self._epoll is not None:
            # Closing alone would not do: the keeper holds the same open file, so the epoll would go on reporting it.
            self._epoll.unregister(stored.descriptor)
            del self._watched[stored.descriptor]

    def _on_hang_up(self) -> None:
        assert self._epoll is not None
        self._drop([self._watched[descriptor] for descriptor, _ in self._epoll.poll(0)])
