"""Why a process could not even be asked for: the failed step, systemd's exit status for it, and a sentence for a person.

A step has the name of its exit status, as the keeper's steps have (`systemd.exec(5)`, PROCESS EXIT CODES), so that a failure reads
the same whether found out here or between fork and exec. One is added: for an unreadable environment file systemd runs
nothing and fails the unit with the result `resources`, for which `RESOURCES_EXIT_STATUS` stands.
"""

import os

from supervisor.model.errors import SupdError

ENVIRONMENT_STEP = "ENVIRONMENT"
RESOURCES_EXIT_STATUS = 1


class PrepareError(SupdError):
    """A step before the spawn failed. `text` says what could not be done, why, and what to do next."""

    def __init__(self, step: str, text: str) -> None:
        super().__init__(text)
        self.step = step
        self.text = text

    @property
    def exit_status(self) -> int:
        from supervisor.model.exitstatus import EXIT_STATUS_NUMBERS

        return RESOURCES_EXIT_STATUS if self.step == ENVIRONMENT_STEP else EXIT_STATUS_NUMBERS[self.step]


def reason(error: OSError) -> str:
    """The kernel's own words, in lower case as they stand inside a sentence: "no such file or directory"."""
    words = os.strerror(error.errno) if error.errno else str(error)
    return words[:1].lower() + words[1:]
