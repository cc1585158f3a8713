"""From when to when: times as `supctl logs --since` and `--until` take them, or one of the usual spans by one key."""

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from supervisor.client.timestamps import SYNTAX, parse
from supervisor.model.errors import QuantityError
from supervisor.tui.logs import paint
from supervisor.tui.logs.filters import Filter

Range = tuple[int, int | None]
_SPANS = {"f1": "-5min", "f2": "-15min", "f3": "-1h", "f4": "today"}


class LogRange(ModalScreen[Range | None]):
    """Gives (since, until) in microseconds; (0, None) for all; None when it was left."""

    DEFAULT_CSS = """
    LogRange > .dialogue { width: 64; max-width: 100%; }
    LogRange .dialogue Input { height: 1; border: none; padding: 0; background: $boost; margin: 0 0 1 0; }
    LogRange .dialogue Static { width: 100%; }
    LogRange .wrong { color: $error; }
    """
    BINDINGS = [
        Binding("escape", "leave", "leave", id="range.leave"),
        *[Binding(key, f"span('{span}')", span, show=False, id=f"range.{span.strip('-')}") for key, span in _SPANS.items()],
    ]

    def __init__(self, wanted: Filter, now_us: int) -> None:
        super().__init__()
        self._now_us = now_us
        self._wanted = wanted

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialogue"):
            yield Static(Text("Lines since"), classes="dialogue--title")
            yield self._input("since", _stamp(self._wanted.since_us) if self._wanted.since_us else "")
            yield Static(Text("until"), classes="dialogue--title")
            yield self._input("until", _stamp(self._wanted.until_us) if self._wanted.until_us is not None else "")
            yield Static(Text(""), classes="wrong")
            spans = "   ".join(f"{key.upper()} {span.removeprefix('-')}" for key, span in _SPANS.items())
            yield Static(Text(f"{spans}\nEnter takes it; nothing means all; Esc leaves"), classes="dialogue--hint")

    @staticmethod
    def _input(name: str, value: str) -> Input:
        field = Input(value, id=name, placeholder="-15min, 12:30, yesterday", compact=True)
        field.cursor_blink = False
        return field

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_span(self, span: str) -> None:
        self.dismiss((parse(span, self._now_us), None))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        times: list[int | None] = []
        for name in ("since", "until"):
            text = self.query_one(f"#{name}", Input).value.strip()
            try:
                times.append(parse(text, self._now_us) if text else None)
            except QuantityError:
                self._refuse(name, f"{name}: {text!r} is no time; expected {SYNTAX}")
                return
        since, until = times[0] or 0, times[1]
        if until is not None and until < since:
            self._refuse("until", "until: this is before since")
            return
        self.dismiss((since, until))

    def _refuse(self, name: str, why: str) -> None:
        self.query_one(".wrong", Static).update(Text(why))
        self.query_one(f"#{name}", Input).focus()


def _stamp(time_us: int) -> str:
    return paint.time_text(time_us, paint.TIME_FULL)[:19]
