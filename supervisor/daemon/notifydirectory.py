"""Where the notify sockets lie: a directory whose path is short enough, and that a unit's user can reach.

A socket's path ends at 108 bytes, and connecting needs search permission on every directory above it. Normally that is `n`
in the runtime directory. Where the path would pass `PATH_LENGTH_MAX_BYTES`, or supd runs as root below a directory others
may not enter, a directory of our own is made elsewhere and recorded in the state directory, so that the next manager (and a
service that outlived this one) finds the same.

Never: uses a recorded directory that is not ours alone to write.
"""

import os
import stat

PATH_LENGTH_MAX_BYTES = 100
_NAME_LENGTH_BYTES = len("/00000000")
_RECORD = "notify-directory"


def choose(runtime_directory: str, record_directory: str) -> str:
    """The directory for notify sockets, made with mode 0711. OSError when none can be made."""
    usual = os.path.join(runtime_directory, "n")
    if len(os.fsencode(usual)) + _NAME_LENGTH_BYTES <= PATH_LENGTH_MAX_BYTES and (os.geteuid() != 0 or _is_reachable(runtime_directory)):
        os.makedirs(usual, 0o711, exist_ok=True)
        os.chmod(usual, 0o711)
        return usual
    record = os.path.join(record_directory, _RECORD)
    return _recorded(record) or _make_elsewhere(record)


def _is_reachable(directory: str) -> bool:
    """Whether everybody may pass through every directory up to the root."""
    path = os.path.realpath(directory)
    while path != "/":
        try:
            if not os.stat(path).st_mode & stat.S_IXOTH:
                return False
        except FileNotFoundError:
            pass  # made later, by us
        path = os.path.dirname(path)
    return True


def _recorded(record: str) -> str | None:
    try:
        with open(record, encoding="utf-8", errors="surrogateescape") as file:
            path = file.read().rstrip("\n")
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return path if is_ours and len(os.fsencode(path)) + _NAME_LENGTH_BYTES <= PATH_LENGTH_MAX_BYTES else None


def _make_elsewhere(record: str) -> str:
    roots = ["/run"] if os.geteuid() == 0 else [os.environ.get("XDG_RUNTIME_DIR", "")]
    for root in [*roots, "/tmp"]:
        if not root.startswith("/") or not os.access(root, os.W_OK | os.X_OK):
            continue
        # Random, for in a directory that others may write a known name could be taken before us.
        path = os.path.join(root, f"supd-{os.urandom(8).hex()}")
        if len(os.fsencode(path)) + _NAME_LENGTH_BYTES <= PATH_LENGTH_MAX_BYTES:
            os.mkdir(path, 0o711)
            os.chmod(path, 0o711)
            _write_record(record, path)
            return path
    raise OSError("cannot make a directory for notify sockets: neither /run, XDG_RUNTIME_DIR nor /tmp may be written.")


def _write_record(record: str, path: str) -> None:
    new = f"{record}.new"
    with open(new, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(path + "\n")
    os.rename(new, record)


def remove(directory: str) -> None:
    """supd ends for good: the directory goes if it is empty, that is if nobody else made something in it."""
    try:
        os.rmdir(directory)
    except OSError:
        pass  # a socket of a unit that was left running stays where the unit knows it
