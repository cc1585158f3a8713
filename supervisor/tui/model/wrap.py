"""Text as lines of cells, and what becomes of a line that is too long. Pure."""

import re
from collections.abc import Iterable, Sequence

from supervisor.tui.model.rows import Cell

Line = Sequence[Cell]
_WORDS = re.compile(r"\s*\S+|\s+$")
BLANK: Line = (Cell(""),)


def wrapped(lines: Iterable[Line], width: int) -> list[Line]:
    """The lines in `width` cells: what is too long goes on below the beginning of its last cell, or of its first."""
    found: list[Line] = []
    for line in lines:
        cells = [one for one in line if one.text]
        total = sum(len(one.text) for one in cells)
        if total <= width or not cells:
            found.append(tuple(cells) or BLANK)
            continue
        *before, last = cells
        indent = sum(len(one.text) for one in before)
        if indent > width // 2:
            found += _flowing(cells, width)
            continue
        room = max(1, width - indent)
        pieces = list(_pieces(last.text, room))
        found.append((*before, Cell(pieces[0], last.style)))
        found += [(Cell(" " * indent), Cell(piece, last.style)) for piece in pieces[1:]]
    return found


def _flowing(cells: Sequence[Cell], width: int) -> list[Line]:
    """Word after word in rows of `width` cells, each with its style; rows below the first stand behind the first cell if it is narrow.

    A cell of a few words ("12 restarts") is not parted.
    """
    hanging = len(cells[0].text) if len(cells[0].text) <= width // 3 else 0
    rows: list[list[Cell]] = [[]]
    used = 0
    for at, one in enumerate(cells):
        is_whole = hanging if at == 0 else len(one.text) <= (width - hanging) // 2
        for word in [one.text] if is_whole else _WORDS.findall(one.text):
            if used + len(word) > width and used > hanging:
                rows.append([Cell(" " * hanging)] if hanging else [])
                used, word = hanging, word.lstrip()
            for piece in _pieces(word, width - hanging) if used + len(word) > width else [word]:
                if used + len(piece) > width:
                    rows.append([Cell(" " * hanging)] if hanging else [])
                    used = hanging
                rows[-1].append(Cell(piece, one.style))
                used += len(piece)
    return [tuple(row) for row in rows]


def _pieces(text: str, room: int) -> Iterable[str]:
    """The text in pieces of `room` characters, broken at blanks where there are any."""
    while len(text) > room:
        at = text.rfind(" ", 1, room + 1)
        if at <= room // 3:
            yield text[:room]
            text = text[room:]
        else:
            yield text[:at]
            text = text[at + 1 :]
    yield text
