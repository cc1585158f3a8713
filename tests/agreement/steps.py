"""Playing scenarios in a world, all at once, and what came of each: an answer that can be compared and kept as JSON.

Steps, one line each:

    VERB UNIT [MODE] [&]     one of VERBS, as systemctl has them: the job's result is compared; & goes on at once
    wait UNIT STATE          until the active state or the sub state is that
    rest UNIT                until it is down, has exited, or waits for its automatic restart
    line UNIT TAG [COUNT]    until the unit's processes have written that tag so often
    kill UNIT SIGNAL [WHOM]  main (what is meant if nothing is said), control or all
    reset UNIT               reset-failed
    look UNIT                its properties now are compared too
    touch FILE, remove FILE  in @dir@
    pass SECONDS             time goes by; for what must *not* happen
"""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.agreement.scenario import Json, Scenario
from tests.agreement.worlds import Refused, World

AT_ONCE = 40
WITHIN_S = 20.0
SPEAK_WITHIN_S = 3.0
SETTLE_S = 1.0  # after the last step of all: whatever was on its way has happened, or is compared as still under way
AT_REST = frozenset({"inactive", "failed", "exited", "auto-restart"})
VERBS = ("start", "stop", "restart", "try-restart", "reload", "reload-or-restart", "try-reload-or-restart", "isolate")


class Play:
    """One scenario in one world."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world, self._scenario = world, scenario
        self._jobs: list[tuple[str, Callable[[float], str] | str]] = []
        self._looks: list[Json] = []
        self._late: list[str] = []

    def steps(self) -> None:
        for step in self._scenario.steps:
            try:
                self._step(step)
            except Refused:
                self._jobs.append((step, "refused"))

    def answer(self) -> Json:
        lines = self._world.lines(self._scenario)
        return {
            "jobs": [f"{step}: {each if isinstance(each, str) else each(0.5)}" for step, each in self._jobs],
            "looks": self._looks,
            "late": self._late,
            "units": {unit: self._world.show(self._scenario, unit) for unit in self._scenario.names},
            "lines": lines if self._scenario.is_ordered else _by_unit(lines),
        }

    @property
    def is_late(self) -> bool:
        """Whether something that was waited for did not come in time."""
        return bool(self._late)

    def details(self, unit: str) -> Json:
        """What is known of a unit by its own words."""
        return self._world.details(self._scenario, unit)

    def lines(self) -> list[str]:
        """What the processes wrote so far."""
        return self._world.lines(self._scenario)

    def _step(self, step: str) -> None:
        verb, *words = step.split()
        if verb in VERBS:
            self._request(step, verb, words)
        elif verb in ("wait", "rest", "line"):
            self._wait(step, verb, words)
        elif verb == "kill":
            name = words[1].upper()
            number = int(name) if name.isdigit() else signal.Signals[name if name.startswith("SIG") else f"SIG{name}"].value
            self._world.kill(self._scenario, words[0], number, words[2] if len(words) > 2 else "main")
        elif verb == "reset":
            self._world.reset_failed(self._scenario, words[0])
        elif verb == "look":
            self._looks.append({words[0]: self._world.show(self._scenario, words[0])})
        elif verb == "pass":
            threading.Event().wait(float(words[0]))
        elif verb in ("touch", "remove"):
            path = os.path.join(self._world.seen(self._world.texts[self._scenario.name].own_directory), words[0])
            if verb == "remove":
                os.unlink(path)
            else:
                with open(path, "w", encoding="utf-8"):
                    pass
        else:
            raise ValueError(f"{self._scenario.name}: there is no step {step!r}")

    def _request(self, step: str, verb: str, words: list[str]) -> None:
        goes_on = words[-1] == "&"
        unit, mode = [*(words[:-1] if goes_on else words), "replace"][:2]
        before = self._mains()
        result = self._world.request(verb, self._scenario, unit, mode)
        self._jobs.append((step, result if goes_on else result(WITHIN_S)))
        if not goes_on:
            self._let_them_speak(unit, verb, before)

    def _mains(self) -> dict[str, tuple[bool, int]]:
        """Of each unit whose main process says so first thing: whether it runs, and how often one has spoken."""
        lines = self._world.lines(self._scenario)
        speakers = [unit for unit in self._scenario.names if self._scenario.speaks_at_once(unit)]
        return {unit: ("running" in self._world.states(self._scenario, unit), lines.count(f"{unit} main")) for unit in speakers}

    def _let_them_speak(self, asked: str, verb: str, before: dict[str, tuple[bool, int]]) -> None:
        """Type exec is up before its program has said a word: what it says is not to depend on how fast the next step comes."""

        def has_spoken(unit: str, was_running: bool, count: int) -> bool:
            runs, now = self._mains()[unit]
            is_new = not was_running or (unit == asked and verb not in ("start", "reload") and not self._scenario.can_reload(unit, verb))
            return not runs or not is_new or now > count

        self._world.wait_for(lambda: all(has_spoken(unit, *known) for unit, known in before.items()), SPEAK_WITHIN_S)

    def _wait(self, step: str, verb: str, words: list[str]) -> None:
        count = int(words[2]) if len(words) > 2 else 1

        def holds() -> bool:
            if verb == "rest":
                return not AT_REST.isdisjoint(self._world.states(self._scenario, words[0]))
            if verb == "wait":
                return words[1] in self._world.states(self._scenario, words[0])
            return self._world.lines(self._scenario).count(f"{words[0]} {words[1]}") >= count

        if not self._world.wait_for(holds, WITHIN_S):
            self._late.append(step)


def _by_unit(lines: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        unit, _, text = line.partition(" ")
        found.setdefault(unit, []).append(text)
    return dict(sorted(found.items()))


def play(world: World, scenarios: list[Scenario], answer: Callable[[Play], Json] = Play.answer) -> dict[str, Json]:
    """The answer of each scenario, by name."""
    plays = {scenario.name: Play(world, scenario) for scenario in scenarios}
    together = [plays[scenario.name] for scenario in scenarios if not scenario.is_alone]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(each.steps) for each in together]:
            done.result()
    threading.Event().wait(SETTLE_S)
    answers = {scenario.name: answer(plays[scenario.name]) for scenario in scenarios if not scenario.is_alone}
    for scenario in scenarios:
        if scenario.is_alone:
            plays[scenario.name].steps()
            answers[scenario.name] = answer(plays[scenario.name])
    return answers
