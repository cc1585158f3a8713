"""A long list that paints its own lines: what every table and list of the terminal UI has in common.

A list shows rows by their keys; its cursor follows a key, not a place. A subclass says what a row shows now (`row_look`), paints it
(`paint_row`), and names the columns (`head_cells`). What each line of the screen shows is kept as a value, and lines whose value is
another one are repainted: one for the change of one row, none for a thousand off the screen. A click chooses, a double click opens, the
heads sort, the wheel and the bar scroll.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from supervisor.tui.model.units import EVERYTHING, Changes
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.ownlines import OwnLines
from supervisor.tui.widgets.viewport import Viewport

_STRIPS_KEPT = 4096
_WHEEL_ROWS = 3
_HEAD_LINES = 1


class LineList(OwnLines, can_focus=True):
    """Rows below a line of heads; by itself a list of its keys."""

    is_anchored = False  # when rows come in above, the cursor's line stays where it is on the screen
    COMPONENT_CLASSES = {"list--head", "list--cursor", "list--cursor-blurred", "list--bar", "list--thumb"}
    DEFAULT_CSS = """
    LineList {
        height: 1fr;
        background: $background;
        & > .list--head { color: $foreground 60%; text-style: bold; }
        & > .list--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & > .list--cursor-blurred { background: $block-cursor-blurred-background; color: $foreground; }
        & > .list--bar { color: $border-blurred; }
        & > .list--thumb { color: $border; }
    }
    """
    BINDINGS = [
        Binding("j,down", "move(1)", "down", show=False, id="list.down"),
        Binding("k,up", "move(-1)", "up", show=False, id="list.up"),
        Binding("g,home", "top", "first", show=False, id="list.first"),
        Binding("G,end", "bottom", "last", show=False, id="list.last"),
        Binding("ctrl+d", "page(0.5)", "half a page down", show=False, id="list.half-down"),
        Binding("ctrl+u", "page(-0.5)", "half a page up", show=False, id="list.half-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="list.page-down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="list.page-up"),
    ]

    @dataclass
    class Moved(Message):
        """The cursor stands on the row of another key, or on none."""

        key: str | None

    @dataclass
    class Opened(Message):
        """A row was double-clicked."""

        key: str

    @dataclass
    class HeadClicked(Message):
        """Somebody wants to sort by this column."""

        key: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = Viewport()
        self._keys: Sequence[str] = ()
        self.empty = ""
        self._sort = ("", False)
        self._strips: LRUCache[object, Strip] = LRUCache(_STRIPS_KEPT)
        self._painted: dict[int, object] = {}  # what stands on each line of the screen, so that only what differs is refreshed
        self._current: str | None = None
        # The row that was left out by another choice of rows while the cursor stood on it, and its line; None once anybody has moved.
        self._left: tuple[str, int] | None = None
        self._part_styles: dict[str, Style] | None = None
        self._shared: tuple[object, ...] = ()  # of `_look`, for the lines that are being made

    # What a row is.

    def row_look(self, key: str) -> object:
        """Everything that the row shows, but for the cursor; equal looks, equal strips."""
        return key

    def paint_row(self, key: str, base: Style, looks: Mapping[str, Style]) -> list[Segment]:
        """The row in segments. `base` is the style of its background, `looks` the styles by name to lie over it."""
        return [Segment(key, base + looks[""])]

    def head_cells(self) -> tuple[int, Sequence[tuple[str, str, int, bool]]]:
        """Cells before the first column, and each column as (title, key, width, is at the right)."""
        return 0, ()

    # What it shows.

    def put(self, keys: Sequence[str], empty: str, sort: tuple[str, bool], is_other_choice: bool = False) -> None:
        """From now on these rows, in this order; `empty` is said when there is none; `sort` is the key and whether it is turned round.

        `is_other_choice`: because a person wants other rows now. Then the cursor's row stays where it is on the screen, and who takes a
        filter away again without having moved is back where he was.
        """
        wanted, line = self._current, self.view.cursor - self.view.top
        if is_other_choice and self._left is not None and self._left[0] in keys:
            (wanted, line), self._left = self._left, None
        cursor = keys.index(wanted) if wanted in keys else None
        if cursor is None and wanted is not None:
            if is_other_choice and self._left is None:
                self._left = (wanted, line)
            cursor = min(self.view.cursor, len(keys) - 1)  # its row is gone: stay where it stood
        self._keys, self.empty, self._sort = keys, empty, sort
        self.view.total = len(keys)
        if cursor is not None:
            if self.is_anchored or is_other_choice:
                self.view.top = max(0, cursor - line)
            self.view.cursor = cursor
        self.view.resize(self.size.height - _HEAD_LINES, len(keys))
        self._tell()
        self._repaint_differing()

    def flush(self, changes: Changes = EVERYTHING) -> None:
        """Repaint what looks different now: rows that changed, and rows whose times went on."""
        if changes.is_all:
            self.refresh()
        else:
            self._repaint_differing()

    @property
    def current(self) -> str | None:
        """The key under the cursor."""
        return self._current

    @property
    def keys_shown(self) -> Sequence[str]:
        """The keys of all rows, in their order."""
        return self._keys

    @property
    def in_sight(self) -> list[str]:
        """The keys of the rows on the screen."""
        return [self._keys[row] for row in self.view.rows]

    def select(self, key: str) -> bool:
        """Put the cursor on a row; whether it is in the list."""
        if key not in self._keys:
            return False
        self._move_to(self._keys.index(key))
        return True

    def keys_between(self, first: str, last: str) -> list[str]:
        """The keys from one to the other as they stand, both included; empty when one is not shown."""
        if first not in self._keys or last not in self._keys:
            return []
        low, high = sorted((self._keys.index(first), self._keys.index(last)))
        return list(self._keys[low : high + 1])

    # Moving.

    def action_move(self, rows: int) -> None:
        self._move_to(self.view.cursor + rows)

    def action_top(self) -> None:
        self._move_to(0)

    def action_bottom(self) -> None:
        self._move_to(len(self._keys) - 1)

    def action_page(self, pages: float) -> None:
        self._move_to(self.view.cursor + round(pages * max(1, self.view.height - 1)))

    def _move_to(self, row: int) -> None:
        top, before = self.view.top, self.view.cursor
        self._left = None
        self.view.move(row)
        if self.view.top != top:
            self._repaint_differing()
        else:
            self._refresh_row(before)
            self._refresh_row(self.view.cursor)
        self._tell()

    def _tell(self) -> None:
        row = self.view.cursor
        key = self._keys[row] if 0 <= row < len(self._keys) else None
        if key != self._current:
            self._current = key
            self.post_message(self.Moved(key))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll(_WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll(-_WHEEL_ROWS)

    def _scroll(self, rows: int) -> None:
        self._left = None
        self.view.scroll(rows)
        self._tell()
        self._repaint_differing()

    def on_click(self, event: events.Click) -> None:
        if event.y < _HEAD_LINES:
            key = self._column_at(event.x)
            if key:
                self.post_message(self.HeadClicked(key))
            return
        if event.x == self.size.width - 1 and self.view.thumb is not None:
            self._scroll(self.view.row_at_bar(event.y - _HEAD_LINES) - self.view.top)
            return
        row = self.view.top + event.y - _HEAD_LINES
        if row < len(self._keys):
            self._move_to(row)
            if event.chain == 2:
                self.post_message(self.Opened(self._keys[row]))

    def _column_at(self, x: int) -> str:
        at, columns = self.head_cells()
        for _, key, cells, _ in columns:
            if at <= x < at + cells + 1:
                return key
            at += cells + 1
        return ""

    # Painting.

    def on_resize(self) -> None:
        self.view.resize(self.size.height - _HEAD_LINES, len(self._keys))
        self.refresh()

    def on_focus(self) -> None:
        self._refresh_row(self.view.cursor)

    def on_blur(self) -> None:
        self._refresh_row(self.view.cursor)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._part_styles = None
        self._strips.clear()

    def _repaint_differing(self) -> None:
        """Refresh the lines that show something else than what stands there."""
        state = self._state()
        self.refresh_lines([y for y in range(self.outer_size.height) if self._painted.get(y) != self._look(y, state)])

    def _refresh_row(self, row: int) -> None:
        if row in self.view.rows:
            self.refresh_lines([row - self.view.top + _HEAD_LINES])

    def begin_lines(self) -> None:
        self._shared = self._state()

    def make_line(self, y: int) -> Strip:
        look = self._painted[y] = self._look(y, self._shared)
        if y < _HEAD_LINES:
            return self._head()
        row = self.view.top + y - _HEAD_LINES
        if row >= len(self._keys):
            return self._blank(y)
        return self._with_bar(self._strip(look[0], row), look[1])

    def _state(self) -> tuple[object, ...]:
        """What all lines show."""
        host = host_of(self)
        return (host.store.is_stale, host.ascii, self.outer_size.width, host.theme_key)

    def _look(self, y: int, state: tuple[object, ...]) -> tuple[object, bool | None]:
        """Everything that a line of the screen shows: what stands in it, and whether the bar beside it is the thumb (None: no bar)."""
        if y < _HEAD_LINES:
            return (self.head_cells(), self._sort, state), None
        row = self.view.top + y - _HEAD_LINES
        if row >= len(self._keys):
            return (self._said(y), state), None
        is_cursor, thumb = row == self.view.cursor, self.view.thumb
        is_thumb = None if thumb is None else thumb[0] <= y - _HEAD_LINES < thumb[0] + thumb[1]
        return (self.row_look(self._keys[row]), is_cursor, is_cursor and self.has_focus, state), is_thumb

    def _strip(self, look: object, row: int) -> Strip:
        strip = self._strips.get(look)
        if strip is None:
            strip = self._strips[look] = self.filtered(self._paint(row))
        return strip

    def _paint(self, row: int) -> Strip:
        host = host_of(self)
        looks: Mapping[str, Style] = host.look_styles
        is_cursor = row == self.view.cursor
        base = self._style("list--cursor" if self.has_focus else "list--cursor-blurred") if is_cursor else self.ground
        if is_cursor and self.app.no_color:
            base += Style(reverse=True)
        if host.store.is_stale:
            base += looks["dim"]
            looks = dict.fromkeys(looks, Style())  # one colour for what may not be true any more
        return Strip(self.paint_row(self._keys[row], base, looks)).adjust_cell_length(self.outer_size.width - 1, base)

    def _head(self) -> Strip:
        host, base = host_of(self), self._style("list--head")
        gutter, columns = self.head_cells()
        text = " " * gutter
        for title, key, width, is_right in columns:
            arrow = "" if not key or key != self._sort[0] else "▴" if self._sort[1] else "▾"
            shown = f"{arrow}{title}" if is_right else f"{title}{arrow}"
            text += (shown.rjust(width) if is_right else shown.ljust(width))[:width] + " "
        return self.filtered(Strip([Segment(host.drawn(text), base)]).adjust_cell_length(self.outer_size.width, base))

    def _said(self, y: int) -> str:
        """What stands in a line without a row: in the second, why there is none at all."""
        return self.empty if y == _HEAD_LINES + 1 and not self._keys else ""

    def _blank(self, y: int) -> Strip:
        host, width, said = host_of(self), self.outer_size.width, self._said(y)
        if not said:
            return self.filtered(Strip.blank(width, self.ground))
        segment = Segment(" " * self.head_cells()[0] + host.drawn(said), self.ground + host.look_styles["dim"])
        return self.filtered(Strip([segment]).adjust_cell_length(width, self.ground))

    def _with_bar(self, strip: Strip, is_thumb: bool | None) -> Strip:
        if is_thumb is None:
            return strip.adjust_cell_length(self.outer_size.width, self.ground)
        host = host_of(self)
        key = ("bar", is_thumb, host.ascii, host.theme_key)
        bar = self._strips.get(key)
        if bar is None:
            symbol = host.drawn("█" if is_thumb else "│")
            bar = Strip([Segment(symbol, self._style("list--thumb" if is_thumb else "list--bar"))])
            bar = self._strips[key] = self.filtered(bar)
        return Strip.join([strip, bar])

    def _style(self, name: str) -> Style:
        if self._part_styles is None:
            self._part_styles = {part: self.get_component_rich_style(part) for part in LineList.COMPONENT_CLASSES}
        return self._part_styles[name]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return container.height
