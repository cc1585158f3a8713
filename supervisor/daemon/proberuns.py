"""How the run of an exec probe is given up: also one that a manager which died has left behind.

Light, for it is needed where asyncio is not there yet.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisor.daemon.shell import Shell

PROBE_PHASE = "probe"  # of the keeper's table: no phase of the engine's
SIGKILL = 9


def end_probe(shell: "Shell", run: int, pid: int) -> None:
    """Kill the command with what it has started, and forget its run. `pid` is 0 if it has ended, or no fork was reported."""
    if pid:
        try:
            # It leads a group of its own (the keeper gives it a session), and its pid is its own until its end is reported.
            os.killpg(pid, SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # it is ending, or has become somebody else: the keeper, told below, knows it by its pidfd
    shell.link.send({}, [["signal", run, SIGKILL], ["forget", run]])
