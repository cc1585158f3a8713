"""The specification store: a checked set of units as JSON, and whether it still holds.

A boot with nothing changed reads this instead of the unit files, and imports neither pydantic nor a parser. A stored set holds
while version, mode, overrides and facts of the host are the same and every file and directory that took part has the same stamp.
Values equal to their default are left out. Anything odd about the store means that there is none; writing it may fail without harm.
"""

import json
import os
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, asdict, fields, is_dataclass
from time import time_ns
from typing import Any

from supervisor import __version__
from supervisor.config import overrides, specifiers
from supervisor.config.mode import Mode
from supervisor.config.problems import Problem
from supervisor.config.result import LoadResult
from supervisor.model.specification import Unit

STORE_FILE = "specification.json"
FORMAT = 1
SETTLED_NS = 50_000_000  # a file changed this shortly before it was read may change again with the same stamp

Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]
_codecs: dict[Any, Codec] = {}  # one for each type, made when first needed: looking up type hints is slow


def _same(value: Any) -> Any:
    return value


def codec_of(kind: Any) -> Codec:
    """(to JSON, from JSON) for a type that a specification is made of."""
    if kind not in _codecs:
        _codecs[kind] = _make_codec(kind)
    return _codecs[kind]


def _make_codec(kind: Any) -> Codec:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        inner = [one for one in arguments if one is not type(None)]
        if len(inner) != 1:
            raise TypeError(f"cannot store a value of type {kind}")
        encode, decode = codec_of(inner[0])
        if encode is _same:
            return _same, _same
        return (lambda value: None if value is None else encode(value)), (lambda value: None if value is None else decode(value))
    if origin is tuple:
        return _tuple_codec(arguments)
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass_codec(kind)
    if kind in (str, int, float, bool):
        return _same, _same
    raise TypeError(f"cannot store a value of type {kind}")


def _tuple_codec(arguments: tuple[Any, ...]) -> Codec:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        encode, decode = codec_of(arguments[0])
        if encode is _same:
            return list, tuple
        return (lambda value: [encode(one) for one in value]), (lambda value: tuple([decode(one) for one in value]))
    if any(codec_of(one)[0] is not _same for one in arguments):
        raise TypeError(f"cannot store a tuple of {arguments}")
    return list, tuple


def _dataclass_codec(kind: type) -> Codec:
    hints = typing.get_type_hints(kind)
    codecs = {one.name: codec_of(hints[one.name]) for one in fields(kind)}
    defaults = {one.name: one.default for one in fields(kind)}
    decoders = {name: codec[1] for name, codec in codecs.items() if codec[1] is not _same}

    def encode(value: Any) -> dict[str, Any]:
        out = {}
        for name, (to_json, _) in codecs.items():
            item = getattr(value, name)
            if defaults[name] is MISSING or item != defaults[name] or type(item) is not type(defaults[name]):
                out[name] = to_json(item)
        return out

    def decode(content: dict[str, Any]) -> Any:
        for name in decoders.keys() & content.keys():
            content[name] = decoders[name](content[name])
        return kind(**content)

    return encode, decode


def encode_unit(unit: Unit) -> dict[str, Any]:
    """A unit as JSON values, without what equals its default."""
    encoded: dict[str, Any] = codec_of(Unit)[0](unit)
    return encoded


def decode_unit(content: dict[str, Any]) -> Unit:
    """The reverse of `encode_unit`; takes `content` apart."""
    decoded: Unit = codec_of(Unit)[1](content)
    return decoded


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
    try:
        with open(_path(mode), "rb") as file:
            if os.fstat(file.fileno()).st_uid not in (0, os.geteuid()):
                return None
            content = json.load(file)
        if content["key"] != json.loads(json.dumps([FORMAT, __version__, os.geteuid(), asdict(mode), _overrides(mode)])):
            return None
        if any(specifiers.fact(letter) != value for letter, value in content["facts"].items()):
            return None
        if any(_stamp(path) != stamp for path, stamp in content["files"].items()):
            return None
        return LoadResult(
            mode=mode,
            units={name: decode_unit(unit) for name, unit in content["units"].items()},
            warnings=[Problem(**problem) for problem in content["warnings"]],
            aliases=content["aliases"],
            templates=content["templates"],
            files={path: tuple(stamp) if stamp else None for path, stamp in content["files"].items()},
            origins=content["origins"],
            facts=content["facts"],
            is_stored=True,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, overrides.OverrideError):
        return None


def write(result: LoadResult) -> bool:
    """Keep a set without errors; False when it was not kept, which costs nothing but time at the next boot."""
    now_ns = time_ns()
    if result.errors or any(stamp and max(stamp[2], stamp[3]) > now_ns - SETTLED_NS for stamp in result.files.values()):
        return False
    path = _path(result.mode)
    try:
        content = {
            "key": [FORMAT, __version__, os.geteuid(), asdict(result.mode), _overrides(result.mode)],
            "facts": result.facts,
            "files": result.files,
            "units": {name: encode_unit(unit) for name, unit in result.units.items()},
            "warnings": [problem.json() for problem in result.warnings],
            "aliases": result.aliases,
            "templates": result.templates,
            "origins": result.origins,
        }
        new = f"{path}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(content, separators=(",", ":")))
        os.rename(new, path)
    except (OSError, ValueError, overrides.OverrideError):
        return False
    return True
