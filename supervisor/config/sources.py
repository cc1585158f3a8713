"""From directories to one merged table per unit: reading, masks, includes, drop-ins, and who may own a unit file.

Decides which files make up a unit (SEMANTICS 5.11, DESIGN "Unit files") and remembers where each key came from and a stamp of everything
it looked at. It never looks into a value: that is `decode`'s part. A file that cannot be read is a Problem, never an exception.
"""

import os
import stat
import tomllib
from dataclasses import dataclass, field
from typing import Any

from supervisor.config import locate
from supervisor.config.memo import Memo
from supervisor.config.problems import Problem
from supervisor.model import names

FILE_SIZE_MAX_BYTES = 1024 * 1024
SUFFIX = ".toml"
MAIN_TABLES = ("service", "task", "flow", "target")
_STARTING_KEYS = {"service": "exec_start", "task": "exec_start"}

Path = tuple[str | int, ...]
Place = tuple[str, int]  # file and line
Stamp = tuple[int, int, int, int]  # inode, size, mtime_ns, ctime_ns (which nobody can set: a change of owner shows in it)


def stamp_of(info: os.stat_result) -> Stamp:
    return info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


@dataclass(slots=True)
class Source:
    """Everything written about one unit, merged; `origins` tells where each path of `table` stands."""

    name: str
    fragment_path: str
    table: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, Place] = field(default_factory=dict)
    drop_in_paths: tuple[str, ...] = ()
    is_masked: bool = False
    parts: tuple["Source", ...] = ()  # of a whole unit: the files it was assembled from, in order

    def place(self, path: Path) -> Place:
        """Where `path` stands, or the nearest enclosing thing that stands anywhere."""
        while path:
            if path in self.origins:
                return self.origins[path]
            without_positions = tuple(part for part in path if isinstance(part, str))
            if without_positions in self.origins:
                return self.origins[without_positions]
            path = path[:-1]
        return self.fragment_path, 0

    def lay_over(self, upper: "Source") -> None:
        """Merge `upper` over this source: tables merge, everything else replaces."""
        self._merge(self.table, upper.table, (), upper.origins)

    def _merge(self, under: dict[str, Any], over: dict[str, Any], at: Path, origins: dict[Path, Place]) -> None:
        for key, value in over.items():
            path = (*at, key)
            known = under.get(key)
            if isinstance(known, dict) and isinstance(value, dict):
                self._merge(known, value, path, origins)
                self.origins[path] = origins.get(path, self.origins.get(path, (self.fragment_path, 0)))
                continue
            depth = len(path)
            for stale in [one for one in self.origins if one[:depth] == path]:
                del self.origins[stale]
            under[key] = _copied(value)
            self.origins.update({one: place for one, place in origins.items() if one[:depth] == path})


def _copied(value: Any) -> Any:
    """Tables are merged in place, so each source has its own."""
    return {key: _copied(item) for key, item in value.items()} if isinstance(value, dict) else value


