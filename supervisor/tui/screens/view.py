"""What every view has: the top bar, the tabs, the banner of the connection, its own content, and the line of keys.

A view's own class gives the content (`compose_view`), repaints it (`flush_view`), says what stands at the right end of the tabs
(`status`), and lists its keys as bindings; the line of keys is made from those that are shown and valid now.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.actions import parse
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from supervisor.tui.model.units import EVERYTHING, Changes
from supervisor.tui.ownkeys import NO_KEY
from supervisor.tui.themes import names
from supervisor.tui.views import VIEWS
from supervisor.tui.widgets.bar import Bar, Piece, fits
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.panes import Stacked
from supervisor.tui.widgets.topbar import access_piece, banner_pieces, top_pieces

if TYPE_CHECKING:
    from supervisor.tui.modals.jump import Target
    from supervisor.tui.modals.palette import Command

NARROW_CELLS = 100
LOW_LINES = 20


class ViewScreen(Screen[None]):
    """A view. Subclasses set NAME to their row in the table of views."""

    NAME: ClassVar[str] = ""
    BLANK = True  # its widgets cover it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "next pane", show=False, id="app.next-pane"),
        Binding("shift+tab", "app.focus_previous", "pane before", show=False, id="app.pane-before"),
        Binding("z", "zoom", "zoom this pane", show=False, id="app.zoom"),
        Binding("ctrl+o", "jump", "jump to ...", show=False, id="app.jump"),
        Binding("question_mark", "help", "help", id="app.help"),
        Binding(":,ctrl+p", "palette", "palette", id="app.palette"),
    ]
    ABOUT: ClassVar[str] = ""  # a sentence or two at the head of the help
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW_CELLS, "-normal")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LOW_LINES, "-high")]

    def __init__(self) -> None:
        """A screen that begins as it will be: Textual would style all of it three times over before it is first painted."""
        super().__init__()
        size = self.app.size
        self.add_class("-narrow" if size.width < NARROW_CELLS else "-normal", "-low" if size.height < LOW_LINES else "-high", update=False)
        self._css_update_count = self.app._css_update_count  # it is styled when it is mounted, by what is parsed already
        self._is_fresh = True

    def compose(self) -> ComposeResult:
        yield Bar(id="top")
        yield Bar(id="tabs")
        yield Bar(id="banner")
        with Stacked(id="content", classes=self.content_classes()):
            yield from self.compose_view()
        yield HintBar(id="hints")

    def content_classes(self) -> str:
        """The classes that the content begins with."""
        return ""

    def compose_view(self) -> ComposeResult:
        """The view's own widgets."""
        return ()

    def flush_view(self, changes: Changes) -> None:
        """Repaint what differs now. `changes.is_all`: take nothing for granted."""

    def status(self) -> Sequence[Piece]:
        """What stands at the right end of the tabs: filter, counts, marks."""
        return ()

    def title_unit(self) -> str | None:
        """The unit that the view is about now, for actions; None when it is about none."""
        return host_of(self).selected_unit

    def flush(self, changes: Changes = EVERYTHING) -> None:
        """The one way in which changed data comes to the screen; called by the app's flush, and by hand in tests."""
        host = host_of(self)
        width = self.size.width
        if not self.is_mounted or width == 0:
            return
        self.query_one("#top", Bar).show(top_pieces(host))
        banner = self.query_one("#banner", Bar)
        pieces = banner_pieces(host)
        banner.set_class(bool(pieces), "-shown")
        banner.show(pieces)
        self.query_one(HintBar).show_bindings(self._hints(), access_piece(host))
        self.flush_view(changes)
        self.query_one("#tabs", Bar).show(self._tabs(width))  # after the view, which it counts

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        event.refresh_styles, self._is_fresh = event.refresh_styles and not self._is_fresh, False
        self.flush(EVERYTHING)

    def on_resize(self) -> None:
        self.flush(EVERYTHING)

    # What works in every view.

    def action_zoom(self) -> None:
        """Give the whole content to the pane that has the focus, or give the others their place again."""
        content = self.query_one("#content")
        if content.has_class("-zoomed"):
            content.remove_class("-zoomed")
            self.query(".pane, .pane-group").remove_class("-zoom")
            return
        focused = self.focused
        for pane in focused.ancestors_with_self if focused is not None else ():
            if pane.has_class("pane"):
                pane.add_class("-zoom")
                for group in self.query(".pane-group"):
                    group.set_class(group in pane.ancestors, "-zoom")
                content.add_class("-zoomed")
                return

    def action_help(self) -> None:
        from supervisor.tui.modals.help import Help

        self.app.push_screen(Help(f"Keys: {self._name_of_view()}", self.keys(), self.ABOUT))

    def keys(self) -> list[tuple[Binding, str]]:
        """Every binding of ours that works now, with its key as it is shown."""
        bindings = [active.binding for active in self._active() if active.enabled and active.binding.id]
        return [(binding, self.app.get_key_display(binding)) for binding in bindings]

    def _active(self) -> list[ActiveBinding]:
        """The bindings that can be reached now, in the order of their declaration: a person's own keys stand where the others stood."""
        if not self.app._keymap:
            return list(self.active_bindings.values())
        found = [active for key, active in self.active_bindings.items() if key != NO_KEY]
        declared: dict[str | None, int] = {}
        for node in (self.focused or self).ancestors_with_self:
            for bindings in node._bindings.key_to_bindings.values():
                for binding in bindings:
                    declared.setdefault(binding.id, len(declared))
        return sorted(found, key=lambda active: declared.get(active.binding.id, len(declared)))

    def _name_of_view(self) -> str:
        return next((view.title for view in VIEWS if view.name == self.NAME), "")

    def action_jump(self) -> None:
        from supervisor.tui.modals.jump import Jump

        self.app.push_screen(Jump(self.jump_targets()), self._go)

    def jump_targets(self) -> "list[Target]":
        """Everything that can have the focus, and every view."""
        from supervisor.tui.modals.jump import Target

        targets = [
            Target(widget.region.x, widget.region.y, widget.focus)
            for widget in self.focus_chain
            if widget.region.area and not isinstance(widget, Input)
        ]
        placed = self.query_one("#tabs", Bar).places()
        for view in VIEWS:
            action = f"app.show_view('{view.name}')"
            x = next((one.x for one in placed if one.piece.action == action), None)
            if x is not None:
                targets.append(Target(x, 1, lambda name=view.name: host_of(self).show_view(name)))  # type: ignore[misc]  # a lambda's default
        return targets

    def _go(self, target: "Target | None") -> None:
        if target is not None:
            target.go()

    def action_palette(self) -> None:
        from supervisor.tui.modals.palette import Palette, unit_commands

        host = host_of(self)
        self.app.push_screen(Palette(self.commands(), lambda query: unit_commands(host, host.go_to_unit, query)), self._run_command)

    def commands(self) -> "list[Command]":
        """What the palette offers besides units: the keys of this view, the views, the themes."""
        from supervisor.tui.modals.palette import Command

        found: dict[str, Command] = {}
        for binding, key in self.keys():
            if binding.description and binding.action not in ("palette",):
                found.setdefault(binding.action, Command(binding.description, key, self._runner(binding.action)))
        themes = [Command(f"theme {name}", "", lambda name=name: setattr(self.app, "theme", name)) for name in names()]  # type: ignore[misc]  # as above
        return [*found.values(), *themes]

    def _runner(self, action: str) -> Callable[[], object]:
        """Runs an action where the key would have: at the widget that has the focus, or else further out."""
        focused = self.focused or self

        async def run() -> None:
            for node in focused.ancestors_with_self:
                if await self.app.run_action(action, node):
                    return

        return lambda: self.app.call_later(run)

    def _run_command(self, command: "Command | None") -> None:
        if command is not None:
            command.run()

    def _tabs(self, width: int) -> list[Piece]:
        """The views by their titles, or the others by their keys, as there is room, and what the view says of itself."""
        said = list(self.status())
        pieces: list[Piece] = []
        for others in ("title", "short", "key"):
            pieces = [*self._names(others), *said]
            if fits(pieces, width):
                break
        return pieces

    def _names(self, others: str) -> Iterable[Piece]:
        for view in VIEWS:
            is_here = view.name == self.NAME
            action = f"app.show_view('{view.name}')"
            yield Piece(f"{view.key} ", "key" if is_here else "dim", rank=0 if is_here else 1, action=action)
            if is_here or others != "key":
                name = view.title if others == "title" else view.short
                yield Piece(name, "title" if is_here else "dim", rank=0, action=action, glued=True)

    def is_dull(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Whether an action makes no sense now, or is not permitted: its key is dim, and pressing it says why."""
        return False

    def _hints(self) -> list[tuple[Binding, bool]]:
        """The keys to show, each with whether it does something now."""
        seen: set[str] = set()
        found = []
        is_typing = isinstance(self.focused, Input)
        for active in self._active():
            binding = active.binding
            if is_typing and binding.key not in ("enter", "escape"):
                continue  # it would be a letter of the text
            if binding.show and active.enabled and binding.action not in seen:
                seen.add(binding.action)
                _, action, parameters = parse(binding.action)
                found.append((binding, not self.is_dull(action, parameters)))
        # What works everywhere stands last.
        return sorted(found, key=lambda pair: (pair[0].id or "").startswith("app."))


class HintBar(Bar):
    """The keys that do something here; those that do nothing now are dim."""

    def show_bindings(self, bindings: Sequence[tuple[Binding, bool]], access: Piece) -> None:
        pieces = []
        for at, (binding, is_on) in enumerate(bindings):
            action = binding.action if is_on else ""
            at = 0 if (binding.id or "").startswith("app.") else at  # help stays in every line
            pieces.append(Piece(self.app.get_key_display(binding), "key" if is_on else "dim", rank=at + 1, action=action))
            pieces.append(Piece(f" {binding.description}", "" if is_on else "dim", rank=at + 1, action=action, glued=True))
        self.show([*pieces, access])
