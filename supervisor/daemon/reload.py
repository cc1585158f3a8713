"""Hot reload: what becomes of changed unit files, from the watch to the engine's plan, and the way back (DESIGN, Hot reload).

It reads (in threads) and asks; which unit is restarted is the engine's plan alone. Laws: one reload at a time; a set with errors changes
nothing; the store on disk follows what is in force, never the other way round: a manager that dies on the way finds the change again.
"""

import asyncio
import fnmatch
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Set
from dataclasses import replace
from typing import Any

from supervisor.config.result import LoadResult
from supervisor.daemon.api.service import Json, Refusal
from supervisor.daemon.definitions import Definitions
from supervisor.daemon.reactor import Handle
from supervisor.daemon.shell import Shell
from supervisor.daemon.vanished import BELIEVED_AFTER_S, Vanished
from supervisor.daemon.watch import SUFFIX, FileWatch, targets
from supervisor.engine import plan as plans
from supervisor.engine.reloading import scope_of
from supervisor.model import effects as fx
from supervisor.model import events as ev

BY_FILES = "its unit file changed"


class Reloader:
    """Watches, plans, applies and goes back. Made once the loop runs."""

    def __init__(self, shell: Shell, definitions: Definitions, say: Callable[[str, str], object]) -> None:
        self._shell = shell
        self._definitions = definitions
        self._say = say
        self._vanished = Vanished()
        self._watch: FileWatch | None = None
        self._again: Handle | None = None
        self._is_waiting = False  # units are kept whose files are gone
        self._tasks: set[asyncio.Task[None]] = set()
        self._trouble = ""

    def start(self) -> None:
        """Begin to watch, and answer roll-backs; what changed before is found by one look."""
        self._vanished.remember(self._definitions.loaded)
        early, self._shell.on_roll_back = self._shell.roll_backs, self._on_roll_back
        for effect in early:
            self._on_roll_back(effect)
        try:
            self._watch = FileWatch(self._shell.reactor, self._look_soon)
        except OSError as error:
            self._trouble = f"unit files are not watched ({error.strerror}): `supctl apply` reads them"
            self._say("warning", self._trouble)
            return
        self._rearm()
        self._look_soon()

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
        if self._again is not None:
            self._again.cancel()

    def notes(self) -> list[str]:
        """Sentences a person should know."""
        notes = [text for text in (self._trouble, self._vanished.text) if text] + self._definitions.rolled_back.notes()
        if self._watch is not None and (missing := self._watch.missing):
            notes.append(f"{missing[0]} cannot be watched: raise fs.inotify.max_user_watches, or use `supctl apply`")
        return notes

    # -- files changed ---------------------------------------------------------------------------------------------

    def _look_soon(self) -> None:
        self._run(self._look())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self) -> None:
        """Something may have changed: read, judge what vanished, and do what the plan says."""
        async with self._definitions.lock:
            if self._is_waiting or await self._definitions.has_changed() or self._has_unapplied():
                result = await self._definitions.read()
                if result is not None:
                    await self._take(result)
        self._rearm()

    def _has_unapplied(self) -> bool:
        """Whether the files were read (`supctl reload-units`) before we were told of them."""
        return any(state.needs_restart and state.job is None for state in self._shell.engine.core.states.values())

    async def _take(self, result: LoadResult) -> None:
        definitions = self._definitions
        is_whole = await self._keep_vanished(result, ())
        self._shell.take(ev.UnitsApplied(definitions.adopt(result), by=BY_FILES))
        self._shell.spawning.passing.settle_all()
        await definitions.keep(result, is_whole)

    async def _keep_vanished(self, result: LoadResult, chosen: tuple[str, ...]) -> bool:
        """Leave units in the set whose file's absence is not believed (yet), and see that it is looked at again. Whether there are none."""
        loaded, said = self._definitions.loaded, self._vanished.text
        verdict = await asyncio.to_thread(self._vanished.judge, loaded, result, time.monotonic())
        for path, new in verdict.renamed.items():
            self._say("info", f"{path} is {new} now")
        for name in verdict.noticed:
            self._say("info", f"{name}: its unit file is gone; in {BELIEVED_AFTER_S:g} s that is believed")
        if verdict.text != said:
            if verdict.text:
                self._say("warning", verdict.text)
            self._definitions.tell_of_files(verdict.text or "every unit file is there again, or its unit is gone")
        kept = [name for name in verdict.kept if name not in chosen]
        for name in kept:
            result.units[name] = loaded.units[name]
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._is_waiting = bool(kept)
        if verdict.again_in_s is not None:
            self._again = self._shell.reactor.call_later_us(int(verdict.again_in_s * 1_000_000) + 1000, self._look_soon)
        self._vanished.remember(result)
        return not kept

    def _rearm(self) -> None:
        """Watch what the set in force, or one that was refused, is made of; look again for what happened in between."""
        if self._watch is None:
            return
        directories = self._definitions.mode.unit_directories
        files = [*self._definitions.loaded.files, *self._definitions.rejected_files]
        if self._watch.watch(targets(directories, files)):
            self._look_soon()

    # -- a person asks ---------------------------------------------------------------------------------------------

    async def plan(self, words: list[str]) -> Json:
        """What `apply` would do; nothing is changed by asking.

        {"units": {name: {"action", "changed"}}, "errors": [...]}; "rolled_back": [units whose file's definition is kept out], if any.
        """
        result, errors = await self._definitions.peek(lambda result: self._meant(words, result))
        if errors:
            return {"units": {}, "errors": errors}
        event = ev.UnitsApplied(self._definitions.with_instances(result), is_asked=True, chosen=self._meant(words, result))
        plan = plans.make(self._shell.engine.core, event.units, scope_of(event))
        return {"units": _json(plan), "errors": [], **self._kept_out(result)}

    async def apply(self, words: list[str], by: str) -> Json:
        """Read the files and do what `plan` says; as `plan`, with "jobs". What is gone is believed; a named unit is tried again."""
        definitions = self._definitions
        async with definitions.lock:
            if words and not (found := await definitions.peek())[1]:
                definitions.rolled_back.lift(self._meant(words, found[0]))
            result = await definitions.read()
            if result is None:
                return {"units": {}, "errors": definitions.errors(), "jobs": []}
            chosen = self._meant(words, result)
            if not chosen:
                self._vanished.believe_all()
                self._is_waiting = False
                self._vanished.remember(result)
            is_whole = await self._keep_vanished(result, chosen) if chosen else True
            answer = self._carry_out(ev.UnitsApplied(definitions.adopt(result), by=by, is_asked=True, chosen=chosen))
            answer |= self._kept_out(result)
            await definitions.keep(result, is_whole)
        self._rearm()
        return answer

    async def scale(self, template: str, number: int, by: str) -> Json:
        """Run so many instances: a change of the set like any other, so a manager that dies on the way finds it again.

        {"started": [instances], "stopped": [instances that are gone: one that another unit needs stays], "jobs": [ids]}
        """
        definitions = self._definitions
        async with definitions.lock:
            before = definitions.instances_of(template, definitions.loaded)
            if before is None:
                raise Refusal("no-such-unit", f"there is no template {template}@.toml to scale", template)
            self._refuse_while_leaving("scale")
            await definitions.set_instances(template, number)
            result = await definitions.read()
            if result is None:
                raise definitions.not_in_force(definitions.errors())
            after = definitions.instances_of(template, result) or []
            chosen = tuple(set(before) ^ set(after))
            definitions.let_go(set(before) - set(after))
            is_whole = await self._keep_vanished(result, chosen)
            event = ev.UnitsApplied(definitions.adopt(result), by=by, is_asked=bool(chosen), chosen=chosen)
            answer = self._carry_out(event)
            await definitions.keep(result, is_whole)
        self._rearm()
        started = [name for name in after if answer["units"].get(name, {}).get("action") == "start"]
        return {"started": started, "stopped": [name for name in before if name not in result.units], "jobs": answer["jobs"]}

    def _kept_out(self, result: LoadResult) -> Json:
        """Which units stay by another definition than that of their files, if any do."""
        names = self._definitions.rolled_back.kept_out(result)
        return {"rolled_back": names} if names else {}

    def _meant(self, words: list[str], result: LoadResult) -> tuple[str, ...]:
        """The units that are meant, by this set or by the one in force; no words are none. Raises Refusal for a word that means none."""
        core = self._shell.engine.core
        known = core.specs.keys() | self._definitions.with_instances(result).keys()
        aliases = core.aliases | result.aliases
        meant = [name for word in words for name in _meant_by(word, known, aliases, result.templates)]
        return tuple(dict.fromkeys(meant))

    def _carry_out(self, event: ev.UnitsApplied) -> Json:
        self._refuse_while_leaving("apply")
        core = self._shell.engine.core
        plan = plans.make(core, event.units, scope_of(event))
        self._shell.request(lambda number: replace(event, request=number))
        self._shell.spawning.passing.settle_all()
        jobs = [job.id for name, change in plan.items() if change.action in plans.JOB_OF and (job := core.job_of(name)) is not None]
        return {"units": _json(plan), "errors": [], "jobs": sorted(jobs)}

    def _refuse_while_leaving(self, verb: str) -> None:
        if self._shell.engine.core.leaving is not None:
            raise Refusal("shutting-down", f"cannot {verb}: supd is shutting down")

    # -- the way back ----------------------------------------------------------------------------------------------

    def _on_roll_back(self, effect: fx.RollBack) -> None:
        self._run(self._roll_back(effect))

    async def _roll_back(self, effect: fx.RollBack) -> None:
        """Take the good definition again, in a set that is checked again; where that is not valid, the whole set of before."""
        definitions = self._definitions
        async with definitions.lock:
            name = effect.unit
            goes_back = await asyncio.to_thread(definitions.way_back, name, effect.good)
            text = (
                f"its definition of before is in force: the new one did not come up ({effect.text}) "
                f"and is not tried again until its file says something else, or by `supctl apply {name}`"
            )
            if len(goes_back) > 1:
                text += f"; without it the set is not valid, so {len(goes_back) - 1} more went back with it"
            definitions.go_back(goes_back, text)
            await asyncio.to_thread(definitions.rolled_back.save)
            self._shell.take(ev.UnitsApplied(definitions.adopt(definitions.loaded), by="roll-back", rolled_back=((name, text),)))
            await definitions.keep(definitions.loaded, is_whole=False)


def _meant_by(word: str, known: Set[str], aliases: Mapping[str, str], templates: Collection[str]) -> list[str]:
    """A unit's own name or another one, a pattern, or a template for all its instances; each also as its file is called."""
    name = word.removesuffix(SUFFIX) if word not in known else word
    name = aliases.get(name, name)
    if name in known:
        return [name]
    if set(name) & set("*?["):
        if found := fnmatch.filter(sorted(known), name):
            return found
        raise Refusal("no-such-unit", f"no unit matches {word}")
    if name in templates:
        if found := [each for each in sorted(known) if each.startswith(name)]:
            return found
        raise Refusal("no-such-unit", f"there is no instance of {name}", hint=f"`supctl scale {name.removesuffix('@')} N` makes some")
    raise Refusal("no-such-unit", f"there is no unit {name}", name)


def _json(plan: plans.Plan) -> Json:
    return {name: {"action": change.action, "changed": list(change.changed)} for name, change in plan.items()}
