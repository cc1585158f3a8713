"""Headless Chromium by its DevTools protocol: open a page, press keys, see what it asked for over the network, take its picture."""

import asyncio
import base64
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

Json = dict[str, Any]

# Without the last ones it looks up hosts of its maker's at every start.
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
)  # fmt: skip


class Page:
    """One tab. `requests` are the URLs it asked for, `frames` what came over its websockets, in order."""

    def __init__(self, devtools: ClientWebSocketResponse) -> None:
        self.requests: list[str] = []
        self.failures: list[str] = []
        self.frames = bytearray()
        self._devtools = devtools
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._news = asyncio.Event()
        self._session = ""
        self._reading = asyncio.create_task(self._read())

    async def begin(self) -> None:
        target = await self._call("Target.createTarget", url="about:blank")
        self._session = (await self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True))["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            await self._call(f"{domain}.enable")

    async def end(self) -> None:
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading

    async def open(self, url: str) -> None:
        await self._call("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, which may be a promise."""
        answer = await self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        return answer["result"].get("value")

    async def press(self, key: str) -> None:
        """A key that types the character it is named after."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" else {}
            await self._call("Input.dispatchKeyEvent", type=kind, key=key, **text)

    async def click(self, x: int, y: int) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            await self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def picture(self, size: tuple[int, int] | None = None) -> bytes:
        """The page as a PNG; with `size` so many pixels of it, from its upper left corner."""
        how: Json = {"format": "png"}
        if size is not None:
            width, height = size
            await self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
            how["clip"] = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        return base64.b64decode((await self._call("Page.captureScreenshot", **how))["data"])

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something that came over the network makes `is_so` true; whoever calls sets the deadline."""
        while not is_so():
            self._news.clear()
            await self._news.wait()

    async def _call(self, method: str, **params: Any) -> Json:
        number = next(self._numbers)
        self._answers[number] = coming = asyncio.get_running_loop().create_future()
        message: Json = {"id": number, "method": method, "params": params}
        await self._devtools.send_json(message if not self._session else {**message, "sessionId": self._session})
        answer = await coming
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: Json = answer["result"]
        return result

    async def _read(self) -> None:
        async for message in self._devtools:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
                continue
            params = told.get("params", {})
            if told["method"] == "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            elif told["method"] == "Network.webSocketCreated":
                self.requests.append(params["url"])
            elif told["method"] == "Network.loadingFailed":
                self.failures.append(params["errorText"])
            elif told["method"] == "Network.webSocketFrameReceived":
                response = params["response"]
                self.frames += base64.b64decode(response["payloadData"]) if response["opcode"] == 2 else b""
            self._news.set()


@asynccontextmanager
async def chromium(size: tuple[int, int] = (1280, 800)) -> AsyncIterator[Page]:
    """A browser of its own with one empty tab; nothing of it is left."""
    program = shutil.which("chromium")
    assert program is not None, "chromium is missing: .ci/packages installs it"
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as directory:
        process = await asyncio.create_subprocess_exec(
            program, *_FLAGS, f"--window-size={size[0]},{size[1]}", f"--user-data-dir={directory}", "about:blank",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stderr is not None
            said = b""
            while b"DevTools listening on " not in said:
                line = await process.stderr.readline()
                assert line, f"chromium did not start: {said.decode()}"
                said = line
            draining = asyncio.create_task(_drain(process.stderr))
            async with ClientSession() as client, client.ws_connect(said.split()[-1].decode(), max_msg_size=0) as devtools:
                page = Page(devtools)
                await page.begin()
                yield page
                await page.end()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            with suppress(UnboundLocalError):
                await draining


async def _drain(pipe: asyncio.StreamReader) -> None:
    while await pipe.read(65536):
        pass
