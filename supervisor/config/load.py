"""Loads every unit of a mode: files to a checked set, with all errors of all files at once.

Decides which names exist (files, aliases, instances), what is enabled by default, and what a person's overrides change. How a file
is read is `sources`, what a table means is `decode`, what the set must satisfy is `consistency`. Heavy: imported only when the
store does not serve.
"""

import os
from dataclasses import dataclass, replace

from supervisor.config import consistency, overrides
from supervisor.config.decode import Decoded, decode
from supervisor.config.memo import Memo
from supervisor.config.mode import Mode
from supervisor.config.problems import Problem
from supervisor.config.result import LoadResult
from supervisor.config.sources import Source, Sources
from supervisor.model import names
from supervisor.model.specification import Dependencies, Unit

PLACEHOLDER_INSTANCE = "instance"  # a template is checked with it, whether or not it has instances
UNITS_MAX = 100_000


@dataclass(slots=True)
class LoadedUnit:
    """One unit with the origins of its keys."""

    unit: Unit
    origins: dict[str, str]


def load(mode: Mode, *, checks_ownership: bool | None = None, memo: Memo | None = None) -> LoadResult:
    """Every unit of the mode's directories. `checks_ownership` is whether files must belong to root; by default when supd is root's.

    With the `memo` of an earlier set only what changed is parsed and decoded.

    Never raises for anything a unit file or an override contains: that is in `errors`.
    """
    return _Loader(mode, checks_ownership, memo or Memo()).run()


def load_one(mode: Mode, name: str, aliases: dict[str, str]) -> LoadedUnit | None:
    """One instance of a template, read now; None when no file serves it. Faults make the unit unusable, not an exception.

    `aliases` are those of the set that it joins.
    """
    if names.complaint(name):
        return None
    loader = _Loader(mode, None, Memo())
    loader.read_overrides()
    loader.aliases = aliases
    loader.add(name, is_listed=False)
    unit = loader.decoded[name].unit if name in loader.decoded else None
    if unit is None:
        if not loader.sources.has(names.template_of(name)):
            return None
        text = "; ".join(problem.text() for problem in loader.errors + loader.sources.problems)
        return LoadedUnit(Unit(name, "service", is_enabled=False, load_error=text or "its file cannot be read"), {})
    unit = replace(unit, dependencies=loader.resolved(unit.dependencies))
    return LoadedUnit(loader.enabled_unit(unit, frozenset()), loader.origins_of(name))


