"""One line of pieces, each with a style and maybe an action for the mouse: top bar, tabs, banner and hints are such lines.

A line that is too narrow loses whole pieces, the least important first, rather than its right end. A line that says
the same as before costs a comparison.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.strip import Strip

from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.ownlines import OwnLines


@dataclass(frozen=True, slots=True)
class Piece:
    """A few words. `rank`: the higher, the sooner it is left out; 0 stays. `action` is run when it is clicked."""

    text: str
    style: str = ""
    rank: int = 0
    is_right: bool = False
    action: str = ""
    glued: bool = False  # stands right behind the piece before it, and goes with it where it does not matter more


@dataclass(frozen=True, slots=True)
class Placed:
    x: int
    width: int
    piece: Piece


def place(pieces: Sequence[Piece], width: int, gap: int = 2, margin: int = 1) -> list[Placed]:
    """Where each piece stands in a line of `width` cells: left ones from the left, right ones against the right end.

    What does not fit is left out by rank; the last of those that must stay is cut.
    """
    kept = [piece for piece in pieces if piece.text]
    while _needed(kept, gap, margin) > width:
        worst = max((piece.rank for piece in kept), default=0)
        if worst == 0:
            break
        at = max(index for index, piece in enumerate(kept) if piece.rank == worst)
        while kept[at].glued and at and kept[at - 1].rank == worst:
            at -= 1  # a key without its word, or a word without its key, says nothing
        end = at + 1
        while end < len(kept) and kept[end].glued and kept[end].rank >= worst:
            end += 1
        if not kept[at].glued and end < len(kept) and kept[end].glued:
            kept[end] = replace(kept[end], glued=False)  # it matters more than what it was glued to, and stands alone now
        del kept[at:end]
    placed, x = [], margin
    for index, piece in enumerate([piece for piece in kept if not piece.is_right]):
        x += gap if index and not piece.glued else 0
        size = min(cell_len(piece.text), max(0, width - margin - x))
        placed.append(Placed(x, size, piece))
        x += size
    right = [piece for piece in kept if piece.is_right]
    start = max(x + gap if placed else x, width - margin - _run(right, gap))
    for index, piece in enumerate(right):
        start += gap if index and not piece.glued else 0
        size = min(cell_len(piece.text), max(0, width - start))
        placed.append(Placed(start, size, piece))
        start += size
    return placed


def fits(pieces: Sequence[Piece], width: int, gap: int = 2, margin: int = 1) -> bool:
    """Whether `place` would leave nothing out."""
    return _needed([piece for piece in pieces if piece.text], gap, margin) <= width


def _run(pieces: Sequence[Piece], gap: int) -> int:
    return sum(cell_len(piece.text) + (gap if index and not piece.glued else 0) for index, piece in enumerate(pieces))


def _needed(pieces: Sequence[Piece], gap: int, margin: int) -> int:
    left, right = [p for p in pieces if not p.is_right], [p for p in pieces if p.is_right]
    return _run(left, gap) + _run(right, gap) + (gap if left and right else 0) + 2 * margin


class Bar(OwnLines, can_focus=False):
    """A line of pieces. Whoever owns it calls `show`."""

    DEFAULT_CSS = "Bar { height: 1; }"
    gap = 2
    margin = 1

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._pieces: tuple[Piece, ...] = ()

    def show(self, pieces: Sequence[Piece]) -> None:
        """Show these from now on. Paints only when they differ from what stands there."""
        if (now := tuple(pieces)) != self._pieces:
            self._pieces = now
            self.refresh_lines([0])

    def places(self) -> list[Placed]:
        """Where each piece stands now."""
        return place(self._pieces, self.size.width, self.gap, self.margin)

    @property
    def text(self) -> str:
        """What stands in the line, for tests and for people who read the screen by ear."""
        return self.make_line(0).text.rstrip()

    def make_line(self, y: int) -> Strip:
        if y:
            return super().make_line(y)
        host, base, width = host_of(self), self.ground, self.outer_size.width
        segments, x = [], 0
        for placed in place(self._pieces, width, self.gap, self.margin):
            segments.append(Segment(" " * (placed.x - x), base))
            text = host.drawn(placed.piece.text)
            if cell_len(text) > placed.width:
                text = set_cell_size(text, max(0, placed.width - 1)) + host.drawn("…")[: placed.width]
            segments.append(Segment(text, base + host.look_styles[placed.piece.style]))
            x = placed.x + placed.width
        return self.filtered(Strip(segments).adjust_cell_length(width, base))

    async def on_click(self, event: events.Click) -> None:
        for placed in self.places():
            if placed.piece.action and placed.x <= event.x < placed.x + placed.width:
                event.stop()
                await self.run_action(placed.piece.action)
                return

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return 1
