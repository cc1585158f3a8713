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
    text = neutralise(str(job.get("text") or _MEANING.get(str(job["result"]), str(job["result"]))))
    session.complain(f"cannot {job['type']} {name}: {text}")
    try:
        culprit = _details(session, job, name)
        _last_output(session, culprit)
    except SupdError:
        culprit = name  # it is gone meanwhile: the job's own text must do
    session.err.write(f"  next: supctl why {culprit}, supctl logs {culprit}")


def _details(session: Session, job: "Json", name: str) -> str:
    """Result and causes; returns the unit to look at, which for a failed dependency is another one."""
    unit = session.client.show(name)
    causes = session.client.why(name)["because"]
    if job["result"] == "failed" and unit.get("result") not in (None, "success"):
        ended = exit_text(unit)
        session.err.write(f"  result: {unit['result']}" + (f" ({ended})" if ended else ""))
    culprit = name
    for cause in causes[:5]:
        session.err.write(f"  because: {neutralise(str(cause['text']))}")
        if job["result"] == "dependency" and culprit == name and cause["unit"] not in ("", name):
            culprit = str(cause["unit"])
    return culprit


def _last_output(session: Session, name: str) -> None:
    lines = session.client.log(name, OUTPUT_LINES)["lines"]
    if lines:
        session.err.write(f"  last output of {name}:", *[f"    {line}" for line in lines])
    else:
        session.err.write(f"  {name} has written nothing")
