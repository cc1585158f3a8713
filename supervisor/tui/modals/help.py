"""Every key that works where `?` was pressed, in groups, as it is bound now: made from the bindings themselves, so it is never wrong."""

from collections.abc import Iterable

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from supervisor.tui.widgets.host import host_of

# The first word of a binding's id is its group; their order is that of the page.
_GROUPS = {"unit": "Units", "list": "List", "log": "Log", "tree": "Tree", "detail": "Detail", "view": "Views", "app": "Everywhere"}
_ELSE = "Here"
_STATES_TITLE = "States"
_INDENT_CELLS, _GAP_CELLS = 2, 2


class Help(ModalScreen[None]):
    """The page of keys. Esc, q and ? leave it."""

    BINDINGS = [
        Binding("escape,q,question_mark", "dismiss", "back", id="help.back"),
        Binding("j", "scroll(1)", "down", show=False),
        Binding("k", "scroll(-1)", "up", show=False),
    ]
    AUTO_FOCUS = "VerticalScroll"

    def __init__(self, title: str, bindings: Iterable[tuple[Binding, str]], about: str = "") -> None:
        """`bindings` with their keys as they are shown."""
        super().__init__()
        self._title = title
        self._groups = grouped(bindings)
        self._about = about

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialogue help"):
            yield Static(Text(self._title), classes="dialogue--title")
            with VerticalScroll():
                yield Static(classes="help--page")
            yield Static(classes="dialogue--hint")

    def on_resize(self) -> None:
        """Three columns; where there is no room for them, the names go below, each with its action."""
        room = self.query_one(VerticalScroll).scrollable_content_region.width
        self.query_one(".help--page", Static).update(self._page(room))
        where = "at the right" if room >= self._widest else "below them"
        self.query_one(".dialogue--hint", Static).update(Text(f"keys of your own: keys.toml, by the names {where}"))

    @property
    def _columns(self) -> tuple[int, int, int]:
        """The cells that keys, descriptions and names take."""
        rows = [row for _, rows in self._groups for row in rows]
        keys, descriptions, names = (max((len(row[at]) for row in rows), default=0) for at in range(3))
        return keys, descriptions, names

    @property
    def _widest(self) -> int:
        return sum(self._columns) + _INDENT_CELLS + 2 * _GAP_CELLS

    def _page(self, room: int) -> Text:
        host = host_of(self)
        looks = host.look_styles
        text = Text()
        if self._about:
            text.append(host.drawn(self._about) + "\n\n")
        keys_cells, description_cells, _ = self._columns
        indent, gap = " " * _INDENT_CELLS, " " * _GAP_CELLS
        behind_keys = _INDENT_CELLS + keys_cells + _GAP_CELLS
        for group, rows in self._groups:
            text.append(f"{group}\n", looks["title"])
            for keys, description, name in rows:
                text.append(f"{indent}{keys:<{keys_cells}}{gap}", looks["key"])
                if room >= self._widest:
                    text.append(f"{description:<{description_cells}}{gap}")
                else:
                    text.append(f"{description}\n{' ' * behind_keys}")
                text.append(f"{name}\n", looks["dim"])
            text.append("\n")
        text.append(f"{_STATES_TITLE}\n", looks["title"])
        for look in _looks():
            text.append(f"  {look[1] if host.ascii else look[0]}  ", looks[look[3]])
            text.append(f"{look[2]}\n")
        return text

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def grouped(bindings: Iterable[tuple[Binding, str]]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Groups in the page's order, each with rows of (keys, description, id); keys of one action stand in one row."""
    rows: dict[str, dict[tuple[str, str], list[str]]] = {}
    for binding, key in bindings:
        if not binding.description:
            continue
        group = _GROUPS.get((binding.id or "").partition(".")[0], _ELSE)
        rows.setdefault(group, {}).setdefault((binding.description, binding.id or ""), []).append(key)
    order = [_ELSE, *_GROUPS.values()]
    return [
        (group, [(" ".join(dict.fromkeys(keys)), description, name) for (description, name), keys in rows[group].items()])
        for group in order
        if group in rows
    ]


def _looks() -> list[tuple[str, str, str, str]]:
    from supervisor.tui.model.states import GROUPS

    return [(look.symbol, look.ascii, group, look.style) for group, look in GROUPS.items()]
