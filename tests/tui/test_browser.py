"""`supctl tui --web` as a person has it: the printed address opened in a real browser, which shows the units and obeys keys."""

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.system.api.fake_world import RunningServer
from tests.tui.chromium import Page, chromium

DEADLINE_S = 60.0


@asynccontextmanager
async def address_of(socket_path: str, home: str, *options: str) -> AsyncIterator[str]:
    """What `supctl tui --web` prints."""
    supctl = os.path.join(os.path.dirname(sys.executable), "supctl")
    environment = {**os.environ, "HOME": home, "XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home, "TEXTUAL_ANIMATIONS": "none"}
    process = await asyncio.create_subprocess_exec(
        supctl,
        "--socket",
        socket_path,
        "tui",
        "--web",
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def shown(page: Page) -> str:
    """What the app has painted so far, without colours and movements."""
    return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b" ", bytes(page.frames)).decode("utf-8", "replace")


async def text_of(page: Page) -> str:
    text = await page.evaluate("document.body.innerText")
    return str(text)


async def story(directory: str, server: RunningServer) -> None:
    async with address_of(server.path, directory) as address, chromium() as page:
        where = urlsplit(address)
        await page.open(f"http://{where.netloc}/")
        await page.until(lambda: any(url.startswith("http") for url in page.requests))
        while "for whoever has its address" not in await text_of(page):
            await asyncio.sleep(0)  # a round trip to the browser each time: the page may still be on its way

        await page.open(address)
        await page.until(lambda: "FAIL 3" in shown(page) and "serving 3 clients" in shown(page))
        assert await page.evaluate("location.href") == f"http://{where.netloc}/"
        assert await page.evaluate("document.fonts.load('16px \"Roboto Mono\"').then(fonts => fonts.length)") == 1
        assert len(await page.picture()) > 10_000  # an empty terminal of this size takes a tenth of it

        await page.click(400, 300)
        for key in "/flop":
            await page.press(key)
        await page.until(lambda: "1/7" in shown(page))

        hosts = {urlsplit(url).netloc for url in page.requests if not url.startswith(("data:", "about:"))}
        assert hosts == {where.netloc}
        assert where.hostname == "127.0.0.1"
        assert page.failures == []


async def test_a_browser_shows_the_units_obeys_keys_and_asks_nothing_of_the_world() -> None:
    with tempfile.TemporaryDirectory(prefix="web", dir="/tmp") as directory, RunningServer(directory).running() as server:
        async with asyncio.timeout(DEADLINE_S):
            await story(directory, server)
