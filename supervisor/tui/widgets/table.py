"""The table of units: one line a unit, painted straight into strips.

Rows belong to the store; the table keeps only which names it shows, where its cursor is, and the strips of rows it painted, by
everything that a row shows. So a change of one unit repaints one line, and of a thousand units off the screen none. The cursor
follows a unit, not a row. A click chooses, a double click opens, the heads sort.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from supervisor.tui.model.format import fit, one_line
from supervisor.tui.model.states import is_warning, note_of
from supervisor.tui.model.units import EVERYTHING, Changes, Unit
from supervisor.tui.widgets.columns import GUTTER_CELLS, NAME, NOTE, STATE, Layout, cells_of, layout_for
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.viewport import Viewport

_STRIPS_KEPT = 4096
_WHEEL_ROWS = 3
_NOTE_LEAST_CELLS = 8  # a note behind the name that would be shorter says nothing
_HEAD_LINES = 1


class UnitTable(Widget, can_focus=True):
    """Shows the units whose names it is given, in that order."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"table--head", "table--cursor", "table--cursor-blurred", "table--bar", "table--thumb"}
    DEFAULT_CSS = """
    UnitTable {
        height: 1fr;
        background: $background;
        & > .table--head { color: $foreground 60%; text-style: bold; }
        & > .table--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & > .table--cursor-blurred { background: $block-cursor-blurred-background; color: $foreground; }
        & > .table--bar { color: $border-blurred; }
        & > .table--thumb { color: $border; }
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
        """The cursor stands on another unit, or on none."""

        name: str | None

    @dataclass
    class Opened(Message):
        """A unit was double-clicked."""

        name: str

    @dataclass
    class HeadClicked(Message):
        """Somebody wants to sort by this key."""

        key: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = Viewport()
        self._names: Sequence[str] = ()
        self._empty = ""
        self._longest = 0
        self._sort = ("", False)
        self._strips: LRUCache[object, Strip] = LRUCache(_STRIPS_KEPT)
        self._painted: dict[int, object] = {}  # what stands on each row of the screen, so that only what differs is refreshed
        self._columns_now: Layout | None = None
        self._columns_key: object = None
        self._current: str | None = None
        self._part_styles: dict[str, Style] | None = None

    # What it shows.

    def show(self, names: Sequence[str], empty: str, sort: tuple[str, bool]) -> None:
        """From now on these units, in this order; `empty` is said when there is none; `sort` is the key and whether it is turned round."""
        cursor = names.index(self._current) if self._current in names else None
        if cursor is None and self._current is not None:
            cursor = min(self.view.cursor, len(names) - 1)  # its unit is gone: stay where it stood
        self._names, self._empty = names, empty
        self._sort = sort
        self._longest = max(map(len, names), default=0)
        self.view.total = len(names)
        if cursor is not None:
            self.view.cursor = cursor
        self.view.resize(self.size.height - _HEAD_LINES, len(names))
        self._tell()
        self._repaint()

    def flush(self, changes: Changes = EVERYTHING) -> None:
        """Repaint what looks different now: rows whose units changed, and rows whose times went on."""
        if changes.is_all:
            self._repaint()
            return
        for row in self.view.rows:
            if self._painted.get(row) != self._key(row):
                self._refresh_row(row)

    @property
    def current(self) -> str | None:
        """The name of the unit under the cursor."""
        return self._current

    def select(self, name: str) -> bool:
        """Put the cursor on a unit; whether it is in the list."""
        if name not in self._names:
            return False
        self._move_to(self._names.index(name))
        return True

    def names_between(self, first: str, last: str) -> list[str]:
        """The names from one to the other as they stand, both included; empty when one is not shown."""
        if first not in self._names or last not in self._names:
            return []
        low, high = sorted((self._names.index(first), self._names.index(last)))
        return list(self._names[low : high + 1])

    # Moving.

    def action_move(self, rows: int) -> None:
        self._move_to(self.view.cursor + rows)

    def action_top(self) -> None:
        self._move_to(0)

    def action_bottom(self) -> None:
        self._move_to(len(self._names) - 1)

    def action_page(self, pages: float) -> None:
        self._move_to(self.view.cursor + round(pages * max(1, self.view.height - 1)))

    def _move_to(self, row: int) -> None:
        top, before = self.view.top, self.view.cursor
        self.view.move(row)
        if self.view.top != top:
            self._repaint()
        else:
            self._refresh_row(before)
            self._refresh_row(self.view.cursor)
        self._tell()

    def _tell(self) -> None:
        row = self.view.cursor
        name = self._names[row] if 0 <= row < len(self._names) else None
        if name != self._current:
            self._current = name
            self.post_message(self.Moved(name))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll(_WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll(-_WHEEL_ROWS)

    def _scroll(self, rows: int) -> None:
        self.view.scroll(rows)
        self._tell()
        self._repaint()

    def on_click(self, event: events.Click) -> None:
        if event.y < _HEAD_LINES:
            column = self._columns.column_at(event.x)
            if column is not None and column.key:
                self.post_message(self.HeadClicked(column.key))
            return
        if event.x == self.size.width - 1 and self.view.thumb is not None:
            self._scroll(self.view.row_at_bar(event.y - _HEAD_LINES) - self.view.top)
            return
        row = self.view.top + event.y - _HEAD_LINES
        if row < len(self._names):
            self._move_to(row)
            if event.chain == 2:
                self.post_message(self.Opened(self._names[row]))

    # Painting.

    def on_resize(self) -> None:
        self.view.resize(self.size.height - _HEAD_LINES, len(self._names))
        self._repaint()

    def on_focus(self) -> None:
        self._refresh_row(self.view.cursor)

    def on_blur(self) -> None:
        self._refresh_row(self.view.cursor)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._part_styles = None
        self._strips.clear()

    def _repaint(self) -> None:
        self._painted.clear()
        self.refresh()

    def _refresh_row(self, row: int) -> None:
        if row in self.view.rows:
            self.refresh(Region(0, row - self.view.top + _HEAD_LINES, self.size.width, 1))

    @property
    def _columns(self) -> Layout:
        if self._columns_now is None or self._columns_key != (self.size.width, self._longest):
            self._columns_key = (self.size.width, self._longest)
            self._columns_now = layout_for(self.size.width - 1, self._longest)  # the last cell is the scroll bar's
        return self._columns_now

    def render_lines(self, crop: Region) -> list[Strip]:
        return [self._line(y).crop_extend(crop.x, crop.right, self.rich_style) for y in range(crop.y, crop.bottom)]

    def _line(self, y: int) -> Strip:
        if y < _HEAD_LINES:
            return self._head()
        row = self.view.top + y - _HEAD_LINES
        if row >= len(self._names):
            return self._blank(y)
        key = self._key(row)
        self._painted[row] = key
        return self._with_bar(self._strip(key, row), y - _HEAD_LINES)

    def _key(self, row: int) -> object:
        """Everything that the row shows; equal keys, equal strips."""
        host, name = host_of(self), self._names[row]
        unit = host.store.get(name)
        if unit is None:
            return (name,)
        columns = self._columns
        cells = cells_of(unit, host.figures.get(name), columns, host.clock.time_s())
        warning = note_of(unit.brief) if is_warning(unit.brief) else ""
        is_cursor = row == self.view.cursor
        look = (unit.look.symbol, unit.look.ascii, unit.look.style)
        state = (name in host.marked, is_cursor, is_cursor and self.has_focus, host.store.is_stale, host.ascii)
        return (cells, warning, unit.is_fault, look, state, self.size.width, host.theme_key)

    def _strip(self, key: object, row: int) -> Strip:
        strip = self._strips.get(key)
        if strip is None:
            unit = host_of(self).store.get(self._names[row])
            strip = self._filtered(self._blank(0) if unit is None else self._paint(unit, row))
            self._strips[key] = strip
        return strip

    def _paint(self, unit: Unit, row: int) -> Strip:
        host, looks = host_of(self), host_of(self).look_styles
        is_cursor = row == self.view.cursor
        base = self._style("table--cursor" if self.has_focus else "table--cursor-blurred") if is_cursor else self.rich_style
        if is_cursor and self.app.no_color:
            base += Style(reverse=True)
        if host.store.is_stale:
            base += looks["dim"]
            looks = dict.fromkeys(looks, Style())  # one colour for what may not be true any more
        tint = base + looks[unit.look.style]
        mark = host.drawn("▌") if unit.name in host.marked else " "
        symbol = "?" if host.store.is_stale else unit.look.ascii if host.ascii else unit.look.symbol
        segments = [Segment(mark, base + looks["mark"]), Segment(symbol + " ", tint), Segment(" ", base)]
        columns = self._columns
        cells = cells_of(unit, host.figures.get(unit.name), columns, host.clock.time_s())
        for (column, width), text in zip(columns.columns, cells, strict=True):
            if column is NAME:
                segments += self._named(unit, text, width, columns.has_notes, base)
            else:
                style = tint if column is STATE else self._note_style(unit, base) if column is NOTE else base
                segments.append(Segment(host.drawn(text.rjust(width) if column.is_right else text.ljust(width)), style))
            segments.append(Segment(" ", base))
        return Strip(segments).adjust_cell_length(self.size.width - 1, base)

    def _named(self, unit: Unit, text: str, width: int, has_notes: bool, base: Style) -> list[Segment]:
        """The name, and behind it what is wrong with its definition where no column tells it."""
        host = host_of(self)
        strong = base + Style(bold=True) if unit.is_fault and not host.store.is_stale else base
        room = width - len(text) - 2
        if has_notes or room < _NOTE_LEAST_CELLS or not is_warning(unit.brief):
            return [Segment(host.drawn(text.ljust(width)), strong)]
        note = fit(one_line(note_of(unit.brief)), room).ljust(room)
        return [Segment(text + "  ", strong), Segment(host.drawn(note), self._note_style(unit, base))]

    def _note_style(self, unit: Unit, base: Style) -> Style:
        host = host_of(self)
        if host.store.is_stale:
            return base
        return base + host.look_styles["warning" if is_warning(unit.brief) else "" if note_of(unit.brief) else "dim"]

    def _head(self) -> Strip:
        host, base = host_of(self), self._style("table--head")
        text = " " * GUTTER_CELLS
        for column, width in self._columns.columns:
            arrow = "" if column.key != self._sort[0] else "▴" if self._sort[1] else "▾"
            title = f"{arrow}{column.title}" if column.is_right else f"{column.title}{arrow}"
            text += (title.rjust(width) if column.is_right else title.ljust(width))[:width] + " "
        strip = Strip([Segment(host.drawn(text), base)]).adjust_cell_length(self.size.width, base)
        return self._filtered(strip)

    def _blank(self, y: int) -> Strip:
        """A line without a unit; the second one says why there is none."""
        if self._names or y != _HEAD_LINES + 1:
            return Strip.blank(self.size.width, self.rich_style)
        host = host_of(self)
        segment = Segment(" " * GUTTER_CELLS + host.drawn(self._empty), self.rich_style + host.look_styles["dim"])
        return self._filtered(Strip([segment]).adjust_cell_length(self.size.width, self.rich_style))

    def _with_bar(self, strip: Strip, line: int) -> Strip:
        thumb = self.view.thumb
        if thumb is None:
            return strip.adjust_cell_length(self.size.width, self.rich_style)
        is_thumb = thumb[0] <= line < thumb[0] + thumb[1]
        symbol = host_of(self).drawn("█" if is_thumb else "│")
        bar = Strip([Segment(symbol, self._style("table--thumb" if is_thumb else "table--bar"))])
        return Strip.join([strip, self._filtered(bar)])

    def _filtered(self, strip: Strip) -> Strip:
        for line_filter in self.get_line_filters():
            strip = strip.apply_filter(line_filter, self.background_colors[1])
        return strip

    def _style(self, name: str) -> Style:
        if self._part_styles is None:
            self._part_styles = {part: self.get_component_rich_style(part) for part in self.COMPONENT_CLASSES}
        return self._part_styles[name]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return container.height
