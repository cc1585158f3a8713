"""Loading unit files in a process of its own, with which all goes that only the loading needs: pydantic, the parsers, ten megabytes.

The child reads and checks. It changes nothing, and of what the manager has open it keeps the pipe for its answer alone. Whatever goes
wrong with it costs time, never a unit: the manager then loads by itself, and meets the error itself.
"""

import gc
import json
import os
from typing import NoReturn

from supervisor.config import store
from supervisor.config.mode import Mode
from supervisor.config.problems import Problem
from supervisor.config.result import LoadResult

HIGHEST_DESCRIPTOR = 2**31 - 1


def load(mode: Mode) -> tuple[LoadResult, str] | None:
    """What the unit files of `mode` say, and the same as the store keeps it; None when no process could tell.

    For a process of one thread.
    """
    try:
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
    except OSError:
        return None
    try:
        pid = os.fork()
    except OSError:
        os.close(read_end)
        os.close(write_end)
        return None
    if pid == 0:
        _answer(mode, write_end)
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8") as file:
        errors, _, text = file.read().partition("\n")
    _, status = os.waitpid(pid, 0)
    if status != 0:
        return None
    result = store.from_text(text, mode)
    result.errors = [Problem(**problem) for problem in json.loads(errors)]
    return result, text


def _answer(mode: Mode, descriptor: int) -> NoReturn:
    status = 1
    try:
        os.closerange(3, descriptor)
        os.closerange(descriptor + 1, HIGHEST_DESCRIPTOR)
        gc.disable()  # all of it goes in a moment
        from supervisor.config.load import load as load_now

        result = load_now(mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps([problem.json() for problem in result.errors]) + "\n" + store.as_text(result))
        status = 0
    finally:
        os._exit(status)  # what was raised is raised again where the manager loads by itself
