"""Colour in foreign text (ECMA-48 8.3.117, SGR), read into values: what a program painted is shown, and nothing else it sent acts.

Never: carries a state over to the next line, or lets any other sequence through; what is no SGR stays in the text for
`client.terminal.neutralise` to write out.
"""

import re
from typing import NamedTuple

Colour = int | tuple[int, int, int] | None  # a number of the 256, red green blue, or the terminal's own


class Sgr(NamedTuple):
    """How a piece of text was painted."""

    foreground: Colour = None
    background: Colour = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    strike: bool = False


PLAIN = Sgr()
_SEQUENCE = re.compile(r"\x1b\[([0-9;:]{0,61})m")
_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike", 21: "underline"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",), 29: ("strike",)}


def split(text: str) -> list[tuple[str, Sgr]]:
    """The text in pieces of one look each, without its SGR sequences; none is empty."""
    if "\x1b[" not in text:
        return [(text, PLAIN)] if text else []
    pieces: list[tuple[str, Sgr]] = []
    look, position = PLAIN, 0
    for found in _SEQUENCE.finditer(text):
        if found.start() > position:
            pieces.append((text[position : found.start()], look))
        look = _changed(look, found[1])
        position = found.end()
    if position < len(text):
        pieces.append((text[position:], look))
    return pieces


def _changed(look: Sgr, parameters: str) -> Sgr:
    codes = [int(code or 0) if len(code) < 5 else -1 for code in parameters.replace(":", ";").split(";")]
    place = 0
    while place < len(codes):
        code = codes[place]
        place += 1
        if code == 0:
            look = PLAIN
        elif code in _ON:
            look = look._replace(**{_ON[code]: True})
        elif code in _OFF:
            look = look._replace(**dict.fromkeys(_OFF[code], False))
        elif code in (38, 48):
            colour, place = _long_colour(codes, place)
            look = look._replace(foreground=colour) if code == 38 else look._replace(background=colour)
        elif code in (39, 49):
            look = look._replace(foreground=None) if code == 39 else look._replace(background=None)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            look = look._replace(foreground=code - 30 if code < 90 else code - 82)
        elif 40 <= code <= 47 or 100 <= code <= 107:
            look = look._replace(background=code - 40 if code < 100 else code - 92)
    return look


def _long_colour(codes: list[int], place: int) -> tuple[Colour, int]:
    """(colour, place behind it) of `5;n` or `2;r;g;b`; anything else is no colour and ends the sequence."""
    if codes[place : place + 1] == [5] and place + 1 < len(codes):
        return (codes[place + 1] if 0 <= codes[place + 1] < 256 else None), place + 2
    red_green_blue = codes[place + 1 : place + 4]
    if codes[place : place + 1] == [2] and len(red_green_blue) == 3:
        red, green, blue = red_green_blue
        return ((red, green, blue) if all(0 <= each < 256 for each in red_green_blue) else None), place + 4
    return None, len(codes)
