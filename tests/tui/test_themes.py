"""For every eye and terminal: contrast of every style in supd's themes, words and shapes where there is no colour, plain characters."""

import pytest
from rich.style import Style
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from supervisor.cli.verbs import THEMES as NAMES
from supervisor.client.charset import plain
from supervisor.tui import themes
from supervisor.tui.model.states import ALL, GROUPS
from supervisor.tui.themes import THEMES, look_styles
from tests.tui.briefs import brief
from tests.tui.pilot import make_app, press, ready, screen_text

LEAST_CONTRAST = 4.5  # WCAG 2.1, 1.4.3, for text of any size
LEAST_DIM_CONTRAST = 3.0  # what is dim may be missed


def of_theme(name: str) -> dict[str, Style]:
    theme = next((one for one in THEMES if one.name == name), None) or BUILTIN_THEMES[name]
    return look_styles({**theme.to_color_system().generate(), **theme.variables}, theme.ansi)


def luminance(color: Color) -> float:
    parts = [value / 255 for value in color.rgb]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_style_can_be_read_on_every_background_it_stands_on(theme: Theme) -> None:
    grounds = [
        theme.background,
        theme.panel,
        theme.variables["block-cursor-background"],
        theme.variables["block-cursor-blurred-background"],
    ]
    for name, style in of_theme(theme.name).items():
        for ground in grounds[:1] if name.startswith("unit-") else grounds:  # the units of a log stand on the log's own
            if style.color is not None and ground is not None:
                least = LEAST_DIM_CONTRAST if name == "dim" else LEAST_CONTRAST
                found = contrast(Color.from_rich_color(style.color), Color.parse(ground))
                assert found >= least, f"{name} on {ground}: {found:.1f}"


def test_every_look_has_a_style_in_every_theme() -> None:
    for name in themes.names():
        styles = of_theme(name)
        assert {look.style for look in ALL} <= set(styles)
        assert {"", "dim", "key", "title", "mark", "strong"} <= set(styles)


def test_the_theme_for_colour_blindness_uses_the_palette_of_okabe_and_ito() -> None:
    palette = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    theme = next(one for one in THEMES if one.name == "supd-cb")
    assert {theme.primary, theme.secondary, theme.warning, theme.error, theme.success, theme.accent} <= palette


def test_the_names_that_the_command_line_offers_are_these() -> None:
    assert tuple(theme.name for theme in THEMES) == NAMES


def test_every_symbol_of_a_state_has_a_plain_one() -> None:
    assert [plain(look.symbol) for look in GROUPS.values()] == [look.ascii for look in GROUPS.values()]


UNITS = [
    brief("web"), brief("db", "failed", "failed", result="timeout"), brief("cache", health="failing"), brief("old", "inactive", "dead"),
    brief("wait", "inactive", "dead", job={"type": "start", "state": "waiting", "waits_for": ["db"]}), brief("new", needs_restart=True),
]  # fmt: skip


async def test_with_ascii_nothing_else_is_drawn() -> None:
    app = make_app(*UNITS, ascii=True)
    async with app.run_test(size=(120, 24)) as pilot:
        await ready(pilot)
        await press(pilot, "space", "space")
        text = screen_text(app)
        assert text.isascii(), sorted({letter for letter in text if not letter.isascii()})
        for expected in ("X  db", "^  cache", "*  web", "-  old", ".  wait"):
            assert expected in text
        for keys in (["."], ["f"], ["?"], [":"], ["asterisk", "x"]):
            await press(pilot, *keys)
            text = screen_text(app)
            assert text.isascii(), (keys, sorted({letter for letter in text if not letter.isascii()}))
            await press(pilot, "escape")


async def test_no_color_sends_none_and_words_and_shapes_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app(*UNITS)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                style = segment.style
                assert style is None or all(one is None or one.is_default for one in (style.color, style.bgcolor)), segment
        text = screen_text(app)
        assert "✗  db" in text
        assert "FAIL time" in text
        row = next(strip for strip in app.screen._compositor.render_strips() if "FAIL time" in strip.text)
        assert any(segment.style is not None and segment.style.reverse for segment in row), "the cursor is seen without colour"


@pytest.mark.parametrize("name", ["ansi-dark", "ansi-light"])
async def test_ansi_themes_use_the_terminals_own_colours(name: str) -> None:
    app = make_app(*UNITS, theme=name)
    async with app.run_test(size=(100, 24)) as pilot:
        await ready(pilot)
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                if segment.style is not None:
                    for colour in (segment.style.color, segment.style.bgcolor):
                        assert colour is None or colour.triplet is None, segment
