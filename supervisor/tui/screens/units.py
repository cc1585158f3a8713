"""The first view: every unit in a table, narrowed, ordered and marked as a person likes.

What is narrowed is always said: the right end of the tabs shows how many of how many are shown, and why. Filter, states, order and marks
survive everything that happens to the connection.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.timer import Timer

from supervisor.tui.model.choose import SORT_KEYS, BadFilter, Choice, Filter, Terms
from supervisor.tui.model.format import count
from supervisor.tui.model.groups import is_head, tree
from supervisor.tui.model.states import GROUPS
from supervisor.tui.model.units import Changes
from supervisor.tui.screens.unitkeys import UnitKeys
from supervisor.tui.screens.view import NARROW_CELLS
from supervisor.tui.widgets.bar import Piece
from supervisor.tui.widgets.detail import DetailPane
from supervisor.tui.widgets.filterbar import FilterBar
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.lines import LineList
from supervisor.tui.widgets.panes import Abreast, Stacked
from supervisor.tui.widgets.table import UnitTable

if TYPE_CHECKING:
    from supervisor.tui.widgets.logpane import LogPane

_REST_S = 0.12  # so long the cursor has stood still when the panes beside the table follow it
_SORT_KEYS_IN_MENU = dict(zip(SORT_KEYS, "sncmurp", strict=True))


class UnitsScreen(UnitKeys):
    """The table of units."""

    NAME = "units"
    AUTO_FOCUS = "UnitTable"
    BINDINGS = [
        Binding("space", "mark", "mark", id="list.mark"),
        Binding("V", "range", "range", show=False, id="list.range"),
        Binding("asterisk", "mark_all", "mark all shown", show=False, id="list.mark-all"),
        Binding("U", "unmark", "unmark all", show=False, id="list.unmark"),
        Binding("/", "filter", "filter", id="list.filter"),
        Binding("f", "states", "states", id="list.states"),
        Binding("!", "faults", "faults", id="list.faults"),
        Binding("o", "sort", "sort", show=False, id="list.sort"),
        Binding("<", "sort_by(-1)", "sort by the column before", show=False, id="list.sort-before"),
        Binding(">", "sort_by(1)", "sort by the column behind", show=False, id="list.sort-behind"),
        Binding("T", "tree", "by group", show=False, id="list.tree"),
        Binding("enter", "open", "open", show=False, id="list.open"),
        Binding("i", "detail", "info", id="list.detail"),
        Binding("_", "log_strip", "log below on or off", show=False, id="list.log"),
        Binding("escape", "clear", "clear", show=False, id="list.clear"),
    ]

    def compose_view(self) -> ComposeResult:
        with Abreast(id="upper", classes="pane-group"):
            with Stacked(id="list", classes="pane"):
                yield UnitTable(id="units")
                yield FilterBar(id="filter")
            yield DetailPane(id="detail", classes="pane")
        yield Stacked(id="strip", classes="pane")

    def on_mount(self) -> None:
        host = host_of(self)
        self._choice = Choice(host.store, host.figures)
        self._choice.set_terms(_terms_of(host.settings.kept))
        self._wanted = host.selected_unit  # to be selected as soon as it is there
        self._range_from: str | None = None
        self._rest: Timer | None = None
        self._log: LogPane | None = None  # made when the first log is shown: the first paint does not wait for it

    def title_unit(self) -> str | None:
        """The unit under the cursor, whatever another view has chosen: keys act on what is seen."""
        return self.query_one(UnitTable).current_unit if self.is_mounted else None

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        self._wanted = host_of(self).selected_unit  # another view may have chosen one
        super().on_screen_resume(event)

    # Painting.

    def flush_view(self, changes: Changes) -> None:
        host, table = host_of(self), self.query_one(UnitTable)
        if changes and host.marked:
            host.marked.intersection_update(unit.name for unit in host.store)
        is_other = self._choice.update(changes, host.figures.take_changed())
        if is_other or changes.is_all or table.empty != self._empty():  # no unit may be so for another reason now
            self._show()
        else:
            table.flush(changes)
        host.session.watch({*host.marked, *(key for key in table.in_sight if not is_head(key))})
        self.query_one(DetailPane).flush()
        if self._has_strip and self._log is not None:
            self._log.flush()

    def _show(self, is_other_choice: bool = False) -> None:
        table = self.query_one(UnitTable)
        host = host_of(self)
        keys = tree(self._choice.names, host.store.get) if host.settings.kept.is_tree else self._choice.names
        table.show(keys, self._empty(), (self._choice.terms.sort, self._choice.terms.descending), is_other_choice)
        if self._wanted is not None and (table.select(self._wanted) or self._wanted in host.store):
            self._wanted = None  # what a filter hides is not waited for

    def status(self) -> Sequence[Piece]:
        host, terms = host_of(self), self._choice.terms
        pieces = []
        if terms.filter.text:
            pieces.append(Piece(f"filter: {terms.filter.text}", "accent", is_right=True, action="screen.filter"))
        if terms.groups:
            pieces.append(Piece("only " + ",".join(sorted(terms.groups)), "accent", is_right=True, action="screen.states"))
        if terms.faults_only:
            pieces.append(Piece("only faults", "accent", is_right=True, action="screen.faults"))
        if host.marked:
            word = "range to here" if self._range_from else f"{len(host.marked)} marked"
            pieces.append(Piece(f"▌{word}", "mark", is_right=True))
        pieces.append(Piece(f"{count(len(self._choice.names))}/{count(len(host.store))}", is_right=True))
        pieces.append(Piece(f"sort {terms.sort}{'▴' if terms.descending else ''}", "dim", rank=4, is_right=True, action="screen.sort"))
        return pieces

    def _empty(self) -> str:
        host = host_of(self)
        if len(host.store):
            return "no unit is at fault; ! shows all" if self._choice.terms.faults_only else "no unit matches; Esc clears the filter"
        if host.link.phase == "live":
            return "no units are loaded; supctl status tells from which directories"
        return "connecting …"

    # The cursor.

    def on_line_list_moved(self, event: LineList.Moved) -> None:
        host, table = host_of(self), self.query_one(UnitTable)
        host.selected_unit = table.current_unit
        if self._range_from is not None and event.key is not None:
            host.marked.update(key for key in table.keys_between(self._range_from, event.key) if not is_head(key))
            table.flush(Changes())
        self.query_one(DetailPane).show_unit(table.current_unit)
        self._follow_soon()
        host.request_flush()

    def on_line_list_opened(self, event: LineList.Opened) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Everything about the unit: in the pane beside the list, or over the whole screen where there is none."""
        unit = self.title_unit()
        if self.query_one(DetailPane).display and self.query_one(DetailPane).size.width:
            self.query_one(DetailPane).focus_content()
        elif unit is not None:
            from supervisor.tui.screens.unitdetail import UnitDetailScreen

            self.app.push_screen(UnitDetailScreen(unit))

    def action_detail(self) -> None:
        """The pane beside the list, on and off; where there is no room for it, over the whole screen."""
        host = host_of(self)
        if self.size.width < NARROW_CELLS:
            self.action_open()
            return
        host.settings.change(has_detail=not host.settings.kept.has_detail)
        self._show_panes()
        host.request_flush()

    # The panes beside and below.

    def content_classes(self) -> str:
        kept = host_of(self).settings.kept
        return " ".join(name for name, is_on in (("-with-log", kept.has_log), ("-with-detail", kept.has_detail)) if is_on)

    def _show_panes(self) -> None:
        kept = host_of(self).settings.kept
        self.query_one("#content").set_class(kept.has_log, "-with-log")
        self.query_one("#content").set_class(kept.has_detail, "-with-detail")

    @property
    def _has_strip(self) -> bool:
        return bool(self.query_one("#strip").display)

    def action_log_strip(self) -> None:
        host = host_of(self)
        host.settings.change(has_log=not host.settings.kept.has_log)
        self._show_panes()
        self._follow_soon()

    def _follow_soon(self) -> None:
        """Show the log of the unit under the cursor, or of the marked ones, once the cursor rests: to scroll by opens no file."""
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(_REST_S, self._follow)

    async def _follow(self) -> None:
        units = self.targets()
        if not (self._has_strip and units):
            return
        if self._log is None:
            from supervisor.tui.widgets.logpane import LogPane

            self._log = LogPane()
            await self.query_one("#strip").mount(self._log)
        if self._log.is_whole:  # and not left again meanwhile
            self._log.show_units(units, f"{len(units)} marked units" if len(units) > 1 else units[0])

    def on_line_list_head_clicked(self, event: LineList.HeadClicked) -> None:
        self._sort_by(event.key)

    def go_to(self, name: str) -> None:
        """Put the cursor on a unit; a filter that hides it is lifted."""
        host, table = host_of(self), self.query_one(UnitTable)
        if name in host.store and name not in self._choice.names:
            self.set_terms(replace(self._choice.terms, filter=Filter(), groups=frozenset(), faults_only=False))
        table.select(name)
        table.focus()

    # Marks.

    def action_mark(self) -> None:
        host, table = host_of(self), self.query_one(UnitTable)
        if table.current is not None:
            below = set(table.below(table.current)) if is_head(table.current) else {table.current}
            if below <= host.marked:
                host.marked -= below
            else:
                host.marked |= below
            table.action_move(1)
            self._marked()

    def action_range(self) -> None:
        """Begin a range at the cursor, or end the one that is under way."""
        host, table = host_of(self), self.query_one(UnitTable)
        self._range_from = table.current if self._range_from is None else None
        if self._range_from is not None and not is_head(self._range_from):
            host.marked.add(self._range_from)
        self.flush(Changes())

    def action_mark_all(self) -> None:
        host_of(self).marked.update(self._choice.names)
        self._marked()

    def action_unmark(self) -> None:
        host_of(self).marked.clear()
        self._range_from = None
        self._marked()

    def _marked(self) -> None:
        self.flush(Changes())
        self._follow_soon()

    def action_tree(self) -> None:
        """The list by groups, or flat again."""
        host = host_of(self)
        host.settings.change(is_tree=not host.settings.kept.is_tree)
        self._show(is_other_choice=True)
        self.flush(Changes())

    # Narrowing.

    def set_terms(self, terms: Terms) -> None:
        """Show what these leave, from now on and the next time."""
        self._choice.set_terms(terms)
        self._show(is_other_choice=True)
        host_of(self).settings.change(
            filter=terms.filter.text,
            groups=tuple(sorted(terms.groups)),
            faults_only=terms.faults_only,
            sort=terms.sort,
            descending=terms.descending,
        )
        self.flush(Changes())

    def action_filter(self) -> None:
        self.query_one(FilterBar).open(self._choice.terms.filter.text)

    def on_filter_bar_edited(self, event: FilterBar.Edited) -> None:
        try:
            wanted = Filter(event.text)
        except BadFilter as error:
            self.query_one(FilterBar).tell(str(error))
            return
        self.query_one(FilterBar).tell("")
        self.set_terms(replace(self._choice.terms, filter=wanted))

    def on_filter_bar_closed(self) -> None:
        self.query_one(UnitTable).focus()
        self.flush(Changes())

    def action_faults(self) -> None:
        self.set_terms(replace(self._choice.terms, faults_only=not self._choice.terms.faults_only))

    def only_group(self, group: str) -> None:
        """Show one state alone, or all again when it is the one that is shown."""
        groups = frozenset({group})
        self.set_terms(replace(self._choice.terms, groups=frozenset() if self._choice.terms.groups == groups else groups))

    def action_states(self) -> None:
        self.run_worker(self._choose_states(), group="menu", exclusive=True)

    async def _choose_states(self) -> None:
        from supervisor.tui.modals.menu import Choice as MenuChoice
        from supervisor.tui.modals.menu import Menu

        host, keys = host_of(self), iter("frusptnaedom")
        choices = [
            MenuChoice(
                group,
                next(keys),
                f"{group:<10}",
                count(host.store.counts[group]),
                "",
                look.ascii if host.ascii else look.symbol,
                look.style,
            )
            for group, look in GROUPS.items()
        ]
        answer = await host.ask(Menu("Show only", choices, is_multiple=True, chosen=tuple(self._choice.terms.groups)))
        if answer is not None:
            self.set_terms(replace(self._choice.terms, groups=frozenset(answer)))

    def action_clear(self) -> None:
        """Esc: end the range, then drop the filter, then the states, one at a time."""
        terms = self._choice.terms
        if self._range_from is not None:
            self._range_from = None
            self.flush(Changes())
        elif terms.filter.text:
            self.set_terms(replace(terms, filter=Filter()))
        elif terms.is_narrowed:
            self.set_terms(replace(terms, groups=frozenset(), faults_only=False))

    # Order.

    def action_sort(self) -> None:
        self.run_worker(self._choose_sort(), group="menu", exclusive=True)

    async def _choose_sort(self) -> None:
        from supervisor.tui.modals.menu import Choice as MenuChoice
        from supervisor.tui.modals.menu import Menu

        terms = self._choice.terms
        choices = [
            MenuChoice(key, letter, key, "again: turn it round" if key == terms.sort else "") for key, letter in _SORT_KEYS_IN_MENU.items()
        ]
        answer = await host_of(self).ask(Menu("Sort by", choices, start=terms.sort))
        if answer:
            self._sort_by(answer[0])

    def _sort_by(self, key: str) -> None:
        terms = self._choice.terms
        self.set_terms(replace(terms, sort=key, descending=not terms.descending if key == terms.sort else False))

    def action_sort_by(self, step: int) -> None:
        """Sort by the column `step` further on."""
        at = SORT_KEYS.index(self._choice.terms.sort)
        self.set_terms(replace(self._choice.terms, sort=SORT_KEYS[(at + step) % len(SORT_KEYS)], descending=False))


def _terms_of(kept: "object") -> Terms:
    """The terms that were kept; a filter that is no good any more is none."""
    from supervisor.tui.settings import Kept

    assert isinstance(kept, Kept)
    try:
        wanted = Filter(kept.filter)
    except BadFilter:
        wanted = Filter()
    sort = kept.sort if kept.sort in SORT_KEYS else "state"
    return Terms(wanted, frozenset(kept.groups) & frozenset(GROUPS), kept.faults_only, sort, kept.descending)
