"""The unit definitions in force, and what becomes of a new set: errors change nothing, a good set becomes `UnitsLoaded`.

It reads (in a thread: parsing is slow), keeps the last good set in the specification store, and changes the overrides of the state
directory for enable, mask and scale. It starts and stops nothing.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from supervisor.config import overrides, store
from supervisor.config.result import LoadResult
from supervisor.daemon.api.service import Json, Refusal
from supervisor.daemon.rolledback import RolledBack
from supervisor.daemon.shell import Shell
from supervisor.model import names
from supervisor.model.codec import decode_unit, encode_unit
from supervisor.model.events import UnitsLoaded
from supervisor.model.specification import Unit

if TYPE_CHECKING:
    from asyncio import Lock

    from supervisor.config.memo import Memo

NEW_PREFIX = "new:"
_GONE = "gone"


def lay_over(result: LoadResult, remembered: dict[str, str]) -> LoadResult:
    """A stored set with what was in force beyond it."""
    for key, text in remembered.items():
        if key.startswith(NEW_PREFIX):
            name = key.removeprefix(NEW_PREFIX)
            if text == _GONE:
                result.units.pop(name, None)
            else:
                result.units[name] = decode_unit(json.loads(text))
    return result


def units_of(result: LoadResult) -> dict[str, Unit]:
    """The units, each with all its other names, those made by symbolic links included."""
    units = dict(result.units)
    for alias, name in result.aliases.items():
        unit = units.get(name)
        if unit is not None and alias not in unit.aliases:
            units[name] = replace(unit, aliases=(*unit.aliases, alias))
    return units


Tell = Callable[[str, list[Json]], object]


class Definitions:
    """What is loaded; every change of it goes through here.

    `say` takes a level and a line for supd's own stderr, `tell` what became of the files as a whole and the errors in them, for events.
    """

    def __init__(self, result: LoadResult, say: Callable[[str, str], object], tell: Tell = lambda text, errors: None) -> None:
        self.mode = result.mode
        self._result = result
        self._say = say
        self._tell = tell
        self._rejected: list[Json] = []  # the errors of a set that was not taken
        self.rejected_files: tuple[str, ...] = ()  # what that set was made of
        self._before: LoadResult | None = None  # the set that was in force before this one
        self._lock: Lock | None = None
        self.rolled_back = RolledBack(result.mode.state_directory)
        self.rolled_back.substitute(result)
        self._shell: Shell | None = None
        self._kept = dict(result.units)  # as the store has them, or the keeper beyond it
        self._noted: set[str] = set()  # units of which the keeper remembers what the store does not have yet
        self._memo: Memo | None = None
        self._instances: dict[str, Unit] = {}  # of templates, made because somebody asked for them

    def attach(self, shell: Shell) -> None:
        self._shell = shell
        remembered: dict[str, str] = shell.link.table["remembered"]
        self._noted = {key.removeprefix(NEW_PREFIX) for key in remembered if key.startswith(NEW_PREFIX)}

    @property
    def loaded(self) -> LoadResult:
        """The set in force."""
        return self._result

    def instantiate_known(self, names_remembered: Iterable[str]) -> None:
        """After a manager's death: the instances that somebody had asked for are there again."""
        for name in names_remembered:
            if name not in self._result.units and self._result.is_instantiable(name) and (unit := self._result.instantiate(name)):
                self._instances[name] = unit

    def let_go(self, instances: Iterable[str]) -> None:
        """Who asked for these by name (a look at one is enough) asked for what is not wanted any more."""
        for name in instances:
            self._instances.pop(name, None)

    def report(self) -> None:
        """Say every error and warning of the set, each on a line of its own."""
        for problem in self._result.errors:
            self._say("error", problem.text())
        for problem in self._result.warnings:
            self._say("warning", problem.text())

    def tell_of_files(self, text: str) -> None:
        """Something about the files as a whole that a person should know, which is no error in one of them."""
        self._tell(text, self.errors())

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

    @property
    def lock(self) -> "Lock":
        """Whoever reads and then adopts holds it: one change of the definitions at a time."""
        if self._lock is None:
            from asyncio import Lock  # not before the first spawn

            self._lock = Lock()
        return self._lock

    async def reload(self) -> Json:
        """Read the files again. Errors change nothing and are kept to be shown; else the new set is in force on return."""
        async with self.lock:
            result = await self.read()
            if result is None:
                return {"units": len(self._result.units), "errors": self._rejected}
            assert self._shell is not None
            self._shell.take(UnitsLoaded(self.adopt(result)))
            self._shell.spawning.passing.settle_all()
            await self.keep(result)
            return {"units": len(result.units), "errors": []}

    async def has_changed(self) -> bool:
        """Whether any file or override of the set in force is another than it was; a set that was refused may always have changed."""
        from asyncio import to_thread

        return bool(self._rejected) or not await to_thread(store.has_same_sources, self._result)

    async def read(self) -> LoadResult | None:
        """The set of the files as they are now; None when it has errors, which are said once and kept to be shown. Adopts nothing."""
        from asyncio import to_thread

        result = await to_thread(self._load)
        errors = [problem.json() for problem in result.errors]
        if errors:
            if errors != self._rejected:
                for problem in result.errors:
                    self._say("error", problem.text())
                text = f"nothing has changed ({_counted(len(errors))} in the unit files): the last good definitions stay in force"
                self._say("error", text)
                self._tell(text, errors)
            self._rejected, self.rejected_files = errors, tuple(result.files)
            return None
        if self._rejected:
            self._say("info", "the errors in the unit files are mended")
            self._tell("the errors in the unit files are mended", [])
        self._rejected, self.rejected_files = [], ()
        if self.rolled_back.substitute(result):
            await to_thread(self.rolled_back.save)
        return result

    async def peek(self, lifted: Callable[[LoadResult], tuple[str, ...]] = lambda result: ()) -> tuple[LoadResult, list[Json]]:
        """The set of the files as they are now, and its errors, for a look that changes nothing; `lifted` of it as if tried again."""
        from asyncio import to_thread

        result = await to_thread(self._load)
        if not result.errors:
            self.rolled_back.substitute(result, forgets=False, lifted=lifted(result))
        return result, [problem.json() for problem in result.errors]

    def _load(self) -> LoadResult:
        """The stored set while it holds, else what the files say, of which only what changed is parsed. Slow: for a thread."""
        if (stored := store.read(self.mode)) is not None:
            return stored
        from supervisor.config.load import load  # the parsers, which a boot from the store did not need
        from supervisor.config.memo import Memo

        self._memo = self._memo or Memo()
        return load(self.mode, memo=self._memo)

    def adopt(self, result: LoadResult) -> dict[str, Unit]:
        """This is the set in force; its units, for the engine, which is to be given them next."""
        self._note_changes(result.units)
        if result.units != self._result.units:
            self._before = self._result
        self._result = result
        return self.with_instances(result)

    def _note_changes(self, units: dict[str, Unit]) -> None:
        assert self._shell is not None
        changed = {name for name in self._kept.keys() | units.keys() if self._kept.get(name) != units.get(name)}
        self._noted |= changed
        self._shell.finish()  # so that the next commit is that of the event which brings the set to the engine
        self._shell.also_remember(
            {
                NEW_PREFIX + name: json.dumps(encode_unit(units[name]), separators=(",", ":")) if name in units else _GONE
                for name in self._noted
            }
        )

    def with_instances(self, result: LoadResult) -> dict[str, Unit]:
        """The units of a set, and the instances that somebody asked for."""
        units = units_of(result)
        for name in self._instances:
            if name not in units and (unit := result.instantiate(name)) is not None:
                units[name] = unit
        return units

    async def keep(self, result: LoadResult, is_whole: bool = True) -> None:
        """Put the set into the store, once it is in force. Not `is_whole`: the files say something else, so a boot reads them again."""
        from asyncio import to_thread

        units = dict(result.units)
        if await to_thread(store.write, result, is_whole=is_whole) is None:
            return  # the keeper goes on remembering what has changed
        self._kept, noted, self._noted = units, self._noted, set()
        if noted and self._shell is not None:
            self._shell.link.send({NEW_PREFIX + name: "" for name in noted}, [])
            self._shell.watch_link()

    # -- going back ------------------------------------------------------------------------------------------------

    def way_back(self, name: str, good: Unit) -> dict[str, Unit | None]:
        """What goes back with `name`: itself, or, where the set would not be valid so, all that changed since the set of before."""
        from supervisor.config.consistency import check

        units = {**self._result.units, name: good}
        masked = frozenset(other for other, unit in units.items() if unit.is_masked)
        errors, _ = check(units, masked, lambda unit, kind, other: (units[unit].fragment_path, 0, f"unit.{kind}"))
        if not errors or self._before is None:
            return {name: good}
        old, new = self._before.units, self._result.units
        return {**{other: old.get(other) for other in old.keys() | new.keys() if old.get(other) != new.get(other)}, name: good}

    def go_back(self, units: dict[str, Unit | None], text: str) -> None:
        """These definitions (None: no such unit) are in force again, and what the files say of them is remembered as failed."""
        for name, good in units.items():
            bad = self._result.units.get(name)
            if good is not None and bad is not None:
                self.rolled_back.add(good, bad, text)
            if good is None:
                self._result.units.pop(name, None)
            else:
                self._result.units[name] = good

    async def set_enabled(self, unit: str, state: str) -> None:
        """enable, disable, mask and unmask: on disk, then in force."""
        word = None if state == "unmasked" else state
        await self._write(lambda: overrides.write_enabled(self.mode.state_directory, unit, word))
        answer = await self.reload()
        if answer["errors"]:
            raise self.not_in_force(answer["errors"])

    async def set_instances(self, template: str, number: int) -> None:
        """So many instances from now on: on disk. That it comes in force is the caller's, as is starting and stopping them."""
        await self._write(lambda: overrides.write_instances(self.mode.state_directory, template, number))

    async def _write(self, write: Callable[[], Any]) -> None:
        from asyncio import to_thread

        try:
            await to_thread(write)
        except (overrides.OverrideError, ValueError) as error:
            raise Refusal("bad-request", str(error)) from None

    @staticmethod
    def not_in_force(errors: list[Json]) -> Refusal:
        text = f"it is remembered, but not in force yet ({_counted(len(errors))} in the unit files)"
        return Refusal("bad-setting", f"{text}; `supctl verify` shows them")

    @staticmethod
    def instances_of(template: str, result: LoadResult) -> list[str] | None:
        """The names of a template's listed instances in a set, None when there is no such template."""
        prefix = overrides.template_name(template)
        if prefix not in result.templates:
            return None
        units = result.units
        return [name for name in units if names.is_instance(name) and name.startswith(prefix) and units[name].is_enabled]


def _counted(errors: int) -> str:
    return "1 error" if errors == 1 else f"{errors} errors"
