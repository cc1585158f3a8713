"""The colours: supd's own themes, and one table from the names of styles to colours for each theme that Textual brings.

Every state has a style of the same name in every theme, so that no widget names a colour. A theme of ours says them itself; for any
other they follow from its error, warning, success and accent. `supd-cb` uses the palette of Okabe and Ito, which people with any kind
of colour blindness tell apart. No style carries meaning alone: the words and shapes of `model.states` stand beside it.
"""

from collections.abc import Mapping

from rich.style import Style
from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

DEFAULT = "supd-dark"
LIGHT = "supd-light"
NO_COLOUR = "ansi-dark"  # carries no colour of its own that the filter would have to take away

_DIM = 0.34  # how far dim text goes towards the background: still above a contrast of 4.5 in supd's own themes

_OKABE_ITO = ("#56B4E9", "#E69F00", "#33B891", "#F0E442", "#CC79A7", "#E8844A", "#8FA8C8", "#B9B9B9")  # some lightened to be read on dark

THEMES = (
    Theme(
        name=DEFAULT,
        primary="#5FAFD7", secondary="#8AB4C4", warning="#E5B567", error="#FF7B7B", success="#7BD88F", accent="#6CC7E8",
        foreground="#D8DEE4", background="#14181D", surface="#14181D", panel="#1E242B", boost="#2A323B", dark=True,
        variables={
            "block-cursor-background": "#203649", "block-cursor-foreground": "#FFFFFF", "block-cursor-text-style": "bold",
            "block-cursor-blurred-background": "#232C35", "border": "#3A4652", "border-blurred": "#2A323B",
            "footer-key-foreground": "#6CC7E8", "input-selection-background": "#5FAFD7 35%",
        },
    ),
    Theme(
        name=LIGHT,
        primary="#0A5F84", secondary="#4A6572", warning="#855600", error="#B3261E", success="#1B6E32", accent="#00658F",
        foreground="#1B1F23", background="#FAFAF7", surface="#FAFAF7", panel="#ECEEEA", boost="#DFE3DE", dark=False,
        variables={
            "block-cursor-background": "#C9E3F0", "block-cursor-foreground": "#0B1B24", "block-cursor-text-style": "bold",
            "block-cursor-blurred-background": "#E3E8E6", "border": "#B6BEC2", "border-blurred": "#D5DAD8",
            "footer-key-foreground": "#00658F", "input-selection-background": "#0B6E99 25%",
        },
    ),
    Theme(
        name="supd-cb",
        primary="#56B4E9", secondary="#009E73", warning="#E69F00", error="#D55E00", success="#56B4E9", accent="#CC79A7",
        foreground="#E6E6E6", background="#101214", surface="#101214", panel="#1B1F23", boost="#2A2F35", dark=True,
        variables={
            "block-cursor-background": "#1A2C3B", "block-cursor-foreground": "#FFFFFF", "block-cursor-text-style": "bold",
            "block-cursor-blurred-background": "#22282E", "border": "#414A52", "border-blurred": "#2A2F35",
            "footer-key-foreground": "#56B4E9", "input-selection-background": "#56B4E9 35%",
            **{f"look-unit-{number}": colour for number, colour in enumerate(_OKABE_ITO)},
            "look-failed": "#F58A42",  # vermilion, lightened until it reads on this background
        },
    ),
)  # fmt: skip

# From the name of a style to the colour variables it may come from, first that exists.
_SOURCES: dict[str, tuple[str, ...]] = {
    "failed": ("look-failed", "error"),
    "warning": ("warning",),
    "running": ("success",),
    "accent": ("accent",),
    "key": ("footer-key-foreground", "accent"),
    "title": ("primary",),
    "mark": ("accent",),
}
# What tells units apart in a log: colours round the wheel, away from none and bound to none, for states have words.
UNIT_COLOURS = 8
_UNIT_HUES = (205, 35, 150, 275, 85, 325, 180, 55)
_UNIT_ANSI = (
    "ansi_cyan", "ansi_yellow", "ansi_green", "ansi_magenta", "ansi_blue", "ansi_bright_cyan", "ansi_bright_yellow", "ansi_bright_magenta",
)  # fmt: skip
_BOLD = frozenset({"failed", "key", "title", "mark"})


def names() -> list[str]:
    """Every theme that can be asked for, ours first."""
    return [theme.name for theme in THEMES] + sorted(BUILTIN_THEMES)


def look_styles(variables: Mapping[str, str], is_ansi: bool) -> dict[str, Style]:
    """Styles by name for one theme: foreground and weight only, to lie over whatever background a widget has.

    Names: those of `model.states.Look.style` ("failed", "warning", "running", "accent", "dim"), "key", "title", "mark", "strong", "",
    and "unit-0" to "unit-7".
    """
    styles = {"": Style(), "strong": Style(bold=True), "dim": _dim(variables, is_ansi)}
    for name, sources in _SOURCES.items():
        colour = next((found for source in sources if (found := _colour(variables.get(source))) is not None), None)
        styles[name] = Style(color=None if colour is None else colour.rich_color, bold=name in _BOLD or None)
    styles.update({f"unit-{number}": Style(color=_unit_colour(number, variables, is_ansi).rich_color) for number in range(UNIT_COLOURS)})
    return styles


def _unit_colour(number: int, variables: Mapping[str, str], is_ansi: bool) -> Color:
    if is_ansi:
        return Color.parse(_UNIT_ANSI[number])
    background = _colour(variables.get("background"))
    is_dark = background is None or background.brightness < 0.5
    return _colour(variables.get(f"look-unit-{number}")) or Color.from_hsl(_UNIT_HUES[number] / 360, 0.5, 0.68 if is_dark else 0.32)


def _dim(variables: Mapping[str, str], is_ansi: bool) -> Style:
    """The foreground on its way to the background; where colours are the terminal's own, its dim attribute."""
    foreground, background = _colour(variables.get("foreground")), _colour(variables.get("background"))
    if is_ansi or foreground is None or background is None:
        return Style(dim=True)
    return Style(color=foreground.blend(background, _DIM).rich_color)


def _colour(text: str | None) -> Color | None:
    if not text:
        return None
    try:
        return Color.parse(text)
    except ColorParseError:
        return None  # an "auto" colour, which means something beside a background alone
