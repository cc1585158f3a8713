"""Symbols and lines as plain characters, for terminals and fonts that have no others (`--ascii`)."""

from typing import ClassVar

from textual.scrollbar import ScrollBarRender

_ASCII = str.maketrans({
    "▸": ">", "●": "*", "◌": ".", "✗": "X", "↺": "r", "◐": ">", "◑": "<", "↻": "~", "▲": "^", "✓": "+", "○": "-", "⊘": "/", "◷": "@",
    "▌": "|", "│": "|", "─": "-", "█": "#", "▴": "^", "▾": "v", "…": "~", "→": ">", "←": "<", "▏": "|", "┌": "+", "┐": "+", "└": "+",
    "┘": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┼": "+", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "❚": "|", "·": ".",
    "‹": "<", "›": ">", "–": "-", "—": "-", "×": "x", "▶": ">", "◀": "<", "◆": "*", "◇": "o", "↶": "<", "±": "+", "≥": ">", "⏎": "~",
})  # fmt: skip


def plain(text: str) -> str:
    """The same text in ASCII as far as it is ours; what a unit says of itself may still hold other letters."""
    return text if text.isascii() else text.translate(_ASCII)


class PlainScrollBar(ScrollBarRender):
    """Whole cells instead of the eighths that make Textual's bars smooth."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8
