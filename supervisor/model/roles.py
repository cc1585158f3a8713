"""Roles as values: who, by uid or gid, may ask how much of which units.

Levels are ordered: `view` < `operate` < `admin`. A role without patterns is for every unit. Nothing is read or decided here: `config.roles`
makes these values from a file, `daemon.api.access` holds a peer against them.
"""

import json
from dataclasses import dataclass

LEVELS = ("view", "operate", "admin")


@dataclass(frozen=True, slots=True)
class Role:
    """One `[[role]]`. `patterns` are globs for units' own names (never aliases); None: every unit."""

    level: str
    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()
    patterns: tuple[str, ...] | None = None


def encode(roles: tuple[Role, ...]) -> str:
    """Text from which `decode` makes the same roles; never empty."""
    rows = [[role.level, sorted(role.uids), sorted(role.gids), role.patterns] for role in roles]
    return json.dumps(rows, separators=(",", ":"))


def decode(text: str) -> tuple[Role, ...]:
    """The roles of a text that `encode` made."""
    return tuple(
        Role(level, frozenset(uids), frozenset(gids), None if patterns is None else tuple(patterns))
        for level, uids, gids, patterns in json.loads(text)
    )
