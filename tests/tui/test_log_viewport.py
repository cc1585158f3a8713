"""What stands on the screen is a window on the wanted lines that nothing moves but the reader."""

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.tui.logs.filters import Filter
from supervisor.tui.logs.index import LogIndex
from supervisor.tui.logs.store import Burst, LogStore
from supervisor.tui.logs.viewport import Viewport

RUN = b"a" * 16
MOVES = ("up", "down", "scroll up", "scroll down", "page up", "page down", "half up", "half down", "home", "follow", "pause", "go to")
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(MOVES), st.integers(0, 30)),
        st.tuples(st.just("append"), st.integers(1, 12)),
        st.tuples(st.just("prepend"), st.integers(1, 12)),
        st.tuples(st.just("trim"), st.just(0)),
        st.tuples(st.just("rows"), st.integers(1, 9)),
        st.tuples(st.just("filter"), st.sampled_from((0, 1))),
    ),
    max_size=40,
)


class Reader:
    """A viewport on a log of numbered lines; line n takes n % 4 + 1 rows when it wraps."""

    def __init__(self, wraps: bool) -> None:
        self.store = LogStore(capacity_lines=40)
        self.first = self.end = 0
        self.append(5)
        self.view = Viewport(LogIndex(self.store, Filter()), self.height_of, wraps)
        self.view.rows = 5

    def height_of(self, line_id: int) -> int:
        return int(self.store.line(line_id).text) % 4 + 1 if self.view.wraps else 1

    def append(self, count: int) -> None:
        texts = [b"%d" % number for number in range(self.end, self.end + count)]
        self.store.append([Burst(1, "web", RUN, texts)], end=0, begin=0)
        self.end += count

    def prepend(self, count: int) -> None:
        texts = [b"%d" % number for number in range(self.first - count, self.first)]
        self.store.prepend([Burst(1, "web", RUN, texts)], begin=0, end=0)
        self.first -= count

    def rows(self) -> list[tuple[int, int]]:
        """Every row that could be shown, by the plain way."""
        wanted = [each for each in self.store.ids() if self.view.index.wanted.matches(self.store.line(each))]
        return [(each, row) for each in wanted for row in range(self.height_of(each))]

    def play(self, what: str, number: int) -> None:
        view = self.view
        match what:
            case "append":
                before = len(view.index)
                self.append(number)
                if not view.index.wanted.is_empty:
                    view.index.extend()
                view.arrived(len(view.index) - before)
            case "prepend":
                self.prepend(number)
                while view.index.build():
                    pass
            case "trim":
                self.store.trim(view.reading_id)
            case "rows":
                view.rows = number
            case "filter":
                index = LogIndex(self.store, Filter(include="[13579]$") if number else Filter())
                while index.build():
                    pass
                view.show(index)
            case "up" | "down":
                view.move(-number if what == "up" else number)
            case "scroll up" | "scroll down":
                view.scroll(-number if what == "scroll up" else number)
            case "page up" | "page down" | "half up" | "half down":
                view.page((1 if what.startswith("page") else 0.5) * (-1 if what.endswith("up") else 1))
            case "home":
                view.home()
            case "follow":
                view.follow()
            case "pause":
                view.pause()
            case "go to":
                ids = list(self.store.ids())
                view.go_to(ids[number % len(ids)], centred=bool(number % 2))
        view.settle()  # as after each paint


@settings(max_examples=150, deadline=None)
@given(st.booleans(), steps)
def test_the_screen_is_a_full_window_on_the_lines_and_holds_the_cursor(wraps: bool, play: list[tuple[str, int]]) -> None:
    reader = Reader(wraps)
    for what, number in play:
        reader.play(what, number)
        view, rows = reader.view, reader.rows()
        shown = view.visible()
        assert len(shown) == min(view.rows, len(rows))
        if not rows:
            assert view.cursor is None
            continue
        start = rows.index(shown[0])
        assert rows[start : start + len(shown)] == shown
        if view.follows:
            assert shown == rows[-view.rows :]
            assert view.cursor == rows[-1][0]
        elif what not in ("append", "prepend", "trim", "rows", "filter"):
            assert view.cursor in [line_id for line_id, _ in shown]


@settings(max_examples=100, deadline=None)
@given(st.booleans(), steps, steps)
def test_while_it_is_paused_nothing_that_comes_or_goes_moves_the_text(
    wraps: bool, before: list[tuple[str, int]], play: list[tuple[str, int]]
) -> None:
    reader = Reader(wraps)
    for what, number in before:
        reader.play(what, number)
    reader.view.pause()
    shown, cursor = reader.view.visible(), reader.view.cursor
    full = len(shown) == reader.view.rows
    for what, number in play:
        if what in ("append", "prepend", "trim"):
            reader.play(what, number)
            if full:
                assert reader.view.visible() == shown
                assert reader.view.cursor == cursor


def test_any_upward_move_pauses_and_what_comes_is_counted() -> None:
    for move in ("up", "scroll up", "page up", "half up", "home"):
        reader = Reader(wraps=False)
        reader.append(20)
        reader.play(move, 1)
        assert not reader.view.follows
        reader.play("append", 7)
        assert reader.view.fresh == 7
        reader.play("follow", 0)
        assert reader.view.fresh == 0


def test_moving_down_beyond_the_last_line_follows_again() -> None:
    for move in ("down", "scroll down", "page down", "half down"):
        reader = Reader(wraps=False)
        reader.append(20)
        reader.play("up", 3)
        for _ in range(30):
            reader.play(move, 1)
        assert reader.view.follows


def test_pages_keep_one_row_in_sight() -> None:
    reader = Reader(wraps=False)
    reader.append(30)
    before = reader.view.visible()
    reader.play("page up", 0)
    assert reader.view.visible()[-1] == before[0]
    reader.play("page down", 0)
    assert reader.view.visible() == before


def test_a_far_line_is_shown_in_the_middle_with_what_stands_around_it() -> None:
    reader = Reader(wraps=False)
    reader.append(60)
    wanted = list(reader.store.ids())[20]
    reader.view.go_to(wanted, centred=True)
    assert [line_id for line_id, _ in reader.view.visible()].index(wanted) == reader.view.rows // 2
