"""Probes against real sockets, pipes and logs: what is asked, what is answered, and that nothing goes on after a stop."""

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from supervisor.daemon.logfollow import LogFollowers
from supervisor.daemon.logs import LogPump
from supervisor.daemon.probes import Probes
from supervisor.daemon.reactor import LoopReactor, Registrations
from supervisor.daemon.readypipes import ReadyPipes
from supervisor.model.effects import StartProbe, StopProbes
from supervisor.model.events import ProbeReported
from supervisor.model.specification import Command, Probe

DEADLINE_S = 20
T = TypeVar("T")
Handler = Callable[[socket.socket], None]
OFTEN_US = 1_000


class Asking:
    """Probes on a loop of their own, with a pump for the log probes."""

    def __init__(self, directory: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.registrations = Registrations()
        self.pump = LogPump(str(directory / "logs"))
        self.pump.start()
        self.followers = LogFollowers(self.pump, self.registrations)
        self.pipes = ReadyPipes(self.registrations)
        self.reports: asyncio.Queue[ProbeReported] = asyncio.Queue()
        self.commands: list[tuple[str, Command, int]] = []
        self._listeners: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.probes = Probes(self.registrations, self.reports.put_nowait, self.run_command, self.followers, self.pipes)
        self.registrations.attach(LoopReactor(self.loop))

    async def run_command(self, unit: str, command: Command, timeout_us: int) -> tuple[bool, str]:
        self.commands.append((unit, command, timeout_us))
        return len(self.commands) > 1, f"attempt {len(self.commands)}"

    def do(self, awaitable: Awaitable[T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(DEADLINE_S):
                return await awaitable

        return self.loop.run_until_complete(bounded())

    def start(self, kind: str, target: str, *, token: int = 1, index: int = 0, timeout_us: int = 5_000_000, **options: object) -> None:
        probe = Probe("ready", kind, target, interval_us=OFTEN_US, timeout_us=timeout_us, **options)  # type: ignore[arg-type]  # whatever options a row names
        self.probes.start(StartProbe("web", token, index), probe)

    def next(self) -> ProbeReported:
        return self.do(self.reports.get())

    def answer(self, kind: str, target: str, **options: int) -> tuple[bool, str]:
        """The first answer of a probe that is stopped again."""
        self.start(kind, target, **options)
        report = self.next()
        self.probes.stop(StopProbes("web", 1))
        return report.ok, report.text

    def serve(self, handler: Handler) -> int:
        """A server on a free port of 127.0.0.1 with a thread for each connection; the port."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)
        self._in_thread(lambda: self._accept(listener, handler))
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket, handler: Handler) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # shut down by `close`
            self._in_thread(lambda connection=connection: _handle(connection, handler))  # type: ignore[misc] # the default binds

    def _in_thread(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def _turn(self) -> None:
        for _ in range(20):
            self.loop.run_until_complete(asyncio.sleep(0))

    def wait_as_long_as_a_probe(self) -> None:
        """Until a probe that begins now has been asked twice: what was to happen at an interval before has happened."""
        port = self.serve(_saying(b""))
        probe = Probe("ready", "tcp", f"127.0.0.1:{port}", interval_us=OFTEN_US, initial_delay_us=OFTEN_US)
        self.probes.start(StartProbe("clock", 1, 0), probe)
        assert [self.next().unit, self.next().unit] == ["clock", "clock"]
        self.probes.stop(StopProbes("clock", 1))

    def close(self) -> None:
        self.probes.close()
        self._turn()
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DEADLINE_S)
        for listener in self._listeners:
            listener.close()
        self.followers.close()
        self.pump.stop()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    made = Asking(tmp_path)
    yield made
    made.close()


def _handle(connection: socket.socket, handler: Handler) -> None:
    with connection:
        try:
            handler(connection)
        except ConnectionError:
            pass  # the asker hung up


def _read_request(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request and (data := connection.recv(4096)):
        request += data
    return request


def _saying(answer: bytes, requests: list[bytes] | None = None) -> Handler:
    def handle(connection: socket.socket) -> None:
        request = _read_request(connection)
        if requests is not None:
            requests.append(request)
        connection.sendall(answer)

    return handle


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
    url = f"http://127.0.0.1:{asking.serve(_saying(answer))}/health"
    said_ok, said = asking.answer("http", url)
    assert said_ok is ok
    assert said.startswith(text.format(url=url)) and len(said) < 300


def test_http_asks_what_stands_in_the_url(asking: Asking) -> None:
    requests: list[bytes] = []
    port = asking.serve(_saying(b"HTTP/1.1 200 OK\r\n\r\n", requests))
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
    port = asking.serve(_saying(b""))
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
        _read_request(connection)
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
        _read_request(connection)
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
    port = asking.serve(_saying(b""))
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


def test_a_log_probe_sees_the_line_that_comes(asking: Asking) -> None:
    fd = asking.pump.open_pipe("web")
    asking.start("log", r"listening on \d+")
    os.write(fd, b"starting\n\x1b[32mlistening\x1b[0m on 80\nlistening on 81\n")
    report = asking.next()
    assert (report.ok, report.text) == (True, "output matched: listening on 80")
    os.write(fd, b"listening on 82\n")
    asking.pump.drain("web")
    asking.do(asyncio.sleep(0))
    assert asking.reports.empty()  # it is told once


def test_a_log_probe_sees_a_line_that_was_written_before_it_began_but_none_of_the_last_run(asking: Asking) -> None:
    fd = asking.pump.open_pipe("web")
    os.write(fd, b"ready (last run)\n")
    asking.pump.mark("web")
    os.write(fd, b"ready (this run)\n")
    asking.pump.drain("web")
    asking.start("log", "^ready")
    assert asking.next().text == "output matched: ready (this run)"


def test_a_log_probe_goes_on_over_a_new_manager_where_the_run_began(asking: Asking) -> None:
    held = os.dup(asking.pump.open_pipe("web"))
    os.write(held, b"ready (last run)\n")
    marked = asking.pump.mark("web")
    os.write(held, b"ready (this run)\n")
    asking.pump.close_pipe("web")
    asking.pump.adopt("web", held, marked)
    asking.start("log", "^ready")
    assert asking.next().text == "output matched: ready (this run)"


def test_a_line_that_arrives_in_pieces_is_one_line(asking: Asking) -> None:
    fd = asking.pump.open_pipe("web")
    asking.pump.mark("web")
    asking.start("log", "^all in one$")
    for piece in (b"all ", b"in ", b"one"):
        os.write(fd, piece)
        asking.pump.drain("web")
        asking.do(asyncio.sleep(0))
    assert asking.reports.empty()
    os.write(fd, b"\n")
    assert asking.next().ok


def test_a_log_probe_counts_matching_lines_up_to_its_threshold(asking: Asking) -> None:
    fd = asking.pump.open_pipe("web")
    asking.start("log", "joined", success_threshold=2)
    os.write(fd, b"one joined\ntwo joined\nthree joined\n")
    assert [asking.next().text, asking.next().text] == ["output matched: one joined", "output matched: two joined"]
    assert asking.reports.empty()


def test_a_line_on_a_standard_error_that_is_kept_apart_counts_too(asking: Asking) -> None:
    asking.pump.open_pipe("web")
    err = asking.pump.open_pipe("web/stderr")
    asking.start("log", "listening")
    os.write(err, b"now listening\n")
    asking.pump.drain("web")
    assert asking.next().ok


def test_a_pattern_that_is_none_is_said_to_be_none(asking: Asking) -> None:
    asking.pump.open_pipe("web")
    ok, text = asking.answer("log", "(")
    assert not ok and text.startswith("cannot look for '(' in the output: ")


def test_an_fd_probe_is_good_at_the_newline(asking: Asking) -> None:
    child_end = os.dup(asking.pipes.renew("web", 0))
    asking.start("fd", "3")
    os.write(child_end, b"not yet")
    os.write(child_end, b"\n")
    report = asking.next()
    assert (report.ok, report.text) == (True, "newline on descriptor 3")
    os.close(child_end)
    asking.pipes.close("web", 0)


def test_a_newline_that_came_before_the_probe_began_counts_but_not_one_of_the_last_run(asking: Asking) -> None:
    last_run = os.dup(asking.pipes.renew("web", 0))
    this_run = os.dup(asking.pipes.renew("web", 0))
    os.write(last_run, b"\n")
    asking.start("fd", "3")
    asking.do(asyncio.sleep(0))
    assert asking.reports.empty()
    os.write(this_run, b"\n")
    assert asking.next().ok
    os.close(last_run)
    os.close(this_run)
    asking.pipes.close("web", 0)


def test_an_fd_probe_without_a_pipe_says_so(asking: Asking) -> None:
    assert asking.answer("fd", "3") == (False, "no pipe was passed as descriptor 3")


def test_a_child_that_reads_its_own_end_blocks_nobody(asking: Asking) -> None:
    fd = asking.pipes.renew("web", 0)
    asking.start("fd", "3")
    asking.do(asyncio.sleep(0))
    os.write(fd, b"x\n")
    assert os.read(fd, 10) == b"x\n"
    asking.do(asyncio.sleep(0))
    os.write(fd, b"\n")
    assert asking.next().ok
    asking.pipes.close("web", 0)


def test_a_probe_that_was_started_before_there_was_a_loop_is_asked_when_there_is_one(tmp_path: Path) -> None:
    registrations = Registrations()
    pump = LogPump(str(tmp_path / "logs"))
    followers = LogFollowers(pump, registrations)
    reports: list[ProbeReported] = []
    loop = asyncio.new_event_loop()
    answered = asyncio.Event()

    def report(reported: ProbeReported) -> None:
        reports.append(reported)
        answered.set()

    async def run_command(unit: str, command: Command, timeout_us: int) -> tuple[bool, str]:
        return True, "well"

    probes = Probes(registrations, report, run_command, followers, ReadyPipes(registrations))
    probes.start(StartProbe("web", 1, 0), Probe("ready", "exec", "", command=Command("/bin/true", ("true",))))
    registrations.attach(LoopReactor(loop))
    loop.run_until_complete(asyncio.wait_for(answered.wait(), DEADLINE_S))
    assert reports == [ProbeReported("web", 1, 0, True, "well")]
    probes.close()
    loop.run_until_complete(asyncio.sleep(0))
    followers.close()
    pump.stop()
    loop.close()
