"""The least a Python supervisor can do: not a product, but a floor to measure against.

posix_spawn, one pidfd per service, one epoll, readv() and write() from pipe to log file.
usage: python3 -I -S floor_sup.py CONFIG.json | python3 -I -S floor_sup.py ctl SOCKET COMMAND...
"""

import os
import sys

TYPE_CHECKING = False  # importing typing would cost more than the rest of this file
if TYPE_CHECKING:
    from collections.abc import Callable


def ctl(path: str, *words: str) -> None:
    import _socket  # half the start-up of `import socket`

    s = _socket.socket(_socket.AF_UNIX)
    s.connect(path)
    s.sendall(" ".join(words).encode() + b"\n")
    while data := s.recv(65536):
        os.write(1, data)


def supervise(config: str) -> None:
    import fcntl
    import json
    import select
    import signal
    import socket
    import time

    buf = bytearray(1 << 18)
    view = memoryview(buf)
    with open(config) as f:
        conf = json.load(f)
    lazy = conf["lazy_ms"] / 1000
    ep, logs = select.epoll(), select.epoll()
    handlers: dict[int, Callable[[], object]] = {}
    drains: dict[int, Callable[[], int]] = {}
    ep.register(logs.fileno(), select.EPOLLIN)
    env, default = dict(os.environ), [signal.SIGPIPE]
    started = time.monotonic

    class Service:
        __slots__ = ("actions", "argv", "big", "fd", "name", "out", "part", "path", "pid", "r", "since", "size")

        def __init__(self, name: str, argv: list[str], path: str) -> None:
            self.name, self.argv, self.path, self.part, self.big = name, argv, path, 0, False
            if path:
                self.r, w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
                os.set_blocking(w, True)
                self.open()
                drains[self.r] = self.drain
                logs.register(self.r, select.EPOLLIN)
            else:
                w = null
            self.actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, w, 1), (os.POSIX_SPAWN_DUP2, w, 2)]

        def spawn(self) -> None:
            self.pid = os.posix_spawn(self.argv[0], self.argv, env, file_actions=self.actions, setsid=True, setsigdef=default)
            self.fd, self.since = os.pidfd_open(self.pid), started()
            handlers[self.fd] = self.reap
            ep.register(self.fd, select.EPOLLIN)

        def reap(self) -> None:
            os.waitid(os.P_PIDFD, self.fd, os.WEXITED)
            del handlers[self.fd]
            os.close(self.fd)  # leaves the epoll set with it
            self.spawn()

        def open(self) -> None:
            self.out = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self.size = os.lseek(self.out, 0, os.SEEK_END)

        def drain(self) -> int:
            n = os.readv(self.r, [buf])
            if n >= 65536 and not self.big:  # a flood: fewer, larger reads
                self.big = True
                fcntl.fcntl(self.r, fcntl.F_SETPIPE_SZ, 1 << 20)
            if self.size + n < conf["rotate_bytes"]:
                self.size += os.write(self.out, view[:n])
                return n
            cut = buf.rfind(b"\n", 0, n) + 1  # end the file at a line
            os.write(self.out, view[:cut])
            os.close(self.out)
            self.part += 1
            os.rename(self.path, f"{self.path}.{self.part}")
            self.open()
            self.size += os.write(self.out, view[cut:n])
            return n

    def accept() -> None:
        conn, _ = server.accept()
        with conn:
            verb, _, name = conn.recv(4096).decode().strip().partition(" ")
            if verb == "restart":
                os.kill(by_name[name].pid, signal.SIGTERM)
                by_name[name].reap()
            now = started()
            conn.sendall("".join(f"{s.name} running {s.pid} {now - s.since:.0f}s\n" for s in services if name in ("", s.name)).encode())

    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    services = [Service(*row) for row in conf["services"]]
    by_name = {s.name: s for s in services}
    server = socket.socket(socket.AF_UNIX)
    server.bind(conf["socket"])
    server.listen(64)
    handlers[server.fileno()] = accept
    ep.register(server.fileno(), select.EPOLLIN)
    for s in services:
        s.spawn()
    due = None  # when the logs are looked at again
    while True:
        wait = None if due is None else max(0.0, due - started())
        for fd, _ in ep.poll(wait):
            if fd in handlers:
                handlers[fd]()
            else:
                most = max(drains[r]() for r, _ in logs.poll(0))
                if lazy and most < 16384:  # a flood is not made to wait
                    ep.modify(logs.fileno(), 0)
                    due = started() + lazy
        if due is not None and started() >= due:
            ep.modify(logs.fileno(), select.EPOLLIN)
            due = None


if sys.argv[1] == "ctl":
    ctl(*sys.argv[2:])
else:
    supervise(sys.argv[1])
