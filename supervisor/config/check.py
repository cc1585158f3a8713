"""The offline check behind `supd --check` and `supctl verify`: loads without running anything, and prints what is wrong."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from supervisor.config.load import load
from supervisor.config.mode import Mode, roles_file
from supervisor.config.problems import Problem


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`units` is the number of units that were looked at."""

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    units: int

    @property
    def is_good(self) -> bool:
        return not self.errors

    def text(self, directory: str = "") -> str:
        """One line for each problem, errors first, with paths below `directory` shortened; and a last line that counts."""
        lines = [problem.text(directory) for problem in self.errors]
        lines += [f"warning: {problem.text(directory)}" for problem in self.warnings]
        lines.append(f"{_count(self.units, 'unit')} checked: {_count(len(self.errors), 'error')}, {_count(len(self.warnings), 'warning')}")
        return "\n".join(lines)

    def json(self) -> dict[str, list[dict[str, str | int]]]:
        """The object of `supctl verify --json`."""
        return {"errors": [one.json() for one in self.errors], "warnings": [one.json() for one in self.warnings]}


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _of_roles(mode: Mode) -> tuple[Problem, ...]:
    """What is wrong with `supd.toml`; most have none."""
    path = roles_file(mode)
    if not os.path.lexists(path):
        return ()
    from supervisor.config.roles import read_roles

    return read_roles(path).problems


def check(mode: Mode, files: Sequence[str] = ()) -> CheckResult:
    """Load the units of `mode` and tell what is wrong. With `files`, tell of these only; the units beside them are known to exist."""
    if not files:
        loaded = load(mode)
        return CheckResult((*loaded.errors, *_of_roles(mode)), tuple(loaded.warnings), len(loaded.units))
    wanted = {os.path.abspath(file) for file in files}
    of_roles = _of_roles(mode) if roles_file(mode) in wanted else ()
    wanted.discard(roles_file(mode))
    missing = [Problem(file, 0, "", "there is no such file") for file in sorted(wanted) if not os.path.exists(file)]
    foreign = [
        Problem(file, 0, "", "a unit file's name ends in .toml")
        for file in sorted(wanted)
        if os.path.exists(file) and not file.endswith(".toml")
    ]
    directories = tuple(dict.fromkeys(os.path.dirname(file) for file in sorted(wanted) if os.path.exists(file)))
    others = tuple(one for one in mode.unit_directories if one not in directories and os.path.isdir(one))
    loaded = load(replace(mode, unit_directories=directories + others))
    looked_at = [unit for unit in loaded.units.values() if unit.fragment_path in wanted]
    wanted |= {path for unit in looked_at for path in unit.drop_in_paths}
    errors = missing + foreign + list(of_roles) + [problem for problem in loaded.errors if problem.file in wanted]
    return CheckResult(tuple(errors), tuple(problem for problem in loaded.warnings if problem.file in wanted), len(looked_at))
