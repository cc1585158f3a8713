"""Everything about the unit under the cursor, in tabs: Info, Log, Deps, Runs, Config.

What the store knows is shown at once; what must be asked for (all properties, why, runs, files) comes when the cursor rests, and again
when the unit changes, twice a second at most. The pane asks nothing while it is not on the screen.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical

from supervisor.tui.link.protocol import Json, LinkLost, Refused, Relations
from supervisor.tui.model.format import one_line
from supervisor.tui.model.rows import Cell
from supervisor.tui.model.wrap import BLANK, Line
from supervisor.tui.widgets.bar import Bar, Piece
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.textlines import TextLines

if TYPE_CHECKING:
    from supervisor.tui.widgets.logpane import LogPane

TABS = ("Info", "Log", "Deps", "Runs", "Cfg")
_REST_S = 0.15
_ASK_INTERVAL_S = 0.5
_RUNS = 50


class Answers:
    """What supd said of one unit; None: it was not asked yet."""

    def __init__(self) -> None:
        self.full: Json | None = None
        self.why: Json | None = None
        self.runs: list[Json] = []
        self.definition: Json | None = None
        self.relations: dict[str, Relations] | None = None
        self.trouble = ""


class _Tabs(Bar):
    """The head of the pane: the unit, and the tabs to click."""

    def action_take_tab(self, name: str) -> None:
        pane = self.parent
        assert isinstance(pane, DetailPane)
        pane.take_tab(name)


class DetailPane(Vertical):
    """Shows one unit; `show_unit` says which."""

    DEFAULT_CSS = """
    DetailPane > _Tabs { background: $panel; }
    """
    BINDINGS = [
        Binding("left,<", "tab(-1)", "tab before", key_display="←", show=False, id="detail.before"),
        Binding("right,>", "tab(1)", "next tab", key_display="→", id="detail.next"),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._unit: str | None = None
        self._tab = 0
        self._answers = Answers()
        self._asked: tuple[str, int, int] | None = None  # the unit, its version and the tab of the question that was asked last
        self._asked_s = float("-inf")
        self._moved_s = float("-inf")
        self._is_asking = False
        self._log: LogPane | None = None
        self._is_focus_wanted = False  # as soon as the log is there

    def compose(self) -> ComposeResult:
        yield _Tabs(id="detail-head")
        yield TextLines(id="detail-text")

    def on_mount(self) -> None:
        self.flush()

    # What it shows.

    def show_unit(self, unit: str | None) -> None:
        """This unit from now on."""
        if unit != self._unit:
            self._unit = unit
            self._answers = Answers()
            self._asked = None
            self._moved_s = host_of(self).clock.monotonic_s()
            self._paint(from_top=True)
            self.set_timer(_REST_S, host_of(self).request_flush)

    @property
    def tab(self) -> str:
        return TABS[self._tab]

    def take_tab(self, name: str) -> None:
        """Show this tab."""
        self._tab = TABS.index(name)
        self.query_one(TextLines).display = name != "Log"
        if self._log is not None:
            self._log.display = name == "Log"
        elif name == "Log":
            self.call_next(self._open_log)
        self._paint(from_top=True)
        self.flush()

    async def _open_log(self) -> None:
        """The log is made when it is first asked for."""
        from supervisor.tui.widgets.logpane import LogPane

        if self._log is None:
            self._log = LogPane(id="detail-log")
            await self.mount(self._log)
            if not self._log.is_whole:
                return  # the screen is left meanwhile
            self._log.display = self.tab == "Log"
            self.flush()
            if self._is_focus_wanted:
                self.focus_content()

    def action_tab(self, step: int) -> None:
        self.take_tab(TABS[(self._tab + step) % len(TABS)])
        self.focus_content()

    def focus_content(self) -> None:
        """Put the keys into what is shown, or what is about to be."""
        self._is_focus_wanted = False
        if self.tab != "Log":
            self.query_one(TextLines).focus()
        elif self._log is not None and self._log.is_whole:
            self._log.focus_log()
        else:
            self._is_focus_wanted = True

    def flush(self) -> None:
        """Paint what is new, and ask for what is missing; called by the flush of the screen it stands in."""
        if not self.is_mounted or not self.display or self.size.width == 0:
            return
        self._ask_if_due()
        self._paint()
        if self.tab == "Log" and self._unit is not None and self._log is not None and self._log.is_whole:
            self._log.show_units([self._unit])
            self._log.flush()

    # Asking.

    def _ask_if_due(self) -> None:
        host = host_of(self)
        unit = host.store.get(self._unit)
        if unit is None or self._is_asking or host.link.phase != "live":
            return
        wanted, now_s = (unit.name, unit.version, self._tab), host.clock.monotonic_s()
        if wanted == self._asked or now_s - self._asked_s < _ASK_INTERVAL_S or now_s - self._moved_s < _REST_S:
            return
        self._is_asking, self._asked, self._asked_s = True, wanted, now_s
        self.run_worker(self._ask(unit.name, self.tab, self._answers), group="detail")

    async def _ask(self, unit: str, tab: str, answers: Answers) -> None:
        transport = host_of(self).transport
        try:
            if tab == "Info":
                answers.full = await transport.show(unit)
                answers.why = await transport.why(unit)
            if tab in ("Info", "Runs"):
                answers.runs = await transport.history(unit, _RUNS)
            if tab == "Deps":
                answers.relations = await host_of(self).session.relations()
            if tab == "Cfg":
                answers.definition = await transport.definition(unit)
            answers.trouble = ""
        except Refused as refused:
            answers.trouble = refused.text
        except LinkLost:
            self._asked = None  # again when the connection is back
        finally:
            self._is_asking = False
            host_of(self).request_flush()

    # Painting.

    def _paint(self, from_top: bool = False) -> None:
        if not self.is_mounted:
            return
        host = host_of(self)
        unit = host.store.get(self._unit)
        pieces = [Piece(self._unit or "no unit", "title")]
        if unit is not None and (description := one_line(str(unit.brief.get("description") or ""))):
            pieces.append(Piece(description, "dim", rank=2))
        for name in TABS:
            pieces.append(Piece(name, "key" if name == self.tab else "dim", rank=0, is_right=True, action=f"take_tab('{name}')"))
        self.query_one(_Tabs).show(pieces)
        if self.tab != "Log":
            self.query_one(TextLines).show(self._lines(unit), from_top)

    def _lines(self, unit: Any) -> Sequence[Line]:
        host, answers = host_of(self), self._answers
        if unit is None:
            return [(Cell("no unit is chosen" if self._unit is None else "there is no such unit any more", "dim"),)]
        if answers.trouble:
            return [(Cell(answers.trouble, "failed"),)]
        from supervisor.tui.model import detail  # once there is a unit to tell of

        now_s = host.seen_time_s
        if self.tab == "Info":
            errors = host.session.status.get("load_errors") or ()
            usage = host.figures.get(unit.name)
            return detail.info_lines(
                unit, answers.full, answers.why, usage, answers.runs, errors, now_s, self.size.width, host.ascii, host.store.is_stale
            )
        if self.tab == "Runs":
            return detail.run_lines(answers.runs, now_s, self.size.width - 3) or [(Cell("no run is recorded", "dim"),)]
        if self.tab == "Deps":
            return self._dep_lines(unit.name, now_s)
        return detail.config_lines(answers.definition) if answers.definition is not None else [(Cell("asking …", "dim"),)]

    def _dep_lines(self, unit: str, now_s: float) -> Sequence[Line]:
        from supervisor.tui.model import deps, detail

        host, relations = host_of(self), self._answers.relations
        if relations is None:
            return [(Cell("asking …", "dim"),)]

        def rank(name: str) -> int:
            known = host.store.get(name)
            return -1 if known is None else known.look.rank

        needs = detail.dep_lines("needs", deps.needs(unit, relations, rank), host.store.get, now_s, host.ascii)
        needed = detail.dep_lines("needed by", deps.needed_by(unit, relations, rank), host.store.get, now_s, host.ascii)
        return [*needs, BLANK, *needed]
