"""A unit file while somebody works on it: whether it would load where it belongs, and how it takes its place."""

import os
from dataclasses import replace

from supervisor.config import mode as modes
from supervisor.config.check import check
from supervisor.config.mode import Mode


def mode_of(files: list[str]) -> Mode:
    """The setting whose rules apply: the system's or the user's for their own directories, a project's for any other file."""
    instance = modes.system() if os.geteuid() == 0 else modes.user(os.environ)
    directories = list(dict.fromkeys(os.path.dirname(file) for file in files))
    if directories:
        return instance if all(directory in instance.unit_directories for directory in directories) else modes.project(directories)
    if os.geteuid() != 0 and os.path.isdir("units"):
        return modes.project(["units"])
    return instance


def problems_of_text(draft: str, path: str) -> list[str]:
    """What would be wrong if the file `draft` stood at `path`; a line each. The other units are those beside `path`."""
    own = os.path.dirname(os.path.abspath(path))
    mode = mode_of([os.path.abspath(path)])
    others = (own, *(directory for directory in mode.unit_directories if directory != own))
    result = check(replace(mode, unit_directories=others), [draft])
    return [problem.text(os.path.dirname(draft)) for problem in result.errors]


def put_in_place(path: str, text: str) -> None:
    """Atomically: a reader, supd among them, sees the old text or the new one. Mode and owner stay; a symlink's target is replaced.

    Raises OSError; the old text is then still there.
    """
    path = os.path.realpath(path)
    status = os.stat(path)
    draft = f"{path}.{os.getpid()}.new"  # not *.toml: supd does not take it for a unit
    try:
        with open(draft, "x", encoding="utf-8", errors="surrogateescape") as file:
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        if os.path.lexists(draft):
            os.unlink(draft)
        raise
