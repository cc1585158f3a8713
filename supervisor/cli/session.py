"""One run of supctl: its arguments, where it prints, and the client, found when it is first needed."""

import os
import sys

from supervisor.cli.arguments import Arguments, UsageError
from supervisor.cli.screen import Screen
from supervisor.client import discovery
from supervisor.client.api import Client
from supervisor.client.errors import ApiError, NoDaemon
from supervisor.client.terminal import neutralise
from supervisor.client.wire import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OK = 0
FAILED = 1
USAGE = 2
NOT_ACTIVE = 3
NO_SUCH_UNIT = 4
NO_DAEMON = 69
TIMED_OUT = 124  # as timeout(1)
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

# systemctl's exit statuses for a refused request, after the LSB's (systemctl(1), "Exit status"; src translate_bus_error_to_exit_status).
STATUS_OF_REFUSAL = {"no-such-unit": 5, "bad-setting": 6, "not-applicable": 3, "refused": 4, "destructive": 4, "forbidden": 4}


class Session:
    """What every verb gets."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.out = Screen(sys.stdout)
        self.err = Screen(sys.stderr)
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """Raises NoDaemon, with every socket that was tried, when none was found."""
        if self._client is None:
            search = discovery.find(self.arguments.text("socket") or None, os.environ)
            if search.place is None:
                raise NoDaemon("\n".join(["no supd was found. Looked at:", *(f"  {line}" for line in search.passed_over), how_to_start()]))
            self._client = Client(search.place)
        return self._client

    def names(self, *, or_all: bool = False) -> list[str]:
        """The units that the operands and `--state` mean, each once. Only patterns and states cost a question to supd."""
        words, states = self.arguments.operands, self.arguments.many("state")
        if not words and not states and not or_all:
            raise UsageError("no unit was named")
        if words and not states and not any(is_pattern(word) for word in words):
            return list(dict.fromkeys(words))
        found = [str(unit["id"]) for unit in self.client.units(words, states)]
        if not found and words and not or_all:
            self.complain(f"no unit matches {' '.join(words)}")
        return found

    def complain(self, text: str) -> None:
        """A line on stderr, with our name. What it quotes may come from anywhere, so a terminal is not to obey it."""
        self.err.write(neutralise(f"supctl: {text}"))

    def advise(self, text: str, label: str = "next") -> None:
        """A line below a complaint: what to do next, or what is behind it."""
        self.err.write(neutralise(f"  {label}: {text}"))

    def refused(self, action: str, error: ApiError) -> int:
        """Tell that supd refused and what to do next; the exit status."""
        self.complain(error.message if error.message.startswith("cannot ") else f"cannot {action}: {error.message}")
        self._advise_on(error)
        return STATUS_OF_REFUSAL.get(error.code, FAILED)

    def _advise_on(self, error: ApiError) -> None:
        if error.code == "no-such-unit" and error.unit:
            from supervisor.cli.unknown import advise

            advise(self, error.unit)
        elif error.hint and "`supctl " not in error.message:  # otherwise the message names the next step itself
            self.advise(error.hint)

    def unknown(self, error: ApiError) -> int:
        """Tell that a unit does not exist, and what may have been meant. Any other refusal is raised again; the exit status."""
        if error.code != "no-such-unit":
            raise error
        self.complain(error.message)
        self._advise_on(error)
        return NO_SUCH_UNIT

    def print_json(self, value: "Any") -> None:
        self.out.write(compose(value))


def is_pattern(word: str) -> bool:
    return any(character in word for character in "*?[")


def how_to_start() -> str:
    """The last line of every "nobody answers"."""
    if os.geteuid() == 0:
        return "Start one with `supd` (the system's), or with `supd --units ./units` for a project; or name a socket with --socket PATH."
    return "Start one with `supd` in a directory that holds units/, or name a socket with --socket PATH."
