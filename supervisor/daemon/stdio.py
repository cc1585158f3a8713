"""Where descriptors 0, 1 and 2 of a process lead: `standard_input`, `_output` and `_error` in the keeper's forms (`systemd.exec(5)`).

Rules: a file is made with mode 0666 less the unit's umask; `file:` writes at the start and keeps what is behind, `append:`
and `truncate:` do what they say; `standard_error = "inherit"`, or the same target as `standard_output`, shares its descriptor, so
that both lines keep their order, but "log" is a stream of its own. "inherit" elsewhere is supd's own. "unit:NAME" is the log of
that unit, whether it runs or not.

A *stream* of a log is named as its unit, or `UNIT/stderr`.
"""

import os
from typing import Any

from supervisor.model.specification import Execution

FILE_MODE = 0o666

_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_NOCTTY | os.O_CLOEXEC
_FLAGS_OF_FORM = {"file": _WRITE_FLAGS, "append": _WRITE_FLAGS | os.O_APPEND, "truncate": _WRITE_FLAGS | os.O_TRUNC}


STDERR = "/stderr"


def stream_of(unit: str, target: str, is_stderr: bool) -> str | None:
    """The stream of a log that a target leads to; None when it is none."""
    if target == "log":
        return unit + STDERR if is_stderr else unit
    return target.removeprefix("unit:") if target.startswith("unit:") else None


def streams(unit: str, execution: Execution) -> list[str]:
    """The streams that the unit's processes write to."""
    found = (stream_of(unit, execution.standard_output, False), stream_of(unit, execution.standard_error, True))
    return list(dict.fromkeys(stream for stream in found if stream is not None))


def resolve(unit: str, execution: Execution, directory: str) -> tuple[list[Any], list[Any], list[Any]]:
    """(stdin, stdout, stderr) for the spawn request; relative paths are taken from `directory`."""
    out, err = execution.standard_output, execution.standard_error
    stdout = _output(stream_of(unit, out, False), out, execution.umask, directory)
    is_shared = err == "inherit" or (err == out and err != "log")
    stderr = ["stdout"] if is_shared else _output(stream_of(unit, err, True), err, execution.umask, directory)
    return _input(execution.standard_input, directory), stdout, stderr


def _input(text: str, directory: str) -> list[Any]:
    form, _, path = text.partition(":")
    if form == "file":
        return ["open", _absolute(path, directory), os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC, 0]
    return ["null"] if form == "null" else ["inherit"]


def _output(stream: str | None, text: str, umask: int, directory: str) -> list[Any]:
    if stream is not None:
        return ["stored", f"log:{stream}"]
    form, _, path = text.partition(":")
    flags = _FLAGS_OF_FORM.get(form)
    if flags is not None:
        return ["open", _absolute(path, directory), flags, FILE_MODE & ~umask]
    return ["null"] if form == "null" else ["inherit"]


def _absolute(path: str, directory: str) -> str:
    return path if path.startswith("/") else f"{directory.rstrip('/')}/{path}"
