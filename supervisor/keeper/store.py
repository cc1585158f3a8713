"""Named descriptors that outlive every manager: log pipes, sockets, locks. The keeper never reads from one."""

import os
from typing import Any

from supervisor.keeper import stderr


class Store:
    """What is stored, by name. A stored descriptor is always close-on-exec; a manager gets it by an explicit hand-over."""

    def __init__(self) -> None:
        self.descriptors: dict[str, int] = {}
        self._withheld: set[str] = set()

    def put(self, name: str, descriptor: int, is_withheld: bool) -> None:
        """Keep `descriptor`; one that had the name before is closed. A withheld one is never handed to a manager."""
        self.drop(name)
        self.descriptors[name] = descriptor
        if name == stderr.OWN_LOG:
            stderr.log_descriptor = descriptor
        if is_withheld:
            self._withheld.add(name)

    def drop(self, name: str) -> None:
        """Close what is stored under the name; nothing if nothing is."""
        self._withheld.discard(name)
        descriptor = self.descriptors.pop(name, None)
        if name == stderr.OWN_LOG:
            stderr.log_descriptor = -1
        if descriptor is not None:
            os.close(descriptor)

    def inherited(self) -> list[int]:
        """The numbers a manager inherits."""
        return [descriptor for name, descriptor in self.descriptors.items() if name not in self._withheld]

    def listing_with_numbers(self) -> list[list[Any]]:
        """[name, descriptor, is_withheld] of all of them, for a keeper that takes this one's place."""
        return [[name, descriptor, name in self._withheld] for name, descriptor in self.descriptors.items()]

    def listing(self) -> list[list[Any]]:
        """For the table: [name, descriptor], -1 for a withheld one."""
        return [[name, -1 if name in self._withheld else descriptor] for name, descriptor in self.descriptors.items()]
