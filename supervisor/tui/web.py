"""`supctl tui --web`: the terminal UI in a browser, through textual-serve, for whoever was given the address.

It serves 127.0.0.1 alone, and one person: the address holds a random token, which the first request changes for a cookie. Everything
without either is refused before a route is looked up, and so is a request that another site's page sends (Origin) or that came by
another name for this machine (Host: DNS rebinding). textual-serve's own page asks a server of fonts; ours has the font with it, and
tells the browser to load nothing from anywhere else. Each tab is an app of its own, started without a shell, which ends with its tab
and with us.

Invariants: the token is in no log and in no later address; no word of a request reaches a command line.
"""

import asyncio
import contextlib
import hmac
import logging
import os
import secrets
import shlex
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.server import Server

from supervisor.client import tether

HOST = "127.0.0.1"
TABS_MAX = 16  # an app of 40 to 80 MB each
TOKEN_BYTES = 32
END_TIMEOUT_S = 2.0  # for an app that was asked to end
_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_COLUMNS, _ROWS = (20, 500), (5, 200)
_FONT_PX, _FONT_PX_RANGE = 16, (6, 64)

# Nothing from elsewhere, in no frame; the terminal's script makes style elements.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self' ws://{host}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NEEDS_ADDRESS = "This page is for whoever has its address: the one that `supctl tui --web` printed, with the token in it.\n"

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>@title@</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/css/xterm.css">
<style>
@font-face { font-family: "Roboto Mono"; src: url("/static/fonts/RobotoMono-VariableFont_wght.ttf"); font-weight: 100 700; }
body { background: #0f1419; margin: 0; overflow: hidden; }
.left { display: none; position: absolute; inset: 0; z-index: 10; background: #0f1419; color: #d5d9de;
  font: 16px "Roboto Mono", monospace; text-align: center; padding-top: 30vh; }
body.-closed .left { display: block; }
.left a { color: #7cc4ff; }
</style>
<script src="/static/js/textual.js"></script>
</head>
<body>
<div class="left"><p>This screen was left. supd and its units run on.</p><p><a href="/">Open it again</a></p></div>
<div class="textual-terminal" data-session-websocket-url="ws://@host@/ws" data-font-size="@font_px@"></div>
</body>
</html>
"""


class PortTaken(Exception):
    """The port cannot be had; `str()` says why, as a clause."""


class Tab(AppService):
    """One app, for one tab of the browser."""

    def __init__(self, argv: Sequence[str], websocket: web.WebSocketResponse, server: "WebServer") -> None:
        super().__init__(
            shlex.join(argv),
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=self._close,
            download_manager=server.download_manager,
        )
        self._argv = argv
        self._websocket = websocket

    async def _close(self) -> None:
        await self._websocket.close()

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        environment = self._build_environment(width, height)
        del environment["TEXTUAL_FPS"]  # ours paints when something changed
        tethered = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self._argv)
        process = await asyncio.create_subprocess_exec(*tethered, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment)
        self._process, self._stdin = process, process.stdin
        return process

    async def set_terminal_size(self, width: int, height: int) -> None:
        await super().set_terminal_size(_within(width, _COLUMNS), _within(height, _ROWS))

    async def stop(self) -> None:
        """Ask the app to end, and see that it does."""
        if self._task is None or self._process is None:
            return
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await super().stop()
                await self._process.wait()
        except (TimeoutError, ConnectionError):
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
        finally:
            self.stdin.close()

    async def run(self) -> None:
        """Until the app ends; one that ended by itself, or never began, closes its page."""
        try:
            await super().run()
        finally:
            with contextlib.suppress(ConnectionError):
                await self._close()


class WebServer(Server):
    """textual-serve's, behind a guard. `argv` is the command of one app; `port` 0 takes a free one. Raises PortTaken."""

    def __init__(self, argv: Sequence[str], port: int = 0, title: str = "supd") -> None:
        self._socket = _listening(port)
        super().__init__(shlex.join(argv), HOST, self._socket.getsockname()[1], title)
        self._argv = argv
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        self._cookie = f"supd_{self.port}"  # cookies know no ports
        self._session = secrets.token_urlsafe(TOKEN_BYTES)
        self._open: set[web.WebSocketResponse] = set()

    @property
    def address(self) -> str:
        """What opens the page. Whoever has it can do what we can."""
        return f"http://{HOST}:{self.port}/?token={self._token}"

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM; then every tab's app is ended, and the page says so."""
        runner = web.AppRunner(await self._make_app(), access_log=None, handle_signals=False, shutdown_timeout=5.0)
        await runner.setup()
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        try:
            await web.SockSite(runner, self._socket).start()
            await ended.wait()
        finally:
            await runner.cleanup()

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self._index)
        app.router.add_get("/ws", self.handle_websocket)
        app.router.add_get("/download/{key}", self.handle_download)
        app.router.add_static("/static", str(files("textual_serve") / "static"))
        app.on_shutdown.append(self._close_all)
        return app

    # Who may come in.

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        if refusal := self._why_not(request):
            return web.Response(status=403, text=refusal, headers=_HEADERS)
        if request.path == "/" and "token" in request.query:
            answer: web.StreamResponse = web.Response(status=303, headers={"Location": "/", "Cache-Control": "no-store", **_HEADERS})
            # Lax: who follows a link to the address comes in at once, while what other sites send in the background does not.
            answer.set_cookie(self._cookie, self._session, httponly=True, samesite="Lax", path="/")
            return answer
        answer = await handler(request)
        if not answer.prepared:
            answer.headers.update(_HEADERS)
        return answer

    def _why_not(self, request: web.Request) -> str:
        """ "" for whoever may come in; else what he is told."""
        name, _, port = request.host.rpartition(":")
        if request.host not in _NAMES and not (name in _NAMES and port.isdigit()):
            return f"This page is served to {HOST} and localhost, and to no other name.\n"
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.host}":
            return "Another site's page may not ask this one.\n"
        if request.path == "/" and _equal(request.query.get("token", ""), self._token):
            return ""
        return "" if _equal(request.cookies.get(self._cookie, ""), self._session) else _NEEDS_ADDRESS

    # What is served.

    async def _index(self, request: web.Request) -> web.Response:
        font_px = _within(request.query.get("fontsize", ""), _FONT_PX_RANGE, _FONT_PX)
        page = PAGE.replace("@title@", _text(self.title)).replace("@host@", request.host).replace("@font_px@", str(font_px))
        policy = _POLICY.format(host=request.host)
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One tab: an app is started, fed and watched until either end goes."""
        if len(self._open) >= TABS_MAX:
            raise web.HTTPServiceUnavailable(text=f"{TABS_MAX} tabs are open; close one.\n")
        websocket = web.WebSocketResponse(heartbeat=15)
        self._open.add(websocket)
        try:
            await websocket.prepare(request)
            tab = Tab(self._argv, websocket, self)
            await tab.start(_within(request.query.get("width", ""), _COLUMNS, 80), _within(request.query.get("height", ""), _ROWS, 24))
            try:
                await self._process_messages(websocket, tab)
            finally:
                await tab.stop()
        finally:
            self._open.discard(websocket)
        return websocket

    async def _close_all(self, _: web.Application) -> None:
        await asyncio.gather(*[websocket.close() for websocket in self._open])


def serve(argv: Sequence[str], port: int, title: str, announce: Callable[[str], None]) -> None:
    """Serve until a signal ends it; `announce` gets the address once it can be opened. Raises PortTaken."""
    logging.basicConfig(level=logging.WARNING, format="supctl: %(message)s")
    server = WebServer(argv, port, title)
    announce(server.address)
    asyncio.run(server.run())


def _listening(port: int) -> socket.socket:
    if port > 65535:
        raise PortTaken(f"{port} is no port")
    end = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        end.bind((HOST, port))
        end.listen()
    except OSError as error:
        end.close()
        raise PortTaken(error.strerror or str(error)) from None
    return end


def _equal(given: str, secret: str) -> bool:
    """In the same time whatever was given."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def _within(value: object, bounds: tuple[int, int], default: int = 0) -> int:
    """A number from a request, between the bounds; `default` for what is none."""
    text = str(value)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else default
    return max(bounds[0], min(bounds[1], number))


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