class _Loader:
    def __init__(self, mode: Mode, checks_ownership: bool | None, memo: Memo) -> None:
        self.mode = mode
        self.memo = memo
        checks_ownership = os.geteuid() == 0 if checks_ownership is None else checks_ownership
        self.sources = Sources(mode.unit_directories, checks_ownership=checks_ownership, memo=memo)
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []
        self.decoded: dict[str, Decoded] = {}
        self.units_sources: dict[str, Source] = {}
        self.unusable: dict[str, Unit] = {}
        self.said: dict[str, Dependencies] = {}  # by units that have errors
        self.templates: dict[str, int] = {}
        self.aliases: dict[str, str] = {}
        self.listed: set[str] = set()  # instances that their template lists
        self.enabled: dict[str, str] = {}
        self.instances: dict[str, int] = {}

    def run(self) -> LoadResult:
        self.read_overrides()
        for directory in self.mode.unit_directories if self.mode.kind == "project" else ():
            if self.sources.stamps.get(directory, ...) is None:
                self.errors.append(Problem(directory, 0, "", "there is no such unit directory"))
        for name in self.sources.names():
            self.sources.read_all_of(name)
        for name in self.sources.names():
            if self.sources.is_fragment(name):
                continue
            if names.is_template(name):
                self.add_template(name)
            else:
                self.add(name, is_listed=not names.is_instance(name))
        self.add_referenced_instances()
        self.collect_aliases()
        return self.finish()

    def read_overrides(self) -> None:
        try:
            self.enabled = overrides.read_enabled(self.mode.state_directory)
            self.instances = overrides.read_instances(self.mode.state_directory)
        except overrides.OverrideError as error:
            self.errors.append(Problem("", 0, "", str(error)))

    def add(self, name: str, *, is_listed: bool) -> None:
        """Read and decode one unit that is not known yet."""
        if name in self.decoded or name in self.unusable:
            return
        source = self.sources.assemble(name)
        if source is None:
            self.unusable[name] = Unit(name, "service", is_enabled=False, enabled_state="disabled", load_error="its file cannot be read")
            return
        if source.is_masked:
            self.unusable[name] = Unit(
                name, "service", fragment_path=source.fragment_path, is_enabled=False, enabled_state="masked", is_masked=True
            )
            return
        result = self.decode(source)
        self.units_sources[name] = source
        self.errors += result.problems
        self.warnings += result.warnings
        if result.unit is None:
            self.said[name] = result.dependencies
            text = result.problems[0].text() if result.problems else "its file cannot be used"
            self.unusable[name] = Unit(
                name, result.kind, fragment_path=source.fragment_path, is_enabled=False, enabled_state="disabled", load_error=text
            )
            return
        self.decoded[name] = result
        if is_listed:
            self.listed.add(name)

    def decode(self, source: Source) -> Decoded:
        known = self.memo.unit(source)
        if known is None:
            known = decode(source, self.mode)
            self.memo.note_unit(source, known)
        return known

    def add_template(self, template: str) -> None:
        source = self.sources.assemble(names.instance_of(template, PLACEHOLDER_INSTANCE))
        if source is None or source.is_masked:
            self.templates[template] = 0
            return
        probe = self.decode(source)
        self.errors += probe.problems
        self.warnings += probe.warnings
        self.units_sources[source.name] = source
        if probe.problems:
            self.said[source.name] = probe.dependencies
        wanted = probe.instances or ()
        if template in self.instances:
            wanted = tuple(str(number) for number in range(1, self.instances[template] + 1))
        self.templates[template] = len(wanted)
        for instance in wanted:
            name = f"{template}{instance}"
            if probe.problems:
                self.unusable[name] = Unit(name, probe.kind, is_enabled=False, load_error=probe.problems[0].text())
            else:
                self.add(name, is_listed=True)

    def add_referenced_instances(self) -> None:
        """An instance that any unit names exists as soon as its template does (`systemd.unit(5)`)."""
        waiting = list(self.decoded)
        while waiting:
            name = waiting.pop()
            decoded = self.decoded.get(name)
            if decoded is None or decoded.unit is None:
                continue
            for named in (*consistency.targets(decoded.unit.dependencies).values(), tuple(consistency.log_targets(decoded.unit).values())):
                for other in named:
                    is_new = other not in self.decoded and other not in self.unusable
                    if not is_new or self.templates.get(names.template_of(other)) is None:
                        continue
                    if len(self.decoded) >= UNITS_MAX:
                        self.errors.append(
                            Problem(decoded.unit.fragment_path, 0, "", f"more than {UNITS_MAX} units: templates name each other")
                        )
                        return
                    self.add(other, is_listed=False)
                    waiting.append(other)

    def collect_aliases(self) -> None:
        owners: dict[str, str] = {}
        for name, target in self.sources.symlink_aliases.items():
            owners[name] = target
        for name, decoded in self.decoded.items():
            for alias in decoded.unit.aliases if decoded.unit else ():
                taken = alias if alias in self.decoded or alias in self.unusable else owners.get(alias)
                if taken is not None and taken != name:
                    file, line = self.units_sources[name].place(("unit", "aliases"))
                    text = f'the alias "{alias}" is a unit itself' if taken == alias else f'the alias "{alias}" is also one of {taken}'
                    self.errors.append(Problem(file, line, "unit.aliases", text, "a name can belong to one unit only"))
                elif taken is None:
                    owners[alias] = name
        self.aliases = owners

    def resolved(self, dependencies: Dependencies) -> Dependencies:
        """The same with every alias replaced by the unit's own name."""
        if not self.aliases:
            return dependencies
        changed = {}
        for kind, named in consistency.targets(dependencies).items():
            own = tuple(dict.fromkeys(self.aliases.get(name, name) for name in named))
            if own != named:
                changed[kind] = own
        return replace(dependencies, **changed) if changed else dependencies

    def with_own_names(self, unit: Unit) -> Unit:
        """`unit` with the own name of every unit that it names by an alias."""
        unit = replace(unit, dependencies=self.resolved(unit.dependencies))
        own = {key: f"unit:{self.aliases[name]}" for key, name in consistency.log_targets(unit).items() if name in self.aliases}
        execution = unit.execution
        if not own or execution is None:
            return unit
        out, err = own.get("standard_output", execution.standard_output), own.get("standard_error", execution.standard_error)
        return replace(unit, execution=replace(execution, standard_output=out, standard_error=err))

    def enabled_unit(self, unit: Unit, followers: frozenset[str]) -> Unit:
        """`unit` with what decides whether it starts at boot: the overrides, its own key, then the default rule of DESIGN "Unit files".

        [Install]'s keys count unless somebody said that the unit is disabled.
        """
        word = self.enabled.get(unit.id) or self.enabled.get(names.template_of(unit.id), "")
        said = self.decoded[unit.id].enabled
        if word == "masked":
            return replace(unit, is_enabled=False, enabled_state="masked", is_masked=True)
        if word:
            said = word == "enabled"
        is_instance = names.is_instance(unit.id)
        by_default = unit.id in self.listed and unit.id not in followers and (unit.kind == "service" or is_instance)
        is_enabled = by_default if said is None else said
        if said is False:
            unit = replace(unit, dependencies=replace(unit.dependencies, wanted_by=(), required_by=()))
        return replace(unit, is_enabled=is_enabled, enabled_state="enabled" if is_enabled else "disabled")

    def origins_of(self, name: str) -> dict[str, str]:
        found = {}
        for path, (file, line) in self.units_sources[name].origins.items():
            if len(path) >= 2 and all(isinstance(part, str) for part in path):
                found[".".join(str(part) for part in path)] = f"{file}:{line}"
        return found

    def finish(self) -> LoadResult:
        self.memo.forget_all_but(self.sources.stamps, self.units_sources)
        units: dict[str, Unit] = {}
        for name, decoded in self.decoded.items():
            if decoded.unit is not None:
                units[name] = self.with_own_names(decoded.unit)
        followers = frozenset(other for unit in units.values() for other in (*unit.dependencies.on_failure, *unit.dependencies.on_success))
        units = {name: self.enabled_unit(unit, followers) for name, unit in units.items()}
        units.update(self.unusable)
        units = {name: units[name] for name in sorted(units)}
        by_hand = frozenset(name for name, unit in units.items() if unit.is_masked and name in self.decoded)
        errors, warnings = consistency.check(units, by_hand, self.place)
        for name, said in self.said.items():
            errors += consistency.unknown_in(name, self.resolved(said), units, self.templates, self.place)
        facts: dict[str, str] = {}
        for decoded in self.decoded.values():
            facts.update(decoded.facts)
        return LoadResult(
            mode=self.mode,
            units=units,
            errors=sorted(set(self.errors + self.sources.problems + errors)),
            warnings=sorted(set(self.warnings + warnings)),
            aliases=self.aliases,
            templates=self.templates,
            files=dict(self.sources.stamps),
            origins={name: self.origins_of(name) for name in units if name in self.units_sources},
            facts=facts,
            overrides=[self.enabled, self.instances],
        )

    def place(self, unit: str, kind: str, name: str) -> tuple[str, int, str]:
        """Where a unit says something about `name`: file, line and key, `depends_on` where that is what says it."""
        source = self.units_sources[unit]
        for table in ("service", "task"):
            if kind.startswith("standard_") and kind in source.table.get(table, {}):
                return *source.place((table, kind)), f"{table}.{kind}"
        for key in (kind, "depends_on"):
            written = source.table.get("unit", {}).get(key, [])
            written = [written] if isinstance(written, str) else written
            for position, one in enumerate(written):
                if one in (name, *(alias for alias, target in self.aliases.items() if target == name)):
                    return *source.place(("unit", key, position)), f"unit.{key}"
        return *source.place(("unit", kind)), f"unit.{kind}"
