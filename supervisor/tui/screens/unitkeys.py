"""The keys that do something to units, for every view that shows units: one table, one meaning everywhere.

They act on the marked units, or on the one under the cursor when none is marked. A key that makes no sense for the unit's state, or that
the person has no right to, stays in the line of keys, dim, and pressing it says why. Menus and the way to an editor are loaded with the
first key that wants them.
"""

from collections.abc import Sequence

from textual.binding import Binding, BindingType

from supervisor.model.exitstatus import signal_name
from supervisor.tui.model.actions import ACTIONS, SIGNALS, supctl_line, why_not
from supervisor.tui.model.format import one_line
from supervisor.tui.model.units import Unit
from supervisor.tui.screens.view import ViewScreen
from supervisor.tui.views import BY_NAME
from supervisor.tui.widgets.host import host_of

_OF_A_UNIT = frozenset({"logs", "goto", "runs", "edit", "copy_name", "copy_menu", "action_menu"})

UNIT_BINDINGS: list[BindingType] = [
    Binding("s", "do('start')", "start", id="unit.start"),
    Binding("x", "do('stop')", "stop", id="unit.stop"),
    Binding("r", "do('restart')", "restart", id="unit.restart"),
    Binding("R", "do('reload')", "reload", show=False, id="unit.reload"),
    Binding("u", "do('reset-failed')", "reset failed", show=False, id="unit.reset-failed"),
    Binding("K", "signal_menu", "signal", show=False, id="unit.signal"),
    Binding("l", "logs", "log", id="unit.log"),
    Binding("L", "all_logs", "all logs", show=False, id="unit.all-logs"),
    Binding("d", "goto('deps')", "deps", id="unit.deps"),
    Binding("H", "runs", "runs", show=False, id="unit.runs"),
    Binding("e", "edit", "edit", show=False, id="unit.edit"),
    Binding("y", "copy_name", "copy name", show=False, id="unit.copy"),
    Binding("Y", "copy_menu", "copy ...", show=False, id="unit.copy-menu"),
    Binding(".", "action_menu", "actions", id="unit.actions"),
]


class UnitKeys(ViewScreen):
    """A view whose cursor stands on units."""

    BINDINGS = UNIT_BINDINGS

    def targets(self) -> list[str]:
        """The units that a key is about: the marked ones, or the one under the cursor."""
        host = host_of(self)
        marked = sorted(name for name in host.marked if name in host.store)
        unit = self.title_unit()
        return marked or ([unit] if unit is not None and unit in host.store else [])

    def target(self) -> Unit | None:
        """The unit under the cursor."""
        return host_of(self).store.get(self.title_unit())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "goto":
            return str(parameters[0]) in BY_NAME
        if action in ("logs", "all_logs"):
            return "logs" in BY_NAME
        return True

    def is_dull(self, action: str, parameters: tuple[object, ...]) -> bool:
        verb = str(parameters[0]) if action == "do" else "kill" if action == "signal_menu" else ""
        return bool(verb and self.why_not(verb)) or (not verb and action in _OF_A_UNIT and not self.targets())

    def why_not(self, verb: str) -> str:
        """Why a verb cannot be done to the targets now; empty when it can be done to one of them at least."""
        host, names = host_of(self), self.targets()
        if not names:
            return "no unit is chosen"
        reasons = [why_not(verb, unit.brief) for unit in map(host.store.get, names) if unit is not None]
        return (reasons[0] if reasons and all(reasons) else "") or host.may(verb, names)

    # Doing.

    def action_do(self, verb: str) -> None:
        host_of(self).act(verb, self.targets())

    def action_goto(self, view: str) -> None:
        host_of(self).show_view(view)

    def action_runs(self) -> None:
        """The runs of the unit under the cursor."""
        host_of(self).show_runs(self.title_unit())

    def action_edit(self) -> None:
        unit = self.title_unit()
        is_editing = any(worker.group == "edit" and not worker.is_finished for worker in self.app.workers)
        if unit is not None and not is_editing:
            from supervisor.tui.editing import edit_unit

            self.app.run_worker(edit_unit(host_of(self), self.app, unit), group="edit")

    def action_logs(self) -> None:
        host_of(self).show_logs(self.targets())

    def action_all_logs(self) -> None:
        host_of(self).show_logs(())

    def action_copy_name(self) -> None:
        if names := self.targets():
            host_of(self).copy(" ".join(names), "the name" if len(names) == 1 else "the names")

    # Menus.

    def action_action_menu(self) -> None:
        if self.targets():
            self.run_worker(self._choose_action(), group="menu", exclusive=True)

    async def _choose_action(self) -> None:
        from supervisor.tui.modals.menu import Choice, Menu

        host, names = host_of(self), self.targets()
        full = await self._full(names[0]) if len(names) == 1 else None
        choices = []
        for action in ACTIONS:
            reason = why_not(action.verb, full) if full is not None else self.why_not(action.verb)
            choices.append(Choice(action.verb, action.key, action.title, why_not=reason or host.may(action.verb, names)))
        answer = await host.ask(Menu(self._title_of(names), [one for one in choices if not one.why_not] or choices))
        if not answer:
            return
        if answer[0] == "kill":
            await self._choose_signal()
        else:
            host.act(answer[0], names)

    async def _full(self, name: str) -> dict[str, object] | None:
        """Every property of the unit, None when supd cannot be asked now."""
        from supervisor.tui.link.protocol import LinkLost, Refused

        try:
            return await host_of(self).transport.show(name)
        except (LinkLost, Refused):
            return None

    def action_signal_menu(self) -> None:
        self.run_worker(self._choose_signal(), group="menu", exclusive=True)

    async def _choose_signal(self) -> None:
        from supervisor.tui.modals.menu import Choice, Menu

        host, names = host_of(self), self.targets()
        choices = [Choice(str(number), key, f"SIG{signal_name(number):<5}", note) for number, key, note in SIGNALS]
        answer = await host.ask(Menu(f"Send a signal to {self._title_of(names)}", choices, start="15"))
        if answer:
            host.act("kill", names, int(answer[0]))

    def action_copy_menu(self) -> None:
        if self.targets():
            self.run_worker(self._choose_copy(), group="menu", exclusive=True)

    async def _choose_copy(self) -> None:
        from supervisor.tui.modals.menu import Choice, Menu

        host, names = host_of(self), self.targets()
        full = await self._full(names[0]) or {}
        brief = host.store.get(names[0])
        pid = brief.brief.get("main_pid") if brief is not None else 0
        texts = {
            "name": ("n", "name", " ".join(names)),
            "line": ("l", "supctl line", supctl_line("status", names)),
            "pid": ("p", "main process id", str(pid or "")),
            "path": ("f", "unit file", str(full.get("fragment_path") or "")),
            "invocation": ("i", "invocation id", str(full.get("invocation_id") or "")),
            "status": ("s", "status text", str(full.get("status_text") or "")),
        }
        choices = [
            Choice(value, key, what, one_line(text), why_not="" if text else "there is none") for value, (key, what, text) in texts.items()
        ]
        answer = await host.ask(Menu(f"Copy of {self._title_of(names)}", choices))
        if answer:
            _, what, text = texts[answer[0]]
            host.copy(text, f"the {what}")

    @staticmethod
    def _title_of(names: Sequence[str]) -> str:
        return names[0] if len(names) == 1 else f"{len(names)} units"
