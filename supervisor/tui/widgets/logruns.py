"""How runs ended, for the boundaries in a log: learned from history when a boundary is first painted, once for each unit that asks.

A boundary is painted at once without its cause and again with it; a run that history does not know stays without.
"""

import asyncio
from collections.abc import Callable

from supervisor.tui.link.protocol import Json, LinkLost, Refused, Transport
from supervisor.tui.model.format import short_span
from supervisor.tui.model.states import ended_text

_RUNS_ASKED = 200
_KEPT = 5_000
_TOLD_BY_STATUS = ("", "success", "exit-code", "signal", "core-dump", "unknown")
_BETWEEN_S = 2.0  # two questions about one unit, which may be crashing ten times a second


class RunEnds:
    """`on_learned` is called when texts are known that were asked for before."""

    def __init__(self, transport: Transport, on_learned: Callable[[], None]) -> None:
        self._transport = transport
        self._on_learned = on_learned
        self._texts: dict[str, str] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    def text(self, unit: str, run: str) -> str:
        """How the run ended: "exited 1 after 4s"; "" while that is not known."""
        known = self._texts.get(run)
        if known is None:
            known = self._texts[run] = ""
            if unit not in self._asking:
                self._asking[unit] = asyncio.create_task(self._ask(unit))
        return known

    async def _ask(self, unit: str) -> None:
        try:
            runs = await self._transport.history(unit, _RUNS_ASKED)
        except (LinkLost, Refused):
            runs = []  # the boundary does without
        found = {str(run["run_id"]).replace("-", ""): end_text(run) for run in runs if run["ended_time_s"] is not None}
        has_news = any(self._texts.get(run) == "" for run in found)
        self._texts.update(found)
        for run in list(self._texts)[: max(0, len(self._texts) - _KEPT)]:
            del self._texts[run]
        if has_news:
            self._on_learned()
        await asyncio.sleep(_BETWEEN_S)
        del self._asking[unit]


def end_text(run: Json) -> str:
    """The end of a run of history, in few words."""
    result = str(run["result"] or "")
    why = f" ({result})" if result not in _TOLD_BY_STATUS else ""
    return f"{ended_text(run) or 'ended'}{why} after {short_span(run['ended_time_s'] - run['started_time_s'])}"
