"""Time that stands still until a test moves it, and how a test waits for what other tasks do without it."""

import asyncio
from collections.abc import Callable

TURNS_MAX = 10_000  # turns of the loop in which whatever needs no time has long happened


class VirtualTime:
    """`Clock`, and a `sleep` that ends when the time was moved far enough."""

    def __init__(self, monotonic_s: float = 1000.0, time_s: float = 1_700_000_000.0) -> None:
        self._monotonic_s = monotonic_s
        self._offset_s = time_s - monotonic_s
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def time_s(self) -> float:
        return self._monotonic_s + self._offset_s

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._monotonic_s + seconds, future))
        try:
            await future
        finally:
            self._sleepers = [(at_s, sleeper) for at_s, sleeper in self._sleepers if sleeper is not future]

    @property
    def due_in_s(self) -> float | None:
        """How long until the next sleeper wakes."""
        return min((at_s - self._monotonic_s for at_s, _ in self._sleepers), default=None)

    def advance(self, seconds: float) -> None:
        self._monotonic_s += seconds
        for at_s, future in self._sleepers:
            if at_s <= self._monotonic_s + 1e-9 and not future.done():
                future.set_result(None)


async def until(condition: Callable[[], object]) -> None:
    """Let the other tasks go on until the condition holds; fails when it does not come to hold without time."""
    for _ in range(TURNS_MAX):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("what was waited for did not happen")


async def settle(turns: int = 100) -> None:
    """Let everything happen that needs no time: for tests that something does not."""
    for _ in range(turns):
        await asyncio.sleep(0)
