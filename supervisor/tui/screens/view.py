"""What every view has: the top bar, the tabs, the banner of the connection, its own content, and the line of keys.

A view's own class gives the content (`compose_view`), repaints it (`flush_view`), says what stands at the right end of the tabs
(`status`), and lists its keys as bindings; the line of keys is made from those that are shown and valid now.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import Screen

from supervisor.tui.model.units import EVERYTHING, Changes
from supervisor.tui.views import VIEWS
from supervisor.tui.widgets.bar import Bar, Piece
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.topbar import banner_pieces, top_pieces

NARROW_CELLS = 100
WIDE_CELLS = 150


class ViewScreen(Screen[None]):
    """A view. Subclasses set NAME to their row in the table of views."""

    NAME: ClassVar[str] = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW_CELLS, "-normal"), (WIDE_CELLS, "-wide")]
    BINDINGS = []

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
        self.query_one("#top", Bar).show(top_pieces(host, width))
        self.query_one("#tabs", Bar).show([*self._tabs(width), *self.status()])
        banner = self.query_one("#banner", Bar)
        pieces = banner_pieces(host)
        banner.set_class(bool(pieces), "-shown")
        banner.show(pieces)
        self.query_one(HintBar).show_bindings(self._hints())
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

    def _hints(self) -> list[Binding]:
        seen: set[str] = set()
        found = []
        for active in self.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.action not in seen:
                seen.add(binding.action)
                found.append(binding)
        return found


class HintBar(Bar):
    """The keys that do something here and now."""

    def show_bindings(self, bindings: Sequence[Binding]) -> None:
        pieces = []
        for at, binding in enumerate(bindings):
            key = self.app.get_key_display(binding)
            pieces.append(Piece(key, "key", rank=at + 1, action=binding.action))
            pieces.append(Piece(f" {binding.description}", "", rank=at + 1, action=binding.action, glued=True))
        self.show(pieces)
