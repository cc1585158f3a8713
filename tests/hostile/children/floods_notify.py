"""Sends datagrams of every bad kind to its own socket and to a neighbour's, far more than ten thousand a second if it is let."""

import os
import signal

from tests.hostile.children.word import send

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
sockets = [os.path.join(os.path.dirname(own), name) for name in os.listdir(os.path.dirname(own))]
for round_ in range(400):
    for data in BAD:
        send(data)
    if round_ % 100 == 0:
        for path in sockets:
            if path != own:
                os.environ["NOTIFY_SOCKET"] = path
                send(b"STOPPING=1\nSTATUS=foreign\nMAINPID=%d" % os.getpid())
        os.environ["NOTIFY_SOCKET"] = own
send(b"READY=1")
while True:
    if os.fork() == 0:
        send(b"STATUS=on and on")
        os._exit(0)
    os.wait()
    signal.sigtimedwait([], 0.001)
