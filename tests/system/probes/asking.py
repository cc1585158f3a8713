"""Probes on a loop of their own, asked by tests: real sockets, pipes and logs below them."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

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
        port = self.serve(saying(b""))
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


def _handle(connection: socket.socket, handler: Handler) -> None:
    with connection:
        try:
            handler(connection)
        except ConnectionError:
            pass  # the asker hung up


def read_request(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request and (data := connection.recv(4096)):
        request += data
    return request


def saying(answer: bytes, requests: list[bytes] | None = None) -> Handler:
    def handle(connection: socket.socket) -> None:
        request = read_request(connection)
        if requests is not None:
            requests.append(request)
        connection.sendall(answer)

    return handle
