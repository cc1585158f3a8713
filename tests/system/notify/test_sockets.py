"""The sockets: who is heard, what becomes of descriptors, and that nothing is lost or held up."""

import _socket
import asyncio
import os
import resource
import select
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.daemon.notify import NotifySockets
from supervisor.daemon.reactor import LoopReactor, Registrations
from supervisor.model.events import Notified
from tests.system.notify.conftest import Listening

_PEEK = _socket.MSG_PEEK | _socket.MSG_DONTWAIT


def _open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _send_as_stranger(path: str, data: bytes, descriptors: list[int]) -> None:
    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    rights = b"".join(fd.to_bytes(4, "little") for fd in descriptors)
    socket.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if descriptors else [], 0, path)
    socket.close()


def _is_closed_everywhere(reader: int) -> bool:
    """Whether nobody holds the other end of this pipe any more."""
    return bool(select.select([reader], [], [], 0)[0]) and os.read(reader, 1) == b""


def test_what_a_process_said_before_it_ended_is_heard_before_its_exit_is_handled(world: Listening) -> None:
    main = world.spawn_sender("web", "send(b'READY=1'); send(b'STATUS=last words')")
    world.wait_gone_unheard(main)
    world.sockets.drain("web")
    assert [event.fields for event in world.heard] == [{"READY": "1"}, {"STATUS": "last words"}]
    assert [event.pid for event in world.heard] == [main, main]


def test_what_was_said_before_there_was_a_loop_is_heard_when_there_is_one(world: Listening) -> None:
    registrations = Registrations()
    world.sockets = NotifySockets(world.directory, registrations, world.processes, world.on_notified, world.on_note)
    main = world.spawn_sender("web", "send(b'READY=1'); say('sent'); stay()")
    world.hear("sent")
    assert world.heard == []
    registrations.attach(LoopReactor(world.loop))
    world.do(_until(lambda: bool(world.heard)))
    assert world.heard == [Notified("web", main, {"READY": "1"})]


def test_a_socket_that_the_keeper_held_goes_on_with_what_was_said_meanwhile(world: Listening) -> None:
    held = os.dup(world.sockets.open("web"))
    path = world.sockets.path_of("web")
    waits = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1}); say('up'); signal.sigwait({signal.SIGUSR1}); "
    main = world.spawn_sender("web", waits + "send(b'READY=1'); say('sent'); stay()")
    world.loop.remove_reader(world.sockets.open("web"))
    world.hear("up")
    os.kill(main, signal.SIGUSR1)
    world.hear("sent")
    after = world.new_sockets()
    after.adopt("web", held)
    world.do(_until(lambda: bool(world.heard)))
    assert world.heard == [Notified("web", main, {"READY": "1"})]
    assert after.path_of("web") == path
    after.close("web")


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0)


def test_a_stranger_is_not_heard_and_it_is_said_who_it_was(world: Listening) -> None:
    world.sockets.open("web")
    path = world.sockets.path_of("web")
    assert path is not None
    _send_as_stranger(path, b"READY=1", [])
    world.sockets.drain("web")
    assert world.heard == []
    assert world.notes == [("web", f"a notification from pid {os.getpid()}, which is no process of web, was ignored")]


def test_another_units_process_is_not_heard(world: Listening) -> None:
    world.sockets.open("web")
    path = world.sockets.path_of("web")
    world.spawn_sender("db", f"os.environ['NOTIFY_SOCKET'] = {path!r}; send(b'READY=1'); say('sent'); stay()")
    world.hear("sent")
    world.sockets.drain("web")
    assert world.heard == []


def test_a_child_and_a_daemon_of_the_unit_are_heard(world: Listening) -> None:
    world.spawn_sender("web", "if os.fork() == 0: daemonize(); send(b'X=daemon'); say('daemon'); stay()\nos.wait(); stay()")
    daemon = world.hear("daemon")["daemon"]
    world.sockets.drain("web")
    assert world.heard == [Notified("web", daemon, {"X": "daemon"})]


