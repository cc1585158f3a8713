"""Where supd's control socket is, and whether what was found may be believed.

The order: `--socket`, `$SUPD_SOCKET` (either is then the only candidate), the nearest `.supd/` upwards that holds a socket (never as root),
the user's instance, the system's. A `.supd` that was merely found counts only if it, its socket and each parent up to / belong to
the caller or root and no directory is writable by anybody else; otherwise whoever may write there could answer in the daemon's place.
(A socket's own mode says only who may connect: with roles it is open to all.)

Imports nothing but os: every `supctl status` pays for this module.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_NAME = "supd.sock"
SYSTEM_SOCKET = "/run/supd/supd.sock"

_WRITABLE_BY_GROUP = 0o020
_WRITABLE_BY_OTHERS = 0o002
_STICKY = 0o1000
_KIND = 0o170000  # the stat module is not worth its import here
_DIRECTORY = 0o040000


class Place:
    """One socket to try. `origin` says where the path comes from; with `trusts_any_peer` the caller vouched for the path himself.

    Behind one that `is_forwarded` a supd of another host answers: the paths it names are not paths here.
    """

    __slots__ = ("is_forwarded", "origin", "path", "trusts_any_peer")

    def __init__(self, path: str, origin: str, trusts_any_peer: bool = False, is_forwarded: bool = False) -> None:
        self.path = path
        self.origin = origin
        self.trusts_any_peer = trusts_any_peer
        self.is_forwarded = is_forwarded


class Search:
    """What the search came to: the place (None when there is none), and a line for each candidate that was passed over."""

    __slots__ = ("passed_over", "place")

    def __init__(self) -> None:
        self.place: Place | None = None
        self.passed_over: list[str] = []


def find(explicit: str | None, environ: "Mapping[str, str]", uid: int | None = None, directory: str | None = None) -> Search:
    """The socket to talk to. `explicit` is the value of `--socket`; `uid` and `directory` default to the caller's."""
    search = Search()
    if explicit:
        search.place = Place(explicit, "--socket", trusts_any_peer=True)
        return search
    if environ.get("SUPD_SOCKET"):
        search.place = Place(environ["SUPD_SOCKET"], "$SUPD_SOCKET")
        return search
    uid = os.geteuid() if uid is None else uid
    _look_upwards(search, uid, directory)
    if search.place is None and uid != 0:
        _look_at(search, user_socket(environ), "the user's instance")
    if search.place is None:
        _look_at(search, SYSTEM_SOCKET, "the system's instance")
    return search


def user_socket(environ: "Mapping[str, str]") -> str:
    """The user's socket: below $XDG_RUNTIME_DIR, or below his state directory where the session has none (as `config.mode` has it)."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if not runtime.startswith("/"):
        home = environ.get("HOME", "/")
        state = environ.get("XDG_STATE_HOME", "")
        runtime = (state if state.startswith("/") else home + "/.local/state") + "/supd/run"
    return os.path.join(runtime, "supd", SOCKET_NAME)


def _look_at(search: Search, path: str, origin: str) -> None:
    if os.path.exists(path):
        search.place = Place(path, origin)
    else:
        search.passed_over.append(f"{path} ({origin}): there is no socket")


def _look_upwards(search: Search, uid: int, directory: str | None) -> None:
    """Root takes no project that was merely found; one that is there is named all the same."""
    try:
        socket_path = _nearest_project(os.path.realpath(directory or os.getcwd()))
    except OSError:
        search.passed_over.append(".supd/ upwards: the current directory is gone")
        return
    if not socket_path:
        if uid != 0:
            search.passed_over.append(".supd/ here and in every parent directory: there is none")
    elif not os.path.exists(socket_path):
        search.passed_over.append(f"{socket_path} (the project): there is no socket")
    elif uid == 0:
        search.passed_over.append(f"{socket_path} (the project): never taken by root unless it is named: --socket {socket_path}")
    elif distrust := why_not_trusted(socket_path, uid):
        search.passed_over.append(f"{socket_path} (the project): not trusted, because {distrust}")
    else:
        search.place = Place(socket_path, "the project")


def _nearest_project(here: str) -> str:
    """The socket of the nearest `.supd/` upwards, there or not; "" when there is no such directory."""
    while not os.path.isdir(os.path.join(here, ".supd")):
        parent = os.path.dirname(here)
        if parent == here:
            return ""
        here = parent
    return os.path.join(here, ".supd", SOCKET_NAME)


def why_not_trusted(path: str, uid: int) -> str:
    """Why somebody else could have put `path` there, as a clause; empty when only the caller (`uid`) and root can.

    Every component is looked at as it is written and, where a symlink leads elsewhere, as it resolves.
    """
    for start in dict.fromkeys((os.path.abspath(path), os.path.realpath(path))):
        entry, entry_owner = "", uid
        current = start
        while True:
            try:
                status = os.lstat(current)
            except OSError as error:
                return f"{current} cannot be examined ({error.strerror})"
            if status.st_uid not in (uid, 0):
                return f"{current} belongs to uid {status.st_uid}"
            kind = status.st_mode & _KIND
            if kind == _DIRECTORY and _is_open(status, uid):
                if not status.st_mode & _STICKY:
                    return f"{current} is writable by others"
                if entry_owner != uid:
                    return f"{entry} lies in {current}, where anybody may put things, and is not yours"
            if current == "/":
                break
            entry, entry_owner = current, status.st_uid
            current = os.path.dirname(current)
    return ""


def _is_open(status: os.stat_result, uid: int) -> bool:
    """Writable by others. A group counts as others unless it is root's or the user's private one (its number is the user's)."""
    if status.st_mode & _WRITABLE_BY_OTHERS:
        return True
    return bool(status.st_mode & _WRITABLE_BY_GROUP) and status.st_gid not in (0, uid)
