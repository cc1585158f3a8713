"""The list of units as a tree of one level: instances of a template stand together, every other unit with its kind.

A group stands where its first member stood, so a group with a failure is on top when the order puts failures there; members keep their
order. The key of a head begins with a character that no unit's name can hold, so heads and units share one list.
"""

from collections.abc import Callable, Sequence

from supervisor.tui.model.units import Unit

HEAD = "\0"

_PLURALS = {"service": "services", "task": "tasks", "target": "targets", "flow": "flows"}


def is_head(key: str | None) -> bool:
    return key is not None and key.startswith(HEAD)


def group_of(unit: Unit) -> str:
    """ "worker@" for instances of a template, "services" and the like for the others."""
    template, at, _ = unit.name.partition("@")
    kind = str(unit.brief.get("kind") or "service")
    return template + at if at else _PLURALS.get(kind, kind)


def tree(names: Sequence[str], unit_of: Callable[[str], Unit | None]) -> list[str]:
    """The same names below the heads of their groups."""
    groups: dict[str, list[str]] = {}
    for name in names:
        unit = unit_of(name)
        if unit is not None:
            groups.setdefault(group_of(unit), []).append(name)
    return [key for group, members in groups.items() for key in (HEAD + group, *members)]


def members(keys: Sequence[str], head: str) -> list[str]:
    """The units below a head, as the list stands."""
    start = keys.index(head) + 1
    end = next((at for at in range(start, len(keys)) if is_head(keys[at])), len(keys))
    return list(keys[start:end])
