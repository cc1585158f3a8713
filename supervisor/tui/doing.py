"""Doing something to units, from the key to the toast: is it allowed, does it make sense, whom does it hurt, and what came of it.

It asks only when it hurts: when other units are taken along, when several are stopped or restarted at once, when the supd is on another
machine, and always before SIGKILL. Every toast carries the supctl line that does the same, so that the screen teaches the command;
a failure carries supd's own reason. Nothing is sent twice.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from supervisor.model.exitstatus import signal_name
from supervisor.tui.link.protocol import Json, LinkLost, Refused
from supervisor.tui.modals.confirm import Confirm, Question
from supervisor.tui.model.actions import BY_VERB, SIGKILL, Action, outcome, supctl_line, why_not
from supervisor.tui.model.impact import affected_text
from supervisor.tui.widgets.host import Host

AT_ONCE = 8  # requests under way together; each waits for its job
_FAILURES_SHOWN = 3
_NAMES_IN_TITLE = 3
_NAMES_IN_QUESTION = 12
TOAST_S = 5.0
FAILURE_TOAST_S = 15.0
_UNITS_IN_LINE = 12  # a question about hundreds of units must leave room for its answers


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asked for."""

    verb: str
    units: tuple[str, ...]
    signal: int = 15
    mode: str = "replace"

    @property
    def action(self) -> Action:
        return BY_VERB[self.verb]

    @property
    def line(self) -> str:
        left_out = len(self.units) - _UNITS_IN_LINE
        line = supctl_line(self.verb, self.units[:_UNITS_IN_LINE], self.signal, self.mode)
        return f"{line} ... ({left_out} more)" if left_out > 0 else line

    @property
    def target(self) -> str:
        """The units in a title: "db", "db and web", "5 units"."""
        if len(self.units) > _NAMES_IN_TITLE:
            return f"{len(self.units)} units"
        return " and ".join([", ".join(self.units[:-1]), self.units[-1]] if len(self.units) > 1 else self.units)


async def carry_out(host: Host, order: Order) -> None:
    """Everything from the key to the toast. Called in a worker, for a question may be asked."""
    if reason := host.may(order.verb, order.units):
        host.notify(f"cannot {order.verb} {order.target}: {reason}", severity="warning", timeout=TOAST_S, markup=False)
        return
    sensible, senseless = _sorted_out(host, order)
    if not sensible:
        host.notify(senseless, severity="warning", timeout=TOAST_S, markup=False)
        return
    order = Order(order.verb, tuple(sensible), order.signal, order.mode)
    question = await question_for(host, order)
    if question is not None:
        answer = await host.ask(Confirm(question))
        if not answer:
            return
        if answer == "only":
            order = Order(order.verb, order.units, order.signal, "ignore-dependencies")
    faults = await _send(host, order)
    _tell(host, order, faults)


def _sorted_out(host: Host, order: Order) -> tuple[list[str], str]:
    """The units for which the verb makes sense, and a sentence on why it does not for the others."""
    sensible, reasons = [], []
    for name in order.units:
        unit = host.store.get(name)
        reason = "there is no such unit any more" if unit is None else why_not(order.verb, unit.brief)
        if reason:
            reasons.append(f"cannot {order.verb} {name}: {reason}")
        else:
            sensible.append(name)
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return sensible, (reasons[0] if reasons else "") + more


async def question_for(host: Host, order: Order) -> Question | None:
    """The question to ask first, None when nobody needs to be asked."""
    if order.verb == "kill":
        return _question_of_signal(host, order)
    if order.verb not in ("start", "stop", "restart"):
        return None
    effect = await host.impact(order.verb, order.units)
    hurts_several = order.action.hurts and len(order.units) > 1
    if not effect.disturbs and not hurts_several and not (order.action.hurts and host.is_remote):
        return None
    also = [(f"also {word}", names) for word, names in (("stops", effect.stops), ("restarts", effect.restarts)) if names]
    title = f"{order.action.title.capitalize()} {order.target}?"
    return Question(title, order.action.title, also, order.line, _names(order), _notes(host), may_spare=bool(also))


def _question_of_signal(host: Host, order: Order) -> Question | None:
    if order.signal != SIGKILL and not host.is_remote and len(order.units) == 1:
        return None
    notes = _notes(host)
    if order.signal == SIGKILL:
        notes.append("SIGKILL ends it at once: nothing is put in order, no stop command runs.")
    word = f"SIG{signal_name(order.signal)}"
    return Question(f"Send {word} to {order.target}?", f"send {word}", line=order.line, names=_names(order), notes=notes)


def _names(order: Order) -> str:
    """The units where the title only counts them."""
    return affected_text(order.units, _NAMES_IN_QUESTION) if len(order.units) > _NAMES_IN_TITLE else ""


def _notes(host: Host) -> list[str]:
    return [f"This is {host.label}, another machine."] if host.is_remote else []


async def _send(host: Host, order: Order) -> list[str]:
    """Ask supd for each unit; returns a sentence for each that failed."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(unit: str) -> str:
        async with gate:
            try:
                job: Json = await host.transport.act(order.verb, unit, mode=order.mode, signal=order.signal)
            except Refused as refused:
                text = refused.text if refused.text.startswith("cannot ") else f"cannot {order.verb} {unit}: {refused.text}"
                return f"{text}\n{refused.hint}" if refused.hint and refused.hint not in text else text
            except LinkLost as lost:
                return f"cannot tell what became of {order.verb} {unit}: {lost}"
        return outcome(order.action, unit, job)

    answers = await asyncio.gather(*[one(unit) for unit in order.units])
    return [answer for answer in answers if answer]


def _tell(host: Host, order: Order, faults: Sequence[str]) -> None:
    line, total = f"= {order.line}", len(order.units)
    if not faults:
        done = f"sent SIG{signal_name(order.signal)} to" if order.verb == "kill" else order.action.done
        host.notify(line, title=f"{done} {order.target}", timeout=TOAST_S, markup=False)
        return
    shown = list(faults[:_FAILURES_SHOWN])
    if len(faults) > _FAILURES_SHOWN:
        shown.append(f"and {len(faults) - _FAILURES_SHOWN} more")
    title = f"{order.verb} failed" if total == 1 else f"{order.verb}: {len(faults)} of {total} failed"
    host.notify("\n".join([*shown, line]), title=title, severity="error", timeout=FAILURE_TOAST_S, markup=False)
