"""Which lines stand on the screen: an id at the top and whether the end is followed, nothing else.

Laws:
- While it follows, the last line stands in the last row. Any move upwards pauses; a move down beyond the last line follows again.
- While it is paused the same text stays on the screen, whatever comes, is dropped or is paged in: the place is an id, not a number.
- There is a cursor, the line that is copied, marked or opened: the last line while following, a line on the screen while paused.
- Another choice of lines leaves the cursor's line in its row, or puts the next wanted one there; and when the line is wanted again, and
  nobody has moved since, it is the cursor's again.
- A line may take several rows (wrap); how many is asked of `height_of`, for the lines near the screen only, so that a change of width
  costs nothing. `sub` is how many rows of the top line are above the screen.
"""

from collections.abc import Callable

from supervisor.tui.logs.index import LogIndex

Row = tuple[int, int]  # id of the line, which of its rows


class Viewport:
    """A window of `rows` rows on the wanted lines of an index."""

    def __init__(self, index: LogIndex, height_of: Callable[[int], int], wraps: bool = False) -> None:
        self.index = index
        self.height_of = height_of
        self.wraps = wraps  # else every line is one row, and `height_of` is not asked
        self._rows = 1
        self.follows = True
        self.fresh = 0  # wanted lines that came since it was paused
        self.sought: int | None = None  # where a search is on its way through older pages
        self._top = 0
        self._sub = 0
        self._cursor = 0
        self._cursor_row: int | None = None  # where the cursor's line stays, until what is shown of another choice is held
        self._left: tuple[int, int] | None = None  # the cursor's line before another choice, and its row; None once anybody has moved

    @property
    def rows(self) -> int:
        return self._rows

    @rows.setter
    def rows(self, rows: int) -> None:
        self._rows = rows
        if not self.follows and self.index.is_complete:
            self._reveal_cursor()
        self.settle()

    def settle(self) -> None:
        """Hold what is shown now; to be called after each paint, so that what comes next moves nothing.

        After a change of size, wrap or choice, or when lines come before the first, the window may stand higher than the line it held.
        While an index is still being built its lines are not all there, and the line that is held may be one of them.
        """
        if not self.follows and self.index.is_complete:
            self._hold(*self._place())
            self._keep_cursor_visible()

    def visible(self) -> list[Row]:
        """What stands in each row, from the top; fewer than `rows` only when there is no more."""
        position, sub = self._place()
        if not self.wraps:
            return [(line_id, 0) for line_id in self.index.ids(position, self.rows)]
        shown: list[Row] = []
        total = len(self.index)
        while len(shown) < self.rows and position < total:
            line_id = self.index.id_at(position)
            height = self.height_of(line_id)
            shown.extend((line_id, row) for row in range(sub, height))
            position, sub = position + 1, 0
        return shown[: self.rows]

    @property
    def cursor(self) -> int | None:
        """The id of the current line; None while there is no line."""
        total = len(self.index)
        if not total:
            return None
        if self.follows:
            return self.index.id_at(total - 1)
        return self.index.id_at(min(self.index.position_of(self._cursor), total - 1))

    @property
    def reading_id(self) -> int | None:
        """The id whose surroundings must stay in memory; None while the end is followed and fills the screen."""
        if self.sought is not None:
            return self.sought
        if not self.follows:
            return self._top if self._cursor_row is None else self._cursor
        return None if len(self.index) > self.rows or not len(self.index) else self.index.id_at(0)

    def arrived(self, count: int) -> None:
        """This many wanted lines came at the end."""
        if not self.follows:
            self.fresh += count

    def follow(self) -> None:
        self.follows = True
        self._cursor_row = None
        self.fresh = 0

    def pause(self) -> None:
        """Keep what is on the screen."""
        self._left = None
        if not self.follows:
            if self._cursor_row is not None:
                self._hold(*self._place())
            return
        position, sub = self._place()
        cursor = self.cursor
        self.follows = False
        self.fresh = 0
        if cursor is not None:
            self._hold(position, sub)
            self._cursor = cursor

    def move(self, lines: int) -> None:
        """The cursor by so many lines, the window after it. Down beyond the last line follows."""
        cursor = self.cursor
        if cursor is None or (self.follows and lines > 0):
            return
        wanted = self.index.position_of(cursor) + lines
        if wanted >= len(self.index):
            self.follow()
            return
        self.pause()
        self.go_to(self.index.id_at(max(wanted, 0)))

    def scroll(self, rows: int) -> None:
        """The window by so many rows; the cursor stays on the screen. Down beyond the end follows."""
        if not len(self.index) or (self.follows and rows > 0):
            return
        self.pause()
        before = self._place()
        if rows > 0 and before == self._bottom():
            self.follow()
            return
        self._hold(*self._shifted(*before, rows))
        self._keep_cursor_visible()

    def page(self, pages: float) -> None:
        """The window and the cursor by so many screens, one row kept in sight."""
        rows = int(pages * self.rows)
        rows += -1 if pages >= 1 else 1 if pages <= -1 else 0
        shown = [line_id for line_id, _ in self.visible()]
        cursor = self.cursor
        if cursor is None or (self.follows and pages > 0):
            return
        row = shown.index(cursor) if cursor in shown else 0
        before = self._place()
        self.scroll(rows or (1 if pages > 0 else -1))
        if self.follows:
            return
        shown = [line_id for line_id, _ in self.visible()]
        if self._place() == before and rows < 0:
            row = 0  # there is no more above: the cursor goes to the first line
        self._cursor = shown[min(row, len(shown) - 1)]

    def home(self) -> None:
        if len(self.index):
            self.pause()
            self._hold(0, 0)
            self._cursor = self.index.id_at(0)

    def go_to(self, line_id: int, *, centred: bool = False) -> None:
        """Put the cursor on this line and the window where it is seen; paused."""
        self.pause()
        if not len(self.index):
            return
        position = min(self.index.position_of(line_id), len(self.index) - 1)
        self._cursor = self.index.id_at(position)
        shown = {each for each, _ in self.visible()}
        top = self._place()[0]
        if self._cursor in shown and self._is_whole(position):
            return
        if centred and self._cursor not in shown:
            self._hold(*self._shifted(position, 0, -(self.rows // 2)))
        elif position <= top:
            self._hold(position, 0)
        else:
            height = self.height_of(self._cursor) if self.wraps else 1
            self._hold(*self._shifted(position, 0, min(height, self.rows) - self.rows))

    def show(self, index: LogIndex) -> None:
        """Another choice of the same store's lines; the place stays, as near as it is among them."""
        if not self.follows:
            shown, cursor = [line_id for line_id, _ in self.visible()], self.cursor
            row = shown.index(cursor) if cursor in shown else 0
            if self._left is None:
                self._left = (self._cursor, row)
            self._cursor, self._cursor_row = self._left[0], self._left[1] if index.holds(self._left[0]) else row
        self.index = index

    def position(self) -> tuple[int, int]:
        """(rank of the top line, wanted lines), for a scroll bar."""
        return self._place()[0], len(self.index)

    def _place(self) -> tuple[int, int]:
        """(rank, sub) of the top row, never so low that rows stay empty while there are lines above."""
        bottom = self._bottom()
        if self.follows:
            return bottom
        if self._cursor_row is not None:
            position = min(self.index.position_of(self._cursor), max(0, len(self.index) - 1))
            return self._shifted(position, 0, -self._cursor_row)
        position = self.index.position_of(self._top)
        if position >= len(self.index):
            return bottom
        line_id = self.index.id_at(position)
        sub = min(self._sub, self.height_of(line_id) - 1) if self.wraps and line_id == self._top and self._sub else 0
        return min((position, sub), bottom)

    def _bottom(self) -> tuple[int, int]:
        """(rank, sub) of the top row when the last row holds the last line."""
        return self._shifted(len(self.index), 0, -self.rows, is_clamped=False)

    def _shifted(self, position: int, sub: int, rows: int, *, is_clamped: bool = True) -> tuple[int, int]:
        """`rows` rows further down or up, within the lines; `is_clamped`: within what a window may begin with."""
        if not self.wraps:
            place = (max(0, min(position + rows, len(self.index))), 0)
            return min(place, self._bottom()) if is_clamped else place
        while rows < 0:
            taken = min(sub, -rows)
            sub, rows = sub - taken, rows + taken
            if rows == 0 or position == 0:
                break
            position -= 1
            sub = self.height_of(self.index.id_at(position))
        total = len(self.index)
        while rows > 0 and position < total:
            left = self.height_of(self.index.id_at(position)) - sub
            if rows < left:
                sub, rows = sub + rows, 0
            else:
                position, sub, rows = position + 1, 0, rows - left
        return min((position, sub), self._bottom()) if is_clamped else (position, sub)

    def _hold(self, position: int, sub: int) -> None:
        if len(self.index):
            self._cursor_row = None
            self._top = self.index.id_at(min(position, len(self.index) - 1))
            self._sub = sub

    def _is_whole(self, position: int) -> bool:
        """Whether the line's rows are all on the screen, or as many as there are rows."""
        if not self.wraps:
            return True
        line_id = self.index.id_at(position)
        shown = sum(1 for each, _ in self.visible() if each == line_id)
        return shown >= min(self.height_of(line_id), self.rows)

    def _reveal_cursor(self) -> None:
        """Where the window became lower, what is above goes, not the cursor."""
        cursor = self.cursor
        if cursor is not None and cursor > max((line_id for line_id, _ in self.visible()), default=cursor):
            height = self.height_of(cursor) if self.wraps else 1
            self._hold(*self._shifted(self.index.position_of(cursor), 0, min(height, self.rows) - self.rows))

    def _keep_cursor_visible(self) -> None:
        shown = [line_id for line_id, _ in self.visible()]
        if shown and self.cursor not in shown:
            self._cursor = shown[0] if self._cursor < shown[0] else shown[-1]
