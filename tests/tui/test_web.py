"""The terminal UI in a browser: who may come in, what the page asks for, and that every app ends with its tab."""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, CookieJar, WSMsgType

from supervisor.tui import web
from supervisor.tui.web import PortTaken, WebServer
from tests.system.arrival import ends_in_time

DEADLINE_S = 20

APP = """
import os, sys
from textual.app import App
from textual.widgets import Static

class Probe(App):
    def compose(self):
        yield Static(f"[{os.getpid()}] {sys.argv[1]}", markup=False)

    def key_q(self):
        self.exit()

Probe().run()
"""
WORD = "$(exit 7);`exit 8`"


@asynccontextmanager
async def served(argv: Sequence[str] = ()) -> AsyncIterator[WebServer]:
    server = WebServer(argv or (sys.executable, "-c", APP, WORD))
    running = asyncio.create_task(server.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield server
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def visitor() -> ClientSession:
    return ClientSession(cookie_jar=CookieJar(unsafe=True))  # unsafe: cookies of an address that is a number are kept


def url(server: WebServer, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


async def admitted(server: WebServer) -> ClientSession:
    """A visitor who opened the address and has the cookie."""
    one = visitor()
    async with one.get(server.address) as answer:
        assert answer.status == 200
    return one


@pytest.mark.parametrize(
    "path", ["/", "/ws", "/static/js/textual.js", "/static/../web.py", "/download/x", "/nothing", "/?token=", "/?token=x"]
)
async def test_nothing_is_served_without_the_token(path: str) -> None:
    async with served() as server, visitor() as nobody, nobody.get(url(server, path)) as answer:
        assert answer.status == 403
        assert (
            await answer.text()
            == "This page is for whoever has its address: the one that `supctl tui --web` printed, with the token in it.\n"
        )
        assert "Set-Cookie" not in answer.headers


async def test_the_token_is_good_for_the_first_page_alone() -> None:
    async with served() as server, visitor() as nobody:
        token = server.address.partition("?")[2]
        async with nobody.get(url(server, f"/static/js/textual.js?{token}")) as answer:
            assert answer.status == 403
        async with nobody.get(url(server, f"/ws?{token}")) as answer:
            assert answer.status == 403


async def test_the_token_becomes_a_cookie_and_leaves_the_address() -> None:
    async with served() as server, visitor() as one:
        async with one.get(server.address, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            cookie = answer.headers["Set-Cookie"]
            assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
            assert server.address.partition("=")[2] not in cookie
        for path in ("/", "/static/js/textual.js", "/static/fonts/RobotoMono-VariableFont_wght.ttf"):
            async with one.get(url(server, path)) as answer:
                assert answer.status == 200, path


async def test_a_cookie_of_another_server_is_no_use() -> None:
    async with served() as server, visitor() as one, one.get(url(server), cookies={server._cookie: "x"}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "localhost:evil", "", "10.0.0.1:{port}"]
)
async def test_another_name_for_this_machine_is_refused_even_with_the_cookie(host: str) -> None:
    """A page of evil.example whose name now leads to 127.0.0.1 must not get at us."""
    async with served() as server, await admitted(server) as one:
        answer = await one.get(url(server), headers={"Host": host.format(port=server.port)})
        assert answer.status in (400, 403)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "localhost:1", "localhost"])
async def test_names_of_this_machine_are_good_also_through_a_tunnel(host: str) -> None:
    async with served() as server, await admitted(server) as one:
        name = host.format(port=server.port)
        async with one.get(url(server), headers={"Host": name}) as answer:
            assert answer.status == 200
            assert f'data-session-websocket-url="ws://{name}/ws"' in await answer.text()


@pytest.mark.parametrize("origin", ["http://evil.example", "https://127.0.0.1:{port}", "http://localhost:{port}", "null"])
async def test_another_sites_page_cannot_open_a_screen(origin: str) -> None:
    async with served() as server, await admitted(server) as one:
        headers = {"Origin": origin.format(port=server.port), "Connection": "Upgrade", "Upgrade": "websocket"}
        async with one.get(url(server, "/ws"), headers=headers) as answer:
            assert answer.status == 403


async def test_the_page_asks_for_nothing_that_is_elsewhere() -> None:
    async with served() as server, await admitted(server) as one, one.get(url(server)) as answer:
        page = await answer.text()
        assert set(re.findall(r"\w+://[^/\"]*", page)) == {f"ws://127.0.0.1:{server.port}"}
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(("asked", "given"), [("14", "14"), ("9999", "64"), ("1", "6"), ("\"onload='", "16"), ("-3", "16")])
async def test_the_size_of_letters_is_a_number_within_bounds(asked: str, given: str) -> None:
    async with served() as server, await admitted(server) as one, one.get(url(server), params={"fontsize": asked}) as answer:
        assert f'data-font-size="{given}"' in await answer.text()


def test_only_this_machine_can_connect() -> None:
    server = WebServer(["true"])
    assert server._socket.getsockname() == ("127.0.0.1", server.port)
    server._socket.close()


async def screen_until(tab: ClientWebSocketResponse, pattern: str) -> re.Match[str]:
    """Read what the app paints until `pattern` is on it."""
    painted = ""
    while (found := re.search(pattern, painted)) is None:
        message = await tab.receive()
        assert message.type == WSMsgType.BINARY, f"the tab ended; painted: {painted!r}"
        painted += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", message.data.decode())
    return found


async def test_a_tab_is_an_app_that_ends_with_it_and_no_shell_reads_its_words() -> None:
    async with served() as server, await admitted(server) as one:
        async with one.ws_connect(url(server, "/ws?width=70&height=20")) as tab:
            pid = int((await screen_until(tab, r"\[(\d+)\] " + re.escape(WORD)))[1])
        assert await asyncio.to_thread(ends_in_time, pid, DEADLINE_S)


async def test_every_app_ends_with_the_server() -> None:
    async with served() as server, await admitted(server) as one:
        tab = await one.ws_connect(url(server, "/ws"))
        pid = int((await screen_until(tab, r"\[(\d+)\]"))[1])
        # The rest of `served` cancels the server.
    assert await asyncio.to_thread(ends_in_time, pid, DEADLINE_S)


async def test_a_tab_whose_app_was_left_is_closed() -> None:
    async with served() as server, await admitted(server) as one, one.ws_connect(url(server, "/ws")) as tab:
        await screen_until(tab, r"\[(\d+)\]")
        await tab.send_json(["stdin", "q"])
        while (message := await tab.receive()).type == WSMsgType.BINARY:
            pass
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)


async def test_an_app_that_cannot_start_closes_its_tab(capfd: pytest.CaptureFixture[str]) -> None:
    async with served((sys.executable, "-c", "import sys; sys.exit('no such theme')")) as server, await admitted(server) as one:
        tab = await one.ws_connect(url(server, "/ws"))
        assert (await tab.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED)
    assert "no such theme" in capfd.readouterr().out


async def test_too_many_tabs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "TABS_MAX", 1)
    async with served() as server, await admitted(server) as one, one.ws_connect(url(server, "/ws")):
        answer = await one.get(url(server, "/ws"), headers={"Connection": "Upgrade", "Upgrade": "websocket"})
        assert (answer.status, await answer.text()) == (503, "1 tabs are open; close one.\n")


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(PortTaken, match="Address already in use"):
        WebServer(["true"], other.getsockname()[1])
    with pytest.raises(PortTaken, match="70000 is no port"):
        WebServer(["true"], 70000)
