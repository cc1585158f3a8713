"""Whether a unit file that is gone is to be believed (DESIGN, Hot reload): an empty mount or a half-done checkout must stop nothing.

It looks and counts; it changes nothing. Laws: a file is believed gone once it has been gone for `BELIEVED_AFTER_S`, and only if its
directory is there on the device where it was; if a directory is gone, or several files and more than a third of all units at once, nothing
is believed until somebody says `supctl apply`. A file that has another name now (the same inode, unchanged) is not missing: its old
name is gone at once.
"""

import os
from dataclasses import dataclass, field

from supervisor.config.result import LoadResult

BELIEVED_AFTER_S = 5.0


@dataclass(slots=True)
class Verdict:
    """`kept` are the units to go on with as they were. `again_in_s`: when to look again, None: not by itself. `text`: what holds it up.

    `noticed` are those of the kept whose file was there the last time. `renamed`: the new path of each file that has another name now.
    """

    kept: list[str] = field(default_factory=list)
    again_in_s: float | None = None
    text: str = ""
    noticed: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)


class Vanished:
    """What is missing, and since when."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}
        self._devices: dict[str, int] = {}
        self.text = ""

    def remember(self, result: LoadResult) -> None:
        """The devices of the directories that this set came from; of known ones those of before."""
        for directory in {os.path.dirname(unit.fragment_path) for unit in result.units.values() if unit.fragment_path}:
            device = _device(directory)
            if device is not None:
                self._devices.setdefault(directory, device)

    def believe_all(self) -> None:
        """A person says that it is meant so."""
        self._since_s, self._devices, self.text = {}, {}, ""

    def judge(self, old: LoadResult, new: LoadResult, now_s: float) -> Verdict:
        """What to do about the units of `old` that `new` lacks because their file is gone. `now_s` is monotonic."""
        missing = {
            name: unit.fragment_path
            for name, unit in old.units.items()
            if name not in new.units and unit.fragment_path and not os.path.lexists(unit.fragment_path)
        }
        renamed = _renamed(old, new, set(missing.values()))
        missing = {name: path for name, path in missing.items() if path not in renamed}
        noticed = sorted(missing.keys() - self._since_s.keys())
        self._since_s = {name: self._since_s.get(name, now_s) for name in missing}
        self.text = ""
        if not missing:
            return Verdict(renamed=renamed)
        lost = sorted({path for path in map(os.path.dirname, missing.values()) if _device(path) != self._devices.get(path, _device(path))})
        lost += sorted({path for path in map(os.path.dirname, missing.values()) if _device(path) is None and path not in lost})
        if lost:
            self.text = f"{lost[0]} is gone or is another file system now, with {_count(missing)}"
        elif len(missing) > 1 and len(missing) * 3 > len(old.units):
            self.text = f"{_count(missing)} of {len(old.units)} are gone at once"
        if self.text:
            self.text += "; nothing is stopped for it: `supctl apply` if it is meant so"
            return Verdict(sorted(missing), None, self.text, renamed=renamed)
        young = {name: BELIEVED_AFTER_S - (now_s - since_s) for name, since_s in self._since_s.items()}
        waiting = {name: left_s for name, left_s in young.items() if left_s > 0}
        return Verdict(sorted(waiting), min(waiting.values()) if waiting else None, "", noticed, renamed)


def _renamed(old: LoadResult, new: LoadResult, gone: set[str]) -> dict[str, str]:
    """The new path of each file that is gone and is there, as it was, under a name that was not there before.

    A rename changes the ctime alone.
    """
    born = {stamp[:3]: path for path, stamp in new.files.items() if stamp is not None and old.files.get(path) is None} if gone else {}
    return {path: born[stamp[:3]] for path in gone if (stamp := old.files.get(path)) is not None and stamp[:3] in born}


def _device(directory: str) -> int | None:
    try:
        return os.stat(directory).st_dev
    except OSError:
        return None


def _count(missing: dict[str, str]) -> str:
    return "1 unit file" if len(set(missing.values())) == 1 else f"{len(set(missing.values()))} unit files"
