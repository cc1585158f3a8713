"""`supd.toml`: from its text to roles, with every fault named by file, line and key as in a unit file.

    [[role]]
    level  = "operate"              # view, operate or admin
    users  = ["ann", 1000]          # names or uids
    groups = ["ops"]                # names or gids, primary or supplementary
    units  = ["web", "worker@*"]    # globs of units' own names; left out: every unit

Names become numbers here, once. A file with any fault gives no role at all; one that somebody but root and the caller could have written
is not believed. An empty list is an error, never "everybody" or "every unit". It never looks at which units there are: a pattern may
wait for its unit. Heavy (pydantic): imported only when there is such a file.
"""

import grp
import os
import pwd
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ValidationError

from supervisor.config.kinds import Context, Kind, each, expected, one_of, string
from supervisor.config.problems import Mistake, Problem, did_you_mean, shown
from supervisor.config.schema import Table, key
from supervisor.config.sources import Path, Source, Sources, stamp_of
from supervisor.model import names
from supervisor.model.roles import LEVELS, Role

ID_MAX = 2**32 - 2  # (uid_t) -1 is no user: setuid(2)
_GLOB_CHARACTERS = re.compile(r"[*?]|\[!?[A-Za-z0-9:\-_.\\@]+\]")
_FOREIGN = {"uid": "users", "uids": "users", "gid": "groups", "gids": "groups", "pattern": "units", "role": "level", "access": "level"}
_UNIT_SUFFIXES = ("service", "target", "timer", "socket", "path", "toml")
_NAMES_OR_NUMBERS: dict[str, Any] = {
    "anyOf": [{"type": ["string", "integer"]}, {"type": "array", "minItems": 1, "items": {"type": ["string", "integer"]}}]
}


def _some(what: str, value: object, read: Callable[[object], Any]) -> tuple[Any, ...]:
    found = each(what, value, read)
    if not found:
        raise Mistake("an empty list allows nobody anything", "leave the role out")
    return tuple(dict.fromkeys(found))


def _number(item: object, noun: str, find: Callable[[str], int], known: Callable[[], Iterable[str]]) -> int:
    """A uid or gid from itself or from a name. `noun` is "user" or "group"."""
    what = f"a {noun}'s name or number"
    if isinstance(item, int) and not isinstance(item, bool):
        if not 0 <= item <= ID_MAX:
            raise expected(f"{what} from 0 to {ID_MAX}", item)
        return item
    if isinstance(item, bool | float):
        raise expected(what, item)
    name = string(item, what)
    if name.isdigit():
        raise expected(what, item, "numbers are TOML's, without quotes")
    try:
        return find(name)
    except KeyError:
        raise Mistake(f"there is no {noun} {shown(name)}", did_you_mean(name, list(known()))) from None


def _read_users(value: object, context: Context, key_name: str) -> tuple[int, ...]:
    def read(item: object) -> int:
        return _number(item, "user", lambda name: pwd.getpwnam(name).pw_uid, lambda: (one.pw_name for one in pwd.getpwall()))

    return _some("a user or a list of them", value, read)


def _read_groups(value: object, context: Context, key_name: str) -> tuple[int, ...]:
    def read(item: object) -> int:
        return _number(item, "group", lambda name: grp.getgrnam(name).gr_gid, lambda: (one.gr_name for one in grp.getgrall()))

    return _some("a group or a list of them", value, read)


def _read_pattern(item: object) -> str:
    """A glob that some unit's name could match. Raises Mistake."""
    pattern = string(item, 'a unit\'s name or a pattern such as "worker@*"')
    stem, dot, suffix = pattern.rpartition(".")
    if dot and suffix in _UNIT_SUFFIXES:
        raise Mistake(f"{shown(pattern)} has a suffix, and unit names have none", f'write "{stem}"')
    reason = names.complaint(_GLOB_CHARACTERS.sub("x", pattern))
    if reason:
        raise Mistake(f"{shown(pattern)} can match no unit's name: {reason}", 'write ["a", "b"] for several' if " " in pattern else "")
    return pattern


def _read_patterns(value: object, context: Context, key_name: str) -> tuple[str, ...]:
    found = each("a unit's name or pattern, or a list of them", value, _read_pattern)
    if not found:
        raise Mistake("an empty list allows nothing", "leave units out for every unit")
    return tuple(dict.fromkeys(found))


USERS = Kind("list of users", _read_users, _NAMES_OR_NUMBERS)
GROUPS = Kind("list of groups", _read_groups, _NAMES_OR_NUMBERS)
PATTERNS = Kind(
    "list of unit patterns",
    _read_patterns,
    {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]},
)


