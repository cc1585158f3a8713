"""Probes against real sockets, pipes and logs: what is asked, what is answered, and that nothing goes on after a stop."""

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from supervisor.model.effects import StopProbes
from supervisor.model.specification import Command
from tests.system.probes.asking import DEADLINE_S, OFTEN_US, Asking, read_request, saying


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


ANSWERS = {
    "200": (b"HTTP/1.1 200 OK\r\n\r\n", True, "HTTP 200 OK"),
    "204 without a reason": (b"HTTP/1.0 204\r\n\r\n", True, "HTTP 204"),
    "302 is good and not followed": (b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n", True, "HTTP 302 Found"),
    "404": (b"HTTP/1.1 404 Not Found\r\n\r\n", False, "HTTP 404 Not Found"),
    "503": (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False, "HTTP 503 Service Unavailable"),
    "no HTTP": (b"220 smtp ready\r\n", False, "GET {url}: not an HTTP answer"),
    "nothing": (b"", False, "GET {url}: closed without an answer"),
    "a line without end": (b"HTTP/1.1 200 " + b"x" * 200_000, False, "GET {url}: "),
}


@pytest.mark.parametrize(("answer", "ok", "text"), ANSWERS.values(), ids=ANSWERS.keys())
def test_http(asking: Asking, answer: bytes, ok: bool, text: str) -> None:
    url = f"http://127.0.0.1:{asking.serve(saying(answer))}/health"
    said_ok, said = asking.answer("http", url)
    assert said_ok is ok
    assert said.startswith(text.format(url=url)) and len(said) < 300


def test_http_asks_what_stands_in_the_url(asking: Asking) -> None:
    requests: list[bytes] = []
    port = asking.serve(saying(b"HTTP/1.1 200 OK\r\n\r\n", requests))
    asking.answer("http", f"http://localhost:{port}/a/b?c=d#e")
    assert requests[0].startswith(f"GET /a/b?c=d HTTP/1.1\r\nHost: localhost:{port}\r\n".encode())


def test_https_does_not_believe_a_server_that_speaks_plainly(asking: Asking) -> None:
    def plain(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.recv(1)

    ok, text = asking.answer("http", f"https://127.0.0.1:{asking.serve(plain)}/")
    assert not ok and text.startswith("connect to 127.0.0.1:") and "ssl" in text


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_a_refused_connection_is_told_in_the_systems_words(asking: Asking, kind: str) -> None:
    port = _free_port()
    target = f"http://127.0.0.1:{port}/" if kind == "http" else f"127.0.0.1:{port}"
    assert asking.answer(kind, target) == (False, f"connect to 127.0.0.1:{port}: connection refused")


def test_a_name_with_several_addresses_is_refused_in_the_same_words(asking: Asking) -> None:
    port = _free_port()
    assert asking.answer("tcp", f"localhost:{port}") == (False, f"connect to localhost:{port}: connection refused")


@pytest.mark.parametrize("target", ["ftp://x/", "http://", "http://x:99999999/", "no url"])
def test_a_target_that_is_no_url_is_said_to_be_none(asking: Asking, target: str) -> None:
    ok, text = asking.answer("http", target)
    assert not ok and text.startswith(f"cannot ask {target}: ")


def test_tcp_is_good_when_the_port_accepts(asking: Asking) -> None:
    port = asking.serve(saying(b""))
    assert asking.answer("tcp", f"127.0.0.1:{port}") == (True, f"connected to 127.0.0.1:{port}")


@pytest.mark.parametrize("target", ["8000", "host:", "host:http", "127.0.0.1:99999"])
def test_a_target_without_a_port_is_no_address(asking: Asking, target: str) -> None:
    ok, text = asking.answer("tcp", target)
    assert not ok and "connect to" in text


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])
def test_unix_is_good_whatever_the_sockets_type(asking: Asking, tmp_path: Path, kind: socket.SocketKind) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, kind) as server:
        server.bind(path)
        if kind != socket.SOCK_DGRAM:
            server.listen()
        assert asking.answer("unix", path) == (True, f"connected to {path}")


def test_unix_says_why_not(asking: Asking, tmp_path: Path) -> None:
    assert asking.answer("unix", str(tmp_path / "s")) == (False, f"connect to {tmp_path}/s: no such file or directory")


def test_a_server_that_never_answers_is_given_up_at_the_timeout(asking: Asking) -> None:
    def never(connection: socket.socket) -> None:
        while connection.recv(4096):
            pass

    url = f"http://127.0.0.1:{asking.serve(never)}/"
    assert asking.answer("http", url, timeout_us=50_000) == (False, f"no answer from {url} within 0.05 s")


def test_a_question_is_asked_again_and_again_until_it_is_stopped(asking: Asking) -> None:
    asking.start("exec", "", command=Command("/bin/check", ("check",)))
    assert [(r.ok, r.text) for r in (asking.next(), asking.next(), asking.next())] == [
        (False, "attempt 1"),
        (True, "attempt 2"),
        (True, "attempt 3"),
    ]
    assert asking.commands[0] == ("web", Command("/bin/check", ("check",)), 5_000_000)
    asking.probes.stop(StopProbes("web", 1))
    asked = len(asking.commands)
    asking.wait_as_long_as_a_probe()
    assert len(asking.commands) == asked and asking.reports.empty()


def test_no_two_questions_of_one_probe_overlap(asking: Asking) -> None:
    open_now: list[int] = []
    most: list[int] = []
    asked = threading.Event()

    def slow(connection: socket.socket) -> None:
        open_now.append(1)
        most.append(len(open_now))
        read_request(connection)
        # Answered only when the loop has gone round for far longer than an interval.
        asked.set()
        assert may_answer.wait(DEADLINE_S)
        open_now.pop()
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    may_answer = threading.Event()
    asking.start("http", f"http://127.0.0.1:{asking.serve(slow)}/")
    asking.do(_wait(asked))
    asking.wait_as_long_as_a_probe()
    may_answer.set()
    for _ in range(3):
        assert asking.next().ok
    assert set(most) == {1}


async def _wait(event: threading.Event) -> None:
    """Wait for a thread's word while the loop goes on."""
    await asyncio.get_running_loop().run_in_executor(None, event.wait, DEADLINE_S)
    assert event.is_set()


def test_an_answer_under_way_is_not_reported_after_the_stop(asking: Asking) -> None:
    asked, hung_up = threading.Event(), threading.Event()

    def late(connection: socket.socket) -> None:
        read_request(connection)
        asked.set()
        try:
            connection.recv(1)  # ends when the asker hangs up
        finally:
            hung_up.set()

    asking.start("http", f"http://127.0.0.1:{asking.serve(late)}/")
    asking.do(_wait(asked))
    asking.probes.stop(StopProbes("web", 1))
    asking.do(_wait(hung_up))
    assert asking.reports.empty()


def test_stopping_one_token_leaves_the_probes_of_another(asking: Asking) -> None:
    port = asking.serve(saying(b""))
    asking.start("tcp", f"127.0.0.1:{port}", token=1)
    asking.start("tcp", f"127.0.0.1:{port}", token=2, index=3)
    asking.probes.stop(StopProbes("web", 1))
    report = asking.next()
    assert (report.unit, report.token, report.index, report.ok) == ("web", 2, 3, True)


def test_a_probe_that_was_stopped_in_its_initial_delay_never_asks(asking: Asking) -> None:
    asking.start("exec", "", command=Command("/bin/check", ("check",)), initial_delay_us=OFTEN_US)
    asking.probes.stop(StopProbes("web", 1))
    asking.wait_as_long_as_a_probe()
    assert asking.commands == []
