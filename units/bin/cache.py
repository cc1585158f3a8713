"""A tiny key-value server: one command a line, one answer a line.

    PING -> PONG | SET key value -> OK | GET key -> value or "" | INCR key -> number | PUSH list value -> length | POP list -> value

POP waits until there is something to take. Nothing is kept on disk.
"""

import argparse
import collections
import socket
import socketserver
import threading
from collections.abc import Callable

values: dict[str, str] = {}
lists: dict[str, collections.deque[str]] = collections.defaultdict(collections.deque)
changed = threading.Condition()


def answer(line: str, is_gone: Callable[[], bool]) -> str | None:
    """The answer to one line; None when the client `is_gone` before there was something to take."""
    command, _, rest = line.partition(" ")
    name, _, value = rest.partition(" ")
    with changed:
        match command:
            case "PING":
                return "PONG"
            case "SET":
                values[name] = value
                return "OK"
            case "GET":
                return values.get(name, "")
            case "INCR":
                values[name] = str(int(values.get(name, "0")) + 1)
                return values[name]
            case "PUSH":
                lists[name].append(value)
                changed.notify_all()
                return str(len(lists[name]))
            case "POP":
                while not lists[name]:
                    changed.wait()
                    if is_gone():
                        return None
                return lists[name].popleft()
    return "ERROR unknown command"


class Client(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            if (text := answer(line.decode().rstrip("\n"), self.is_gone)) is None:
                break
            self.wfile.write(f"{text}\n".encode())

    def is_gone(self) -> bool:
        """Whether the client has closed its end: a worker that was killed must not be given a job."""
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    with Server(("127.0.0.1", port), Client) as server:
        print(f"cache: listening on 127.0.0.1:{port}", flush=True)
        server.serve_forever()
