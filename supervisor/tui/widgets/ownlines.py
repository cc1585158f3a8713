"""A widget that makes its own lines, and each only when it is another one: lists, logs, texts and bars are such widgets.

Textual asks every widget that a repaint touches for all its lines, be it for the clock in a corner. So a line that was made is kept
until its owner refreshes it: `refresh(region)` gives up the lines of the region, `refresh()` all of them, as do another size, theme or
style. Law: whatever a line shows, its owner refreshes the line when that changes, since nothing else will.

Such a widget has no border and no padding: what Textual would add to its lines is passed by.
"""

from collections.abc import Iterable
from typing import Self

from rich.style import Style
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from supervisor.tui.widgets.host import host_of


class OwnLines(Widget):
    """Subclasses make the lines."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._kept: dict[int, Strip] = {}
        self._kept_for: object = None  # what all lines share: with another value none of them is kept
        self._ground: tuple[Style, Color] | None = None

    def begin_lines(self) -> None:
        """Lines are about to be made: what is the same for all of them can be asked for here, once."""

    def make_line(self, y: int) -> Strip:
        """Line `y` of the widget, exactly as wide as it, and filtered."""
        return Strip.blank(self.outer_size.width, self.ground)

    @property
    def ground(self) -> Style:
        """The style of the widget where nothing stands."""
        return self._grounds()[0]

    def filtered(self, strip: Strip) -> Strip:
        """The line as this terminal is to get it (without colour, with true colours): what Textual does to lines of its own."""
        behind = self._grounds()[1]
        for line_filter in self.get_line_filters():
            strip = strip.apply_filter(line_filter, behind)
        return strip

    def _grounds(self) -> tuple[Style, Color]:
        """Asked for once until all is refreshed, which Textual does when a colour behind the widget changes: each is a walk up the tree."""
        if self._ground is None:
            self._ground = self.rich_style, self.background_colors[1]
        return self._ground

    def _forget_lines(self) -> None:
        self._kept.clear()
        self._ground = None

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        if not regions:
            self._forget_lines()
        for region in regions:
            for y in region.line_range:
                self._kept.pop(y, None)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def refresh_lines(self, lines: Iterable[int]) -> None:
        """Repaint these lines."""
        width = self.outer_size.width
        if regions := [Region(0, y, width, 1) for y in lines]:
            self.refresh(*regions)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._forget_lines()

    def render_lines(self, crop: Region) -> list[Strip]:
        size, kept = self.outer_size, self._kept
        shared = (size, host_of(self).theme_key)
        if shared != self._kept_for:
            self._kept_for = shared
            self._forget_lines()
        missing = [y for y in crop.line_range if y not in kept]
        if missing:
            self.begin_lines()
            for y in missing:
                kept[y] = self.make_line(y)
        if crop.column_span == (0, size.width):
            return [kept[y] for y in crop.line_range]
        return [kept[y].crop(crop.x, crop.right) for y in crop.line_range]
