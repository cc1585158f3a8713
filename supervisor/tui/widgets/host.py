"""What a widget may ask of the app it stands in, as a type: the app itself is imported by nothing below it."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from rich.style import Style

from supervisor.tui.clock import Clock
from supervisor.tui.model.figures import Figures
from supervisor.tui.model.linkstate import LinkState
from supervisor.tui.model.units import UnitStore

if TYPE_CHECKING:
    from textual.widget import Widget

    from supervisor.tui.link.protocol import Transport
    from supervisor.tui.settings import Settings


class Host(Protocol):
    """SupdApp, as screens and widgets know it."""

    store: UnitStore
    figures: Figures
    clock: Clock
    transport: "Transport"
    settings: "Settings"
    look_styles: dict[str, Style]
    theme_key: object
    ascii: bool
    is_read_only: bool
    selected_unit: str | None
    marked: set[str]

    @property
    def label(self) -> str:
        """The name of the supd that is shown: a host or a socket."""

    @property
    def link(self) -> LinkState:
        """How the connection stands."""

    def request_flush(self) -> None:
        """Something changed: paint before long. Cheap; to be called for every change."""

    def drawn(self, text: str) -> str:
        """`text` as this terminal can show it: with --ascii every symbol of ours becomes a plain character."""

    def show_view(self, name: str) -> None:
        """Go to a view by its name ("units", "logs", "deps", ...). A view that does not exist is nothing."""

    def act(self, verb: str, units: Sequence[str]) -> None:
        """Do `verb` to units: ask first where it takes others along, then say what came of it."""

    def may(self, verb: str, units: Collection[str]) -> str:
        """ "" when it may be done; else why not, as a clause."""


def host_of(widget: "Widget") -> Host:
    """The app of a widget, which is always a SupdApp."""
    return cast("Host", widget.app)
