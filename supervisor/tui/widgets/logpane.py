"""A log as one piece to put anywhere: the line above it, the lines, and the line to type into. Full screen, strip and tab are this.

It joins three things that know nothing of each other: a `LogFeed` that keeps a store, a `LogReader` that chooses from it, and a `LogView`
that shows it; and it carries all keys of a log. `show_units` says whose log it is. Filter, search, wrapping, the place sideways and
the time column are the pane's own and survive every change of units.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial

from rich.text import Text
from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Input, Label

from supervisor.tui.link.logfeed import LogFeed
from supervisor.tui.logs.filters import Filter, pattern
from supervisor.tui.logs.reader import ERRORS, LogReader
from supervisor.tui.logs.store import CAPACITY_LINES, RUN, TEXT, LogStore
from supervisor.tui.model.format import count
from supervisor.tui.model.linkstate import LIVE
from supervisor.tui.widgets.bar import Bar
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.logbar import LogStatus, log_pieces
from supervisor.tui.widgets.logmeter import LogOutage, LogRate, nothing_text
from supervisor.tui.widgets.lognear import next_page
from supervisor.tui.widgets.logruns import RunEnds
from supervisor.tui.widgets.logseek import next_line
from supervisor.tui.widgets.logview import LogView
from supervisor.tui.widgets.panes import Stacked

_SLICE_S = 0.008  # of work between two looks at the keyboard
_TYPED_S = 0.015  # keys of one paste are one change
_ASK_LINES = 1
_ASKED = {"/": "search", "&": "filter", "\\": "leave out"}


class LogPane(Stacked):
    """The log of some units. `eager`: fetch as much of the past as memory holds, for searching in it."""

    DEFAULT_CSS = """
    LogPane { height: 1fr; }
    LogPane > .log--ask { height: 1; display: none; background: $panel; }
    LogPane .log--ask > Label { padding: 0 1; color: $accent; }
    LogPane .log--ask > .log--fault { color: $warning; max-width: 75%; height: 1; }
    LogPane .log--ask > Input { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
    LogPane > Bar { background: $panel; }
    """
    BINDINGS = [
        Binding("slash", "ask('/')", "search", key_display="/", id="log.search", priority=True),
        Binding("n", "hit(1)", "next", id="log.next"),
        Binding("N", "hit(-1)", "previous", show=False, id="log.previous"),
        Binding("ampersand", "ask('&')", "filter", key_display="&", id="log.filter", priority=True),
        Binding("backslash", "ask('\\\\')", "exclude", key_display="\\", id="log.exclude", priority=True),
        Binding("H", "hide", "hide/dim", id="log.hide"),
        Binding("v", "level", "level", id="log.level"),
        Binding("F", "range", "range", id="log.range"),
        Binding("e", "error(1)", "next error", show=False, id="log.next-error"),
        Binding("E", "error(-1)", "previous error", show=False, id="log.previous-error"),
        Binding("right_square_bracket", "run(1)", "next run", show=False, id="log.next-run"),
        Binding("left_square_bracket", "run(-1)", "previous run", show=False, id="log.previous-run"),
        Binding("m", "mark", "mark", show=False, id="log.mark"),
        Binding("V", "select", "select", show=False, id="log.select"),
        Binding("y", "copy", "copy", id="log.copy"),
        Binding("S", "save", "save", show=False, id="log.save"),
        Binding("p", "pager", "pager", show=False, id="log.pager"),
        Binding("J,enter", "panel", "line", show=False, id="log.panel"),
        Binding("escape", "clear", "clear", show=False, id="log.clear"),
    ]

    def __init__(self, *, is_eager: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.is_eager = is_eager
        self.feed: LogFeed | None = None
        self.reader = LogReader(LogStore())
        self.title = ""
        # Held here, not looked for: a pane that is mounted as the app closes has lost its parts before it knows.
        self.view, self._bar = LogView(), Bar(id="log-bar")
        self._asking = ""
        self._rate, self._outage = LogRate(), LogOutage()
        self._has_changed = False
        self._is_resting = False

    def compose(self) -> ComposeResult:
        yield self._bar
        yield self.view
        with Horizontal(classes="log--ask"):
            yield Label("/")
            typed = Input(select_on_focus=False, compact=True)
            typed.cursor_blink = False
            yield typed
            yield Label("", classes="log--fault")

    def on_mount(self) -> None:
        self._ends = RunEnds(host_of(self).transport, self._learned)
        self.view.run_text = self._ends.text
        self.view.on_moved = self._moved
        self.view.show(self.reader, "no unit is chosen")
        self._show_bar()

    @property
    def is_whole(self) -> bool:
        """Whether it is mounted with its parts, and not on its way out."""
        return self.is_mounted and bool(self.query(LogView))

    def focus_log(self) -> None:
        self.view.focus()

    # Whose log it is.

    def show_units(self, units: Sequence[str], title: str = "") -> None:
        """Show the log of these units from now on."""
        units = tuple(dict.fromkeys(units))
        if self.feed is not None and self.feed.units == units:
            return
        before = self.reader
        self.title = title or (units[0] if len(units) == 1 else f"{count(len(units))} units")
        self.feed = LogFeed(units, host_of(self).transport, self._feed_changed)
        if self.is_eager:
            self.feed.want_lines(CAPACITY_LINES)
        self.reader = LogReader(self.feed.store)
        self.reader.units = units
        self.reader.hides, self.reader.time_mode, self.reader.is_ascii = before.hides, before.time_mode, host_of(self).ascii
        self.reader.want(before.wanted)
        self.reader.look_for(before.search)
        self._rate, self._outage = LogRate(), LogOutage()
        self.view.show(self.reader, "")
        self._show_bar()
        self._rest(False)

    def note(self, text: str) -> None:
        """A line of our own at the end of the log, such as that the connection was lost for a while."""
        self.reader.store.note(int(host_of(self).clock.time_s() * 1e6), text)
        self._feed_changed()

    def _feed_changed(self) -> None:
        self._has_changed = True
        if self._is_seen:
            host_of(self).request_flush()
        else:
            self._rest(True)

    @property
    def _is_seen(self) -> bool:
        """Whether the pane is on the screen, be it below a dialogue."""
        return self.screen in self.app.screen_stack and all(node.display for node in self.ancestors_with_self)

    def _rest(self, is_resting: bool) -> None:
        """A log that nobody sees is not followed; what it missed meanwhile is read when it is seen again."""
        self._is_resting = is_resting
        if is_resting:
            self.workers.cancel_group(self, "feed")
        elif self.feed is not None:
            self.run_worker(self.feed.run(), group="feed", exclusive=True)

    def flush(self) -> None:
        """Paint what came; called by the flush of the screen it stands in."""
        if not self.is_whole or self.feed is None:
            return
        if self._is_resting:
            self._rest(False)
        host = host_of(self)
        if told := self._outage.heard(host.link, self.reader.store.added, host.label):
            self.note(told)
        if self.feed.is_open:  # what was there before is not what comes a second
            self._rate.measure(self.reader.store, host.clock.monotonic_s())
        if self._has_changed:
            self._has_changed = False
            self.reader.arrived()
            self.view.empty = nothing_text(self.feed)
            self.view.look_again()
            self._fetch_nearby()
            if not self.reader.index.is_complete or (self.reader.hits is not None and not self.reader.hits.is_complete):
                self._work()
        self._show_bar()

    def _show_bar(self) -> None:
        feed, host = self.feed, host_of(self)
        status = LogStatus(
            self.title, self._rate.lines or len(self.reader.store), self._rate.lines_a_second,
            feed is not None and (feed.is_paging or not feed.is_open), feed is None or feed.is_at_begin,
            feed.trouble if feed is not None else "", self.view.has_focus, host.link.phase != LIVE,
        )  # fmt: skip
        self._bar.show(log_pieces(self.reader, status, self.size.width))

    # More lines than are in memory.

    def _moved(self) -> None:
        self._show_bar()
        self._fetch_nearby()

    def _fetch_nearby(self) -> None:
        if self.feed is not None and (page := next_page(self.reader, self.feed)) is not None:
            self._start(page, "page")

    def _work(self) -> None:
        self._start(self._build, "index")

    def _start(self, work: Callable[[], Coroutine[None, None, object]], group: str) -> None:
        """Begin this instead of what its group does now.

        The function, not its coroutine: one that the next, or a closing app, keeps from beginning must not be there to be missed.
        """
        self.run_worker(work, group=group, exclusive=True)  # type: ignore[arg-type]  # their union leaves mypy nothing to infer

    async def _build(self) -> None:
        """Look at all lines for the filter and the count of hits, in slices."""
        while True:
            deadline = time.perf_counter() + _SLICE_S
            while (more := self.reader.work()) and time.perf_counter() < deadline:
                pass
            self._feed_changed()
            if not more:
                return
            await asyncio.sleep(0)

    # Choosing lines.

    def want(self, wanted: Filter) -> None:
        """Show other lines."""
        self.reader.want(wanted)
        self._chosen()

    def _chosen(self) -> None:
        self.view.empty = nothing_text(self.feed)
        self.view.forget()
        self._work()
        self._fetch_nearby()
        self._show_bar()

    def action_level(self) -> None:
        self.reader.next_level()
        self._chosen()

    def action_hide(self) -> None:
        self.reader.toggle_hides()
        self._chosen()

    def action_ask(self, what: str) -> None:
        """Open the line to type into."""
        self._asking = what
        self.query_one(Label).update(f"{_ASKED[what]} {what}")
        self._tell_fault("")
        typed = self.query_one(Input)
        typed.value = {"/": self.reader.search, "&": self.reader.wanted.include, "\\": self.reader.wanted.exclude}[what]
        typed.cursor_position = len(typed.value)
        self.query_one(".log--ask").display = True
        self.screen.set_focus(typed)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._asking:
            self._typed_timer = self.set_timer(_TYPED_S, lambda text=event.value: self._take(text))

    def _take(self, text: str) -> None:
        """Use what is typed, if it is still what is typed."""
        if not self._asking or self.query_one(Input).value != text:
            return
        self._use(text)

    def _tell_fault(self, text: str) -> None:
        """What is no regular expression is meant as it is typed, and that is said."""
        fault = pattern(text).fault
        self.query_one(".log--fault", Label).update(Text(f"as text, for: {fault}" if fault else ""))

    def _use(self, text: str) -> None:
        self._tell_fault(text)
        if self._asking == "/":
            if text != self.reader.search:
                self.reader.look_for(text)
                self._chosen()
        else:
            before = self.reader.wanted
            wanted = replace(before, include=text) if self._asking == "&" else replace(before, exclude=text)
            if wanted != before:
                self.want(wanted)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._use(event.value)
        was_search = self._asking == "/"
        self._close_ask()
        if was_search and event.value:
            self.action_hit(-1 if self.reader.view.follows else 1, is_first=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # These keys have priority, so that what is typed right behind them already finds the line; inside it they are letters.
        return not (action == "ask" and self._asking)

    def _close_ask(self) -> None:
        self._asking = ""
        self.query_one(".log--ask").display = False
        self.view.take_height(self.view.size.height + _ASK_LINES)  # now: a search that is sent off must find its place in the whole
        self.screen.set_focus(self.view)

    def action_clear(self) -> None:
        """Take back one thing: what is typed, the selection, the search, the filter."""
        reader = self.reader
        if self._asking:
            self._use("")
            self._close_ask()
        elif reader.anchor is not None:
            reader.anchor = None
            self.view.look_again()
        elif reader.search:
            reader.look_for("")
            self._chosen()
        elif not reader.wanted.is_empty:
            self.want(Filter())
        else:
            raise SkipAction
        self._show_bar()

    # Jumping.

    def action_hit(self, step: int, is_first: bool = False) -> None:
        if not self.reader.search:
            self.action_ask("/")
            return
        self._seek(Filter(search=self.reader.search), step, "match", is_first=is_first)

    def action_error(self, step: int) -> None:
        self._seek(ERRORS, step, "error")

    def action_run(self, step: int) -> None:
        self._seek(Filter(), step, "run", kind=RUN)

    def _seek(self, wanted: Filter, step: int, what: str, *, kind: int = TEXT, is_first: bool = False) -> None:
        self._start(partial(self._seeking, wanted, step, what, kind, is_first), "seek")

    async def _seeking(self, wanted: Filter, step: int, what: str, kind: int, is_first: bool) -> None:
        """Go to the next such line; a first search that finds nothing below looks above."""
        reader = self.reader
        try:
            found = await next_line(reader, self.feed, wanted, step, kind=kind, is_first=is_first)
            if found is not None:
                self.view.go_to(found)
        finally:
            reader.view.sought = None
        if found is not None:
            return
        if is_first and step > 0:
            self._seek(wanted, -1, what, kind=kind)
        else:
            self.notify(f"no {'further' if step > 0 else 'earlier'} {what}", timeout=2)

    # One line, or some.

    def action_mark(self) -> None:
        self.reader.toggle_mark()
        self._changed_by_key()

    def action_select(self) -> None:
        self.reader.toggle_selection()
        self._changed_by_key()

    def _changed_by_key(self) -> None:
        self.view.look_again()
        self._show_bar()

    def action_copy(self) -> None:
        from supervisor.tui.widgets.clipboard import copy

        raw = self.reader.selected_bytes()
        if raw:
            number = raw.count(b"\n") + 1
            what = f"{count(number)} {'line' if number == 1 else 'lines'}, {count(len(raw))} bytes"
            if not copy(self.app, raw):
                self.notify(f"{what} are more than a terminal's clipboard takes; select fewer, or S saves all", severity="warning")
                return  # with the selection as it is, so that it can be made smaller
            self.notify(f"copied {what}", timeout=2)
        self.reader.anchor = None
        self._changed_by_key()

    @on(LogView.Opened)
    def action_panel(self) -> None:
        from supervisor.tui.modals.logline import LogLine

        cursor = self.reader.view.cursor
        if cursor is not None:
            self.app.push_screen(LogLine(self.reader.store.line(cursor)))

    def action_range(self) -> None:
        from supervisor.tui.modals.logrange import LogRange

        now_us = int(host_of(self).clock.time_s() * 1e6)
        self.app.push_screen(LogRange(self.reader.wanted, now_us), self._take_range)

    def _take_range(self, chosen: tuple[int, int | None] | None) -> None:
        if chosen is not None:
            self.want(replace(self.reader.wanted, since_us=chosen[0], until_us=chosen[1]))

    def action_save(self) -> None:
        from supervisor.tui.modals.logsave import LogSave

        self.app.push_screen(LogSave(self.reader, self.title))

    def action_pager(self) -> None:
        from supervisor.tui.widgets.pager import show_in_pager

        self.run_worker(show_in_pager(self.app, self.reader), group="pager", exclusive=True)

    def _learned(self) -> None:
        self.view.forget()
