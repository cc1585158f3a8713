"""Which file a command means (`systemd.service(5)`, COMMAND LINES).

- An absolute path is taken as it is: if nothing is there, exec says so, as for every process.
- A bare name is looked up: in project mode in the PATH the process will find, elsewhere in systemd's fixed search path.
- A relative path with a slash is refused, as in systemd, but means the working directory in project mode.
"""

import os

from supervisor.daemon.prepare_error import PrepareError


def find(unit: str, path: str, search_path: str, working_directory: str | None) -> str:
    """The program's absolute path; `working_directory` is None where relative paths are refused. Raises `PrepareError`, step "EXEC"."""
    if path.startswith("/"):
        return path
    if "/" in path:
        if working_directory is None:
            raise PrepareError(
                "EXEC", f'cannot run "{path}" of {unit}: a program is an absolute path or a bare name. Write the absolute path in the unit.'
            )
        return f"{working_directory.rstrip('/')}/{path.removeprefix('./')}"
    is_forbidden = False
    for directory in search_path.split(":"):
        if not directory.startswith("/"):
            continue  # "" and "." would mean supd's own working directory, which is nobody's wish
        candidate = f"{directory.rstrip('/')}/{path}"
        if os.path.isfile(candidate):
            if os.access(candidate, os.X_OK):
                return candidate
            is_forbidden = True
    cause = "the file found there is not executable" if is_forbidden else "no such program"
    where = search_path or "(empty)"
    raise PrepareError(
        "EXEC", f'cannot run "{path}" of {unit}: {cause} in the search path {where}. Install it, or write its absolute path in the unit.'
    )
