"""A world for `Processes`: an event loop, a nursery that parents real processes, and what those processes say."""

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from supervisor.daemon.processes import Processes
from supervisor.daemon.proctable import scan
from supervisor.daemon.reactor import LoopReactor, Registrations
from supervisor.model.effects import Kill
from supervisor.model.events import Emptied
from tests.system.arrival import Deadline

DEADLINE_S = 20
T = TypeVar("T")

PRELUDE = """
import os, select, signal, time
def say(word):
    os.write(1, f"{word} {os.getpid()}\\n".encode())
def stay():
    while True:
        signal.pause()
def ignore_term():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
def become_child():
    parent = os.pidfd_open(os.getpid())
    if os.fork(): os._exit(0)
    select.select([parent], [], [])  # who hears of the child may count on it: the parent has ended
    os.close(parent)
def daemonize():
    become_child()
    os.setsid()
    become_child()
"""


class World:
    """Programs are Python source after `PRELUDE`; what they `say` arrives as (word, pid)."""

    def __init__(self, tracking: str) -> None:
        self.tracking = tracking
        self.marker = uuid.uuid4().hex
        self.loop = asyncio.new_event_loop()
        self.said: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self.exits: dict[int, asyncio.Event] = {}
        self._forked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._run = 0
        self._unit_of_run: dict[int, str] = {}
        self._buffers: dict[int, bytes] = {}
        self._words_fd, words_writer = os.pipe2(os.O_CLOEXEC)
        nursery = Path(__file__).with_name("nursery.py")
        self._nursery = subprocess.Popen(
            [sys.executable, "-I", "-S", str(nursery), str(words_writer)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[words_writer],
        )
        os.close(words_writer)
        assert self._nursery.stdin is not None and self._nursery.stdout is not None
        self._listen(self._words_fd, self._on_word)
        self._listen(self._nursery.stdout.fileno(), self._on_report)
        self.instance = f"test-{self.marker[:8]}"
        self.processes = self.new_manager()

    def new_manager(self) -> Processes:
        registrations = Registrations()
        processes = Processes(self.instance, registrations, self._nursery.pid, self.tracking)
        registrations.attach(LoopReactor(self.loop))
        return processes

    def _listen(self, fd: int, on_line: Callable[[str], None]) -> None:
        os.set_blocking(fd, False)
        self._buffers[fd] = b""

        def read() -> None:
            data = os.read(fd, 65536)
            if not data:
                self.loop.remove_reader(fd)
            *lines, self._buffers[fd] = (self._buffers[fd] + data).split(b"\n")
            for line in lines:
                on_line(line.decode())

        self.loop.add_reader(fd, read)

    def _on_word(self, line: str) -> None:
        word, pid = line.split()
        self.said.put_nowait((word, int(pid)))

    def _on_report(self, line: str) -> None:
        report = json.loads(line)
        if "forked" in report:
            self._forked.put_nowait(report)
            return
        if report["exited"] is not None:
            self.processes.note_exited(self._unit_of_run[report["exited"]], report["exited"])
        self.exits.setdefault(report["pid"], asyncio.Event()).set()

    def do(self, awaitable: Awaitable[T]) -> T:
        """Run the loop until this is done."""

        async def bounded() -> T:
            async with asyncio.timeout(DEADLINE_S):
                return await awaitable

        return self.loop.run_until_complete(bounded())

    def spawn(self, unit: str, program: str, *, environment: dict[str, str] | None = None) -> int:
        """Start a program as a run of the unit; its pid."""
        self._run += 1
        self._unit_of_run[self._run] = unit
        invocation_id = uuid.uuid5(uuid.UUID(self.marker), unit).hex
        order = {
            "run": self._run,
            "program": PRELUDE + program,
            "cgroup": self.processes.cgroup_of(unit),
            "environment": {"INVOCATION_ID": invocation_id, "SUPD_TEST": self.marker, **(environment or {})},
        }
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(order).encode() + b"\n")
        self._nursery.stdin.flush()
        report = self.do(self._forked.get())
        self.processes.note_started(unit, self._run, report["pid"], report["start_time_ticks"], invocation_id)
        self.last_run = (self._run, report["pid"], report["start_time_ticks"], invocation_id)
        return int(report["pid"])

    def hear(self, *words: str) -> dict[str, int]:
        """Wait until each of these words was said once; who said it."""
        heard: dict[str, int] = {}
        while set(words) - set(heard):
            word, pid = self.do(self.said.get())
            heard[word] = pid
        return heard

    def wait_exit(self, pid: int) -> None:
        """Wait until the nursery has reaped this child of its own."""
        self.do(self.exits.setdefault(pid, asyncio.Event()).wait())

    def wait_gone(self, pid: int) -> None:
        """Wait for the end of any process, reaped or not."""
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        gone = asyncio.Event()
        self.loop.add_reader(pidfd, gone.set)
        try:
            self.do(gone.wait())
        finally:
            self.loop.remove_reader(pidfd)
            os.close(pidfd)

    def wait_headless(self, pid: int) -> None:
        """Wait until the first thread of a process has ended, whose others go on."""
        deadline = Deadline(DEADLINE_S)
        while Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z":
            assert deadline.remaining_s(), f"the first thread of {pid} goes on"

    def wait_gone_unheard(self, pid: int) -> None:
        """The same without turning the loop: what the nursery says of it stays unheard."""
        pidfd = os.pidfd_open(pid)
        try:
            assert select.select([pidfd], [], [], DEADLINE_S)[0], f"pid {pid} still lives"
        finally:
            os.close(pidfd)

    def kill(self, unit: str, number: int, whom: str = "all", pids: tuple[int, ...] = (), *, is_repeated: bool = False) -> None:
        self.processes.kill(Kill(unit, number, whom, pids, and_continue=number != signal.SIGKILL, is_repeated=is_repeated))

    def wait_empty(self, unit: str, token: int = 1) -> Emptied:
        answer: asyncio.Future[Emptied] = self.loop.create_future()
        self.processes.watch_empty(unit, token, answer.set_result)
        return self.do(answer)

    def turn(self) -> None:
        """Let everything that is due on the loop happen."""
        for _ in range(3):
            self.do(asyncio.sleep(0))

    def comms(self, unit: str) -> set[int]:
        return {process.pid for process in self.processes.members(unit)}

    def is_alive(self, pid: int) -> bool:
        return pid in scan().table

    def close(self) -> None:
        assert self._nursery.stdin is not None and self._nursery.stdout is not None
        while left := [process for process in scan().table.values() if self._is_ours(process.pid)]:
            for process in left:
                # By group, since one that forks and ends without pause is never where it was seen.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.group, signal.SIGKILL)
                self.wait_gone(process.pid)
        self.loop.remove_reader(self._nursery.stdout.fileno())
        self.loop.remove_reader(self._words_fd)
        self._nursery.stdin.close()
        self._nursery.wait(DEADLINE_S)
        self._nursery.stdout.close()
        os.close(self._words_fd)
        for unit in set(self._unit_of_run.values()):
            self.processes.release(unit)
        self.processes.close()
        self.loop.close()

    def _is_ours(self, pid: int) -> bool:
        """By the environment of any thread: that of a process whose first one has ended is empty."""
        try:
            return any(self.marker.encode() in (task / "environ").read_bytes() for task in Path(f"/proc/{pid}/task").iterdir())
        except OSError:
            return False
