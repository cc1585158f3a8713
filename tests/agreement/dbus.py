"""As much of D-Bus as it takes to ask a systemd over its private socket: method calls, their answers, and signals.

Follows the D-Bus specification's wire format, version 1. It never starts anything and knows nothing of units. One connection, one
thread that reads it; `call` may be used from any thread.
"""

import os
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

CALL, ANSWER, ERROR, SIGNAL = 1, 2, 3, 4
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_SERIAL, _DESTINATION, _SIGNATURE = 1, 2, 3, 4, 5, 6, 8
_FIXED = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I"}
_ALIGNED_TO = {"y": 1, "g": 1, "v": 1, "n": 2, "q": 2, "x": 8, "t": 8, "d": 8, "(": 8, "{": 8}
_FIRST_ANSWER_S = 1.0  # after that, the first call is thought to lie unread


class CallFailed(Exception):
    """The other side answered with an error; `name` is its D-Bus name."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


def _one(signature: str, at: int) -> int:
    """Where the complete type that begins at `at` ends."""
    if signature[at] == "a":
        return _one(signature, at + 1)
    if signature[at] in "({":
        end = at + 1
        while signature[end] not in ")}":
            end = _one(signature, end)
        return end + 1
    return at + 1


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def align(self, size: int) -> None:
        self.at = -(-self.at // size) * size

    def fixed(self, code: str) -> Any:
        size = struct.calcsize(code)
        self.align(size)
        (value,) = struct.unpack_from("<" + code, self.data, self.at)
        self.at += size
        return value

    def text(self, length: int) -> str:
        value = self.data[self.at : self.at + length].decode(errors="replace")
        self.at += length + 1
        return value

    def all(self, signature: str) -> list[Any]:
        values, at = [], 0
        while at < len(signature):
            end = _one(signature, at)
            values.append(self.value(signature[at:end]))
            at = end
        return values

    def value(self, kind: str) -> Any:
        head = kind[0]
        if head in _FIXED:
            value = self.fixed(_FIXED[head])
            return bool(value) if head == "b" else value
        if head in "so":
            return self.text(self.fixed("I"))
        if head == "g":
            return self.text(self.fixed("B"))
        if head == "v":
            return self.value(self.value("g"))
        if head in "({":
            self.align(8)
            return tuple(self.all(kind[1:-1]))
        length = self.fixed("I")
        self.align(_ALIGNED_TO.get(kind[1], 4))
        end, values = self.at + length, []
        while self.at < end:
            values.append(self.value(kind[1:]))
        return dict(values) if kind[1] == "{" else values


def _padded(data: bytes, size: int) -> bytes:
    return data + b"\0" * (-len(data) % size)


def _body(signature: str, values: tuple[object, ...]) -> bytes:
    data = b""
    for code, value in zip(signature, values, strict=True):
        if code in "so":
            raw = str(value).encode()
            data = _padded(data, 4) + struct.pack("<I", len(raw)) + raw + b"\0"
        else:
            packed = struct.pack("<" + _FIXED[code], value)
            data = _padded(data, len(packed)) + packed
    return data


def _field(number: int, kind: str, text: str) -> bytes:
    raw = text.encode()
    length = struct.pack("<B", len(raw)) if kind == "g" else struct.pack("<I", len(raw))
    return struct.pack("<B", number) + b"\1" + kind.encode() + b"\0" + length + raw + b"\0"


class Bus:
    """A direct connection. `on_signal(path, member, body)` is called in the reading thread."""

    def __init__(self, connected: socket.socket, on_signal: Callable[[str, str, list[Any]], None]) -> None:
        self._socket = connected
        self._socket.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
        self._left = b""
        self._line()
        self._socket.sendall(b"BEGIN\r\n")
        self._on_signal = on_signal
        self._serial = 0
        self._answers: dict[int, tuple[int, str, list[Any]]] = {}
        self._changed = threading.Condition()
        self._is_over = self._has_answered = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def call(self, path: str, interface: str, member: str, signature: str = "", *values: object, within_s: float = 60.0) -> list[Any]:
        """The answer's body. Raises CallFailed, and TimeoutError when none came in time."""
        with self._changed:
            serial = self._send(path, interface, member, signature, *values)
            if not self._has_answered:
                # What reaches systemd together with BEGIN lies in its buffer until something more comes.
                self._changed.wait_for(lambda: self._has_answered or self._is_over, _FIRST_ANSWER_S)
                self._send("/", "org.freedesktop.DBus.Peer", "Ping")
            if not self._changed.wait_for(lambda: serial in self._answers or self._is_over, within_s):
                raise TimeoutError(f"no answer to {member} within {within_s:g} s")
            if serial not in self._answers:
                raise ConnectionError("systemd has closed the connection")
            kind, name, answer = self._answers.pop(serial)
        if kind == ERROR:
            raise CallFailed(name, str(answer[0]) if answer else "")
        return answer

    def _send(self, path: str, interface: str, member: str, signature: str = "", *values: object) -> int:
        """Send a call; its number."""
        body = _body(signature, values)
        fields = _field(_PATH, "o", path)
        for number, text in ((_INTERFACE, interface), (_MEMBER, member), (_DESTINATION, "org.freedesktop.systemd1")):
            fields = _padded(fields, 8) + _field(number, "s", text)
        if signature:
            fields = _padded(fields, 8) + _field(_SIGNATURE, "g", signature)
        self._serial += 1
        header = struct.pack("<cBBBIII", b"l", CALL, 0, 1, len(body), self._serial, len(fields))
        self._socket.sendall(header + _padded(fields, 8) + body)
        return self._serial

    def _line(self) -> bytes:
        while b"\r\n" not in self._left:
            self._left += self._socket.recv(4096)
        line, _, self._left = self._left.partition(b"\r\n")
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self._left) < size:
            part = self._socket.recv(1 << 16)
            if not part:
                raise EOFError
            self._left += part
        data, self._left = self._left[:size], self._left[size:]
        return data

    def _read(self) -> None:
        try:
            while True:
                self._take()
        except (EOFError, OSError):
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _take(self) -> None:
        head = self._exactly(16)
        _, kind, _, _, body_bytes, _, fields_bytes = struct.unpack("<cBBBIII", head)
        rest = self._exactly(-(-fields_bytes // 8) * 8 + body_bytes)
        reader = _Reader(head + rest)
        reader.at = 12
        fields = dict(reader.value("a(yv)"))
        reader.align(8)
        body = _Reader(reader.data[reader.at :]).all(fields.get(_SIGNATURE, ""))
        if kind == SIGNAL:
            self._on_signal(fields.get(_PATH, ""), fields.get(_MEMBER, ""), body)
        elif kind in (ANSWER, ERROR):
            with self._changed:
                self._has_answered = True
                self._answers[fields[_REPLY_SERIAL]] = (kind, fields.get(_ERROR_NAME, ""), body)
                self._changed.notify_all()
