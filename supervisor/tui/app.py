"""`supctl tui`: the app. It holds the services that screens share and the one point where changed data becomes a painted screen.

Data handlers change the store and call `request_flush`; nothing else may paint data. The flush asks `pace` when the next paint is due,
puts it off while the terminal is behind, and hands the changes to the screen that is shown; a view that was away is repainted whole
when it comes back. Views are Textual modes, made from the table in `views` when they are first shown. `q` leaves the screen; supd and
everything it runs go on.
"""

import gc
import os
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from rich.style import Style
from textual.app import App
from textual.binding import Binding
from textual.events import Key
from textual.reactive import var
from textual.screen import ModalScreen
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.timer import Timer
from textual.widgets import Input

from supervisor.client.charset import plain
from supervisor.tui import themes
from supervisor.tui.ascii import PlainScrollBar
from supervisor.tui.clock import Clock, SystemClock
from supervisor.tui.link.protocol import LinkLost, Refused, Transport
from supervisor.tui.link.session import Session
from supervisor.tui.model.actions import BY_VERB, lacking
from supervisor.tui.model.figures import Figures
from supervisor.tui.model.impact import Impact, impact
from supervisor.tui.model.linkstate import CONNECTING, LOST, LinkState
from supervisor.tui.model.units import EVERYTHING, UnitStore
from supervisor.tui.pace import TICK_S, Pace, Tick
from supervisor.tui.screens.units import UnitsScreen
from supervisor.tui.screens.view import ViewScreen
from supervisor.tui.settings import Settings
from supervisor.tui.views import BY_NAME, VIEWS

# Collections of the youngest generation stay rare: with Python's own thresholds they are what makes a key wait (measured with 100,000
# lines in memory: 117 ms at worst, 20 ms with these). The older ones must come, for a strip that Textual painted refers to itself: without
# them a log that scrolls takes half a megabyte a second. They are cheap, since what exists at the start is frozen and lines are no objects.
GC_THRESHOLDS = (50_000, 3, 3)
_FAULTS_TOLD = 4  # of a person's own keys: more toasts than fit tell nothing
_LEAST_DELAY_S = 0.001  # a timer of no time at all is not known to Textual; and what comes together is painted together

_KEY_NAMES = {"enter": "enter", "escape": "esc", "space": "space", "tab": "tab", "backspace": "bksp", "up": "up", "down": "down"}

MakeSession = Callable[["SupdApp"], Session]
T = TypeVar("T")


