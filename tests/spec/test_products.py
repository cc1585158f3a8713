"""What systemd 252 answered to the products of `tests/agreement/products.py`, row by row, in virtual time: the engine answers the same.

The unit files are read by supd's own loader; what their programs do is taken from their command lines.
"""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.model import effects as do
from supervisor.model import events as ev
from supervisor.model.specification import Command, Unit
from supervisor.model.states import Phase
from tests.agreement import compare, products
from tests.agreement.scenario import Json, Scenario, Texts
from tests.agreement.steps import AT_REST
from tests.config.projects import loaded
from tests.spec.behaviour import Process, cannot_exec, daemonizes, dies_by, exits, runs, says_ready
from tests.spec.build import MS, SECOND
from tests.spec.world import World

ROWS = products.every_product()
RECORDED = compare.recorded(compare.PRODUCTS)
PHASES = {
    Phase.CONDITION: "exec_condition",
    Phase.START_PRE: "exec_start_pre",
    Phase.START: "exec_start",
    Phase.START_POST: "exec_start_post",
    Phase.RELOAD: "exec_reload",
    Phase.STOP: "exec_stop",
    Phase.STOP_POST: "exec_stop_post",
}


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Unit]:
    """Every unit of every row, by its full name."""
    return _loaded(tmp_path_factory.mktemp("products"), ROWS, has_own_defaults=False)


def _loaded(root: Path, rows: list[Scenario], *, has_own_defaults: bool) -> dict[str, Unit]:
    files = {f"{row.full(unit)}.toml": Texts(row, "/d", has_own_defaults).ours(unit) for row in rows for unit in row.units}
    masked = {row.full(unit): "masked" for row in rows for unit in row.masked}
    (root / ".supd").mkdir()
    (root / ".supd" / "enabled.json").write_text(json.dumps(masked))
    result = loaded(root, files)
    assert all("-missing-" in problem.text() for problem in result.errors)  # who requires what is not there is refused with its file
    return result.units


def _script(command: Command) -> Process:
    """What the program of a command line does (see `say` and `talk`)."""
    if not command.argv[0].startswith("/d/"):
        return {"/bin/sleep": runs(), "/bin/true": exits(0)}.get(command.argv[0], cannot_exec())
    if command.argv[0].endswith("talk"):
        return says_ready()
    code = command.argv[4] if len(command.argv) > 4 else "exit 0"
    if code.startswith("(sleep"):
        return daemonizes(exits(3, after_us=300 * MS))
    after_us = 500 * MS if code.startswith("sleep 0.5; ") else 0
    word, _, rest = code.removeprefix("sleep 0.5; ").partition(" ")
    if word == "die":
        return dies_by(int(rest) if rest.isdigit() else signal.Signals[f"SIG{rest}"], after_us=after_us)
    return runs() if word == "block" else exits(int(rest), after_us=after_us)


class Played(World):
    """The units of one row, known by their short names."""

    def __init__(self, row: Scenario, units: dict[str, Unit]) -> None:
        self.row = row
        super().__init__(*(units[row.full(unit)] for unit in row.units))
        for name, spec in self.units.items():
            assert spec.service is not None
            assert spec.execution is not None
            self.conditions[name] = not spec.conditions
            for phase, key in PHASES.items():
                if commands := getattr(spec.service, key):
                    script = _script(commands[0])
                    if spec.execution.user:
                        script = Process(prepare_fails=("user", 217))
                    self.behave(name, script, phase=phase)

    def play(self) -> Json:
        """The steps, and the answer in the words of `products.json`."""
        jobs = [result for step in self.row.steps if (result := self._step(*step.split())) is not None]
        self.advance(10 * SECOND)
        told = {}
        for unit in self.row.units:
            shown = self.show(self.row.full(unit))
            keys = ("active_state", "sub_state", "result", "n_restarts", "exec_main_code", "exec_main_status")
            values = [shown[key] for key in keys]
            told[unit] = " ".join(map(str, [*values, *self._lines(unit)]))
        return {"jobs": " ".join(jobs), **told}

    def _step(self, verb: str, *words: str) -> str | None:
        if verb == "pass":
            self.advance(int(float(words[0]) * SECOND))
            return None
        unit = self.row.full(words[0])
        if verb == "kill":
            return "refused" if self.kill(unit, signal.Signals[f"SIG{words[1]}"], "main").code else None
        if verb == "rest":
            for _ in range(200):
                if {self.active(unit), self.sub(unit)} & AT_REST:
                    return None
                self.advance(100 * MS)
            raise AssertionError(f"{unit} does not come to rest: {self.state(unit)}")
        answer = self.request(verb, unit)
        for _ in range(200):
            if answer.code or not answer.job or self.job_result(answer) is not None:
                break
            self.advance(100 * MS)
        if answer.code:
            return "refused"
        return "done" if not answer.job else str(self.job_result(answer))

    def _lines(self, unit: str) -> Iterator[str]:
        """The tags that the programs of this unit have written, in the order in which they were executed."""
        name = self.row.full(unit)
        prepared = {effect.run: effect for _, effect in self.history if isinstance(effect, do.Prepare) and effect.unit == name}
        for _, event in self.history:
            if isinstance(event, ev.Execed) and event.unit == name and (argv := prepared[event.run].command.argv)[0].startswith("/d/"):
                yield argv[3]


@pytest.mark.parametrize("part", sorted({row.name.partition("-")[0] for row in ROWS}))
def test_every_row_of_a_product_goes_as_systemd_252_went(part: str, units: dict[str, Unit]) -> None:
    differing = []
    for row in ROWS:
        if row.name.partition("-")[0] != part:
            continue
        given = Played(row, units).play()
        if (given != RECORDED[row.name]) != bool(compare.reason_for(row.name)):
            differing.append(f"{row.name}:\n  systemd {RECORDED[row.name]}\n  engine  {given}")
    assert not differing, f"{len(differing)} rows go otherwise; the first ones:\n" + "\n".join(differing[:10])


def test_every_row_has_an_answer_and_every_answer_a_row() -> None:
    assert set(RECORDED) == {row.name for row in ROWS}


def test_the_rows_that_our_own_defaults_change_are_known(tmp_path: Path) -> None:
    """A default that comes to differ from systemd's, or no longer does, changes this list."""
    rows = [row for row in ROWS if row.name.endswith("-no") or row.name.startswith(("pairs/requires-", "pairs/binds-to-"))]
    units = _loaded(tmp_path, rows, has_own_defaults=True)
    played = {row.name: Played(row, units).play() for row in rows}
    changed = {name: given for name, given in played.items() if given != RECORDED[name] and not compare.reason_for(name)}
    assert changed == compare.recorded(compare.DEFAULTS)
