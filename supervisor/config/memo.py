"""What reading the unit files before has shown: a file that is the same is not parsed again, a unit of such files not decoded again.

A file is the same while its stamp is (its content, owner and mode cannot change without it). One that changed a moment before it was
read may change once more within the same stamp, so it is parsed again next time. A unit is the same while every file it was
assembled from is, in the same order, and so are the facts of the host that its specifiers named. Only memory: nothing is on disk.
"""

from time import time_ns
from typing import TYPE_CHECKING

from supervisor.config import specifiers
from supervisor.config.store import SETTLED_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from supervisor.config.decode import Decoded
    from supervisor.config.sources import Source, Stamp


class Memo:
    """For the sets of one mode, one after the other. `now_ns` is the wall clock that stamps of files are in."""

    def __init__(self, now_ns: "Callable[[], int]" = time_ns) -> None:
        self._now_ns = now_ns
        self._files: dict[str, tuple[Stamp, Source]] = {}
        self._units: dict[str, tuple[tuple[Source, ...], Decoded]] = {}

    def file(self, path: str, stamp: "Stamp") -> "Source | None":
        """What was parsed of this file, if it is the same."""
        known = self._files.get(path)
        return known[1] if known is not None and known[0] == stamp else None

    def note_file(self, path: str, stamp: "Stamp", source: "Source") -> None:
        if max(stamp[2], stamp[3]) <= self._now_ns() - SETTLED_NS:
            self._files[path] = (stamp, source)

    def unit(self, source: "Source") -> "Decoded | None":
        """What was decoded of the unit, if everything it was assembled from is the same."""
        known = self._units.get(source.name)
        if known is None or len(known[0]) != len(source.parts):
            return None
        is_same = all(ours is theirs for ours, theirs in zip(known[0], source.parts, strict=True))
        return known[1] if is_same and all(specifiers.fact(letter) == value for letter, value in known[1].facts.items()) else None

    def note_unit(self, source: "Source", decoded: "Decoded") -> None:
        self._units[source.name] = (source.parts, decoded)

    def forget_all_but(self, paths: "Collection[str]", names: "Collection[str]") -> None:
        """Files and units that are no more."""
        self._files = {path: entry for path, entry in self._files.items() if path in paths}
        self._units = {name: entry for name, entry in self._units.items() if name in names}
