"""What the terminal UI keeps between two runs, and where a person's own files are.

The state (view, filter, sort, theme, panes) is written when it changes, whole, under a temporary name that is then renamed; it is
convenience only, so a file that cannot be read or written is passed over, and an unknown or wrong value is its default.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

STATE_NAME = "tui.json"
KEYS_NAME = "keys.toml"
_FILE_MOST_BYTES = 64 * 1024
_TEXT_MOST_CHARS = 200
_GROUPS_MOST = 32


@dataclass(frozen=True, slots=True)
class Kept:
    """The state, with its defaults. Plain strings and switches only."""

    view: str = "units"
    filter: str = ""
    groups: tuple[str, ...] = ()
    faults_only: bool = False
    sort: str = "state"
    descending: bool = False
    is_tree: bool = False
    theme: str = ""
    has_detail: bool = True
    has_log: bool = True


@dataclass
class Settings:
    """The state of one run: read once, kept as it changes. `path` is "" when nothing is to be kept."""

    path: str = ""
    kept: Kept = field(default_factory=Kept)

    def change(self, **values: Any) -> None:
        """Take these values (fields of Kept) and write the file if that makes a difference."""
        changed = replace(self.kept, **values)
        if changed != self.kept:
            self.kept = changed
            self._write()

    def _write(self) -> None:
        if not self.path:
            return
        try:
            directory = os.path.dirname(self.path)
            os.makedirs(directory, mode=0o700, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".tui-")
            with os.fdopen(descriptor, "w") as file:
                json.dump(asdict(self.kept), file)
            os.replace(temporary, self.path)
        except OSError:
            pass  # a full disk or a home that may not be written is no reason to disturb anybody


def read_state(path: str) -> Settings:
    """The state that was kept at `path`; defaults for everything that is missing or wrong."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(_FILE_MOST_BYTES))
    except (OSError, ValueError):
        found = {}
    values = {name: value for name, value in found.items() if _fits(name, value)} if isinstance(found, dict) else {}
    if "groups" in values:
        values["groups"] = tuple(values["groups"])
    return Settings(path, Kept(**values))


def _fits(name: str, value: object) -> bool:
    default = {each.name: each.default for each in fields(Kept)}.get(name)
    if isinstance(default, tuple):
        return isinstance(value, list) and len(value) <= _GROUPS_MOST and all(isinstance(one, str) for one in value)
    if isinstance(default, str):
        return isinstance(value, str) and len(value) <= _TEXT_MOST_CHARS
    return default is not None and type(value) is type(default)


def state_path(environ: Mapping[str, str]) -> str:
    """$XDG_STATE_HOME/supd/tui.json."""
    return os.path.join(_home(environ, "XDG_STATE_HOME", ".local/state"), "supd", STATE_NAME)


def keys_path(environ: Mapping[str, str]) -> str:
    """$XDG_CONFIG_HOME/supd/keys.toml."""
    return os.path.join(_home(environ, "XDG_CONFIG_HOME", ".config"), "supd", KEYS_NAME)


def _home(environ: Mapping[str, str], variable: str, below_home: str) -> str:
    named = environ.get(variable, "")
    return named if named.startswith("/") else os.path.join(environ.get("HOME", "/"), below_home)
