"""Sends datagrams of every bad kind to its own socket and to its neighbours', from several processes at once: far more than ten thousand
a second if it is let. Once a good many have been taken it says how fast, and goes on."""

import _socket
import os
import signal
import time

from tests.hostile.children.word import send

SENDERS = 3
EACH = 5_000
FOREIGN_EVERY = 100
BAD = [b"", b"\0", b"\xff" * 100, b"X=1\0Y=2", b"STATUS=" + b"z" * 4089, b"STATUS=" + b"z" * 9000, b"MAINPID=1", b"MAINPID=-5", b"READY"]
BAD += [
    b"WATCHDOG_USEC=0.5",
    b"EXTEND_TIMEOUT_USEC=x",
    b"FDSTORE=1",
    b"BARRIER=1",
    b"=\n=\n=",
    b"STATUS=\xfe\n" * 300,
    b"NOTIFYACCESS=nobody",
]

own = os.environ["NOTIFY_SOCKET"]
directory = os.path.dirname(own)


def speak_to(path: str) -> _socket.socket:
    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
    socket.connect(path)
    return socket


def flood(count: int) -> None:
    """So many datagrams, each as soon as there is room for it; and now and then a lie about each neighbour."""
    neighbours = [speak_to(os.path.join(directory, name)) for name in os.listdir(directory) if not own.endswith(name)]
    socket = speak_to(own)
    for number in range(count):
        socket.send(BAD[number % len(BAD)])
        if number % FOREIGN_EVERY == 0:
            for neighbour in neighbours:
                neighbour.send(b"STOPPING=1\nSTATUS=foreign\nMAINPID=%d" % os.getpid())


def begin(count: int) -> int:
    pid = os.fork()
    if not pid:
        flood(count)
        os._exit(0)
    return pid


begun_s = time.monotonic()
for pid in [begin(EACH) for _ in range(SENDERS)]:
    os.waitpid(pid, 0)
rate = SENDERS * EACH / (time.monotonic() - begun_s)
print(f"taken at {rate:.0f} a second", flush=True)
send(b"READY=1")
for _ in range(SENDERS):
    begin(1 << 40)
send(b"ERRNO=7")  # a true word in the middle of it
while True:
    if os.fork() == 0:
        send(b"ERRNO=8")  # its sender is gone when it is read, or will soon be
        os._exit(0)
    os.wait()
    signal.sigtimedwait([], 0.001)
