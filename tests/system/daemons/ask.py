"""The daemons' protocols, as far as a test needs them: one question, one answer, over plain sockets."""

import http.client
import socket

_TIMEOUT_S = 10.0


def line(port: int, question: bytes) -> bytes:
    """Send `question` and read one answer line, without its end."""
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) as sock, sock.makefile("rb") as file:
        sock.sendall(question)
        return file.readline().rstrip(b"\r\n")


def http_body(port: int) -> str:
    """The body of `GET /`, which must succeed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        response = connection.getresponse()
        text = response.read().decode().strip()
        assert response.status == 200, f"GET /: {response.status} {text}"
        return text
    finally:
        connection.close()


def _read_exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            raise ConnectionError(f"the connection closed after {data!r}")
        data += part
    return data


def _packet(kind: int, body: bytes) -> bytes:
    return bytes((kind, len(body))) + body  # every packet here is shorter than 128 bytes, so its length is one byte


def _text(word: str) -> bytes:
    raw = word.encode()
    return len(raw).to_bytes(2, "big") + raw


def mqtt_echo(port: int, topic: str, message: str) -> str | None:
    """Subscribe to `topic`, publish `message` to it and return what comes back; None if the broker refuses (MQTT 3.1.1, 3.9)."""
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) as sock:
        sock.sendall(_packet(0x10, _text("MQTT") + b"\x04\x02\x00\x3c" + _text("test")))
        connack = _read_exactly(sock, 4)
        assert connack == b"\x20\x02\x00\x00", f"CONNACK {connack!r}"
        sock.sendall(_packet(0x82, b"\x00\x01" + _text(topic) + b"\x00"))
        suback = _read_exactly(sock, 5)
        if suback[4] == 0x80:
            return None
        sock.sendall(_packet(0x30, _text(topic) + message.encode()))
        # A broker drops a publish that it does not allow without a word; the answer to a ping comes after the message or instead.
        sock.sendall(_packet(0xC0, b""))
        kind, length = _read_exactly(sock, 2)
        if kind == 0xD0:
            return None
        body = _read_exactly(sock, length)
        return body[2 + len(topic.encode()) :].decode()