class Sources:
    """The unit files of a search path, read once. Collects `problems` and the `stamps` of every file and directory that took part."""

    def __init__(self, directories: tuple[str, ...], *, checks_ownership: bool, memo: Memo | None = None) -> None:
        self.directories = directories
        self._memo = memo or Memo()
        self._parts: list[Source] = []  # of the unit that is being assembled
        self.problems: list[Problem] = []
        self.stamps: dict[str, Stamp | None] = {}
        self.included: set[str] = set()
        self._checks_ownership = checks_ownership
        self._parsed: dict[str, Source | None] = {}
        self._fragments: dict[str, str] = {}  # name to path
        self._drop_in_directories: dict[str, list[str]] = {}  # "web.toml.d" to its paths, first root first
        self.symlink_aliases: dict[str, str] = {}
        for directory in directories:
            self._list(directory)

    def names(self) -> list[str]:
        """Every name that has a file, in order."""
        return sorted(self._fragments)

    def has(self, name: str) -> bool:
        return name in self._fragments

    def complain(self, file: str, line: int, message: str, hint: str = "") -> None:
        self.problems.append(Problem(file, line, "", message, hint))

    def _list(self, directory: str) -> None:
        try:
            self.stamps[directory] = stamp_of(os.stat(directory))
            with os.scandir(directory) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except FileNotFoundError:
            self.stamps[directory] = None
            return
        except OSError as error:
            self.complain(directory, 0, f"cannot read the unit directory: {error.strerror}")
            return
        if entries and not self._is_trusted(directory, os.stat(directory)):
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.endswith(".d") and entry.is_dir():
                self._drop_in_directories.setdefault(entry.name, []).append(entry.path)
            elif entry.name.endswith(SUFFIX):
                self._add_fragment(entry)

    def _add_fragment(self, entry: os.DirEntry[str]) -> None:
        name = entry.name.removesuffix(SUFFIX)
        reason = names.complaint(name)
        if reason:
            self.complain(entry.path, 0, f'"{name}" cannot be a unit\'s name: {reason}', "the file's name without .toml is the unit's name")
            return
        if name in self._fragments or name in self.symlink_aliases:
            return
        if entry.is_symlink():
            target = os.path.realpath(entry.path)
            stem = os.path.basename(target).removesuffix(SUFFIX)
            is_unit = os.path.dirname(target) in {os.path.realpath(one) for one in self.directories} and target.endswith(SUFFIX)
            if is_unit and stem != name:
                self.symlink_aliases[name] = stem
                self.stamps[entry.path] = stamp_of(os.lstat(entry.path))
                return
        self._fragments[name] = entry.path

    def _is_trusted(self, path: str, info: os.stat_result) -> bool:
        """Whether nobody but root and the caller can have written this; complains if not (DESIGN, "Commands")."""
        if not self._checks_ownership:
            return True
        if info.st_uid not in (0, os.getuid()):
            self.complain(path, 0, f"it belongs to uid {info.st_uid}, and supd runs as root: only units of root are read", "chown root it")
            return False
        others = info.st_mode & stat.S_IWOTH or (info.st_mode & stat.S_IWGRP and info.st_gid != 0)
        is_sticky = stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX
        if others and not is_sticky:
            self.complain(path, 0, "others may write to it, and supd runs as root: such units are not read", "chmod go-w it")
            return False
        return True

    def read(self, path: str) -> Source | None:
        """One file alone, parsed and located; None (and a Problem, once) when it cannot be used."""
        if path not in self._parsed:
            self._parsed[path] = self._remembered(path) or self._read(path)
        source = self._parsed[path]
        if source is not None:
            self._parts.append(source)
        return source

    def _remembered(self, path: str) -> Source | None:
        try:
            stamp = stamp_of(os.stat(path))
        except OSError:
            return None
        source = self._memo.file(path, stamp)
        if source is not None:
            self.stamps[path] = stamp
        return source

    def _read(self, path: str) -> Source | None:
        text = self._text(path)
        if text is None:
            return None
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.complain(path, *_toml_complaint(str(error), text))
            return None
        except RecursionError:
            self.complain(path, 0, "brackets are nested too deeply")
            return None
        lines = locate.key_lines(text)
        source = Source("", path, table, {key: (path, line) for key, line in lines.items()})
        if (stamp := self.stamps[path]) is not None:
            self._memo.note_file(path, stamp, source)
        return source

    def _text(self, path: str) -> str | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            self.stamps[path] = None
            self.complain(path, 0, f"cannot read the file: {error.strerror}")
            return None
        info = os.fstat(descriptor)
        self.stamps[path] = stamp_of(info)
        if not stat.S_ISREG(info.st_mode):
            os.close(descriptor)
            self.complain(path, 0, "it is not a regular file")
            return None
        with os.fdopen(descriptor, "rb") as file:
            if not self._is_trusted(path, info):
                return None
            if info.st_size > FILE_SIZE_MAX_BYTES:
                self.complain(path, 0, f"the file has {info.st_size} bytes and at most {FILE_SIZE_MAX_BYTES} are read")
                return None
            try:
                raw = file.read(FILE_SIZE_MAX_BYTES + 1)
            except OSError as error:
                self.complain(path, 0, f"cannot read the file: {error.strerror}")
                return None
        return self._decoded(path, raw)

    def _decoded(self, path: str, raw: bytes) -> str | None:
        raw = raw.removeprefix(b"\xef\xbb\xbf")
        if b"\0" in raw:
            line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
            self.complain(path, line, "it contains a NUL character: this is no text file")
            return None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            self.complain(path, line, "it is not UTF-8", f"the first wrong byte is 0x{raw[error.start]:02x}")
            return None
        return text.replace("\r\n", "\n")

    def with_includes(self, path: str, chain: tuple[str, ...] = ()) -> Source | None:
        """One file over everything it includes, the last named include uppermost."""
        own = self.read(path)
        if own is None:
            return None
        merged = Source("", path)
        includes = own.table.get("include", [])
        includes = [includes] if isinstance(includes, str) else includes
        line = own.place(("include",))[1]
        if not isinstance(includes, list) or not all(isinstance(one, str) for one in includes):
            self.problems.append(Problem(path, line, "include", "expected a list of files", 'for example include = ["base.toml"]'))
            return None
        is_good = True
        for position, include in enumerate(includes):
            line = own.place(("include", position))[1]
            target = os.path.normpath(os.path.join(os.path.dirname(path), include))
            if target in (*chain, path):
                circle = " includes ".join(os.path.basename(one) for one in (*(*chain, path)[(*chain, path).index(target) :], target))
                self.problems.append(Problem(path, line, "include", f"the files include each other: {circle}"))
                is_good = False
            elif not os.path.exists(target):
                self.stamps[target] = None
                self.problems.append(Problem(path, line, "include", f"{target} does not exist"))
                is_good = False
            else:
                self.included.add(os.path.realpath(target))
                below = self.with_includes(target, (*chain, path))
                is_good = is_good and below is not None
                if below is not None:
                    merged.lay_over(below)
        merged.lay_over(own)
        merged.table.pop("include", None)
        return merged if is_good else None

    def assemble(self, name: str) -> Source | None:
        """All of unit `name`: its file, or its template's, with includes and drop-ins. None when there is none that can be used."""
        path = self._fragments.get(name) or self._fragments.get(names.template_of(name), "")
        if not path:
            return None
        if os.path.islink(path) and os.path.realpath(path) == "/dev/null":
            self.stamps[path] = stamp_of(os.lstat(path))
            return Source(name, path, is_masked=True)
        self._parts = []
        merged = self.with_includes(path)
        if merged is None:
            return None
        source = Source(name, path)
        source.lay_over(merged)
        drop_ins = self._drop_ins(name, source.table)
        is_good = True
        for drop_in in drop_ins:
            upper = self.with_includes(drop_in)
            is_good = is_good and upper is not None
            if upper is not None:
                source.lay_over(upper)
        source.drop_in_paths, source.parts = tuple(drop_ins), tuple(self._parts)
        return source if is_good else None

    def _drop_ins(self, name: str, table: dict[str, Any]) -> list[str]:
        """Drop-in files in the order of their names; of one name the first directory's wins (SEMANTICS 5.11)."""
        prefix = names.split(name).prefix
        own = [name, *(one for one in _listed(table, "aliases") if names.is_valid(one))]
        own += [alias for alias, target in self.symlink_aliases.items() if target == name]
        if names.is_instance(name):
            own.append(names.template_of(name))
        own += names.dashed_prefixes(prefix)
        directories = [f"{one}{SUFFIX}.d" for one in dict.fromkeys(own)]
        directories += [f"{main}.d" for main in MAIN_TABLES if main in table]
        chosen: dict[str, str] = {}
        for directory in directories:
            for path in self._drop_in_directories.get(directory, []):
                for file in self._drop_in_files(path):
                    chosen.setdefault(file, os.path.join(path, file))
        paths = [chosen[file] for file in sorted(chosen)]
        return [path for path in paths if os.path.realpath(path) != "/dev/null"]

    def _drop_in_files(self, directory: str) -> list[str]:
        if directory not in self.stamps:
            try:
                info = os.stat(directory)
            except OSError:
                return []
            self.stamps[directory] = stamp_of(info)
            if not self._is_trusted(directory, info):
                return []
        try:
            return [file for file in os.listdir(directory) if file.endswith(SUFFIX) and not file.startswith(".")]
        except OSError as error:
            self.complain(directory, 0, f"cannot read the drop-in directory: {error.strerror}")
            return []

    def read_all_of(self, name: str) -> None:
        """Read a unit's file and what it includes, so that `is_fragment` knows the answer for every name."""
        path = self._fragments[name]
        if not (os.path.islink(path) and os.path.realpath(path) == "/dev/null"):
            self.with_includes(path)

    def is_fragment(self, name: str) -> bool:
        """Whether this file only serves others: it is included somewhere and says nothing that could be started."""
        path = self._fragments[name]
        if os.path.realpath(path) not in self.included:
            return False
        source = self.read(path)
        table = source.table if source else {}
        if "target" in table:
            return False
        return not any(isinstance(table.get(main), dict) and key in table[main] for main, key in _STARTING_KEYS.items())


def _listed(table: dict[str, Any], key: str) -> list[str]:
    unit = table.get("unit")
    value = unit.get(key, []) if isinstance(unit, dict) else []
    return [one for one in ([value] if isinstance(value, str) else value) if isinstance(one, str)] if isinstance(value, str | list) else []


_TOML_HINTS = {
    "Illegal character '\\n'": "a string must end on the line where it begins",
    "Cannot overwrite a value": "the key is set twice",
    "Invalid value": "strings are in double quotes, and lists end with ]",
}


def _toml_complaint(message: str, text: str) -> tuple[int, str, str]:
    """The line of tomllib's message, the message without it, and a hint where one helps."""
    body, found, place = message.rpartition(" (at ")
    if not found:
        return 0, f"it is not valid TOML: {message}", ""
    last_line = text.rstrip("\n").count("\n") + 1  # "at end of document"
    line = int(place.removeprefix("line ").partition(",")[0]) if place.startswith("line ") else last_line
    return line, f"it is not valid TOML: {body[:1].lower()}{body[1:]}", _TOML_HINTS.get(body, "")
