"""Lines of cells to be read: wrapped, scrolled, painted straight into strips. What changes is repainted, nothing is laid out anew."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.cache import LRUCache
from textual.color import Color
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from supervisor.tui.model.wrap import BLANK, Line, wrapped
from supervisor.tui.widgets.host import host_of

_WHEEL_LINES = 3
_MARGIN_CELLS = 1
_STRIPS_KEPT = 256


class TextLines(Widget, can_focus=True):
    """Shows the lines it is given."""

    ALLOW_SELECT = False
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
        self._made: LRUCache[object, Strip] = LRUCache(_STRIPS_KEPT)  # by all that a line shows

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
        for y, (earlier, now) in enumerate(zip(before, self._shown(), strict=True)):
            if earlier != now:
                self.refresh(Region(0, y, self.size.width, 1))

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

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()

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

    def render_lines(self, crop: Region) -> list[Strip]:
        base, behind = self.rich_style, self.background_colors[1]  # once a painting: each is a walk up to the screen
        common = (self._is_stale, self.size.width, base, behind, host_of(self).theme_key)
        return [self._kept(y, common, base, behind).crop_extend(crop.x, crop.right, base) for y in range(crop.y, crop.bottom)]

    def _kept(self, y: int, common: object, base: Style, behind: Color) -> Strip:
        """A line is made once: it is painted again whenever anything beside it changes."""
        at = self._top + y
        key = (tuple(self._lines[at]) if at < len(self._lines) else (), self._sign(y), common)
        strip = self._made.get(key)
        if strip is None:
            strip = self._made[key] = self._strip(y, base, behind)
        return strip

    def _strip(self, y: int, base: Style, behind: Color) -> Strip:
        host, at = host_of(self), self._top + y
        looks = dict.fromkeys(host.look_styles, host.look_styles["dim"]) if self._is_stale else host.look_styles
        segments = [Segment(" " * _MARGIN_CELLS, base)]
        if at < len(self._lines):
            segments += [Segment(host.drawn(one.text), base + looks.get(one.style, Style())) for one in self._lines[at]]
        room = self.size.width - 1
        strip = Strip(segments).adjust_cell_length(room, base)
        sign = self._sign(y)
        strip = Strip.join([strip, Strip([Segment(host.drawn(sign), base + looks["dim"])])]) if cell_len(sign) == 1 else strip
        for line_filter in self.get_line_filters():
            strip = strip.apply_filter(line_filter, behind)
        return strip

    def _sign(self, y: int) -> str:
        """At the right edge, whether there is more above or below."""
        if y == 0 and self._top > 0:
            return "▴"
        return "▾" if y == self.size.height - 1 and self._top < self._last_top else " "

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return container.height
