"""The notify tests' world: sockets in a short directory."""

import shutil
import tempfile
from collections.abc import Iterator

import pytest

from supervisor.daemon import notifydirectory
from supervisor.daemon.notify import NotifySockets
from supervisor.daemon.reactor import LoopReactor
from supervisor.model.events import Notified
from tests.system.processes.world import World


class Listening(World):
    """A world whose units have notify sockets; what they say is kept in `heard`, descriptors are kept if `keeps_descriptors`."""

    def __init__(self, directory: str) -> None:
        super().__init__("")
        self.heard: list[Notified] = []
        self.descriptors: list[int] = []
        self.keeps_descriptors = False
        self.notes: list[tuple[str, str]] = []
        self.directory = directory
        self.sockets = self.new_sockets()

    def new_sockets(self) -> NotifySockets:
        return NotifySockets(self.directory, LoopReactor(self.loop), self.processes, self.on_notified, self.on_note)

    def on_notified(self, event: Notified, descriptors: list[int]) -> None:
        self.heard.append(event)
        if self.keeps_descriptors:
            self.descriptors += descriptors
            descriptors.clear()

    def on_note(self, unit: str, text: str) -> None:
        self.notes.append((unit, text))

    def spawn_sender(self, unit: str, program: str) -> int:
        """A program that can `send(bytes, *descriptors)` to its unit's socket."""
        self.sockets.open(unit)
        path = self.sockets.path_of(unit)
        assert path is not None
        return self.spawn(unit, SENDER + program, environment={"NOTIFY_SOCKET": path})


SENDER = """
import _socket, array
def send(data, *descriptors):
    s = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    s.connect(os.environ["NOTIFY_SOCKET"])
    s.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else [])
    s.close()
"""


@pytest.fixture
def world() -> Iterator[Listening]:
    runtime = tempfile.mkdtemp(prefix="supd-test-", dir="/tmp")
    made = Listening(notifydirectory.choose(runtime, runtime))
    yield made
    for unit in ["web", "db", "plumless", "buckeroo"]:
        made.sockets.close(unit)
    made.close()
    if not made.directory.startswith(runtime):
        shutil.rmtree(made.directory)
    shutil.rmtree(runtime)
