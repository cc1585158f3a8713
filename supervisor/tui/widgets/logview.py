"""The lines of a log on the screen, painted straight into strips: moving, wrapping, the cursor, marks and the selection.

What is shown is `LogReader`'s; this widget knows how it looks. It keeps the strips of lines it painted by everything that a row shows,
and refreshes only rows that differ from what stands there. Bytes of a unit come here through `logs.paint`, which lets nothing act.
While the end is followed there is no cursor to be seen; any move upwards pauses and shows it.
"""

from collections.abc import Callable
from typing import NamedTuple

from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from supervisor.tui.logs import paint
from supervisor.tui.logs.paint import Painting, Span
from supervisor.tui.logs.reader import LogReader
from supervisor.tui.logs.store import TEXT, Line, LogStore
from supervisor.tui.logs.viewport import Row, Viewport
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.logstyles import BLURRED, CHOSEN, CURSOR, PLAIN, LogStyles
from supervisor.tui.widgets.ownlines import OwnLines

_STRIPS_KEPT = 256  # some five screens: a strip weighs as much as twenty lines in the store
_WHEEL_ROWS = 3
_SIDE_CELLS = 8
_LEAST_TEXT_CELLS = 16
_FRAME_CELLS = 2  # the gutter before a line and the bar behind it

RunText = Callable[[str, str], str]  # (unit, run): how that run ended, "" while that is not known


class _RowKey(NamedTuple):
    """Everything that a row shows; equal keys, equal strips."""

    line_id: int
    row: int
    is_cursor: bool
    is_focused: bool
    is_chosen: bool
    is_marked: bool
    is_behind_hole: bool
    before_us: int | None
    common: int  # stands for what all rows share


