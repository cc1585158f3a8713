"""The questions a probe can put to a service from outside: http, tcp, unix. Each is answered by a sentence.

An answer is good or bad and says why. The caller bounds the time; a question that is cancelled leaves nothing behind.

Never: follows a redirect, trusts an answer's length, or switches certificate checks off.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urlsplit

_HEAD_MAX_BYTES = 64 * 1024


class Answer(NamedTuple):
    ok: bool
    text: str


Question = Callable[[str], Awaitable[Answer]]


async def http(target: str) -> Answer:
    """GET the URL; 200 to 399 is good. Only the status line is believed, and only it is read."""
    url = urlsplit(target)
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError as error:
        return Answer(False, f"cannot ask {target}: {error}")
    if url.scheme not in ("http", "https") or not url.hostname:
        return Answer(False, f"cannot ask {target}: not an http or https URL")
    tls = None
    if url.scheme == "https":
        import ssl

        tls = ssl.create_default_context()
    try:
        reader, writer = await asyncio.open_connection(url.hostname, port, ssl=tls, limit=_HEAD_MAX_BYTES)
    except (OSError, ValueError) as error:  # ValueError: a name no resolver can be asked for
        return Answer(False, _connect_failed(f"{url.hostname}:{port}", error))
    try:
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        host = url.netloc.rpartition("@")[2]
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: supd-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        writer.write(head.encode("ascii", "surrogateescape") if head.isascii() else head.encode())
        await writer.drain()
        status_line = await reader.readline()
    except (OSError, ValueError) as error:
        return Answer(False, f"GET {target}: {_cause(error)}")
    finally:
        writer.transport.abort()
    return _judge_status(target, status_line)


def _judge_status(target: str, status_line: bytes) -> Answer:
    words = status_line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        return Answer(False, f"GET {target}: not an HTTP answer" if status_line else f"GET {target}: closed without an answer")
    code = int(words[1])
    reason = words[2].decode("latin-1").strip() if len(words) > 2 else ""
    return Answer(200 <= code < 400, f"HTTP {code} {reason}".rstrip())


async def tcp(target: str) -> Answer:
    """Connect to `host:port` (`[::1]:80` for IPv6); that it accepts is good."""
    host, separator, port = target.rpartition(":")
    if not separator or not port.isdigit():
        return Answer(False, f"cannot connect to {target}: expected host:port")
    try:
        _, writer = await asyncio.open_connection(host.strip("[]") or "127.0.0.1", int(port))
    except (OSError, ValueError, OverflowError) as error:
        return Answer(False, _connect_failed(target, error))
    writer.transport.abort()
    return Answer(True, f"connected to {target}")


async def unix(target: str) -> Answer:
    """Connect to the socket at this path, whatever its type; that it accepts is good."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as connection:
            connection.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(connection, target)
            except OSError as error:
                if error.errno == errno.EPROTOTYPE:  # a socket of another type
                    continue
                return Answer(False, _connect_failed(target, error))
            return Answer(True, f"connected to {target}")
    return Answer(False, f"connect to {target}: not a socket of a known type")


def _connect_failed(target: str, error: Exception) -> str:
    return f"connect to {target}: {_cause(error)}"


def _cause(error: Exception) -> str:
    """The reason in the system's words: "connection refused", not asyncio's sentence about it."""
    # Classes of ssl and of the resolver have numbers of their own in `errno`; theirs is the text.
    if isinstance(error, OSError) and type(error).__module__ == "builtins":
        number = error.errno or _common_errno(str(error))
        if number:
            return os.strerror(number).lower()
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def _common_errno(text: str) -> int | None:
    """asyncio joins the failures of several addresses of one name into one text: the errno, if they all have the same."""
    numbers = {part.partition("]")[0] for part in text.split("[Errno ")[1:]}
    return int(numbers.pop()) if len(numbers) == 1 else None
