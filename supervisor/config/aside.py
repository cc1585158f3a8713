"""Loading unit files in a process of its own, with which all goes that only the loading needs: pydantic, the parsers, twelve megabytes.

The child reads and checks while the manager does something else. It changes nothing, and of what the manager has open it keeps the pipe
for its answer alone; the kernel ends it with the manager. Whatever goes wrong with it costs time, never a unit: the manager then loads by
itself, and meets the error itself.
"""

import gc
import json
import os
from typing import NoReturn

from supervisor.config import load_units, store
from supervisor.config.mode import Mode
from supervisor.config.problems import Problem
from supervisor.config.result import LoadResult

HIGHEST_DESCRIPTOR = 2**31 - 1
PR_SET_PDEATHSIG = 1
SIGKILL = 9


class Loading:
    """The set of `mode` on its way: the stored one while it holds, else what another process reads. For a process of one thread.

    It ends with `result` or with `drop`.
    """

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._stored = store.read(mode)
        self._child: tuple[int, int] | None = None if self._stored is not None else _begin(mode)  # its pid, and where it answers

    def result(self) -> LoadResult:
        """Waits for it. What was read without errors is stored."""
        if self._stored is not None:
            return self._stored
        text = self._answer()
        if text is None:
            return load_units(self._mode)
        errors, _, kept = text.partition("\n")
        result = store.from_text(kept, self._mode)
        result.errors = [Problem(**problem) for problem in json.loads(errors)]
        if not result.errors:
            store.write_text(kept, self._mode)
        return result

    def drop(self) -> None:
        """Nobody will ask for it."""
        self._answer()

    def _answer(self) -> str | None:
        """All that the child said; None when it failed, or there is none."""
        if self._child is None:
            return None
        pid, descriptor = self._child
        self._child = None
        with os.fdopen(descriptor, encoding="utf-8") as file:
            text = file.read()
        return text if os.waitpid(pid, 0)[1] == 0 else None


def _begin(mode: Mode) -> tuple[int, int] | None:
    try:
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
    except OSError:
        return None
    manager = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        os.close(read_end)
        return None
    else:
        if pid == 0:
            _tell(mode, write_end, manager)
        return pid, read_end
    finally:
        os.close(write_end)


def _tell(mode: Mode, descriptor: int, manager: int) -> NoReturn:
    """The child: the errors in one line, then the set as the store keeps it."""
    status = 1
    try:
        os.closerange(3, descriptor)
        os.closerange(descriptor + 1, HIGHEST_DESCRIPTOR)
        gc.disable()  # all of it goes in a moment
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
        if os.getppid() != manager:
            os._exit(status)  # it was gone before: nobody waits
        from supervisor.config.load import load

        result = load(mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps([problem.json() for problem in result.errors]) + "\n" + store.as_text(result))
        status = 0
    finally:
        os._exit(status)  # what was raised is raised again where the manager loads by itself
