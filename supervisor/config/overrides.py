"""What `supctl enable`, `disable`, `mask` and `scale` keep in the state directory: two small JSON files, never the user's own.

`enabled.json` is {unit or template: "enabled" | "disabled" | "masked"}, `instances.json` is {template: number}. A write is on disk
before it returns (DESIGN, "The commit rule"): a new file, fsync, rename, fsync of the directory. A damaged file is an
OverrideError, not a guess.
"""

import json
import os

from supervisor.config.wholefile import replace_file
from supervisor.model.errors import SupdError

ENABLED_FILE = "enabled.json"
INSTANCES_FILE = "instances.json"
ENABLED_WORDS = ("enabled", "disabled", "masked")
INSTANCES_MAX = 10_000


class OverrideError(SupdError):
    """A file of overrides that cannot be read or written."""


def _read(state_directory: str, name: str) -> dict[str, object]:
    path = os.path.join(state_directory, name)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OverrideError(f"cannot read {path}: {error}; repair it, or remove it to forget what it kept") from None
    if not isinstance(content, dict):
        raise OverrideError(f"cannot read {path}: it is no JSON object; repair it, or remove it to forget what it kept")
    return content


def _write(state_directory: str, name: str, content: dict[str, object]) -> None:
    path = os.path.join(state_directory, name)
    try:
        replace_file(path, json.dumps(content, indent=1, sort_keys=True))
    except OSError as error:
        raise OverrideError(f"cannot write {path}: {error.strerror}; nothing was changed") from None


def read_enabled(state_directory: str) -> dict[str, str]:
    """Units that a person enabled, disabled or masked. Raises OverrideError for a damaged file."""
    found: dict[str, str] = {}
    for unit, word in _read(state_directory, ENABLED_FILE).items():
        if not isinstance(word, str) or word not in ENABLED_WORDS:
            path = os.path.join(state_directory, ENABLED_FILE)
            raise OverrideError(
                f"cannot read {path}: {unit} is neither of {', '.join(ENABLED_WORDS)}; repair it, or remove it to forget it"
            )
        found[unit] = word
    return found


def write_enabled(state_directory: str, unit: str, word: str | None) -> None:
    """Remember one of ENABLED_WORDS for `unit`, or forget what was remembered (None); on disk when this returns."""
    if word is not None and word not in ENABLED_WORDS:
        raise ValueError(f"expected one of {', '.join(ENABLED_WORDS)}, got {word}")
    content: dict[str, object] = dict(read_enabled(state_directory))
    content.pop(unit, None)
    if word is not None:
        content[unit] = word
    _write(state_directory, ENABLED_FILE, content)


def read_instances(state_directory: str) -> dict[str, int]:
    """How many instances a person wants of a template ("worker@"). Raises OverrideError for a damaged file."""
    found: dict[str, int] = {}
    for template, number in _read(state_directory, INSTANCES_FILE).items():
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= INSTANCES_MAX:
            path = os.path.join(state_directory, INSTANCES_FILE)
            raise OverrideError(f"cannot read {path}: {template} has no number from 0 to {INSTANCES_MAX}; repair it, or remove it")
        found[template_name(template)] = number
    return found


def write_instances(state_directory: str, template: str, number: int | None) -> None:
    """Remember how many instances of `template` there are to be, or forget it (None); on disk when this returns."""
    if number is not None and not 0 <= number <= INSTANCES_MAX:
        raise ValueError(f"expected a number of instances from 0 to {INSTANCES_MAX}, got {number}")
    content: dict[str, object] = dict(read_instances(state_directory))
    content.pop(template_name(template), None)
    if number is not None:
        content[template_name(template)] = number
    _write(state_directory, INSTANCES_FILE, content)


def template_name(name: str) -> str:
    """ "worker@" for "worker" and "worker@"."""
    return name if name.endswith("@") else f"{name}@"
