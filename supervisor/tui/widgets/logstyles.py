"""What a piece of a log looks like: a name or a colour of the unit's own, and what lies under the row, to one style of the theme.

Each style is made once a theme, with what Textual would filter in each line (no colour, dim) filtered in it. A widget's component classes
`log--...` say the colours of the grounds. Never: looks at a line.
"""

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as TextColor
from textual.filter import LineFilter
from textual.widget import Widget

from supervisor.tui.logs import levels
from supervisor.tui.logs.paint import Look
from supervisor.tui.logs.sgr import Sgr
from supervisor.tui.widgets.host import host_of

PLAIN, CHOSEN, BLURRED, CURSOR = range(4)  # what lies under a row


class LogStyles:
    """The styles of one widget. `resolve` comes before `of` and `grounds` in each paint."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self.grounds: list[Style] = []  # by PLAIN ... CURSOR
        self._styles: dict[tuple[int, Look], Style] = {}
        self._components: dict[str, Style] = {}
        self._filters: list[tuple[LineFilter, TextColor]] = []
        self._key: object = None

    def forget(self) -> None:
        """The theme may be another one now."""
        self._key = None

    def resolve(self) -> None:
        """Ask for styles and filters once a theme: each of these questions costs Textual more than painting a line."""
        key = (host_of(self._widget).theme_key, self._widget.app.no_color)
        if key == self._key:
            return
        self._key, self._styles = key, {}
        self._components = {name: self._widget.get_component_rich_style(name) for name in self._widget.COMPONENT_CLASSES}
        grounds = [Style(bgcolor=self._components[name].bgcolor) for name in ("log--selected", "log--cursor-blurred", "log--cursor")]
        if self._widget.app.no_color:
            grounds = [Style(underline=True), Style(underline=True), Style(reverse=True)]
        self.grounds = [self._widget.rich_style, *[self._widget.rich_style + ground for ground in grounds]]
        background = self._widget.background_colors[1]
        self._filters = [(line_filter, background) for line_filter in self._widget.get_line_filters()]

    def of(self, ground: int, look: Look) -> Style:
        """The style of a piece of text in a row; what Textual would filter in each line (no colour, dim) is filtered here, once."""
        style = self._styles.get((ground, look))
        if style is None:
            over = _sgr_style(look) if isinstance(look, Sgr) else self._named_style(look)
            segments = [Segment(" ", self.grounds[ground] + over)]
            for line_filter, background in self._filters:
                segments = line_filter.apply(segments, background)
            style = self._styles[ground, look] = segments[0].style or Style()
        return style

    def _named_style(self, look: str) -> Style:
        looks = host_of(self._widget).look_styles
        if look == "found":
            found = self._components["log--found"]
            if self._widget.app.no_color:
                return Style(reverse=True, bold=True)
            return Style(color=found.color, bgcolor=found.bgcolor, bold=True)
        if f"log--{look}" in self._components:
            found = self._components[f"log--{look}"]
            return Style(color=found.color, bold=found.bold or None)
        return looks[_LOOKS.get(look, look if look in looks else "")]


_LOOKS = {
    "time": "dim",
    "cut": "accent",
    "run": "accent",
    "note": "warning",
    f"level-{levels.NAMES[levels.DEBUG]}": "dim",
    f"level-{levels.NAMES[levels.INFO]}": "dim",
    f"level-{levels.NAMES[levels.WARN]}": "warning",
    f"level-{levels.NAMES[levels.ERROR]}": "failed",
    f"level-{levels.NAMES[levels.FATAL]}": "failed",
}


def _sgr_style(look: Sgr) -> Style:
    return Style(
        color=_colour(look.foreground), bgcolor=_colour(look.background), bold=look.bold or None, dim=look.dim or None,
        italic=look.italic or None, underline=look.underline or None, reverse=look.reverse or None, strike=look.strike or None,
    )  # fmt: skip


def _colour(colour: int | tuple[int, int, int] | None) -> Color | None:
    if colour is None:
        return None
    return Color.from_ansi(colour) if isinstance(colour, int) else Color.from_rgb(*colour)
