"""What a screen or widget may ask of the app it stands in, as a type: the app itself is imported by nothing below it."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from rich.style import Style

from supervisor.tui.clock import Clock
from supervisor.tui.model.figures import Figures
from supervisor.tui.model.impact import Impact
from supervisor.tui.model.linkstate import LinkState
from supervisor.tui.model.units import UnitStore

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel
    from textual.screen import ModalScreen
    from textual.widget import Widget

    from supervisor.tui.link.protocol import Transport
    from supervisor.tui.link.session import Session
    from supervisor.tui.settings import Settings

T = TypeVar("T")


class Host(Protocol):
    """SupdApp, as screens and widgets know it.

    `look_styles` are the styles of the theme by name (see `themes.look_styles`); `theme_key` is another value whenever they are. `marked`
    are the names of the units that are marked, in every view. `is_remote`: the supd runs on another machine.
    """

    store: UnitStore
    figures: Figures
    clock: Clock
    transport: "Transport"
    session: "Session"
    settings: "Settings"
    look_styles: dict[str, Style]
    theme_key: object
    ascii: bool
    is_read_only: bool
    is_remote: bool
    selected_unit: str | None
    runs_unit: str | None
    marked: set[str]
    log_units: tuple[str, ...] | None

    @property
    def label(self) -> str:
        """The name of the supd that is shown: a host or a socket."""

    @property
    def link(self) -> LinkState:
        """How the connection stands."""

    @property
    def seen_time_s(self) -> float:
        """The time, in seconds since the epoch, of which what is shown is true: now, or when supd was last heard if that is no longer so.

        Ages and countdowns of units are made from it, for nobody knows whether they went on.
        """

    def request_flush(self) -> None:
        """Something changed: paint before long. Cheap; to be called for every change."""

    def drawn(self, text: str) -> str:
        """`text` as this terminal can show it: with --ascii every symbol of ours becomes a plain character."""

    def show_view(self, name: str) -> None:
        """Go to a view by its name ("units", "logs", "deps", ...). A view that does not exist is nothing."""

    def go_to_unit(self, name: str) -> None:
        """Put the cursor of the first view on a unit, with the filter lifted if it hides it."""

    def show_logs(self, units: Sequence[str]) -> None:
        """Go to the view of logs, with the lines of these units; of all when none is named."""

    def show_runs(self, unit: str | None) -> None:
        """Go to the view of runs, with those of this unit; of all when none is named."""

    def act(self, verb: str, units: Sequence[str], signal: int = 15) -> None:
        """Do `verb` to units: ask first where it hurts, then say what came of it."""

    def may(self, verb: str, units: Collection[str]) -> str:
        """Empty when it may be done; else why not, as a clause."""

    async def impact(self, verb: str, units: Sequence[str]) -> Impact:
        """What a start, stop or restart of these does to others; nothing, where supd cannot be asked."""

    async def ask(self, screen: "ModalScreen[T]") -> "T | None":
        """Show a dialogue and wait for its answer. Only in a worker."""

    def notify(
        self, message: str, *, title: str = "", severity: "SeverityLevel" = "information", timeout: float | None = None, markup: bool = True
    ) -> None:
        """A toast."""

    def copy(self, text: str, what: str) -> None:
        """To the clipboard of the person's own terminal (OSC 52), with a toast that says `what`."""


def host_of(widget: "Widget") -> Host:
    """The app of a widget, which is always a SupdApp."""
    return cast("Host", widget.app)
