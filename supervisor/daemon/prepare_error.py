"""Why a process could not even be asked for: the failed step, systemd's exit status for it, and a sentence for a person.

The steps are those of `model.exitstatus.SETUP_STEP_STATUS`, so that a user that does not exist reads the same whether found
out here or between fork and exec. One is added: for an unreadable environment file systemd runs nothing and fails the unit
with the result `resources`, for which `RESOURCES_EXIT_STATUS` stands.
"""

import os

from supervisor.model.errors import SupdError
from supervisor.model.exitstatus import SETUP_STEP_STATUS

ENVIRONMENT_FILE_STEP = "environment_file"
RESOURCES_EXIT_STATUS = 1


class PrepareError(SupdError):
    """A step before the spawn failed. `text` says what could not be done, why, and what to do next."""

    def __init__(self, step: str, text: str) -> None:
        super().__init__(text)
        self.step = step
        self.exit_status = RESOURCES_EXIT_STATUS if step == ENVIRONMENT_FILE_STEP else SETUP_STEP_STATUS[step]
        self.text = text


def reason(error: OSError) -> str:
    """The kernel's own words, in lower case as they stand inside a sentence: "no such file or directory"."""
    words = os.strerror(error.errno) if error.errno else str(error)
    return words[:1].lower() + words[1:]
