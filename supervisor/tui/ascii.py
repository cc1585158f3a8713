"""Scroll bars of plain characters, for terminals and fonts that have no others; what becomes of symbols stands in `client.charset`."""

from typing import ClassVar

from textual.scrollbar import ScrollBarRender


class PlainScrollBar(ScrollBarRender):
    """Whole cells instead of the eighths that make Textual's bars smooth."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8
