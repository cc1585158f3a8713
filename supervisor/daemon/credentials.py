"""Credentials: secrets copied to where the unit's user alone can read them (`systemd.exec(5)`, LoadCredential=).

Rules:
- They lie in `<runtime root>/credentials/<unit>`: a directory of mode 0500 with files of mode 0400, owned by the unit's user,
  in a directory that only supd may write to.
- They are written anew before each start command, all or none, and go when the unit is down.
- An absolute source is a file, or a directory whose files become `ID_name`. A relative one is a credential that supd
  itself was given ($CREDENTIALS_DIRECTORY), and may be missing; in project mode it is a path in the project.
- All of a unit's credentials together hold at most 1 MiB, as in systemd.

Never follows a link below the runtime root. Where the runtime root is no tmpfs, the secrets do touch a disk.
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass

from supervisor.daemon import files, trees
from supervisor.daemon.prepare_error import PrepareError, reason

TOTAL_LIMIT_BYTES = 1024 * 1024
STORE = "credentials"
STORE_MODE = 0o711
DIRECTORY_MODE = 0o500
FILE_MODE = 0o400


@dataclass(frozen=True, slots=True)
class Sources:
    """Where relative sources are looked up, "" if nowhere: `received` is supd's own $CREDENTIALS_DIRECTORY, `project` the project."""

    received: str = ""
    project: str = ""


def directory_of(runtime_root: str, unit: str) -> str:
    return f"{runtime_root}/{STORE}/{unit}"


def write(unit: str, credentials: tuple[tuple[str, str], ...], sources: Sources, runtime_root: str, uid: int, gid: int) -> str:
    """Copy the credentials for the user (`uid`, `gid`; -1: supd's own) and return their directory.

    Raises `PrepareError` with step "CREDENTIALS".
    """
    contents = _collect(unit, credentials, sources)
    try:
        store = _open_store(runtime_root)
        try:
            _replace(store, unit, contents, uid, gid)
        finally:
            os.close(store)
    except OSError as error:
        text = f"cannot write the credentials of {unit} below {runtime_root}/{STORE}: {reason(error)}."
        raise PrepareError("CREDENTIALS", text) from error
    return directory_of(runtime_root, unit)


def remove(unit: str, runtime_root: str) -> list[str]:
    """Remove the unit's credentials; a sentence if that fails."""
    try:
        store = os.open(f"{runtime_root}/{STORE}", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        _remove_tree(store, unit)
    except OSError as error:
        return [f"cannot remove the credentials of {unit} from {runtime_root}/{STORE}: {reason(error)}."]
    finally:
        os.close(store)
    return []


def _collect(unit: str, credentials: tuple[tuple[str, str], ...], sources: Sources) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    left_bytes = TOTAL_LIMIT_BYTES
    for name, source in credentials:
        try:
            for full_name, content in _read(name, source, sources, left_bytes):
                contents[full_name] = content
                left_bytes -= len(content)
        except OSError as error:
            cause = reason(error)
            if error.errno == errno.EFBIG:
                cause = f"all credentials of a unit together may hold {TOTAL_LIMIT_BYTES} bytes"
            raise PrepareError("CREDENTIALS", f'cannot load credential "{name}" of {unit} from {source}: {cause}.') from error
    return contents


def _read(name: str, source: str, sources: Sources, limit_bytes: int) -> Iterator[tuple[str, bytes]]:
    path, may_be_missing = source, False
    if not source.startswith("/"):
        if sources.project:
            path = f"{sources.project}/{source}"
        elif sources.received:
            path, may_be_missing = f"{sources.received}/{source}", True
        else:
            return
    try:
        if not os.path.isdir(path):
            yield name, files.read_whole(path, limit_bytes)
            return
        for entry in sorted(os.listdir(path)):
            if os.path.isfile(f"{path}/{entry}"):
                content = files.read_whole(f"{path}/{entry}", limit_bytes)
                limit_bytes -= len(content)
                yield f"{name}_{entry}", content
    except FileNotFoundError:
        if not may_be_missing:
            raise


def _open_store(runtime_root: str) -> int:
    os.makedirs(runtime_root, 0o755, exist_ok=True)
    root = os.open(runtime_root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            os.mkdir(STORE, STORE_MODE, dir_fd=root)
        except FileExistsError:
            pass
        return os.open(STORE, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
    finally:
        os.close(root)


def _replace(store: int, unit: str, contents: dict[str, bytes], uid: int, gid: int) -> None:
    os.fchmod(store, STORE_MODE)
    # Built aside and renamed, so that nobody sees half a set. A unit's name never begins with a dot.
    aside = f".{unit}"
    _remove_tree(store, aside)
    os.mkdir(aside, 0o700, dir_fd=store)
    directory = os.open(aside, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=store)
    try:
        for name, content in contents.items():
            fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
            with os.fdopen(fd, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), FILE_MODE)
                os.fchown(file.fileno(), uid, gid)
        os.fchown(directory, uid, gid)
        os.fchmod(directory, DIRECTORY_MODE)
    finally:
        os.close(directory)
    _remove_tree(store, unit)
    os.rename(aside, unit, src_dir_fd=store, dst_dir_fd=store)


def _remove_tree(store: int, name: str) -> None:
    """Remove a credentials directory; its mode 0500 must be lifted first, since an ordinary user could not empty it."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=store)
    except FileNotFoundError:
        return
    try:
        os.fchmod(fd, 0o700)
    finally:
        os.close(fd)
    trees.remove(store, name)
