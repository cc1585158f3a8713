"""One request to supd over its Unix socket: connect, check who listens, ask, read to the end.

Each request has its own connection and speaks HTTP/1.0, so an answer ends where the connection ends and nothing of HTTP's framing
is needed. After connecting, the peer's uid must be the caller's own or root's, unless the caller named the socket with `--socket`:
whoever else answers there is not believed. Uses `_socket` alone: `socket` would load enum and selectors for nothing.
"""

import _socket
import os
import time

from supervisor.client.discovery import Place
from supervisor.client.errors import ApiError, BrokenAnswer, NoDaemon
from supervisor.client.wire import compose, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

ANSWER_TIMEOUT_S = 60.0
ENDED = "cannot read the answer of supd: the connection ended"
_SUN_PATH_MAX = 107
_UCRED_BYTES = 12


class Answer:
    """Status, header lines (lower-case names) and body of one answer."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def value(self) -> "Any":
        """The JSON of a good answer. Raises ApiError for any other."""
        try:
            value = parse(self.body)
        except ValueError:
            raise BrokenAnswer(f"cannot read the answer of supd: it is not JSON (HTTP status {self.status})") from None
        if self.status >= 400:
            error = value.get("error", {}) if isinstance(value, dict) else {}
            raise ApiError(
                self.status, error.get("code", ""), error.get("message", "no reason given"), error.get("unit", ""), error.get("hint", "")
            )
        return value


class Exchange:
    """A request under way. `peer_uid` is the daemon's uid as the kernel tells it."""

    def __init__(self, place: Place, method: str, target: str, body: "dict[str, Any] | None" = None, headers: str = "") -> None:
        self.place = place
        self._socket = _connect(place)
        self.peer_uid = checked_peer(self._socket, place)
        self._received = bytearray()
        self._socket.settimeout(ANSWER_TIMEOUT_S)
        try:
            self._socket.sendall(request_bytes(method, target, body, headers))
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before we had said all; the refusal is there to be read

    def receive(self, timeout_s: float | None) -> bool:
        """Wait for more bytes: True when some came, False when the time is over. Raises BrokenAnswer at the end of the connection."""
        self._socket.settimeout(timeout_s)
        try:
            piece = self._socket.recv(65536)
        except TimeoutError:
            return False
        except ConnectionResetError:
            piece = b""
        if not piece:
            raise BrokenAnswer(ENDED)
        self._received += piece
        return True

    def answer(self, timeout_s: float | None = ANSWER_TIMEOUT_S) -> Answer | None:
        """The whole answer, or None when it has not come after `timeout_s`; it can then be asked for again."""
        while True:
            whole = whole_answer(self._received, self.place)
            if whole is not None:
                self.close()
                return whole
            if not self.receive(timeout_s):
                return None

    def await_head(self) -> None:
        """Wait until the answer has begun, and drop its head. Raises ApiError for a refusal."""
        while (parted := head_of(self._received, self.place)) is None:
            if not self.receive(ANSWER_TIMEOUT_S):
                raise NoDaemon(f"supd at {self.place.path} accepted the request but does not answer")
        if parted[0] >= 400:
            refusal = self.answer()
            if refusal is not None:
                refusal.value()
            raise BrokenAnswer("cannot read the refusal of supd")
        del self._received[: parted[2]]

    def lines(self, deadline_s: float | None = None) -> "Iterator[bytes | None]":
        """The lines of a body without an end, as they come, after `await_head`; None whenever `deadline_s` (time.monotonic()) is past."""
        while True:
            while (newline := self._received.find(b"\n")) >= 0:
                line = bytes(self._received[:newline])
                del self._received[: newline + 1]
                yield line
            try:
                if not self.receive(None if deadline_s is None else max(0.001, deadline_s - time.monotonic())):
                    yield None
            except BrokenAnswer:
                return

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


def request_bytes(method: str, target: str, body: "dict[str, Any] | None" = None, headers: str = "") -> bytes:
    """One whole request. `headers` are more lines, each with its end."""
    content = b"" if body is None else compose(body).encode()
    head = f"{method} {target} HTTP/1.0\r\nHost: supd\r\n{headers}Content-Length: {len(content)}\r\n\r\n"
    return head.encode("ascii") + content


def head_of(received: bytearray, place: Place) -> tuple[int, dict[str, str], int] | None:
    """Status, headers, and where the body begins; None until they are there."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    try:
        first, *rest = received[:end].decode("latin-1").split("\r\n")
        status = int(first.split(" ", 2)[1])
    except (ValueError, IndexError):
        raise BrokenAnswer(f"cannot understand what answers at {place.path}: it does not speak HTTP") from None
    headers = {}
    for line in rest:
        name, _, text = line.partition(":")
        headers[name.lower()] = text.strip()
    return status, headers, end + 4


def whole_answer(received: bytearray, place: Place) -> Answer | None:
    """The answer that the bytes begin with; None until it is whole."""
    parted = head_of(received, place)
    if parted is None:
        return None
    status, headers, begin = parted
    end = begin + int(headers.get("content-length", "0"))
    return Answer(status, headers, bytes(received[begin:end])) if len(received) >= end else None


def _connect(place: Place) -> _socket.socket:
    end = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    end.settimeout(ANSWER_TIMEOUT_S)
    try:
        connect_to(end, place)
        return end
    except OSError as error:
        end.close()
        raise no_daemon(place, error) from None


def connect_to(end: _socket.socket, place: Place) -> None:
    """connect(2). A path beyond sun_path is reached through its directory's descriptor. Raises OSError."""
    if len(os.fsencode(place.path)) <= _SUN_PATH_MAX:
        end.connect(place.path)
        return
    directory = os.open(os.path.dirname(place.path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        end.connect(f"/proc/self/fd/{directory}/{os.path.basename(place.path)}")
    finally:
        os.close(directory)


def no_daemon(place: Place, error: OSError) -> NoDaemon:
    """Why the connection could not be made, as a sentence."""
    if place.is_forwarded and isinstance(error, (ConnectionRefusedError, FileNotFoundError)):
        return NoDaemon(f"the connection {place.origin} has ended")
    return NoDaemon(f"cannot connect to {place.path} ({place.origin}): {_reason(error)}")


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there; a supd that has ended left its socket behind"
    if isinstance(error, FileNotFoundError):
        return "there is no such socket"
    if isinstance(error, PermissionError):
        return "you may not; it belongs to another user"
    if isinstance(error, TimeoutError):
        return "it does not accept connections"
    return error.strerror or str(error)


def checked_peer(end: _socket.socket, place: Place) -> int:
    """The uid of who listens. Raises NoDaemon, with the socket closed, when it is not to be believed."""
    credentials = end.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _UCRED_BYTES)
    uid = int.from_bytes(credentials[4:8], "little" if _IS_LITTLE else "big")
    if uid not in (os.geteuid(), 0) and not place.trusts_any_peer:
        end.close()
        raise NoDaemon(
            f"cannot trust what listens at {place.path} ({place.origin}): it runs as uid {uid}, neither you nor root. "
            f"If that is meant, name the socket: --socket {place.path}"
        )
    return uid


_IS_LITTLE = memoryview(b"\1\0").cast("H")[0] == 1