class RoleTable(Table):
    """[[role]]: what some users and groups may ask of supd."""

    level: Annotated[str, one_of(*LEVELS)] = key(None, "", "view looks, operate changes units, admin reloads and shuts down.")
    users: Annotated[tuple[int, ...], USERS] = key(None, "", "Users by name or uid.")
    groups: Annotated[tuple[int, ...], GROUPS] = key(None, "", "Groups by name or gid, primary or supplementary.")
    units: Annotated[tuple[str, ...], PATTERNS] = key(None, "", "Globs of units' own names; left out: every unit.")


@dataclass(frozen=True, slots=True)
class RolesFile:
    """What a roles file says. With `problems` there are no roles."""

    roles: tuple[Role, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_roles(path: str) -> RolesFile:
    """The roles of the file at `path`; none when there is no such file. Never raises for anything the file contains."""
    if not os.path.lexists(path):
        return RolesFile()
    sources = Sources((), checks_ownership=False)
    source = sources.read(path)
    distrust = _distrust(path, sources)
    if source is None or distrust:
        return RolesFile((), (*sources.problems, *distrust))
    reader = _Reader(source)
    roles = reader.run()
    return RolesFile((), tuple(sorted(reader.problems))) if reader.problems else RolesFile(tuple(roles))


def _distrust(path: str, sources: Sources) -> list[Problem]:
    """Why somebody but root and the caller could have written the file, which says who may command supd."""
    found = []
    for one in dict.fromkeys((os.path.dirname(path), os.path.dirname(os.path.realpath(path)), path)):
        try:
            info = os.stat(one)
        except OSError:
            return []  # it cannot be read either, and that is told
        what = "it" if one == path else f"its directory {one}"
        # A group counts as others unless it is root's or the caller's private one (its number is the caller's).
        others = info.st_mode & 0o002 or (info.st_mode & 0o020 and info.st_gid not in (0, os.geteuid()))
        if info.st_uid not in (0, os.geteuid()):
            found.append(Problem(path, 0, "", f"{what} belongs to uid {info.st_uid}, who could give himself a role"))
        elif others:
            found.append(Problem(path, 0, "", f"others may write to {what}, and so give themselves a role", f"chmod go-w {one}"))
    if not found and (stamp := sources.stamps.get(path)) and stamp != stamp_of(info):
        found.append(Problem(path, 0, "", "it changed while it was read; read it again"))
    return found


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def wrong(self, path: Path, message: str, hint: str = "") -> None:
        file, line = self.source.place(path)
        name = ".".join(part for part in path if isinstance(part, str))
        self.problems.append(Problem(file, line, name, message, hint))

    def run(self) -> list[Role]:
        table = self.source.table
        for name, value in table.items():
            if name != "role":
                if name in RoleTable.model_fields and not isinstance(value, dict):
                    self.wrong((name,), "it stands outside of any role", "put it below [[role]]")
                else:
                    kind = "table" if isinstance(value, dict | list) else "key outside of any role"
                    self.wrong((name,), f"unknown {kind}", did_you_mean(name, ["role"]) or "there is [[role]] only")
        given = table.get("role", [])
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            self.wrong(("role",), "expected a list of tables", "write [[role]], with two brackets")
            return []
        return [role for index, one in enumerate(given) if (role := self.role(index, one)) is not None]

    def role(self, index: int, given: dict[str, Any]) -> Role | None:
        try:
            values = RoleTable.model_validate(given).given()
        except ValidationError as error:
            for one in error.errors(include_url=False):
                self.explain(("role", index, *one["loc"]), one["type"], one.get("ctx", {}))
            values = {}
        if "level" not in given:
            self.wrong(("role", index), "level is missing", f"one of {', '.join(LEVELS)}")
        if "users" not in given and "groups" not in given:
            self.wrong(("role", index), "it is for nobody", "users or groups is needed")
        if "level" not in values:
            return None
        return Role(values["level"], frozenset(values.get("users", ())), frozenset(values.get("groups", ())), values.get("units"))

    def explain(self, path: Path, kind: str, details: dict[str, Any]) -> None:
        if kind == "extra_forbidden":
            name = str(path[-1])
            hint = f"supd's word for it is {_FOREIGN[name]}" if name in _FOREIGN else did_you_mean(name, list(RoleTable.model_fields))
            self.wrong(path, "unknown key in [[role]]", hint)
            return
        for index, mistake in details["found"]:
            self.wrong(path if index is None else (*path, index), str(mistake), mistake.hint)