@pytest.mark.usefixtures("as_root")
def test_a_process_that_changed_its_user_is_heard(world: Listening) -> None:
    main = world.spawn_sender("web", "os.setgid(65534); os.setuid(65534); send(b'READY=1'); say('sent'); stay()")
    world.hear("sent")
    world.sockets.drain("web")
    assert [event.pid for event in world.heard] == [main]


def test_mainpid_is_believed_of_the_units_own_processes_only(world: Listening) -> None:
    world.spawn_sender(
        "web",
        f"kid = os.fork()\nif kid == 0: stay()\nfor pid in ({os.getpid()}, {os.getppid()}, kid, os.getpid(), os.getppid()):\n"
        "    send(b'MAINPID=%d' % pid)\nsay('sent'); stay()",
    )
    main = world.hear("sent")["sent"]
    world.sockets.drain("web")
    assert [event.main_pid_is_ours for event in world.heard] == [False, False, True, True, False]
    assert [event.main_pid_is_child for event in world.heard if event.main_pid_is_ours] == [False, True]
    assert world.heard[3].fields == {"MAINPID": str(main)}
    assert len([text for _, text in world.notes if "was refused" in text]) == 3


def test_a_zombie_cannot_become_the_main_process(world: Listening) -> None:
    zombie = "kid = os.fork()\nif kid == 0: os._exit(0)\nos.waitid(os.P_PID, kid, os.WEXITED | os.WNOWAIT)\n"
    world.spawn_sender("web", zombie + "send(b'MAINPID=%d' % kid)\nsay('sent'); stay()")
    world.hear("sent")
    world.sockets.drain("web")
    assert [event.fields for event in world.heard] == [{}]


def test_a_barrier_is_closed_after_everything_before_it_was_handled(world: Listening) -> None:
    order: list[str] = []
    reader, writer = os.pipe()
    world.on_notified = lambda event, descriptors: order.append("closed" if _is_closed_everywhere(reader) else "open")  # type: ignore[method-assign]  # a test listens itself
    world.sockets = world.new_sockets()
    world.spawn_sender("db", "send(b'X=1'); send(b'X=2'); say('sent'); stay()")
    world.loop.remove_reader(world.sockets.open("db"))  # nothing is handled before the barrier is in
    world.hear("sent")
    path = world.sockets.path_of("db")
    assert path is not None
    _send_as_stranger(path, b"BARRIER=1", [writer])
    os.close(writer)
    world.sockets.drain("db")
    assert order == ["open", "open"]
    assert _is_closed_everywhere(reader)
    os.close(reader)


@pytest.mark.parametrize("data", [b"READY=1", b"BARRIER=1", b"\0\0", b"x" * 5000, b"FDSTORE=1"])
def test_every_descriptor_that_came_along_is_closed_whoever_sent_it(world: Listening, data: bytes) -> None:
    world.sockets.open("web")
    path = world.sockets.path_of("web")
    assert path is not None
    reader, writer = os.pipe()
    before = _open_descriptors()
    for count in (1, 2, 253):
        _send_as_stranger(path, data, [writer] * count)
    world.sockets.drain("web")
    assert _open_descriptors() == before
    os.close(writer)
    assert _is_closed_everywhere(reader)
    os.close(reader)


def test_a_message_whose_descriptors_find_no_room_here_is_not_half_believed(world: Listening) -> None:
    world.sockets = NotifySockets(world.directory, Registrations(), world.processes, world.on_notified, world.on_note)  # read only below
    world.spawn_sender("web", "r, w = os.pipe(); send(b'FDSTORE=1', r, w, r); say('sent'); stay()")
    world.hear("sent")
    before = _open_descriptors()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)  # the lowest number there is: one descriptor finds room, and the others are lost on the way
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, limits[1]))
    try:
        world.sockets.drain("web")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (world.heard, _open_descriptors()) == ([], before)
    assert [("too many descriptors" in text, unit) for unit, text in world.notes] == [(True, "web")]


