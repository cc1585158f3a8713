"""Where descriptors 0, 1 and 2 of a process lead: `standard_input`, `_output` and `_error` in the keeper's forms (`systemd.exec(5)`).

Rules: a file is made with mode 0666 less the unit's umask; `file:` writes at the start and keeps what is behind, `append:`
and `truncate:` do what they say; `standard_error = "inherit"`, or the same target as `standard_output`, shares its descriptor, so
that both lines keep their order. "inherit" elsewhere is supd's own.
"""

import os
from typing import Any

from supervisor.model.specification import Execution

FILE_MODE = 0o666

_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_NOCTTY | os.O_CLOEXEC
_FLAGS_OF_FORM = {"file": _WRITE_FLAGS, "append": _WRITE_FLAGS | os.O_APPEND, "truncate": _WRITE_FLAGS | os.O_TRUNC}


def resolve(unit: str, execution: Execution, directory: str) -> tuple[list[Any], list[Any], list[Any]]:
    """(stdin, stdout, stderr) for the spawn request; relative paths are taken from `directory`."""
    stdout = _output(unit, execution.standard_output, execution.umask, directory)
    if execution.standard_error in ("inherit", execution.standard_output):
        return _input(execution.standard_input, directory), stdout, ["stdout"]
    return _input(execution.standard_input, directory), stdout, _output(unit, execution.standard_error, execution.umask, directory)


def _input(text: str, directory: str) -> list[Any]:
    form, _, path = text.partition(":")
    if form == "file":
        return ["open", _absolute(path, directory), os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC, 0]
    return ["null"] if form == "null" else ["inherit"]


def _output(unit: str, text: str, umask: int, directory: str) -> list[Any]:
    if text == "log":
        return ["stored", f"log:{unit}"]
    form, _, path = text.partition(":")
    flags = _FLAGS_OF_FORM.get(form)
    if flags is not None:
        return ["open", _absolute(path, directory), flags, FILE_MODE & ~umask]
    return ["null"] if form == "null" else ["inherit"]


def _absolute(path: str, directory: str) -> str:
    return path if path.startswith("/") else f"{directory.rstrip('/')}/{path}"
