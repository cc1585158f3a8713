"""The event loop as the manager's parts see it: readers and timers, whether or not the loop exists yet.

The first services are spawned before asyncio is imported. What is registered until then is kept here and applied by
`attach`; the time a timer has already waited counts. After that this is a thin pass-through.

Never: runs anything itself, and never from another thread than the loop's.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

Callback = Callable[[], object]


class Handle(Protocol):
    def cancel(self) -> object: ...


class Reactor(Protocol):
    """What a loop must offer. A reader is called whenever its descriptor is readable, until removed."""

    def add_reader(self, fd: int, callback: Callback) -> object: ...

    def remove_reader(self, fd: int) -> object: ...

    def call_later_us(self, delay_us: int, callback: Callback) -> Handle: ...


class LoopReactor:
    """asyncio's loop as a `Reactor`."""

    def __init__(self, loop: "AbstractEventLoop") -> None:
        self._loop = loop
        self.add_reader = loop.add_reader
        self.remove_reader = loop.remove_reader

    def call_later_us(self, delay_us: int, callback: Callback) -> Handle:
        if delay_us <= 0:
            return self._loop.call_soon(callback)
        return self._loop.call_later(delay_us / 1_000_000, callback)


class _Kept:
    """A timer that waits for its reactor, then stands for the real one."""

    __slots__ = ("_callback", "_due_ns", "_handle", "is_cancelled")

    def __init__(self, delay_us: int, callback: Callback) -> None:
        self._due_ns = time.monotonic_ns() + delay_us * 1000
        self._callback = callback
        self._handle: Handle | None = None
        self.is_cancelled = False

    def apply(self, reactor: Reactor) -> None:
        if not self.is_cancelled:
            self._handle = reactor.call_later_us(max(0, (self._due_ns - time.monotonic_ns()) // 1000), self._callback)

    def cancel(self) -> None:
        self.is_cancelled = True
        if self._handle is not None:
            self._handle.cancel()


class Registrations:
    """A `Reactor` that can be used before there is one."""

    def __init__(self) -> None:
        self._reactor: Reactor | None = None
        self._readers: dict[int, Callback] = {}
        self._timers: list[_Kept] = []

    def attach(self, reactor: Reactor) -> None:
        """Apply what was registered so far, in order; everything later goes straight through."""
        self._reactor = reactor
        readers, self._readers = self._readers, {}
        timers, self._timers = self._timers, []
        for fd, callback in readers.items():
            reactor.add_reader(fd, callback)
        for timer in timers:
            timer.apply(reactor)

    def add_reader(self, fd: int, callback: Callback) -> None:
        if self._reactor is None:
            self._readers[fd] = callback
        else:
            self._reactor.add_reader(fd, callback)

    def remove_reader(self, fd: int) -> None:
        if self._reactor is None:
            self._readers.pop(fd, None)
        else:
            self._reactor.remove_reader(fd)

    def call_later_us(self, delay_us: int, callback: Callback) -> Handle:
        if self._reactor is not None:
            return self._reactor.call_later_us(delay_us, callback)
        kept = _Kept(delay_us, callback)
        self._timers.append(kept)
        return kept