def test_a_descriptor_that_the_callback_took_stays_open(world: Listening) -> None:
    world.keeps_descriptors = True
    world.spawn_sender("web", "r, w = os.pipe(); os.write(w, b'kept'); send(b'FDSTORE=1\\nFDNAME=x', r); say('sent'); stay()")
    world.hear("sent")
    world.sockets.drain("web")
    assert [os.read(fd, 4) for fd in world.descriptors] == [b"kept"]
    os.close(world.descriptors[0])


def test_a_datagram_is_still_there_while_it_is_handled_and_gone_after(world: Listening) -> None:
    seen: list[bytes] = []
    looker: list[_socket.socket] = []
    world.on_notified = lambda event, descriptors: seen.append(looker[0].recv(99, _PEEK))  # type: ignore[method-assign]  # a test listens itself
    world.sockets = world.new_sockets()
    looker.append(_socket.socket(fileno=os.dup(world.sockets.open("web"))))
    world.spawn_sender("web", "send(b'READY=1'); say('sent'); stay()")
    world.hear("sent")
    world.sockets.drain("web")
    assert seen == [b"READY=1"]
    with pytest.raises(BlockingIOError):
        looker[0].recv(99, _PEEK)
    looker[0].close()


def test_a_message_whose_handling_fails_does_not_come_back(world: Listening) -> None:
    def fail(event: Notified, descriptors: list[int]) -> None:
        raise LookupError("the engine has a fault")

    world.on_notified = fail  # type: ignore[method-assign]  # a test listens itself
    world.sockets.close("web")
    world.sockets = world.new_sockets()
    world.spawn_sender("web", "send(b'READY=1'); say('sent'); stay()")
    world.loop.remove_reader(world.sockets.open("web"))
    world.hear("sent")
    with pytest.raises(LookupError):
        world.sockets.drain("web")
    world.sockets.drain("web")


def test_a_unit_that_floods_its_socket_holds_nobody_up(world: Listening) -> None:
    world.spawn_sender("web", "say('flooding')\nwhile True: send(b'X=1')")
    world.hear("flooding")
    world.do(_until(lambda: len(world.heard) > 256))
    world.spawn_sender("db", "send(b'READY=1'); stay()")
    world.do(_until(lambda: any(event.unit == "db" for event in world.heard)))
    heard = len(world.heard)
    world.sockets.drain("web")  # ends, although the flood does not
    assert len(world.heard) - heard <= int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 1  # as many as were there


def test_closing_from_within_the_callback_is_allowed(world: Listening) -> None:
    world.on_notified = lambda event, descriptors: world.sockets.close(event.unit)  # type: ignore[method-assign]  # a test listens itself
    world.sockets = world.new_sockets()
    world.spawn_sender("web", "send(b'X=1'); send(b'X=2'); say('sent'); stay()")
    world.loop.remove_reader(world.sockets.open("web"))  # both are there before the first is handled
    world.hear("sent")
    world.sockets.drain("web")
    assert world.sockets.path_of("web") is None


def test_the_socket_can_be_reached_by_every_user_and_its_name_tells_nothing(world: Listening) -> None:
    world.sockets.open("web")
    path = world.sockets.path_of("web")
    assert path is not None
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666
    assert stat.S_IMODE(os.stat(world.directory).st_mode) == 0o711
    assert len(os.path.basename(path)) == 8 and len(path) <= 100


def test_a_unit_has_the_same_path_at_every_start_and_no_two_share_one(world: Listening) -> None:
    # These two have the same CRC-32.
    for unit in ("plumless", "buckeroo"):
        world.sockets.open(unit)
    assert world.sockets.path_of("plumless") != world.sockets.path_of("buckeroo")
    before = world.sockets.path_of("plumless")
    world.sockets.close("plumless")
    assert before is not None and not Path(before).exists()
    world.sockets.open("plumless")
    assert world.sockets.path_of("plumless") == before


def test_opening_twice_keeps_the_socket(world: Listening) -> None:
    assert world.sockets.open("web") == world.sockets.open("web")
