"""What loading unit files yields. Imports nothing heavy: a boot with nothing changed gets one from the store without the parsers."""

from dataclasses import dataclass, field
from typing import Any

from supervisor.config.mode import Mode
from supervisor.config.problems import Problem
from supervisor.model import names
from supervisor.model.specification import Unit

Stamp = tuple[int, int, int, int]


@dataclass(slots=True)
class LoadResult:
    """A set of units. With `errors` it must change nothing: the last good definitions stay.

    `units` has every unit by name (never a template), those with errors as unusable units. `aliases` maps other names to units.
    `templates` are the templates' names with the number of instances that are loaded. `files` are stamps of every file and directory that
    took part (None: it was looked for and missing). `origins` has "file:line" for each key that a file sets, by unit.
    """

    mode: Mode
    units: dict[str, Unit] = field(default_factory=dict)
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    templates: dict[str, int] = field(default_factory=dict)
    files: dict[str, Stamp | None] = field(default_factory=dict)
    origins: dict[str, dict[str, str]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)  # specifiers of this host and boot that were used
    overrides: list[dict[str, Any]] = field(default_factory=list)  # what persons changed of it: `enabled.json`, `instances.json`
    is_stored: bool = False  # whether it came from the specification store

    def origin(self, unit: str, key: str) -> str:
        """Where a key's value came from: "file:line", or "default"."""
        return self.origins.get(unit, {}).get(key, "default")

    def is_instantiable(self, name: str) -> bool:
        """Whether `instantiate` may be asked for this name."""
        prefix, at, instance = name.partition("@")
        return bool(at and instance) and f"{prefix}@" in self.templates and names.is_valid(name)

    def instantiate(self, name: str) -> Unit | None:
        """The instance of a template, read from disk now, and kept in `units`; None when there is no such template.

        With errors the unit is unusable and its `load_error` tells them.
        """
        known = self.units.get(self.aliases.get(name, name))
        if known is not None or not self.is_instantiable(name):
            return known
        from supervisor.config.load import load_one  # the parsers, which a boot from the store did not need

        loaded = load_one(self.mode, name, self.aliases)
        if loaded is not None:
            self.units[name] = loaded.unit
            self.origins[name] = loaded.origins
        return loaded.unit if loaded else None
