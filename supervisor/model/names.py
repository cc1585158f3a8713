"""Unit names: what may be one, how templates and instances are told apart, and systemd's escaping.

A name is systemd's without the type suffix (the unit file's stem): `web`, `worker@` (a template), `worker@1` (an instance).
The rules are those of `systemd.unit(5)` and `systemd-escape(1)`, with three that systemd leaves open: a name never begins with
a dot (it becomes a directory's name, and `..` must not be one) and is short enough to be a file name with `.toml.d` behind it.
`supd` is supd's own.
This module never looks at a disk: whether a unit exists is not a question about its name.
"""

import re
from typing import NamedTuple

from supervisor.model.errors import UnitNameError

OWN = "supd"  # the name of supd's own log, so no unit's
NAME_LENGTH_MAX = 247  # UNIT_NAME_MAX (255) less ".service", which the same unit would have there

_ALLOWED = "a letter, a digit or one of : - _ . \\ @"
_VALID = re.compile(r"[A-Za-z0-9:\-_.\\@]+")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9:\-_.\\@]")
_UNESCAPED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.")
_HEX = "0123456789abcdefABCDEF"


class NameParts(NamedTuple):
    """`worker@1` is ("worker", "1"); a template `worker@` is ("worker", ""); a plain `web` is ("web", None)."""

    prefix: str
    instance: str | None


def complaint(name: str) -> str:
    """Why `name` cannot be a unit's name, as the end of a sentence; "" when it can."""
    if not name:
        return "it is empty"
    if len(name) > NAME_LENGTH_MAX:
        return f"it has {len(name)} characters and at most {NAME_LENGTH_MAX} are allowed"
    if not _VALID.fullmatch(name):
        culprit = _FORBIDDEN.search(name)
        found = repr(culprit.group()) if culprit else "a line end"
        return f"every character must be {_ALLOWED}, and {found} is not"
    if name == OWN:
        return "it is the name of supd itself, whose own log it is"
    if name.startswith("@"):
        return "nothing stands before the @"
    if name.startswith("."):
        return "it begins with a dot"
    return ""


def is_valid(name: str) -> bool:
    return not complaint(name)


def check(name: str) -> str:
    """Return `name`; raise UnitNameError with the reason when it cannot be a unit's name."""
    reason = complaint(name)
    if reason:
        raise UnitNameError(f'cannot use "{name}" as a unit name: {reason}')
    return name


def split(name: str) -> NameParts:
    """Split at the first @ (`systemd.unit(5)`: the instance may contain more of them)."""
    prefix, at, instance = name.partition("@")
    return NameParts(prefix, instance if at else None)


def is_template(name: str) -> bool:
    return split(name).instance == ""


def is_instance(name: str) -> bool:
    return bool(split(name).instance)


def template_of(name: str) -> str:
    """`worker@` for `worker@1`; "" for a name that is not an instance."""
    parts = split(name)
    return f"{parts.prefix}@" if parts.instance else ""


def instance_of(template: str, instance: str) -> str:
    """`worker@1` for ("worker@", "1"); raises UnitNameError when the result is no valid name."""
    return check(f"{split(template).prefix}@{instance}")


def dashed_prefixes(prefix: str) -> list[str]:
    """`a-b-`, `a-` for `a-b-c`: names whose drop-ins apply to a whole family (`systemd.unit(5)`), the nearest first."""
    found = []
    end = prefix.rstrip("-").rfind("-")
    while end > 0:
        found.append(prefix[: end + 1])
        end = prefix[:end].rstrip("-").rfind("-")
    return found


def escape(text: str) -> str:
    """Any string as a part of a unit name (`systemd-escape`): "/" becomes "-", what is not allowed becomes `\\xHH`."""
    out = []
    for position, byte in enumerate(text.encode("utf-8", "surrogateescape")):
        if byte == 0x2F:
            out.append("-")
        elif byte in _UNESCAPED and not (position == 0 and byte == 0x2E):
            out.append(chr(byte))
        else:
            out.append(f"\\x{byte:02x}")
    return "".join(out)


def unescape(text: str) -> str:
    """The reverse of `escape`. Raises UnitNameError for a backslash that begins no `\\xHH`, and for `\\x00`: no argument can hold it."""
    out = bytearray()
    position = 0
    while position < len(text):
        char = text[position]
        if char == "-":
            out += b"/"
        elif char == "\\":
            digits = text[position + 2 : position + 4]
            if text[position + 1 : position + 2] != "x" or len(digits) != 2 or any(digit not in _HEX for digit in digits):
                raise UnitNameError(f'cannot unescape "{text}": a backslash must begin \\xHH, with two hexadecimal digits')
            if digits == "00":
                raise UnitNameError(f'cannot unescape "{text}": \\x00 would end the string')
            out.append(int(digits, 16))
            position += 3
        else:
            out += char.encode("utf-8", "surrogateescape")
        position += 1
    return out.decode("utf-8", "surrogateescape")


def escape_path(path: str) -> str:
    """A path as a part of a unit name (`systemd-escape --path`): slashes at both ends go, "/" alone is "-"."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or (not parts and path.startswith(".")):
        raise UnitNameError(f'cannot escape the path "{path}": it is, or contains, "." or ".."')
    return escape("/".join(parts)) if parts else "-"


def unescape_path(text: str) -> str:
    """The reverse of `escape_path`; the result is absolute. Raises UnitNameError when it would not be a normalised path."""
    if text == "-":
        return "/"
    path = unescape(text)
    if not path or any(part in ("", ".", "..") for part in path.split("/")):
        raise UnitNameError(f'cannot unescape "{text}" as a path: the result is not a normalised path')
    return f"/{path}"
