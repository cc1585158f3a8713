"""Where the pieces of a line stand: nothing overlaps, nothing leaves the line, and what matters least goes first."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from supervisor.tui.widgets.bar import Piece, place

pieces = st.lists(
    st.builds(Piece, st.text("ab", min_size=1, max_size=8), rank=st.integers(0, 4), is_right=st.booleans(), glued=st.booleans()),
    max_size=10,
)


@given(pieces, st.integers(1, 60))
def test_pieces_stand_side_by_side_within_the_line(given_pieces: list[Piece], width: int) -> None:
    at = 0
    for placed in sorted((one for one in place(given_pieces, width) if one.width), key=lambda one: one.x):
        assert placed.x >= at
        at = placed.x + placed.width
    assert at <= width


@given(pieces, st.integers(1, 60))
def test_a_wider_line_loses_nothing_that_a_narrower_one_shows(given_pieces: list[Piece], width: int) -> None:
    def shown(cells: int) -> Counter[tuple[str, int]]:
        return Counter((one.piece.text, one.piece.rank) for one in place(given_pieces, cells))

    assert shown(width) <= shown(width + 8)


def line(given_pieces: list[Piece], width: int) -> str:
    text = [" "] * width
    for placed in place(given_pieces, width):
        text[placed.x : placed.x + placed.width] = placed.piece.text[: placed.width]
    return "".join(text)


ROW = [Piece("host"), Piece("k", rank=2), Piece(" stop", rank=2, glued=True), Piece("cpu ", rank=3, is_right=True),
       Piece("____", rank=5, is_right=True, glued=True), Piece("1.5", rank=3, is_right=True, glued=True)]  # fmt: skip


def test_what_belongs_together_goes_together_and_a_detail_goes_alone() -> None:
    assert line(ROW, 30) == " host  k stop     cpu ____1.5 "
    assert line(ROW, 24) == " host  k stop   cpu 1.5 "
    assert line(ROW, 16) == " host  k stop   "
    assert line(ROW, 8) == " host   "
    assert line(ROW, 4) == " ho "


def test_what_stands_at_the_right_never_touches_what_stands_at_the_left() -> None:
    [left, right] = place([Piece("6 Events"), Piece("filter: web", is_right=True)], 20)
    assert (left.x, right.x) == (1, 11)
