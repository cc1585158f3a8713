"""What may be done to units: one table of verbs, with the states in which each makes sense and the supctl line that does the same.

A verb that makes no sense for a unit's state is not offered; supd decides in the end, and what it says is shown. Pure: permission is
judged from the rights that supd told, never by trying.
"""

import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from supervisor.model.exitstatus import signal_name
from supervisor.model.roles import LEVELS

Json = dict[str, Any]

SIGKILL = 9
# What the signal menu offers, those that programs understand first; the key beside each is unique in the menu.
SIGNALS = ((1, "h", "reload, by old custom"), (15, "t", "end in good order"), (2, "i", "as Ctrl-C does"), (3, "q", "end with a core dump"),
           (10, "u", "the program's own meaning"), (12, "v", "the program's own meaning"), (19, "s", "stand still"), (18, "c", "go on"),
           (6, "a", "abort with a core dump"), (SIGKILL, "K", "end at once, with nothing put in order"))  # fmt: skip

_DOWN = frozenset({"inactive", "failed"})


@dataclass(frozen=True, slots=True)
class Action:
    """`verb` is the API's. `done` is said of a unit afterwards. `hurts`: something that runs may stop."""

    verb: str
    key: str
    title: str
    done: str
    hurts: bool = False
    level: str = "operate"


ACTIONS = (
    Action("start", "s", "start", "started"),
    Action("stop", "x", "stop", "stopped", hurts=True),
    Action("restart", "r", "restart", "restarted", hurts=True),
    Action("reload", "R", "reload", "reloaded"),
    Action("kill", "K", "send a signal", "signalled", hurts=True),
    Action("reset-failed", "u", "reset failed", "reset"),
    Action("enable", "n", "enable at boot", "enabled"),
    Action("disable", "b", "disable at boot", "disabled"),
    Action("mask", "m", "mask", "masked"),
    Action("unmask", "M", "unmask", "unmasked"),
)
BY_VERB = {action.verb: action for action in ACTIONS}


def why_not(verb: str, unit: Json) -> str:
    """Why the verb makes no sense for this brief (or full) object, as a clause; empty when it does."""
    active, load = unit.get("active_state"), unit.get("load_state")
    is_down = active in _DOWN
    is_retrying = str(unit.get("sub_state", "")).endswith("auto-restart")
    if verb in ("start", "restart") and load == "masked":
        return "it is masked"
    if verb in ("start", "restart", "reload") and load == "bad-setting":
        return "its unit file has errors"
    if verb == "start":
        return (
            ""
            if (is_down or is_retrying) and unit.get("can_start", True)
            else "it is up"
            if not is_down
            else "it may not be started by hand"
        )
    if verb == "stop":
        return "it is down" if is_down and not unit.get("job") else "" if unit.get("can_stop", True) else "it may not be stopped by hand"
    if verb == "restart":
        return "it is down" if is_down else "" if unit.get("can_stop", True) else "it may not be stopped by hand"
    if verb == "reload":
        return (
            "it is not up" if active not in ("active", "reloading") else "" if unit.get("can_reload", True) else "it has no way to reload"
        )
    if verb == "kill":
        return "nothing of it runs" if is_down or is_retrying else ""
    if verb == "reset-failed":
        return "" if active == "failed" or unit.get("n_restarts") else "it has not failed"
    return _why_not_file(verb, str(unit.get("enabled", "")), load == "masked")


def _why_not_file(verb: str, enabled: str, is_masked: bool) -> str:
    if verb == "unmask":
        return "" if is_masked else "it is not masked"
    if verb == "mask":
        return "it is masked" if is_masked else ""
    if is_masked:
        return "it is masked"
    if verb == "enable":
        return "it is enabled" if enabled == "enabled" else ""
    return "" if enabled == "enabled" else "it is not enabled"


def valid_for(unit: Json) -> list[Action]:
    """The actions that make sense for one unit now, in the order of the table."""
    return [action for action in ACTIONS if not why_not(action.verb, unit)]


def supctl_line(verb: str, units: Sequence[str], signal: int = 15, mode: str = "replace") -> str:
    """What a person would type for the same."""
    words = ["supctl", verb]
    if verb == "kill" and signal != 15:
        words += ["-s", signal_name(signal)]
    if mode != "replace":
        words += ["--job-mode", mode]
    return " ".join([*words, *map(shlex.quote, units)])


def lacking(level: str, units: Collection[str], rights: Iterable[Json]) -> str:
    """The first of `units` on which the rights ([{level, patterns}]) are below `level`; empty when there is none."""
    strong = [right for right in rights if LEVELS.index(right["level"]) >= LEVELS.index(level)]
    for unit in units:
        if not any(right["patterns"] is None or any(fnmatchcase(unit, one) for one in right["patterns"]) for right in strong):
            return unit
    return ""


def outcome(action: Action, unit: str, job: Json) -> str:
    """What a finished job failed with, as a sentence; empty when it did what was asked."""
    if job.get("result") in ("done", "skipped"):
        return ""
    text = job.get("text") or {"dependency": "a unit that it needs could not be started", "timeout": "it took longer than it may",
                               "canceled": "the job was cancelled"}.get(str(job.get("result")), str(job.get("result")))  # fmt: skip
    return f"cannot {action.verb} {unit}: {text}"
