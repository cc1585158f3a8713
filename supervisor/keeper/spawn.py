"""The one spawn path: fork, and a status pipe that says how far the child came.

The parent waits for nothing: it learns of exec by end of file on the close-on-exec status pipe, whenever that comes. A child
whose exec hangs costs one descriptor. (vfork, posix_spawn and Popen hold the parent until exec returns.)
"""

import _signal  # type: ignore[import-not-found]  # see steps
import os
from typing import Any

from supervisor.keeper import forking, steps

FORK_FAILED_STEP = "FORK"  # no process: the status is the general one
FORK_FAILED_STATUS = 1

# Caught or ignored by the keeper: held back from before fork until the child has default dispositions, so that none of
# them is swallowed by a handler the child inherited.
HELD_SIGNALS = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGCHLD, _signal.SIGUSR1, _signal.SIGUSR2, _signal.SIGPIPE)


class Spawner:
    """Forks children for a keeper whose own signal dispositions are settled: made after they are, and they stay."""

    def __init__(self, nofile_soft: int) -> None:
        self._nofile_soft = nofile_soft
        settable = _signal.valid_signals() - {_signal.SIGKILL, _signal.SIGSTOP}
        # Found once: to ask for all of them in every child would be a sixth of what a child costs.
        self._changed_signals: list[int] = [number for number in settable if _signal.getsignal(number) != _signal.SIG_DFL]

    def spawn(self, request: dict[str, Any], stored: dict[str, int]) -> tuple[int, int]:
        """Fork a child on its way to exec. Returns its pid and the non-blocking read end of its status pipe.

        Raises OSError when there is no descriptor or no process to be had.
        """
        read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            child = steps.Child(request, stored, write_end, self._nofile_soft, self._changed_signals)
            mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, HELD_SIGNALS)
            try:
                cgroup = request.get("cgroup")
                pid = forking.fork_into(steps.as_bytes(cgroup)) if cgroup and request.get("is_born_in_cgroup") else None
                if pid is not None:
                    child.request = {**request, "cgroup": None}  # it is there already
                else:
                    pid = os.fork()
                if pid == 0:
                    steps.become(child)
            finally:
                _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
        except OSError:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        return pid, read_end


def outcome(status: bytes) -> tuple[str, int, int] | bool:
    """What a finished status pipe said: (step, errno, exit status) of the failure; or whether exec was reached."""
    reached, mark, record = status.partition(steps.FAILURE_MARK)
    if not mark:
        return reached == steps.EXEC_REACHED
    number, errno = record.split()
    step, exit_status, _, _ = steps.STEPS[int(number)]
    return step, int(errno), exit_status
