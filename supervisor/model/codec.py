"""Specifications as JSON values and back: one generic codec over frozen dataclasses, so that no field can be forgotten.

A value equal to its default is left out. Used by the specification store and by the engine's record of definitions whose file
is gone. It raises only for a type that no specification is made of, and what the callers of `decode_unit` guard against: a
text of another version.
"""

import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from supervisor.model.specification import Unit

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
