"""A job failed: which, at which step, why, what it said last, and what to type next."""

from supervisor.cli.screen import exit_text
from supervisor.cli.session import Session
from supervisor.client.terminal import neutralise
from supervisor.model.errors import SupdError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

OUTPUT_LINES = 10
CAUSES = 3

# Reasons that say no more than the report does already: that the job failed, that the unit did, that a person asked.
_OBVIOUS = ("job", "failed", "intent")

_MEANING = {
    "canceled": "the job was cancelled",
    "timeout": "the job took longer than it may",
    "dependency": "a unit that it needs could not be started",
    "assert": "an assert_* line of the unit does not hold",
    "invalid": "the job does not apply to the unit's state",
    "unsupported": "this kind of unit cannot do that",
    "failed": "it failed",
}


def explain(session: Session, job: "Json") -> None:
    """Print the report on stderr. What supd cannot tell any more is left out."""
    name = str(job["unit"])
    text = str(job.get("text") or "")
    try:
        unit, causes = session.client.show(name), session.client.why(name)["because"]
    except SupdError:
        unit, causes = {}, []  # it is gone meanwhile: the job's own text must do
    headline = neutralise(text or _headline(job, unit, causes))
    session.complain(f"cannot {job['type']} {name}: {headline}")
    if job["result"] == "failed":
        _how(session, unit)
    culprit = _culprit(job, name, causes)
    if culprit != name:
        _of_culprit(session, culprit)
    skipped: tuple[str, ...] = _OBVIOUS
    if culprit != name:
        skipped = (*_OBVIOUS, "dependency", "restart")
    elif unit.get("restart") == "no":
        skipped = (*_OBVIOUS, "restart")  # that it is not restarted then needs no reason
    told = dict.fromkeys(_told(cause, name) for cause in causes if cause["what"] not in skipped and cause["unit"] in ("", name))
    for cause in [cause for cause in told if cause not in headline and headline not in cause][:CAUSES]:
        session.advise(cause, "because")
    try:
        _last_output(session, culprit)
    except SupdError:
        pass  # as above
    session.err.write(f"  next: supctl why {culprit}, supctl logs {culprit}")


def _of_culprit(session: Session, name: str) -> None:
    """Why the unit that was needed did not start, in its own words."""
    try:
        unit = session.client.show(name)
    except SupdError:
        return
    reason = unit.get("failed_text") or (unit.get("last_job") or {}).get("text")
    session.advise(f"{name}: {reason}" if reason else f"{name} is {unit['active_state']} ({unit['sub_state']})", "because")


def _told(cause: "Json", name: str) -> str:
    return str(cause["text"]) if cause["unit"] in ("", name) else f"{cause['unit']}: {cause['text']}"


def _headline(job: "Json", unit: "Json", causes: "list[Json]") -> str:
    """What went wrong in a few words, when the job itself does not say."""
    if job["result"] == "failed":
        if unit.get("failed_text"):
            return str(unit["failed_text"])
        for cause in causes:
            if cause["what"] not in (*_OBVIOUS, "restart") and cause["unit"] in ("", job["unit"]):
                return str(cause["text"])
        if unit.get("result") == "exit-code":
            return "a command of it failed"
    return _MEANING.get(str(job["result"]), str(job["result"]))


def _how(session: Session, unit: "Json") -> None:
    """Step, result and exit status, as far as they are known."""
    if unit.get("failed_step"):
        session.err.write(f"  step: {unit['failed_step']}")
    if unit.get("result") not in (None, "success"):
        ended = exit_text(unit)
        session.err.write(f"  result: {unit['result']}" + (f" ({ended})" if ended else ""))


def _culprit(job: "Json", name: str, causes: "list[Json]") -> str:
    """The unit to look at: of a failed dependency it is another one."""
    if job["result"] == "dependency":
        for cause in causes:
            if cause["unit"] not in ("", name):
                return str(cause["unit"])
    return name


def _last_output(session: Session, name: str) -> None:
    lines = session.client.log(name, OUTPUT_LINES)["lines"]
    if lines:
        session.err.write(f"  last output of {name}:", *[f"    {line}" for line in lines])
    else:
        session.err.write(f"  {name} has written nothing")
