"""How the state of a unit looks: one table from what a brief object says to symbol, word, colour and place in the default order.

Every state has a shape and a word; the colour only repeats them, so that nobody needs to see it. The table is total: whatever
combination of load state, active state, sub state and result a supd sends has exactly one look, and an unknown word gets the look
of its coarse state. Pure: times are turned into words by `state_text`, which is given the time.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from supervisor.model.exitstatus import exit_status_name, signal_name
from supervisor.tui.model.format import grows_at, short_span, shrinks_at

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """How one state is shown.

    `group` is what totals and state filters count by. `symbol` and `ascii` are one cell wide. `word` needs no colour to be
    understood. `style` names an entry of the themes' style table. `rank` is the place in the default order, 0 first. `clock` says
    which time belongs behind the word: "" for none, "since" the last change of state, "until" the next step that supd has announced.
    """

    group: str
    symbol: str
    ascii: str
    word: str
    style: str
    rank: int
    clock: str = ""


FAILED = Look("failed", "✗", "X", "FAIL", "failed", 0)
BAD_FILE = Look("failed", "✗", "X", "bad file", "failed", 0)
RETRY = Look("retry", "↺", "r", "retry", "warning", 1, "until")
UNHEALTHY = Look("unhealthy", "▲", "^", "unhealthy", "warning", 2)
STARTING = Look("starting", "◐", ">", "start", "warning", 3, "since")
STOPPING = Look("stopping", "◑", "<", "stop", "warning", 3, "since")
KILLING = Look("stopping", "◑", "<", "kill", "warning", 3, "since")
RELOADING = Look("reloading", "↻", "~", "reload", "warning", 3, "since")
WAITING = Look("waiting", "◌", ".", "wait", "accent", 4)
RUNNING = Look("running", "●", "*", "run", "running", 5)
REACHED = Look("running", "●", "*", "up", "running", 5)
TIMED = Look("timer", "◷", "@", "in", "accent", 6, "until")
DONE = Look("done", "✓", "+", "done", "dim", 7)
SKIPPED = Look("off", "○", "-", "skipped", "dim", 8)
OFF = Look("off", "○", "-", "off", "dim", 8)
GONE = Look("off", "○", "-", "no file", "dim", 8)
MASKED = Look("masked", "⊘", "/", "masked", "dim", 9)

ALL = (
    FAILED, BAD_FILE, RETRY, UNHEALTHY, STARTING, STOPPING, KILLING, RELOADING, WAITING, RUNNING, REACHED, TIMED, DONE, SKIPPED, OFF,
    GONE, MASKED,
)  # fmt: skip

# What totals and the state filter list, in the order in which a person looks for it; with the look that stands for the group.
GROUPS: dict[str, Look] = {
    "failed": FAILED, "retry": RETRY, "unhealthy": UNHEALTHY, "starting": STARTING, "stopping": STOPPING, "reloading": RELOADING,
    "waiting": WAITING, "running": RUNNING, "timer": TIMED, "done": DONE, "off": OFF, "masked": MASKED,
}  # fmt: skip

# What `!` leaves on the screen: units that are not as they should be.
FAULTS = frozenset({"failed", "retry", "unhealthy"})

_RETRYING = frozenset({"auto-restart", "auto-restart-queued", "dead-before-auto-restart", "failed-before-auto-restart"})
_WORD_OF_RESULT = {
    "resources": "FAIL res", "protocol": "FAIL proto", "timeout": "FAIL time", "watchdog": "FAIL wdog", "core-dump": "FAIL core",
    "start-limit-hit": "FAIL limit", "oom-kill": "FAIL oom", "exec-condition": "FAIL cond",
}  # fmt: skip


def look_of(unit: Json) -> Look:
    """The look of a brief object; total, whatever it says."""
    job = unit.get("job") or {}
    waits = job.get("state") == "waiting" and job.get("type") in ("start", "restart", "verify-active")
    return _look(
        str(unit.get("load_state", "loaded")),
        str(unit.get("active_state", "")),
        str(unit.get("sub_state", "")),
        str(unit.get("result", "success")),
        str(unit.get("kind", "service")),
        unit.get("exec_main_code"),
        unit.get("exec_main_status"),
        unit.get("health") == "failing",
        waits,
        unit.get("next_time_s") is not None,
        unit.get("inactive_enter_time_s") is not None,
    )


@lru_cache(maxsize=1024)
def _look(
    load: str, active: str, sub: str, result: str, kind: str, code: str | None, status: int | None, unwell: bool, waits: bool, timed: bool,
    ran: bool,
) -> Look:  # fmt: skip
    if sub in _RETRYING:
        return RETRY
    if active == "failed":
        return _failed(result, code, status)
    if active == "activating":
        return STARTING
    if active == "deactivating":
        return KILLING if sub.endswith("sigkill") else STOPPING
    if active == "reloading":
        return RELOADING
    if active == "active":
        return _up(sub, kind, unwell)
    if load == "masked":
        return MASKED
    if load == "bad-setting":
        return BAD_FILE
    if load == "not-found":
        return GONE
    if waits:
        return WAITING
    if timed:
        return TIMED
    if result == "exec-condition":
        return SKIPPED
    return DONE if kind == "task" and ran and result == "success" else OFF


def _up(sub: str, kind: str, unwell: bool) -> Look:
    if unwell:
        return UNHEALTHY
    if sub == "exited":
        return DONE
    return REACHED if kind == "target" else RUNNING


@lru_cache(maxsize=512)
def _failed(result: str, code: str | None, status: int | None) -> Look:
    word = _WORD_OF_RESULT.get(result)
    if word is None and status is not None:
        word = f"FAIL {status}" if code == "exited" else f"FAIL {signal_name(status)}"
    return FAILED if word is None else Look("failed", FAILED.symbol, FAILED.ascii, word, FAILED.style, FAILED.rank)


def state_text(look: Look, unit: Json, now_s: float) -> str:
    """The word with its time: "run", "start 4s", "retry 8s" (to go), "wait db", "in 3h12"."""
    if look.clock == "since":
        since_s = unit.get("state_change_time_s")
        return look.word if since_s is None else f"{look.word} {short_span(now_s - since_s)}"
    if look.clock == "until":
        next_s = unit.get("next_time_s")
        return look.word if next_s is None else f"{look.word} {short_span(max(0.0, next_s - now_s))}"
    if look is WAITING:
        waits_for = (unit.get("job") or {}).get("waits_for") or []
        return f"{look.word} {waits_for[0]}" if waits_for else look.word
    return look.word


def state_text_ends_s(look: Look, unit: Json, now_s: float) -> float:
    """Until when `state_text` says what it says now, if nothing happens."""
    at_s = unit.get({"since": "state_change_time_s", "until": "next_time_s"}.get(look.clock, ""))
    if at_s is None:
        return float("inf")
    return grows_at(at_s, now_s) if look.clock == "since" else shrinks_at(at_s, now_s)


def note_of(unit: Json) -> str:
    """What a person must know of a unit besides its state, in a few words; empty when there is nothing.

    What is wrong with its definition comes before what it says itself.
    """
    if unit.get("load_state") == "bad-setting":
        return "unit file has errors"
    if unit.get("rolled_back"):
        return "rolled back"
    if unit.get("load_state") == "not-found":
        return "its file is gone"
    if unit.get("needs_restart"):
        return "changed on disk"
    if unit.get("health") == "failing":
        return "probe fails"
    if unit.get("active_state") == "failed":
        return failure_text(unit)
    job = unit.get("job") or {}
    if job.get("state") == "waiting" and job.get("waits_for"):
        return f"waits for {', '.join(job['waits_for'])}"
    return str(unit.get("status_text") or "")


_FAILURES = {
    "start-limit-hit": "start limit hit", "oom-kill": "out of memory", "watchdog": "no sign of life", "timeout": "took too long",
    "resources": "could not be set up", "protocol": "did not keep to its protocol", "exec-condition": "its condition failed",
}  # fmt: skip


def failure_text(unit: Json) -> str:
    """Why it failed, in a few words: "start limit hit, exit 1"."""
    return ", ".join(part for part in (_FAILURES.get(str(unit.get("result")), ""), ended_text(unit)) if part)


def is_warning(unit: Json) -> bool:
    """Whether the note is about something that is wrong with the definition or the health, rather than news."""
    return (
        unit.get("load_state") in ("bad-setting", "not-found")
        or bool(unit.get("rolled_back"))
        or bool(unit.get("needs_restart"))
        or unit.get("health") == "failing"
    )


def is_fault(unit: Json, look: Look) -> bool:
    """Whether `!` shows the unit: it failed, retries, is unwell, or its definition is not the one that is meant."""
    return look.group in FAULTS or bool(unit.get("rolled_back")) or unit.get("load_state") == "bad-setting"


def ended_text(unit: Json) -> str:
    """How the main process ended, in a few words: "exit 137", "exit 203/EXEC", "killed by KILL"; empty when it has not."""
    code, status = unit.get("exec_main_code"), unit.get("exec_main_status")
    if code is None:
        return ""
    if code == "unknown" or status is None:
        return "ended, its status is unknown"
    if code == "exited":
        name = exit_status_name(status)
        return f"exit {status}" if name == str(status) else f"exit {status}/{name}"
    return f"{'dumped' if code == 'dumped' else 'killed'} by {signal_name(status)}"
