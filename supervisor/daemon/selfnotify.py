"""supd as somebody's service: READY, STOPPING, STATUS and WATCHDOG to the socket it was given (sd_notify(3)).

The manager speaks, not the keeper, so that the watchdog watches what can hang; the unit that runs supd says NotifyAccess=all
(contrib/supd.service). Nobody who listens costs nothing, and a socket that is gone is no reason to fail.
"""

import os
import socket
from collections.abc import MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


class SelfNotify:
    """What whoever started supd wants to hear. Takes its variables out of the environment."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", "")
        span_us = environ.pop("WATCHDOG_USEC", "")
        pid = environ.pop("WATCHDOG_PID", "")
        is_ours = not pid or pid == str(os.getppid())  # the keeper was started with it
        self._watchdog_us = int(span_us) if span_us.isdigit() and is_ours else 0

    def say(self, *lines: str) -> None:
        """One datagram of KEY=value lines."""
        if not self._address.startswith(("/", "@")):
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(), address)
        except OSError:
            pass  # nobody listens (any more)

    def keep_alive(self, loop: "asyncio.AbstractEventLoop") -> None:
        """WATCHDOG=1 at half the span asked for, as long as the loop turns."""
        if self._watchdog_us and self._address:
            self.say("WATCHDOG=1")
            loop.call_later(self._watchdog_us / 2_000_000, self.keep_alive, loop)
