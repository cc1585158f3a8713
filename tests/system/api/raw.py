"""HTTP by hand on a Unix socket: what a hostile or old client may send, and what comes back."""

import json
import socket
from typing import Any

DEADLINE_S = 10


def connect(path: str) -> socket.socket:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    end.settimeout(DEADLINE_S)
    end.connect(path)
    return end


def receive_all(end: socket.socket) -> bytes:
    content = b""
    try:
        while piece := end.recv(65536):
            content += piece
    except ConnectionResetError:
        pass  # the server closed with bytes of ours unread; what it had sent came before
    return content


def receive_answer(end: socket.socket) -> tuple[int, bytes]:
    """One answer on a connection that stays open, by its Content-Length."""
    with end.makefile("rb") as file:
        status = int(file.readline().split(b" ")[1])
        length = 0
        while (line := file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, file.read(length)


def exchange(path: str, sent: bytes) -> tuple[int, bytes, bytes]:
    """Send bytes, read to the end: (status, head, body)."""
    with connect(path) as end:
        try:
            end.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused while we were sending; the answer is there to be read
        return parse(receive_all(end))


def parse(content: bytes) -> tuple[int, bytes, bytes]:
    head, _, body = content.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), head, body


def ask(path: str, method: str, target: str, body: Any = None) -> tuple[int, Any]:
    """A whole request; the answer's JSON."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {target} HTTP/1.0\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    status, _, answer = exchange(path, head + content)
    return status, json.loads(answer)
