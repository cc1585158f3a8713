"""Lists as values: columns, rows of cells, and which rows are shown in which order. What the views make, and the list widget paints.

A row has a key that stays its own from one making to the next, so that a cursor can follow it; the text of its cells is harmless
already. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.tui.model.format import one_line

GAP_CELLS = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """`style` names an entry of the themes' style table; `lead` stands before the text and is dim: the branches of a tree."""

    text: str
    style: str = ""
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """`width`: the most cells it takes; 0: what is left. `least`: what it may be cut to before any column is left out (0: not at all).

    `rank`: left out when there is no room, the highest first; 0 stays.

    `key` is what the list is sorted by when the column is chosen, "" where that makes no sense.
    """

    title: str
    width: int = 0
    key: str = ""
    is_right: bool = False
    rank: int = 0
    least: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """`order` has a value for each column, to sort by; `unit` is the unit it is about, "" for none."""

    key: str
    cells: tuple[Cell, ...]
    order: tuple[Any, ...] = ()
    unit: str = ""

    @property
    def text(self) -> str:
        return " ".join(cell.text for cell in self.cells)


def cell(text: object, style: str = "") -> Cell:
    """A cell of foreign text."""
    return Cell(one_line(str(text)), style)


def fitting(rows: Iterable[Row], text: str) -> list[Row]:
    """The rows in which every word of `text` stands; `!word`: in which it does not. Small letters fit capitals too."""
    found = list(rows)
    for word in text.split():
        is_inverse = word.startswith("!") and len(word) > 1
        wanted = word[1:] if is_inverse else word
        if wanted == wanted.lower():
            found = [row for row in found if (wanted in row.text.lower()) != is_inverse]
        else:
            found = [row for row in found if (wanted in row.text) != is_inverse]
    return found


def arranged(rows: Sequence[Row], column: int, descending: bool) -> list[Row]:
    """By the values of one column; what has none (None) comes last in either direction, equal ones stay in their order."""
    known = [row for row in rows if row.order[column] is not None]
    unknown = [row for row in rows if row.order[column] is None]
    return sorted(known, key=lambda row: row.order[column], reverse=descending) + unknown


def widths(columns: Sequence[Column], rows: Iterable[Row], room: int) -> dict[int, int]:
    """Cells for each column that is shown, by its number: what its texts need up to its width; the rest goes to those without one.

    A column is left out only when the texts do not fit though every column that may be cut is.
    """
    longest = [len(column.title) + 1 for column in columns]
    for row in rows:
        for at, one in enumerate(row.cells):
            longest[at] = max(longest[at], len(one.lead) + len(one.text))
    shown = list(range(len(columns)))
    while len(shown) > 1 and _needed(columns, longest, shown) > room:
        worst = max(shown, key=lambda at: (columns[at].rank, at))
        if columns[worst].rank == 0:
            break
        shown.remove(worst)
    found = {at: min(longest[at], columns[at].width) for at in shown if columns[at].width}
    flexible = [at for at in shown if not columns[at].width]
    least = sum(min(longest[at], _FLEXIBLE_LEAST_CELLS) for at in flexible)
    excess = sum(found.values()) + least + GAP_CELLS * (len(shown) - 1) - room
    for at in found:
        if columns[at].least and excess > 0:
            cut = min(excess, max(0, found[at] - columns[at].least))
            found[at] -= cut
            excess -= cut
    left = max(0, room - sum(found.values()) - GAP_CELLS * (len(shown) - 1))
    for number, at in enumerate(flexible):
        found[at] = left // len(flexible) + (number < left % len(flexible))
    return dict(sorted(found.items()))


_FLEXIBLE_LEAST_CELLS = 16


def _needed(columns: Sequence[Column], longest: Sequence[int], shown: Sequence[int]) -> int:
    """What the columns take when all are cut as far as they may be."""
    cells = sum(min(longest[at], columns[at].least or columns[at].width or _FLEXIBLE_LEAST_CELLS) for at in shown)
    return cells + GAP_CELLS * (len(shown) - 1)
