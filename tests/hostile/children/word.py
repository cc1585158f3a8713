"""What a child tells its supd."""

import _socket
import array
import os


def send(data: bytes, *descriptors: int) -> None:
    """One datagram to this unit's socket."""
    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    socket.connect(os.environ["NOTIFY_SOCKET"])
    socket.sendmsg([data], rights)
    socket.close()


def in_place() -> None:
    """It is as hostile as it gets: the start is done."""
    send(b"READY=1")
