"""The session against a real supd: whatever happens to units and to supd itself, the picture comes to be the truth again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from supervisor.client.discovery import Place
from supervisor.tui.clock import SystemClock
from supervisor.tui.link.http import HttpTransport
from supervisor.tui.link.protocol import Json
from supervisor.tui.link.session import Session
from supervisor.tui.model.figures import Figures
from supervisor.tui.model.linkstate import LIVE, LOST
from supervisor.tui.model.units import UnitStore
from tests.system.supd import Supd

DEADLINE_S = 30

UNITS = {
    "db": '[service]\nexec_start = "sleep 1000"\n',
    "web": '[unit]\nrequires = ["db"]\nafter = ["db"]\n[service]\nexec_start = "sleep 1000"\nrestart = "always"\nrestart_sec = 0\n',
    "flop": '[unit]\nenabled = false\n[service]\nexec_start = "false"\n',
    "once": '[task]\nexec_start = "false"\n',
    "slow": '[unit]\nenabled = false\n[service]\ntype = "notify"\nexec_start = "sleep 1000"\n',
    "behind": '[unit]\nenabled = false\nafter = ["slow"]\n[service]\nexec_start = "sleep 1000"\n',
}


class Picture:
    """A session with a real supd, and the truth it is held to."""

    def __init__(self, supd: Supd) -> None:
        self.supd = supd
        self.transport = HttpTransport(Place(supd.socket_path, "--socket"))
        self.store, self.figures = UnitStore(), Figures()
        self.heard: list[Json] = []
        self._news = asyncio.Event()
        self.session = Session(self.transport, self.store, self.figures, SystemClock(), self._news.set)
        self.session.listen(self.heard.append)

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def until_true(self) -> None:
        """Until every unit looks as supd tells it now. Fails at the deadline with what differs."""
        different: dict[str, Any] = {}
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    self._news.clear()
                    truth = {brief["id"]: _timeless(brief) for brief in await self.ask("/v1/units")}
                    shown = {unit.name: _timeless(unit.brief) for unit in self.store}
                    if shown == truth:
                        return
                    different = {n: (shown.get(n), truth.get(n)) for n in shown.keys() | truth.keys() if shown.get(n) != truth.get(n)}
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"the picture (first) is not the truth: {different}") from None

    async def ask(self, path: str) -> Any:
        return await asyncio.to_thread(self.supd.get, path)

    async def supctl(self, *arguments: str, expect: int | None = 0) -> None:
        await asyncio.to_thread(lambda: self.supd.supctl(*arguments, expect=expect))

    def sub(self, name: str) -> str | None:
        unit = self.store.get(name)
        return None if unit is None else str(unit.brief["sub_state"])

    def pid(self, name: str) -> int:
        unit = self.store.get(name)
        return 0 if unit is None else int(unit.brief["main_pid"])

    def waits_for(self, name: str) -> list[str]:
        unit = self.store.get(name)
        job = unit.brief["job"] if unit is not None else None
        return list(job["waits_for"]) if job else []


def _timeless(brief: Json) -> Json:
    job = brief["job"]
    return brief if job is None else {**brief, "job": {**job, "since_s": None}}


@asynccontextmanager
async def picture() -> AsyncIterator[Picture]:
    supd = Supd(UNITS)
    try:
        await asyncio.to_thread(supd.start)
        shown = Picture(supd)
        running = asyncio.create_task(shown.session.run())
        try:
            await shown.until(lambda: shown.session.link.phase == LIVE)
            yield shown
            assert shown.session.troubles == []
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await asyncio.to_thread(supd.stop)
    finally:
        supd.remove()


async def test_what_happens_to_units_is_shown() -> None:
    async with picture() as shown:
        await shown.until(lambda: shown.sub("web") == "running" and shown.pid("web"))
        await shown.until_true()
        before = shown.pid("web")
        os.kill(before, signal.SIGKILL)
        await shown.until(lambda: shown.pid("web") not in (0, before))
        await shown.until_true()
        await shown.supctl("start", "flop", expect=None)
        await shown.until(lambda: shown.sub("flop") == "failed")
        await shown.supctl("reset-failed", "flop")
        await shown.until(lambda: shown.sub("flop") == "dead")
        await shown.supctl("start", "slow", "behind", "--no-block")
        await shown.until(lambda: shown.sub("slow") == "start")
        await shown.until(lambda: shown.waits_for("behind") == ["slow"])
        await shown.supctl("stop", "slow", "db")
        await shown.until(lambda: shown.sub("behind") == "running" and shown.sub("web") == "dead")
        await shown.supctl("disable", "web")
        await shown.until_true()


async def test_what_happens_to_unit_files_is_shown() -> None:
    async with picture() as shown:
        await shown.until(lambda: shown.sub("web") == "running")
        shown.supd.write("units/new.toml", '[service]\nexec_start = "sleep 1000"\n')
        await shown.until(lambda: shown.sub("new") == "running")
        shown.supd.write("units/db.toml", '[unit]\ndescription = "Another"\n[service]\nexec_start = "sleep 1000"\n')
        await shown.until(lambda: (unit := shown.store.get("db")) is not None and unit.brief["description"] == "Another")
        shown.supd.write("units/db.toml", "[service]\nexec_start = \n")
        await shown.until(lambda: shown.session.status["load_errors"])
        assert [event["kind"] for event in shown.heard if not event["unit"]] == ["unit-files"]
        shown.supd.write("units/db.toml", UNITS["db"])
        await shown.until(lambda: not shown.session.status["load_errors"])
        os.unlink(shown.supd.path("units", "new.toml"))
        await shown.until(lambda: "new" not in shown.store)
        await shown.until_true()


async def test_kill_and_reexec_of_supd_are_survived_and_told() -> None:
    async with picture() as shown:
        await shown.until(lambda: shown.sub("web") == "running")
        db = shown.pid("db")
        manager = shown.session.status["manager_pid"]
        os.kill(manager, signal.SIGKILL)
        await shown.until(lambda: shown.session.link.phase == LOST)
        await shown.until(lambda: shown.session.link.outage is not None)
        outage = shown.session.link.outage
        assert outage is not None
        assert (outage.is_complete, outage.is_other_manager, shown.session.gaps) == (False, True, 1)
        assert shown.session.status["manager_pid"] != manager
        await shown.until_true()
        manager = shown.session.status["manager_pid"]
        await shown.supctl("reexec")
        await shown.until(lambda: shown.session.gaps == 2 and shown.session.link.phase == LIVE)
        await shown.until_true()
        assert (shown.pid("db"), shown.session.status["manager_pid"] != manager) == (db, True)
        await shown.supctl("restart", "db")
        await shown.until(lambda: shown.pid("db") not in (0, db))
        await shown.until_true()


async def test_a_supd_that_ends_is_waited_for_and_another_one_shown() -> None:
    async with picture() as shown:
        await shown.until(lambda: shown.sub("web") == "running")
        await asyncio.to_thread(shown.supd.stop)
        await shown.until(lambda: "there is no such socket" in shown.session.link.reason)
        assert shown.store.is_stale
        assert "web" in shown.store
        await asyncio.to_thread(shown.supd.start)
        await shown.until(lambda: shown.session.link.phase == LIVE)
        await shown.until(lambda: shown.sub("web") == "running")
        await shown.until_true()


async def test_actions_and_figures_reach_a_real_supd() -> None:
    async with picture() as shown:
        await shown.until(lambda: shown.sub("web") == "running")
        done = await shown.transport.act("restart", "db")
        assert (done["unit"], done["result"]) == ("db", "done")
        done = await shown.transport.act("start", "once")
        assert (done["result"], "status 1" in done["text"]) == ("failed", True)
        shown.session.watch(["db", "flop"])
        await shown.until(lambda: (usage := shown.figures.get("db")) is not None and usage.memory_bytes)
        assert (await shown.session.relations())["db"]["required_by"] == ["web"]
        assert shown.transport.log_directory("db") == shown.supd.path(".supd", "logs", "db")
