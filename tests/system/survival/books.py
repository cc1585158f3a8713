"""Reading the books that witnesses keep (witness.py), and waiting for an entry in one."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from tests.system.arrival import Deadline, NotInTime, changes


@dataclass(slots=True)
class Life:
    """One run of a witness, as it recorded it itself. `end_status` is None for one that was killed, or that lives."""

    invocation_id: str
    began_ns: int
    pid: int = 0
    generation: int = 0
    lines: int = 0
    has_term: bool = False
    end_status: int | None = None
    ended_ns: int = 0
    is_doubled: bool = False


class Books:
    """The directory of all books."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def lives(self, name: str) -> list[Life]:
        """All lives of a witness, oldest first. A last line that is still being written is not read yet."""
        try:
            with open(os.path.join(self.directory, name), encoding="ascii") as file:
                text = file.read()
        except FileNotFoundError:
            return []
        lives: dict[str, Life] = {}
        for row in text[: text.rfind("\n") + 1].splitlines():
            word, invocation_id, when, *more = row.split(" ")
            life = lives.setdefault(invocation_id, Life(invocation_id, int(when)))
            assert life.end_status is None, f"{name}: {row!r} after the last word of {invocation_id}"
            life.ended_ns = int(when)
            match word:
                case "start":
                    assert not life.pid, f"{name}: {invocation_id} begins twice"
                    life.pid, life.generation = int(more[0]), int(more[1])
                case "wrote":
                    life.lines = int(more[0])
                case "term":
                    life.has_term = True
                case "end":
                    life.end_status = int(more[0])
                case "doubled":
                    life.is_doubled = True
        return list(lives.values())

    def names(self) -> list[str]:
        return sorted(name for name in os.listdir(self.directory) if not name.startswith("."))

    def wait(self, name: str, what: str, holds: Callable[[list[Life]], object], within_s: float) -> list[Life]:
        """Until the lives of a witness satisfy `holds`; they are looked at whenever a book is written to."""
        deadline = Deadline(within_s)
        with changes(self.directory) as wait_for_change:
            while not holds(lives := self.lives(name)):
                if not wait_for_change(deadline.remaining_s()):
                    raise NotInTime(f"{name} has not {what} within {within_s:g} s; its lives: {lives[-3:]}")
        return lives
