"""The unit definitions in force, and what becomes of a new set: errors change nothing, a good set becomes `UnitsLoaded`.

It reads (in a thread: parsing is slow), keeps the last good set in the specification store, and changes the overrides of the state
directory for enable, mask and scale. It starts and stops nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from supervisor.config import load_units, overrides
from supervisor.config.result import LoadResult
from supervisor.daemon.api.service import Json, Refusal
from supervisor.daemon.shell import Shell
from supervisor.model import names
from supervisor.model.codec import encode_unit
from supervisor.model.events import UnitsLoaded
from supervisor.model.specification import Unit


def units_of(result: LoadResult) -> dict[str, Unit]:
    """The units, each with all its other names, those made by symbolic links included."""
    units = dict(result.units)
    for alias, name in result.aliases.items():
        unit = units.get(name)
        if unit is not None and alias not in unit.aliases:
            units[name] = replace(unit, aliases=(*unit.aliases, alias))
    return units


class Definitions:
    """What is loaded; every change of it goes through here."""

    def __init__(self, result: LoadResult, say: Callable[[str, str], object]) -> None:
        self.mode = result.mode
        self._result = result
        self._say = say
        self._rejected: list[Json] = []  # the errors of a set that was not taken
        self._shell: Shell | None = None
        self._instances: dict[str, Unit] = {}  # of templates, made because somebody asked for them

    def attach(self, shell: Shell) -> None:
        self._shell = shell

    @property
    def loaded(self) -> LoadResult:
        """The set in force."""
        return self._result

    def instantiate_known(self, names_remembered: Iterable[str]) -> None:
        """After a manager's death: the instances that somebody had asked for are there again."""
        for name in names_remembered:
            if name not in self._result.units and self._result.is_instantiable(name) and (unit := self._result.instantiate(name)):
                self._instances[name] = unit

    def report(self) -> None:
        """Say every error and warning of the set, each on a line of its own."""
        for problem in self._result.errors:
            self._say("error", problem.text())
        for problem in self._result.warnings:
            self._say("warning", problem.text())

    # -- looking ---------------------------------------------------------------------------------------------------

    def errors(self) -> list[Json]:
        return self._rejected or [problem.json() for problem in self._result.errors]

    def origins(self, unit: str) -> Json:
        return dict(self._result.origins.get(unit, {}))

    def definition(self, unit: str) -> Json:
        """The unit's files with their text, and where each value came from."""
        spec = self._engine_specs()[unit]
        files = []
        for path in (spec.fragment_path, *spec.drop_in_paths):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    files.append({"path": path, "text": file.read()})
            except OSError as error:
                files.append({"path": path, "text": f"# cannot be read now: {error.strerror}\n"})
        return {"unit": unit, "files": files, "origins": self.origins(unit), "specification": encode_unit(spec)}

    def _engine_specs(self) -> dict[str, Unit]:
        assert self._shell is not None
        return self._shell.engine.core.specs

    def instantiate(self, name: str) -> bool:
        """Make an instance of a template that nobody listed; whether there is such a template."""
        if not self._result.is_instantiable(name):
            return False
        unit = self._result.instantiate(name)
        if unit is None or self._shell is None:
            return False
        self._instances[name] = unit
        self._shell.take(UnitsLoaded({**self._engine_specs(), name: unit}))
        return True

    # -- changing --------------------------------------------------------------------------------------------------

    async def reload(self) -> Json:
        """Read the files again. Errors change nothing and are kept to be shown; else the new set is in force on return."""
        from asyncio import to_thread  # not before the first spawn

        result = await to_thread(load_units, self.mode)
        errors = [problem.json() for problem in result.errors]
        if errors:
            self._rejected = errors
            for problem in result.errors:
                self._say("error", problem.text())
            self._say("error", f"nothing has changed ({_counted(len(errors))} in the unit files): the last good definitions stay in force")
            return {"units": len(self._result.units), "errors": errors}
        self._rejected = []
        self._result = result
        self._adopt()
        return {"units": len(result.units), "errors": []}

    def _adopt(self) -> None:
        assert self._shell is not None
        units = units_of(self._result)
        for name in self._instances:
            if name not in units and (unit := self._result.instantiate(name)) is not None:
                units[name] = unit
        self._shell.take(UnitsLoaded(units))
        self._shell.spawning.passing.settle_all()

    async def set_enabled(self, unit: str, state: str) -> None:
        """enable, disable, mask and unmask: on disk, then in force."""
        word = None if state == "unmasked" else state
        await self._change(lambda: overrides.write_enabled(self.mode.state_directory, unit, word))

    async def scale(self, template: str, number: int) -> list[str]:
        """So many instances from now on; their names. Starting and stopping them is the caller's."""
        await self._change(lambda: overrides.write_instances(self.mode.state_directory, template, number))
        return self.instances_of(template) or []

    def instances_of(self, template: str) -> list[str] | None:
        """The names of a template's listed instances, None when there is no such template."""
        prefix = overrides.template_name(template)
        if prefix not in self._result.templates:
            return None
        units = self._result.units
        return [name for name in units if names.is_instance(name) and name.startswith(prefix) and units[name].is_enabled]

    async def _change(self, write: Callable[[], Any]) -> None:
        from asyncio import to_thread

        try:
            await to_thread(write)
        except (overrides.OverrideError, ValueError) as error:
            raise Refusal("bad-request", str(error)) from None
        answer = await self.reload()
        if answer["errors"]:
            text = f"it is remembered, but not in force yet ({_counted(len(answer['errors']))} in the unit files)"
            raise Refusal("bad-setting", f"{text}; `supctl verify` shows them")


def _counted(errors: int) -> str:
    return "1 error" if errors == 1 else f"{errors} errors"
