"""Walks through directory trees that somebody else may own: remove one, or give one to another owner.

Laws, since the walker may be root and the tree a hostile user's:
- every step is relative to an open directory and never follows a symbolic link;
- the way back up is checked to lead where the walk came from, so a directory moved away in the middle ends the walk;
- one descriptor and no recursion, however deep the tree;
- other file systems mounted inside are not entered.
"""

import os
from collections.abc import Callable

# Called with an open directory, a name in it and whether that is a directory, contents before container.
Leave = Callable[[int, str, bool], None]

_OPEN_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(parent: int, name: str) -> None:
    """Remove `name` in the open directory `parent`, with all it holds; a symbolic link itself is removed. Nothing there is success."""
    try:
        is_directory = _is_directory(os.stat(name, dir_fd=parent, follow_symlinks=False))
        _walk(parent, name, is_directory, _remove_entry)
    except FileNotFoundError:
        return


def give(parent: int, name: str, uid: int, gid: int) -> None:
    """Make `uid` and `gid` (-1: unchanged) own `name` in `parent` and all it holds; links are changed themselves, not followed."""

    def give_entry(directory: int, entry: str, is_directory: bool) -> None:
        os.chown(entry, uid, gid, dir_fd=directory, follow_symlinks=False)

    _walk(parent, name, True, give_entry)


def _remove_entry(directory: int, entry: str, is_directory: bool) -> None:
    try:
        os.rmdir(entry, dir_fd=directory) if is_directory else os.unlink(entry, dir_fd=directory)
    except FileNotFoundError:
        pass  # somebody else removed it: as wanted


def _walk(parent: int, name: str, is_directory: bool, leave: Leave) -> None:
    if is_directory:
        current = os.open(name, _OPEN_FLAGS, dir_fd=parent)
        try:
            device = os.fstat(current).st_dev
            ways_up: list[tuple[str, tuple[int, int]]] = []  # the name by which each level was entered, and where from
            waiting = [_leave_files(current, leave)]
            while True:
                if waiting[-1]:
                    child = waiting[-1].pop()
                    here = os.fstat(current)
                    try:
                        below = os.open(child, _OPEN_FLAGS, dir_fd=current)
                    except FileNotFoundError:
                        continue
                    if os.fstat(below).st_dev != device:
                        os.close(below)
                        continue
                    os.close(current)
                    current = below
                    ways_up.append((child, (here.st_dev, here.st_ino)))
                    waiting.append(_leave_files(current, leave))
                elif ways_up:
                    waiting.pop()
                    child, origin = ways_up.pop()
                    above = os.open("..", _OPEN_FLAGS, dir_fd=current)
                    os.close(current)
                    current = above
                    state = os.fstat(current)
                    if (state.st_dev, state.st_ino) != origin:
                        raise OSError(f"the directory {child} was moved away while it was visited")
                    leave(current, child, True)
                else:
                    break
        finally:
            os.close(current)
    leave(parent, name, is_directory)


def _leave_files(directory: int, leave: Leave) -> list[str]:
    """Leave everything in an open directory that is not a directory; the names of those that are."""
    directories = []
    with os.scandir(directory) as entries:
        listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in listed:
        if is_directory:
            directories.append(name)
        else:
            leave(directory, name, False)
    return directories


def _is_directory(state: os.stat_result) -> bool:
    import stat

    return stat.S_ISDIR(state.st_mode)