class LogView(OwnLines, can_focus=True):
    """A window on the lines of a `LogReader`."""

    COMPONENT_CLASSES = {"log--cursor", "log--cursor-blurred", "log--selected", "log--found", "log--bar", "log--thumb"}
    DEFAULT_CSS = """
    LogView {
        height: 1fr;
        background: $background;
        & > .log--cursor { background: $block-cursor-background; }
        & > .log--cursor-blurred { background: $block-cursor-blurred-background; }
        & > .log--selected { background: $input-selection-background; }
        & > .log--found { background: $warning; color: $background; text-style: bold; }
        & > .log--bar { color: $border-blurred; }
        & > .log--thumb { color: $border; }
    }
    """
    BINDINGS = [
        Binding("f,end,G", "follow", "follow", id="log.follow"),
        Binding("j,down", "move(1)", "down", show=False, id="log.down"),
        Binding("k,up", "move(-1)", "up", show=False, id="log.up"),
        Binding("g,home", "top", "oldest", show=False, id="log.first"),
        Binding("ctrl+d", "page(0.5)", "half a page down", show=False, id="log.half-down"),
        Binding("ctrl+u", "page(-0.5)", "half a page up", show=False, id="log.half-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="log.page-down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="log.page-up"),
        Binding("left", "side(-1)", "left", show=False, id="log.left"),
        Binding("right", "side(1)", "right", show=False, id="log.right"),
        Binding("0", "side(0)", "line begin", show=False, id="log.line-begin"),
        Binding("w", "wrap", "wrap", id="log.wrap"),
        Binding("t", "time", "time", id="log.time"),
    ]
    HELP = "The log. Moving up pauses it; **f** or **End** follows again. **/** searches, **&** filters, **\\\\** leaves lines out."

    class Opened(Message):
        """A line was double-clicked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.reader = LogReader(LogStore())
        self.empty = self._said = ""  # what is said while there is no line, and what stands there
        # Called when another part of the log is shown; no message, which would come a frame later than the lines.
        self.on_moved: Callable[[], None] = lambda: None
        self.run_text: RunText = lambda unit, run: ""
        self.side = 0  # how many cells of the text are left of the screen
        self._rows: list[Row] = []
        self._keys: list[_RowKey] = []
        self._is_forgotten = False  # what stands there is not what is kept of it
        self._thumb: tuple[int, int] = (0, 0)  # (first row, rows) of the bar's thumb
        self._width = self._height = 0  # of the widget: asking Textual for it at each row costs more than the row
        self._common: tuple[object, int] = (None, 0)  # what all rows share, and the number it goes by in their keys
        self._strips: LRUCache[object, Strip] = LRUCache(_STRIPS_KEPT)
        self._bodies: LRUCache[object, list[list[Span]]] = LRUCache(_STRIPS_KEPT)
        self._styles = LogStyles(self)

    def show(self, reader: LogReader, empty: str = "") -> None:
        """From now on the lines of this reader; `empty` is said while there are none. Wrapping and the place sideways stay."""
        reader.view.wraps = self.reader.view.wraps
        reader.view.height_of = self._height_of
        reader.view.rows = max(1, self._height)
        self.reader, self.empty = reader, empty
        self.forget()

    def forget(self) -> None:
        """What was painted is not what is shown any more (another run's end is known, another pattern is found)."""
        self._strips.clear()
        self._bodies.clear()
        self._is_forgotten = True
        self.look_again()

    def look_again(self) -> None:
        """Repaint the rows that differ now."""
        if not self.is_mounted or not self._height:
            return
        self.reader.view.settle()
        self._rows = self.reader.view.visible()
        keys, thumb, height = self._row_keys(), self._thumb_now(), self._height
        before = self._keys
        differing = {y for y in range(max(len(keys), len(before))) if keys[y : y + 1] != before[y : y + 1]}
        if thumb != self._thumb:
            differing |= set(range(thumb[0], sum(thumb))) ^ set(range(self._thumb[0], sum(self._thumb)))
        if self.empty != self._said:
            differing.add(1)
        self._keys, self._thumb, self._said = keys, thumb, self.empty
        if self._is_forgotten or len(differing) * 2 > height:
            self._is_forgotten = False
            self.refresh()
        else:
            self.refresh_lines(differing)

    @property
    def lines(self) -> list[str]:
        """The rows as they stand on the screen, without the bar, for tests and for people who read the screen by ear."""
        return [strip.text[: self._width - 1].rstrip() for strip in self.render_lines(self.outer_size.region)]

    @property
    def wraps(self) -> bool:
        return self.reader.view.wraps

    # Moving.

    @property
    def _window(self) -> Viewport:
        """The window to be moved, once it knows of every line that came: else those would count as new to who pauses now."""
        self.reader.arrived()
        return self.reader.view

    def action_follow(self) -> None:
        self._window.follow()
        self.reader.anchor = None
        self._moved()

    def action_move(self, lines: int) -> None:
        self._window.move(lines)
        self._moved()

    def action_page(self, pages: float) -> None:
        self._window.page(pages)
        self._moved()

    def action_top(self) -> None:
        self._window.home()
        self._moved()

    def action_side(self, steps: int) -> None:
        self.side = max(0, self.side + steps * _SIDE_CELLS) if steps else 0
        self._moved()

    def action_wrap(self) -> None:
        self.reader.view.wraps = not self.wraps
        self.forget()
        self._moved()

    def action_time(self) -> None:
        self.reader.next_time_mode()
        self.forget()
        self._moved()

    def go_to(self, line_id: int) -> None:
        self._window.go_to(line_id, centred=True)
        self._moved()

    def _moved(self) -> None:
        self.look_again()
        self.on_moved()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._window.scroll(-_WHEEL_ROWS)
        self._moved()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._window.scroll(_WHEEL_ROWS)
        self._moved()

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        event.stop()
        self.action_side(-1)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        event.stop()
        self.action_side(1)

    def on_click(self, event: events.Click) -> None:
        view = self._window
        if event.x == self._width - 1 and len(view.index):
            line_id = view.index.id_at(min(len(view.index) - 1, event.y * len(view.index) // max(1, self._height)))
            view.go_to(line_id, centred=True)
        elif event.y < len(self._rows):
            view.go_to(self._rows[event.y][0])
            if event.chain == 2:
                self.post_message(self.Opened())
        self._moved()

    # Painting.

    def on_resize(self, event: events.Resize) -> None:
        self._width = event.size.width
        self.take_height(event.size.height)
        self.on_moved()

    def take_height(self, height: int) -> None:
        """Be so many lines high, from now on or as soon as the screen is laid out anew."""
        self._height = height
        self.reader.view.rows = max(1, height)
        self.forget()

    def on_focus(self) -> None:
        self.look_again()

    def on_blur(self) -> None:
        self.look_again()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.forget()
        self._strips.clear()

    def begin_lines(self) -> None:
        if not self._keys or self._is_forgotten:
            self._rows = self.reader.view.visible()
            self._keys, self._thumb = self._row_keys(), self._thumb_now()
        self._styles.resolve()

    def make_line(self, y: int) -> Strip:
        is_thumb = self._thumb[0] <= y < sum(self._thumb)
        key = (self._keys[y] if y < len(self._rows) else y == 1 and self.empty, is_thumb)
        strip = self._strips.get(key)
        if strip is None:
            base, spans = self._spans(y)
            spans, used = paint.cropped(spans, 0, self._width - 1)
            segments = self._joined([*spans, (" " * (self._width - 1 - used), "")], base)
            symbol = host_of(self).drawn("█" if is_thumb else "│")
            segments.append(Segment(symbol, self._styles.of(PLAIN, "thumb" if is_thumb else "bar")))
            strip = self._strips[key] = Strip(segments, self._width)
        return strip.adjust_cell_length(self.outer_size.width, self._styles.grounds[0])  # before it is told of another size

    def _joined(self, spans: list[Span], ground: int) -> list[Segment]:
        """The spans with their styles, neighbours of one style as one: each change of style is forty bytes to the terminal."""
        segments: list[Segment] = []
        texts: list[str] = []
        style = None
        for text, look in spans:
            following = self._styles.of(ground, look)
            if style is not None and following != style:
                segments.append(Segment("".join(texts), style))
                texts = []
            style = following
            texts.append(text)
        segments.append(Segment("".join(texts), style))
        return segments

    def _row_keys(self) -> list[_RowKey]:
        reader, host = self.reader, host_of(self)
        cursor = None if reader.view.follows else reader.view.cursor
        chosen = set(reader.selection()) if reader.anchor is not None else set()
        shared = (reader.painting(), self._width, -1 if self.wraps else self.side, host.theme_key, reader.hides, reader.wanted)
        if shared != self._common[0]:
            self._common = (shared, self._common[1] + 1)
        common = self._common[1]
        keys: list[_RowKey] = []
        before = self._before_first()
        for line_id, row in self._rows:
            is_cursor = line_id == cursor
            is_behind_hole = self._is_behind_hole(before, line_id)
            before_us = self._time_us(before) if reader.time_mode == paint.TIME_DELTA and before is not None else None
            focused, is_chosen, is_marked = is_cursor and self.has_focus, line_id in chosen, line_id in reader.marks
            keys.append(_RowKey(line_id, row, is_cursor, focused, is_chosen, is_marked, is_behind_hole, before_us, common))
            before = line_id
        return keys

    def _before_first(self) -> int | None:
        if not self._rows:
            return None
        index = self.reader.view.index
        position = index.position_of(self._rows[0][0])
        return index.id_at(position - 1) if position else None

    def _time_us(self, line_id: int) -> int:
        chunk, place = self.reader.store.find(line_id)
        return chunk.time_us(place)

    def _is_behind_hole(self, before: int | None, line_id: int) -> bool:
        """Whether lines lie between two that are shown: ones that are not wanted, or that are not in memory yet."""
        if before is None or before in (line_id, line_id - 1):
            return False
        store = self.reader.store
        chunk, place = store.find(line_id)
        if place:
            return True
        earlier, last = store.find(before)
        at = store.chunk_at(chunk.number)
        return not chunk.is_joined or store.chunks[at - 1] is not earlier or last != len(earlier) - 1

    def _spans(self, y: int) -> tuple[int, list[Span]]:
        """(background, what stands in the row): the gutter, the columns, the text."""
        reader, host = self.reader, host_of(self)
        if y >= len(self._rows):
            return PLAIN, [(f"  {self.empty}", "dim")] if y == 1 and not self._rows else []
        key = self._keys[y]
        line, painting = reader.store.line(key.line_id), reader.painting()
        base = CURSOR if key.is_focused else BLURRED if key.is_cursor else CHOSEN if key.is_chosen else PLAIN
        gutter = "▌" if key.is_marked else "│" if key.is_chosen else "┆" if key.is_behind_hole else " "
        spans: list[Span] = [(host.drawn(gutter), "mark" if key.is_marked or key.is_chosen else "dim")]
        if line.kind != TEXT:
            return base, spans + paint.landmark(line, painting, self._width - _FRAME_CELLS, self.run_text)
        spans += paint.prefix(line, painting, key.before_us) if key.row == 0 else [(" " * painting.prefix_width, "")]
        rows = self._body(line, painting)
        text = rows[min(key.row, len(rows) - 1)]
        spans += text if self.wraps else paint.cropped(text, self.side, self._text_cells(painting))[0]
        return base, [spans[0], *[(piece, "dim") for piece, _ in spans[1:]]] if reader.is_dimmed(line) else spans

    def _body(self, line: Line, painting: Painting) -> list[list[Span]]:
        """The rows of a line's text."""
        key = (line.id, painting, self._width, self.wraps)
        rows = self._bodies.get(key)
        if rows is None:
            spans = paint.body(line, painting)
            rows = self._bodies[key] = paint.wrapped(spans, self._text_cells(painting)) if self.wraps else [spans]
        return rows

    def _height_of(self, line_id: int) -> int:
        line = self.reader.store.line(line_id)
        return len(self._body(line, self.reader.painting())) if line.kind == TEXT else 1

    def _text_cells(self, painting: Painting) -> int:
        return max(_LEAST_TEXT_CELLS, self._width - _FRAME_CELLS - painting.prefix_width)

    def _thumb_now(self) -> tuple[int, int]:
        """(first row, rows) of the bar's thumb; none while everything is seen."""
        position, total = self.reader.view.position()
        rows = self._height
        if total <= rows or not rows:
            return 0, 0
        size = max(1, rows * rows // total)
        if self.reader.view.follows:
            return rows - size, size
        return min(rows - size, position * (rows - size + 1) // max(1, total - rows)), size

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return container.height
