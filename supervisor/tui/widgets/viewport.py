"""Which rows of a long list are on the screen, where its cursor stands, and what its scroll bar shows. Pure numbers.

A list that paints its own lines keeps one of these instead of Textual's scrolling, which lays out the whole screen whenever a list
grows.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Viewport:
    """`top` is the first row shown of `total`; `height` rows fit. `cursor` is a row, or -1 while there is none."""

    top: int = 0
    height: int = 0
    total: int = 0
    cursor: int = -1

    def resize(self, height: int, total: int) -> None:
        """Take other sizes; the cursor stays on a row that exists and in sight."""
        self.height, self.total = max(0, height), max(0, total)
        self.cursor = min(self.cursor, self.total - 1)
        if self.total and self.cursor < 0:
            self.cursor = 0
        self.reveal()

    def move(self, row: int) -> None:
        """Put the cursor on `row`, or on the nearest that exists, and scroll as little as it takes to see it."""
        self.cursor = min(max(0, row), self.total - 1)
        self.reveal()

    def scroll(self, rows: int) -> None:
        """Scroll without the cursor leaving the screen: it is pushed along."""
        self.top = min(max(0, self.top + rows), self._last_top)
        if self.total and self.height:
            self.cursor = min(max(self.cursor, self.top), self.top + self.height - 1, self.total - 1)

    def reveal(self) -> None:
        if self.cursor >= 0:
            self.top = max(min(self.top, self.cursor), self.cursor - max(1, self.height) + 1)
        self.top = min(max(0, self.top), self._last_top)

    @property
    def _last_top(self) -> int:
        return max(0, self.total - self.height)

    @property
    def rows(self) -> range:
        """The rows on the screen."""
        return range(self.top, min(self.total, self.top + self.height))

    @property
    def thumb(self) -> tuple[int, int] | None:
        """First line and length of the scroll bar's thumb; None when everything is on the screen."""
        if self.total <= self.height or self.height == 0:
            return None
        length = max(1, self.height * self.height // self.total)
        return round(self.top * (self.height - length) / self._last_top), length

    def row_at_bar(self, y: int) -> int:
        """The top row that puts the thumb's middle on line `y` of the bar."""
        thumb = self.thumb
        if thumb is None:
            return 0
        room = self.height - thumb[1]
        return round(min(max(0, y - thumb[1] // 2), room) / room * self._last_top) if room else 0
