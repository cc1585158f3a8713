"""Where the logs of a supd lie that does not answer: a log is wanted most when nothing runs any more.

The places follow from where its socket would be (`discovery`): beside the socket of a project or of `--state`, in the user's state
directory, in the system's. A `.supd` that was merely found counts only if nobody else could have put it there.
"""

import os

from supervisor.client import discovery

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SYSTEM_DIRECTORY = "/var/lib/supd/logs"


def directory(explicit: str | None, environ: "Mapping[str, str]", uid: int | None = None, start: str | None = None) -> str | None:
    """The directory that holds a directory of segments for each unit; None when there is none. Arguments as `discovery.find`."""
    uid = os.geteuid() if uid is None else uid
    named = explicit or environ.get("SUPD_SOCKET")
    if named:
        return _existing(os.path.join(os.path.dirname(os.path.abspath(named)), "logs"))
    if uid == 0:
        return _existing(SYSTEM_DIRECTORY)
    state = environ.get("XDG_STATE_HOME", "")
    own = os.path.join(state if state.startswith("/") else environ.get("HOME", "/") + "/.local/state", "supd", "logs")
    return _upwards(uid, os.path.realpath(start or os.getcwd())) or _existing(own)


def units(logs: str) -> list[str]:
    """The units that have a log there."""
    return sorted(entry.name for entry in os.scandir(logs) if entry.is_dir(follow_symlinks=False))


def _upwards(uid: int, here: str) -> str | None:
    while True:
        found = _existing(os.path.join(here, ".supd", "logs"))
        if found is not None:
            return found if not discovery.why_not_trusted(found, uid) else None
        if here == "/":
            return None
        here = os.path.dirname(here)


def _existing(path: str) -> str | None:
    return path if os.path.isdir(path) else None
