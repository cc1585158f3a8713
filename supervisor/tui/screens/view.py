"""What every view has: the top bar, the tabs, the banner of the connection, its own content, and the line of keys.

A view's own class gives the content (`compose_view`), repaints it (`flush_view`), says what stands at the right end of the tabs
(`status`), and lists its keys as bindings; the line of keys is made from those that are shown and valid now.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.actions import parse
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input

from supervisor.tui.model.units import EVERYTHING, Changes
from supervisor.tui.views import VIEWS
from supervisor.tui.widgets.bar import Bar, Piece
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.topbar import access_piece, banner_pieces, top_pieces

NARROW_CELLS = 100
WIDE_CELLS = 150


class ViewScreen(Screen[None]):
    """A view. Subclasses set NAME to their row in the table of views."""

    NAME: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = []
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW_CELLS, "-normal"), (WIDE_CELLS, "-wide")]

    def compose(self) -> ComposeResult:
        yield Bar(id="top")
        yield Bar(id="tabs")
        yield Bar(id="banner")
        with Vertical(id="content"):
            yield from self.compose_view()
        yield HintBar(id="hints")

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
        self.query_one("#tabs", Bar).show([*self._tabs(width), *self.status()])
        banner = self.query_one("#banner", Bar)
        pieces = banner_pieces(host)
        banner.set_class(bool(pieces), "-shown")
        banner.show(pieces)
        self.query_one(HintBar).show_bindings(self._hints(), access_piece(host))
        self.flush_view(changes)

    def on_screen_resume(self) -> None:
        self.flush(EVERYTHING)

    def on_resize(self) -> None:
        self.flush(EVERYTHING)

    def _tabs(self, width: int) -> Iterable[Piece]:
        for view in VIEWS:
            is_here = view.name == self.NAME
            text = view.title if width >= NARROW_CELLS else view.short
            action = f"app.show_view('{view.name}')"
            yield Piece(f"{view.key} ", "key" if is_here else "dim", rank=0 if is_here else 3, action=action)
            yield Piece(text, "title" if is_here else "dim", rank=0, action=action, glued=True)

    def is_dull(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Whether an action makes no sense now, or is not permitted: its key is dim, and pressing it says why."""
        return False

    def _hints(self) -> list[tuple[Binding, bool]]:
        """The keys to show, each with whether it does something now."""
        seen: set[str] = set()
        found = []
        is_typing = isinstance(self.focused, Input)
        for active in self.active_bindings.values():
            binding = active.binding
            if is_typing and binding.key not in ("enter", "escape"):
                continue  # it would be a letter of the text
            if binding.show and active.enabled and binding.action not in seen:
                seen.add(binding.action)
                _, action, parameters = parse(binding.action)
                found.append((binding, not self.is_dull(action, parameters)))
        return found


class HintBar(Bar):
    """The keys that do something here; those that do nothing now are dim."""

    def show_bindings(self, bindings: Sequence[tuple[Binding, bool]], access: Piece) -> None:
        pieces = []
        for at, (binding, is_on) in enumerate(bindings):
            action = binding.action if is_on else ""
            pieces.append(Piece(self.app.get_key_display(binding), "key" if is_on else "dim", rank=at + 1, action=action))
            pieces.append(Piece(f" {binding.description}", "" if is_on else "dim", rank=at + 1, action=action, glued=True))
        self.show([*pieces, access])
