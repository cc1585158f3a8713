"""What else a start, stop or restart takes along: asked before it is done, so that nobody stops a database by its least client.

The rules are the engine's (its transactions, after systemd's), followed over all relations from the units asked for: a stop goes to
whatever requires, is bound to or part of the unit, down the whole line of units that are up; a restart as well; a start pulls in what
is needed and stops what conflicts. The engine decides; a test holds this to it over random units. Pure.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

Relations = Mapping[str, Mapping[str, list[str]]]
State = Callable[[str], str]  # the active state of a unit, "" when there is no such unit

_STOPS_TOO = ("required_by", "requisite_of", "bound_by", "consists_of", "propagates_stop_to")
_RESTARTS_TOO = ("required_by", "requisite_of", "bound_by", "consists_of")
_RELOADS_TOO = ("propagates_reload_to",)
_STARTS_TOO = ("requires", "binds_to", "wants", "upholds")
_CONFLICTS = ("conflicts", "conflicted_by")
_UP = frozenset({"active", "activating", "reloading"})
_NOT_DOWN = _UP | {"deactivating"}
_DOWN = frozenset({"inactive", "failed", "deactivating"})


@dataclass(frozen=True, slots=True)
class Impact:
    """Other units than those asked for, nearest first, each in one of them at most."""

    stops: tuple[str, ...] = ()
    restarts: tuple[str, ...] = ()
    reloads: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()

    @property
    def disturbs(self) -> tuple[str, ...]:
        """Those that are up and do not stay as they are."""
        return self.stops + self.restarts

    def __bool__(self) -> bool:
        return bool(self.stops or self.restarts or self.reloads or self.starts)


def impact(verb: str, units: Iterable[str], relations: Relations, state: State) -> Impact:
    """What `verb` (start, stop, restart, reload; any other takes nothing along) does to others than `units`.

    Where a start has enemies it is the most that may happen: what is only wanted is given up where it would contradict the rest.
    """
    asked = list(dict.fromkeys(units))
    if verb == "stop":
        return Impact(stops=_reach(asked, relations, _STOPS_TOO, state, _NOT_DOWN))
    if verb == "restart":
        restarts = _reach(asked, relations, _RESTARTS_TOO, state, _UP)
        starts, stops = _started([*asked, *restarts], relations, state)
        return Impact(stops=_without(stops, restarts), restarts=restarts, starts=_without(starts, restarts))
    if verb == "reload":
        return Impact(reloads=_reach(asked, relations, _RELOADS_TOO, state, _UP))
    if verb == "start":
        starts, stops = _started(asked, relations, state)
        return Impact(stops=_without(stops, asked), starts=_without(starts, asked))
    return Impact()


def _started(roots: Sequence[str], relations: Relations, state: State) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What starts with them, and what has to stop for it. What is up and only pulled in pulls in nothing more."""
    starts = _reach(roots, relations, _STARTS_TOO, state, _DOWN)
    enemies = [other for name in (*roots, *starts) for kind in _CONFLICTS for other in relations.get(name, {}).get(kind, [])]
    doomed = [name for name in dict.fromkeys(enemies) if state(name) in _NOT_DOWN and name not in roots]
    return starts, (*doomed, *_without(_reach(doomed, relations, _STOPS_TOO, state, _NOT_DOWN), roots))


def _without(names: Sequence[str], others: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in others)


def _reach(roots: Sequence[str], relations: Relations, kinds: Collection[str], state: State, states: Collection[str]) -> tuple[str, ...]:
    """Units that these kinds lead to, step by step and only over units in one of these states; nearest first, without the roots.

    A job for a unit that is already as the job would have it is dropped, with all that only it had pulled in; but never the one that
    was asked for.
    """
    seen, found, queue = set(roots), [], deque(roots)
    while queue:
        edges = relations.get(queue.popleft(), {})
        for kind in kinds:
            for other in edges.get(kind, []):
                if other not in seen and state(other) in states:
                    seen.add(other)
                    found.append(other)
                    queue.append(other)
    return tuple(found)


def affected_text(names: tuple[str, ...], room: int = 4) -> str:
    """The first few by name and how many more: "api-000 api-001 +12"."""
    rest = len(names) - room
    return " ".join(names) if rest <= 1 else f"{' '.join(names[:room])} +{rest}"
