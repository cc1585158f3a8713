"""Lines of cells to be read: wrapped, scrolled, painted straight into strips. Lines that differ are repainted, nothing is laid out anew."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.strip import Strip

from supervisor.tui.model.wrap import BLANK, Line, wrapped
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.ownlines import OwnLines

_WHEEL_LINES = 3
_MARGIN_CELLS = 1


class TextLines(OwnLines, can_focus=True):
    """Shows the lines it is given."""

    DEFAULT_CSS = "TextLines { height: 1fr; background: $background; }"
    BINDINGS = [
        Binding("j,down", "scroll(1)", "down", show=False, id="text.down"),
        Binding("k,up", "scroll(-1)", "up", show=False, id="text.up"),
        Binding("g,home", "scroll(-1000000)", "first", show=False, id="text.first"),
        Binding("G,end", "scroll(1000000)", "last", show=False, id="text.last"),
        Binding("ctrl+d,pagedown,space", "page(1)", "page down", show=False, id="text.page-down"),
        Binding("ctrl+u,pageup", "page(-1)", "page up", show=False, id="text.page-up"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._given: Sequence[Line] = ()
        self._lines: Sequence[Line] = ()
        self._top = 0
        self._is_stale = False

    def show(self, lines: Sequence[Line], from_top: bool = False) -> None:
        """From now on these; `from_top`: they are about something else, so scrolling begins anew."""
        is_stale = host_of(self).store.is_stale
        if from_top:
            self._top = 0
        elif tuple(lines) == tuple(self._given) and is_stale == self._is_stale:
            return
        before = self._shown() if is_stale == self._is_stale and not from_top else None
        self._given, self._is_stale = tuple(lines), is_stale
        self._wrap(before)

    @property
    def text(self) -> str:
        """All of it as text, wrapped as it is shown."""
        return "\n".join("".join(one.text for one in line).rstrip() for line in self._lines)

    def _wrap(self, before: Sequence[object] | None = None) -> None:
        """Make the lines anew, and repaint those that are not as they were `before`; None: all."""
        self._lines = wrapped(self._given, max(8, self.size.width - 2 * _MARGIN_CELLS - 1))
        self._top = min(self._top, self._last_top)
        if before is None:
            self.refresh()
            return
        self.refresh_lines(y for y, (earlier, now) in enumerate(zip(before, self._shown(), strict=True)) if earlier != now)

    def _shown(self) -> list[object]:
        """What each line of the screen shows."""
        end = self._top + self.size.height
        lines: list[Line] = [*self._lines[self._top : end], *[BLANK] * (end - max(len(self._lines), self._top))]
        return [(line, self._sign(y)) for y, line in enumerate(lines)]

    @property
    def _last_top(self) -> int:
        return max(0, len(self._lines) - self.size.height)

    def on_resize(self) -> None:
        self._wrap()

    def action_scroll(self, lines: int) -> None:
        top = min(max(0, self._top + lines), self._last_top)
        if top != self._top:
            self._top = top
            self.refresh()

    def action_page(self, pages: int) -> None:
        self.action_scroll(pages * max(1, self.size.height - 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_scroll(_WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_scroll(-_WHEEL_LINES)

    def make_line(self, y: int) -> Strip:
        host, at, base = host_of(self), self._top + y, self.ground
        looks = dict.fromkeys(host.look_styles, host.look_styles["dim"]) if self._is_stale else host.look_styles
        segments = [Segment(" " * _MARGIN_CELLS, base)]
        if at < len(self._lines):
            segments += [Segment(host.drawn(one.text), base + looks.get(one.style, Style())) for one in self._lines[at]]
        strip = Strip(segments).adjust_cell_length(self.outer_size.width - 1, base)
        return self.filtered(Strip.join([strip, Strip([Segment(host.drawn(self._sign(y)), base + looks["dim"])])]))

    def _sign(self, y: int) -> str:
        """At the right edge, whether there is more above or below."""
        if y == 0 and self._top > 0:
            return "▴"
        return "▾" if y == self.size.height - 1 and self._top < self._last_top else " "

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return container.height
