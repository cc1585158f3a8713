"""`talk LOG UNIT TAG WORD...`: a program that speaks sd_notify(3), for scenarios. Runs outside the package, with the standard library.

Words, in order: `KEY=VALUE[,KEY=VALUE]` sends one datagram, `child:...` sends it from a child, `parent-pid` sends MAINPID of our parent,
`forked-main` forks a child that lives on and sends its MAINPID (`forked-main:S`: it leaves with 7 after S seconds), `sleep:S`,
`gate:FILE` waits until the file is there, `exit:N`, `kill:N`, `block`. `store:NAME` gives a descriptor away and `fds` says which came.
`answers:SIGNAL` answers a signal from now on with RELOADING=1 and READY=1, `half-answers:SIGNAL` without the time that proves it.
`kid` forks a child that lives on; `says:HEX:N` sends just these bytes with N descriptors, `child-says:HEX:N` has the child send them,
@KID@ in them is its pid. `barrier` waits until all that was sent is handled, and says so.
In a value `@mono` is CLOCK_MONOTONIC in microseconds.
"""

import os
import signal
import socket
import sys
import time

log, unit, tag, *words = sys.argv[1:]


def say(text: str) -> None:
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"{time.monotonic():.2f} {unit} {text}\n")


def send(text: str, *descriptors: int) -> None:
    text = text.replace(",", "\n").replace("@mono", str(time.monotonic_ns() // 1000))
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        say("no-notify-socket")
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        socket.send_fds(sock, [text.encode()], descriptors)


def answer(name: str, stamp: str) -> None:
    """What a service of type notify-reload does on its signal."""

    def reload(_number: int, _frame: object) -> None:
        say("reloading")
        send(f"RELOADING=1{stamp}")
        send("READY=1")

    signal.signal(signal.Signals[name], reload)


def send_raw(data: bytes, count: int) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        address = os.environ["NOTIFY_SOCKET"]
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        socket.send_fds(sock, [data], [os.memfd_create(str(number)) for number in range(count)])


class Kid:
    """A child of the main process that sends what it is told to."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if not self.pid:
            self._socket.close()
            while order := theirs.recv(1 << 16):
                send_raw(order[1:], order[0])
                theirs.send(b"sent")
            os._exit(0)
        theirs.close()

    def send(self, data: bytes, count: int) -> None:
        self._socket.send(bytes([count]) + data)
        self._socket.recv(16)


kids: list[Kid] = []


def barrier() -> None:
    """sd_notify_barrier(3)"""
    told, tell = os.pipe()
    send("BARRIER=1", tell)
    os.close(tell)
    os.read(told, 1)
    say("barrier")


def live_on(span_s: str) -> int:
    """A child that lives until it is killed, or for so many seconds; it says when its parent is gone."""
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        if span_s:
            time.sleep(float(span_s))
            os._exit(7)
        while os.getppid() == parent:
            time.sleep(0.05)
        say("gone")
        signal.pause()
        os._exit(0)
    return pid


def do(word: str) -> None:
    head, _, rest = word.partition(":")
    if head == "sleep":
        time.sleep(float(rest))
    elif head == "gate":
        while not os.path.exists(rest):
            time.sleep(0.05)
    elif head == "exit":
        os._exit(int(rest))
    elif head == "kill":
        os.kill(os.getpid(), int(rest))
    elif head == "block":
        while True:
            signal.pause()
    elif head == "child":
        told, tell = os.pipe()
        if not os.fork():
            send(rest)
            os.close(tell)
            signal.pause()  # the sender is looked up by its pid: it has to be there still
        os.close(tell)
        os.read(told, 1)
    elif head == "forked-main":
        send(f"MAINPID={live_on(rest)}")
        say("forked")
    elif head == "kid":
        kids.append(Kid())
        say(f"kid {os.getpid()} {kids[-1].pid}")
    elif head in ("says", "child-says"):
        data, _, count = rest.partition(":")
        message = bytes.fromhex(data).replace(b"@KID@", str(kids[-1].pid).encode())
        (send_raw if head == "says" else kids[-1].send)(message, int(count))
    elif head == "barrier":
        barrier()
    elif head == "store":
        send(f"FDSTORE=1,FDNAME={rest}", os.memfd_create(rest))
    elif head == "fds":
        say(f"fds {os.environ.get('LISTEN_FDS', '0')} {os.environ.get('LISTEN_FDNAMES', '-')}")
    elif head in ("answers", "half-answers"):
        answer(rest, ",MONOTONIC_USEC=@mono" if head == "answers" else "")
    elif head == "parent-pid":
        send(f"MAINPID={os.getppid()}")
    else:
        send(word)


say(tag)
for each in words:
    do(each)
