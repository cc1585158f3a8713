"""What people asked for, on disk: one small file, replaced as a whole and synced before a request is answered.

It holds the wish alone (up or down, why, by whom, since when); what a unit is doing is never in it.
"""

import json
import os

from supervisor.config.wholefile import replace_file
from supervisor.model.effects import SaveIntent
from supervisor.model.events import IntentLoaded
from supervisor.model.states import Wanted

FILE_NAME = "intent.json"


class Intents:
    """The file `intent.json` of a state directory."""

    def __init__(self, state_directory: str) -> None:
        self._path = os.path.join(state_directory, FILE_NAME)
        self.trouble = ""  # a sentence, when the file could not be read or written
        self._known: dict[str, list[str | int]] = self._read()

    def _read(self) -> dict[str, list[str | int]]:
        try:
            with open(self._path, encoding="utf-8") as file:
                data = json.load(file)
            return {str(unit): [str(Wanted(row[0])), str(row[1]), str(row[2]), int(row[3])] for unit, row in data.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            self.trouble = f"cannot read {self._path}: {error}; what was stopped by hand before may start now"
            return {}

    def events(self) -> list[IntentLoaded]:
        """Everything remembered, for the engine, before it boots."""
        return [IntentLoaded(unit, Wanted(str(row[0])), str(row[1]), str(row[2]), int(row[3])) for unit, row in sorted(self._known.items())]

    def save(self, effects: list[SaveIntent]) -> None:
        """Remember these and put the file on disk. A full disk is said (`trouble`) and refuses nothing."""
        for effect in effects:
            if effect.wanted is None:
                self._known.pop(effect.unit, None)
            else:
                self._known[effect.unit] = [str(effect.wanted), effect.why, effect.by, effect.since_us]
        try:
            replace_file(self._path, json.dumps(self._known, indent=1, sort_keys=True))
            self.trouble = ""
        except OSError as error:
            self.trouble = f"cannot write {self._path}: {error.strerror}; a wish made now is lost when supd ends"
