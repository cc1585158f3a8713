"""Text as lines of cells, and what becomes of a line that is too long. Pure."""

from collections.abc import Iterable, Sequence

from supervisor.tui.model.rows import Cell

Line = Sequence[Cell]
BLANK: Line = (Cell(""),)


def wrapped(lines: Iterable[Line], width: int) -> list[Line]:
    """The lines in `width` cells: what is too long goes on below the beginning of its last cell."""
    found: list[Line] = []
    for line in lines:
        cells = [one for one in line if one.text]
        total = sum(len(one.text) for one in cells)
        if total <= width or not cells:
            found.append(tuple(cells) or BLANK)
            continue
        *before, last = cells
        indent = sum(len(one.text) for one in before)
        if indent > width // 2:  # a last cell without room: all of it flows from the left
            before, indent = [], 0
            last = Cell("".join(one.text for one in cells), last.style)
        room = max(1, width - indent)
        pieces = list(_pieces(last.text, room))
        found.append((*before, Cell(pieces[0], last.style)))
        found += [(Cell(" " * indent), Cell(piece, last.style)) for piece in pieces[1:]]
    return found


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
