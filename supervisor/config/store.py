"""The specification store: a checked set of units as JSON, and whether it still holds.

A boot with nothing changed reads this instead of the unit files, and imports neither pydantic nor a parser. A stored set holds
while version, mode, overrides and facts of the host are the same and every file and directory that took part has the same stamp.
Values equal to their default are left out. Anything odd about the store means that there is none; writing it may fail without harm.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from time import time_ns
from typing import Any

from supervisor import __version__
from supervisor.config import overrides, specifiers
from supervisor.config.mode import Mode
from supervisor.config.problems import Problem
from supervisor.config.result import LoadResult
from supervisor.model.codec import decode_unit, encode_unit

STORE_FILE = "specification.json"
FORMAT = 3
SETTLED_NS = 50_000_000  # a file changed this shortly before it was read may change again with the same stamp


def _stamp(path: str) -> list[int] | None:
    try:
        info = os.lstat(path) if _is_link_itself(path) else os.stat(path)
    except OSError:
        return None
    return [info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns]


def _is_link_itself(path: str) -> bool:
    """Whether the stamp is that of the link, as `sources` takes it for masks and aliases."""
    if not os.path.islink(path):
        return False
    target = os.path.realpath(path)
    return target == "/dev/null" or os.path.basename(target) != os.path.basename(path)


def _overrides(mode: Mode) -> list[Any]:
    return [overrides.read_enabled(mode.state_directory), overrides.read_instances(mode.state_directory)]


def _path(mode: Mode) -> str:
    return os.path.join(mode.state_directory, STORE_FILE)


def read(mode: Mode) -> LoadResult | None:
    """The stored set of `mode`, None when there is none or it no longer holds."""
    return _read(mode, lambda content, mode: content["version"] == __version__ and _is_current(content, mode))


def read_last_good(mode: Mode) -> LoadResult | None:
    """The set that was in force last, whatever the files say by now: for a manager that takes over from one that died, or was older."""
    return _read(mode, lambda content, mode: True)


def _is_current(content: dict[str, Any], mode: Mode) -> bool:
    return (
        content["is_settled"]
        and content["overrides"] == _overrides(mode)
        and all(specifiers.fact(letter) == value for letter, value in content["facts"].items())
        and all(_stamp(path) == stamp for path, stamp in content["files"].items())
    )


def _read(mode: Mode, holds: Callable[[dict[str, Any], Mode], bool]) -> LoadResult | None:
    try:
        with open(_path(mode), "rb") as file:
            if os.fstat(file.fileno()).st_uid not in (0, os.geteuid()):
                return None
            content = json.load(file)
        if content["key"] != json.loads(json.dumps([FORMAT, os.geteuid(), asdict(mode)])) or not holds(content, mode):
            return None
        result = _result(content, mode)
        result.is_stored = True
        return result
    except (OSError, ValueError, KeyError, TypeError, AttributeError, overrides.OverrideError):
        return None


def _result(content: dict[str, Any], mode: Mode) -> LoadResult:
    return LoadResult(
        mode=mode,
        units={name: decode_unit(unit) for name, unit in content["units"].items()},
        warnings=[Problem(**problem) for problem in content["warnings"]],
        aliases=content["aliases"],
        templates=content["templates"],
        files={path: tuple(stamp) if stamp else None for path, stamp in content["files"].items()},
        origins=content["origins"],
        facts=content["facts"],
        overrides=content["overrides"],
    )


def from_text(text: str, mode: Mode) -> LoadResult:
    """What `as_text` was made of, but its errors."""
    return _result(json.loads(text), mode)


def has_same_sources(result: LoadResult) -> bool:
    """Whether every file and directory of a set still has the stamp that it was read with, and no override is another by now."""
    try:
        is_same = result.overrides == _overrides(result.mode)
    except overrides.OverrideError:
        is_same = False
    return is_same and all(_stamp(path) == (list(stamp) if stamp else None) for path, stamp in result.files.items())


def write(result: LoadResult, *, is_whole: bool = True) -> bool | None:
    """Keep a set without errors; False when the next boot cannot use it, which costs it nothing but time; None when it is not kept at all.

    A set whose files changed a moment ago, or that is not what its files say (`is_whole` is False), is kept as the last good one only.
    """
    if result.errors:
        return None
    is_settled = is_whole and _is_settled(result)
    return is_settled if write_text(as_text(result, is_settled=is_settled), result.mode) else None


def _is_settled(result: LoadResult) -> bool:
    now_ns = time_ns()
    return not any(stamp and max(stamp[2], stamp[3]) > now_ns - SETTLED_NS for stamp in result.files.values())


def as_text(result: LoadResult, *, is_settled: bool | None = None) -> str:
    """The set as the store keeps it, without its errors: a set that has any is not kept. `is_settled`: None finds out now."""
    content = {
        "key": [FORMAT, os.geteuid(), asdict(result.mode)],
        "version": __version__,
        "is_settled": _is_settled(result) if is_settled is None else is_settled,
        "overrides": result.overrides,
        "facts": result.facts,
        "files": result.files,
        "units": {name: encode_unit(unit) for name, unit in result.units.items()},
        "warnings": [problem.json() for problem in result.warnings],
        "aliases": result.aliases,
        "templates": result.templates,
        "origins": result.origins,
    }
    return json.dumps(content, separators=(",", ":"))


def write_text(text: str, mode: Mode) -> bool:
    """Keep what `as_text` returned; False when that cannot be."""
    path = _path(mode)
    try:
        new = f"{path}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(new, path)
    except (OSError, ValueError):
        return False
    return True
