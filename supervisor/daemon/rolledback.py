"""Definitions that did not come up: kept out of force until their files say something else, also over a restart of supd.

One small file in the state directory, replaced as a whole. An entry holds the definition that runs and the one that failed. A comment,
another order of keys or a new time stamp says nothing else, and neither does `supctl enable`, `disable`, `mask` or `unmask`: those are
wishes for whatever definition is in force. It decides nothing about units; a damaged file only forgets what it kept.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

from supervisor.config.result import LoadResult
from supervisor.config.wholefile import replace_file
from supervisor.engine.plan import as_wished, changed_keys
from supervisor.model.codec import decode_unit, encode_unit
from supervisor.model.specification import Unit

FILE_NAME = "rolled-back.json"


@dataclass(slots=True)
class Entry:
    good: Unit
    bad: Unit
    text: str
    is_lifted: bool = False  # a person wants it tried again


class RolledBack:
    """What was rolled back, by unit."""

    def __init__(self, state_directory: str) -> None:
        self._path = os.path.join(state_directory, FILE_NAME)
        self.entries: dict[str, Entry] = self._read()
        self.trouble = ""

    def _read(self) -> dict[str, Entry]:
        try:
            with open(self._path, encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_uid != os.geteuid():
                    return {}
                content = json.load(file)
            return {
                str(name): Entry(decode_unit(one["good"]), decode_unit(one["bad"]), str(one["text"])) for name, one in content.items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def add(self, good: Unit, bad: Unit, text: str) -> None:
        """Remember that `bad` failed and `good` is in force."""
        self.entries[bad.id] = Entry(good, bad, text)

    def lift(self, names: tuple[str, ...]) -> bool:
        """A person wants these tried again; whether any was kept out. `substitute` then brings the file's definition back."""
        lifted = [name for name in names if name in self.entries]
        for name in lifted:
            self.entries[name].is_lifted = True
        return bool(lifted)

    def substitute(self, result: LoadResult, *, forgets: bool = True, lifted: tuple[str, ...] = ()) -> bool:
        """Put the good definition in the place of each failed one whose files still say the same; forget the others. Whether any was.

        `lifted` are judged as if `lift` had been called for them.
        """
        has_forgotten = False
        for name, entry in list(self.entries.items()):
            unit, is_lifted = result.units.get(name), entry.is_lifted or name in lifted
            good, bad = (one if unit is None else as_wished(one, unit) for one in (entry.good, entry.bad))
            is_substituted = result.is_stored and unit == good  # as it was when the set was stored: the files say the failed one
            if not is_lifted and unit is not None and (is_substituted or not changed_keys(bad, unit)):
                entry.good = result.units[name] = good
                continue
            if is_lifted and is_substituted:
                result.units[name] = bad
            if forgets:
                del self.entries[name]
                has_forgotten = True
        return has_forgotten

    def kept_out(self, result: LoadResult) -> list[str]:
        """The units of a set that `substitute` gave their good definition."""
        return sorted(name for name, entry in self.entries.items() if result.units.get(name) is entry.good)

    def save(self) -> None:
        """On disk when this returns. A disk that is full is said in `trouble`: then a restart of supd tries the failed definition again."""
        content: dict[str, Any] = {
            name: {"good": encode_unit(one.good), "bad": encode_unit(one.bad), "text": one.text}
            for name, one in self.entries.items()
        }
        try:
            replace_file(self._path, json.dumps(content))
            self.trouble = ""
        except OSError as error:
            self.trouble = f"cannot write {self._path}: {error.strerror}; what was rolled back is tried again when supd is started again"

    def notes(self) -> list[str]:
        """Sentences a person should know."""
        return [f"{name}: {entry.text}" for name, entry in sorted(self.entries.items())] + ([self.trouble] if self.trouble else [])
