"""The client side of cache.py: a connection that is asked one line and answers one line."""

import socket


class Cache:
    def __init__(self, address: str) -> None:
        """`address` is "host:port"."""
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._lines = self._socket.makefile("r", encoding="utf-8")

    def ask(self, *words: str) -> str:
        """Send one command, wait for its answer. A cache that went away is a ConnectionError."""
        self._socket.sendall((" ".join(words) + "\n").encode())
        line = self._lines.readline()
        if not line:
            raise ConnectionError("the cache closed the connection")
        return line.rstrip("\n")