class SupdApp(App[None]):
    """The services are what `widgets.host.Host` lists, and `session`."""

    TITLE = "supd"
    CSS_PATH = "supd.tcss"
    ENABLE_COMMAND_PALETTE = False
    MODES = {view.name: (lambda view=view: view.load()()) for view in VIEWS}  # type: ignore[misc]  # a lambda's default has no type
    DEFAULT_MODE = "units"
    BINDINGS = [
        *[Binding(view.key, f"show_view('{view.name}')", view.title, show=False, id=f"view.{view.name}") for view in VIEWS],
        Binding("q,ctrl+q", "detach", "detach", show=False, id="app.detach"),
        Binding("ctrl+r", "resync", "resync", show=False, id="app.resync"),
        Binding("ctrl+l", "redraw", "redraw", show=False, id="app.redraw"),
    ]

    selected_unit: var[str | None] = var(None, init=False)

    def __init__(
        self,
        transport: Transport,
        *,
        make_session: MakeSession | None = None,
        keys_path: str = "",
        clock: Clock | None = None,
        settings: Settings | None = None,
        is_read_only: bool = False,
        is_remote: bool = False,
        ascii: bool = False,
        theme: str = "",
        unit: str | None = None,
        frames_waiting: Callable[[], int] | None = None,
    ) -> None:
        super().__init__(ansi_color=True if _wants_no_colour() else None)
        for each in themes.THEMES:
            self.register_theme(each)
        self.transport = transport
        self.clock: Clock = clock or SystemClock()
        self.settings = settings or Settings()
        self.store = UnitStore()
        self.figures = Figures()
        self.session = make_session(self) if make_session else Session(transport, self.store, self.figures, self.clock, self.request_flush)
        self.is_read_only = is_read_only
        self.is_remote = is_remote
        self.ascii = ascii
        self.marked: set[str] = set()
        self.runs_unit: str | None = None  # whose runs the view of runs shows; None: of all
        self.log_units: tuple[str, ...] | None = None  # whose lines the view of logs shows; empty: of all; None: of what is chosen
        self.look_styles: dict[str, Style] = themes.look_styles({}, True)
        self.theme_key: object = None
        self.set_reactive(SupdApp.selected_unit, unit)
        self._begin_with(self._first_theme(theme))
        self._keys_faults: list[str] = []
        if os.path.exists(keys_path):
            self._take_own_keys(keys_path)
        self._pace = Pace()
        self._tick = Tick()
        self._flush_timer: Timer | None = None
        self._frames_waiting = frames_waiting or self._queued_frames

    # What screens ask.

    @property
    def label(self) -> str:
        return self.transport.label

    @property
    def link(self) -> LinkState:
        return self.session.link

    @property
    def seen_time_s(self) -> float:
        link = self.session.link
        return link.heard_time_s if self.store.is_stale and link.heard_time_s is not None else self.clock.time_s()

    def drawn(self, text: str) -> str:
        """`text` as this terminal can show it."""
        return plain(text) if self.ascii else text

    def may(self, verb: str, units: Collection[str]) -> str:
        """ "" when `verb` may be done to the units; else why not, as a clause."""
        if self.is_read_only:
            return "this screen is read-only"
        if self.link.phase in (LOST, CONNECTING):
            return "there is no connection"
        unit = lacking(BY_VERB[verb].level, units, self.session.status.get("rights", ()))
        if unit:
            return f"your access to {unit} is not enough; it needs {BY_VERB[verb].level}"
        return ""

    def act(self, verb: str, units: Sequence[str], signal: int = 15) -> None:
        """Do `verb` to units: ask first where it hurts, then say what came of it."""
        if units:
            from supervisor.tui.doing import Order, carry_out  # with its question: for the first thing that is done

            self.run_worker(carry_out(self, Order(verb, tuple(units), signal)), group="act")

    async def impact(self, verb: str, units: Sequence[str]) -> Impact:
        """What a start, stop or restart of these does to others; nothing, where supd cannot be asked."""
        try:
            relations = await self.session.relations()
        except (LinkLost, Refused):
            return Impact()
        return impact(verb, units, relations, self._active_state)

    def _active_state(self, name: str) -> str:
        unit = self.store.get(name)
        return "" if unit is None else str(unit.brief["active_state"])

    async def ask(self, screen: ModalScreen[T]) -> T | None:
        return await self.push_screen_wait(screen)

    def copy(self, text: str, what: str) -> None:
        self.copy_to_clipboard(text)
        self.notify(text, title=f"copied {what}", markup=False)

    def get_key_display(self, binding: Binding) -> str:
        """Keys by name, for no font is sure to have their signs."""
        if binding.key.startswith(("ctrl+", "shift+")):
            return binding.key  # as it is written in keys.toml
        return _KEY_NAMES.get(binding.key) or super().get_key_display(binding)

    # Painting.

    def request_flush(self) -> None:
        """Something changed: paint before long. Cheap; every change calls it."""
        if self._flush_timer is None and self.is_running:
            delay_s = max(_LEAST_DELAY_S, self._pace.delay_s(self.clock.monotonic_s(), self.app_focus))
            self._flush_timer = self.set_timer(delay_s, self._flush_when_due, name="flush")

    def _flush_when_due(self) -> None:
        self._flush_timer = None
        if not self._pace.may_paint(self.clock.monotonic_s(), self._frames_waiting()):
            self.request_flush()
            return
        self.flush()

    def _tick_on(self) -> None:
        """The time on the screen goes on: with what is painted anyway, by itself where nothing is."""
        wait_s = self._tick.wait_s(self.clock.monotonic_s())
        if not wait_s:
            self.request_flush()
        self.set_timer(wait_s or TICK_S, self._tick_on, name="clock")

    def flush(self) -> None:
        """Paint what changed, now. Tests call it by hand."""
        self._tick.painted(self.clock.monotonic_s())
        changes = self.store.take_changes()
        screen = self._view_screen()
        if screen is not None:
            with self.batch_update():
                screen.flush(changes)

    def _view_screen(self) -> ViewScreen | None:
        """The view that is shown, also below a dialogue."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, ViewScreen):
                return screen
        return None

    def _queued_frames(self) -> int:
        """Frames that the terminal has not taken yet (Textual keeps them in a thread's queue, which it does not offer)."""
        thread = getattr(self._driver, "_writer_thread", None)
        queue = getattr(thread, "_queue", None)
        return int(queue.qsize()) if queue is not None else 0

    # The life of the app.

    def _begin_with(self, theme: str) -> None:
        """Take a theme before anything is styled: to choose it later is to parse and style everything twice."""
        self.set_reactive(SupdApp.theme, theme)
        is_dark = self.current_theme.dark
        self.set_class(is_dark, "-dark-mode", update=False)
        self.set_class(not is_dark, "-light-mode", update=False)
        self._refresh_truecolor_filter(self.ansi_theme)
        self.set_class(self.ascii, "-ascii", update=False)
        ScrollBar.renderer = PlainScrollBar if self.ascii else ScrollBarRender
        self.stylesheet.set_variables(self.get_css_variables())
        self._resolve_looks()

    def on_mount(self) -> None:
        gc.set_threshold(*GC_THRESHOLDS)
        self._keep_theme()
        self.theme_changed_signal.subscribe(self, lambda _: self._theme_changed())
        self._tick_on()
        self.run_worker(self.session.run(), group="session", exclusive=True)
        self._tell_of_own_keys()
        if self.settings.kept.view in BY_NAME:
            self.show_view(self.settings.kept.view)
        gc.freeze()

    def _take_own_keys(self, path: str) -> None:
        from supervisor.tui.bindings import key_name, places  # every view and dialogue: only for who has keys of his own
        from supervisor.tui.ownkeys import read_keys

        keys, self._keys_faults = read_keys(path, places(type(self)), key_name)
        self.set_keymap(keys)

    def _tell_of_own_keys(self) -> None:
        for fault in self._keys_faults[:_FAULTS_TOLD]:
            self.notify(fault, title="your own keys", severity="warning", timeout=15, markup=False)
        if (more := len(self._keys_faults) - _FAULTS_TOLD) > 0:
            self.notify(f"and {more} more mistakes", title="your own keys", severity="warning", timeout=15, markup=False)

    def _first_theme(self, wanted: str) -> str:
        if self.no_color:
            return themes.NO_COLOUR
        for name in (wanted, self.settings.kept.theme):
            if name in self.available_themes:
                return name
        return themes.DEFAULT

    def _resolve_looks(self) -> None:
        self.look_styles = themes.look_styles(self.get_css_variables(), self.native_ansi_color)
        self.theme_key = (self.theme, self.native_ansi_color)

    def _keep_theme(self) -> None:
        if not self.no_color:
            self.settings.change(theme=self.theme)

    def _theme_changed(self) -> None:
        self._resolve_looks()
        self._keep_theme()
        screen = self._view_screen()
        if screen is not None:
            screen.flush(EVERYTHING)

    # Keys.

    def on_key(self, event: Key) -> None:
        """What is typed in one go with the key that opens a field was sent to the list, since the field was not open: it is put right.

        A field keeps what it can type to itself, so nothing that arrives here came from it.
        """
        if event.is_printable and isinstance(self.focused, Input):
            event.prevent_default().stop()
            self.focused.post_message(Key(event.key, event.character))

    def show_view(self, name: str) -> None:
        """Go to a view; one that does not exist is nothing."""
        if name in BY_NAME and name != self.current_mode:
            self.switch_mode(name)
            self.settings.change(view=name)

    def go_to_unit(self, name: str) -> None:
        """Put the cursor of the first view on a unit, with the filter lifted if it hides it."""
        self.selected_unit = name
        self.show_view("units")
        screen = self._view_screen()
        if isinstance(screen, UnitsScreen):
            screen.go_to(name)

    def show_logs(self, units: Sequence[str]) -> None:
        """Go to the view of logs, with the lines of these units; of all when none is named."""
        self.log_units = tuple(units)
        self.show_view("logs")

    def show_runs(self, unit: str | None) -> None:
        """Go to the view of runs, with those of this unit; of all when none is named."""
        self.runs_unit = unit
        self.show_view("runs")

    def action_only_group(self, group: str) -> None:
        """A total was clicked: show these units alone."""
        self.show_view("units")
        screen = self._view_screen()
        if isinstance(screen, UnitsScreen):
            screen.only_group(group)

    def action_show_view(self, name: str) -> None:
        self.log_units = None  # by its own key the view of logs follows what is chosen
        self.show_view(name)

    def action_detach(self) -> None:
        self.exit(message=f"Left the screen. supd and its units at {self.label} run on; `supctl tui` brings it back.")

    def action_resync(self) -> None:
        self.session.resync()

    def action_redraw(self) -> None:
        self.refresh(repaint=True, layout=True)


def _wants_no_colour() -> bool:
    return "NO_COLOR" in os.environ
