"""The line in which a filter is typed: it takes effect with every letter, Enter keeps it, Esc takes it away."""

from dataclasses import dataclass

from rich.text import Text
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label


class FilterBar(Horizontal):
    """Hidden until `open`."""

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; }
    FilterBar.-shown { display: block; }
    FilterBar > Label { width: auto; padding: 0 0 0 1; }
    FilterBar > Input { width: 1fr; }
    FilterBar > .filter--fault { max-width: 75%; padding: 0 1 0 0; }
    """
    BINDINGS = [
        Binding("enter", "keep", "keep it", priority=True, id="filter.keep"),
        Binding("escape", "close('')", "take it away", priority=True, id="filter.clear"),
    ]

    @dataclass
    class Edited(Message):
        """The text is another one now."""

        text: str

    class Closed(Message):
        """It is hidden again."""

    def __init__(self, sign: str = "/", placeholder: str = "word  !not  ~fuzzy  /regex/", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sign = sign
        self._placeholder = placeholder
        # Whether what is typed counts. Enter arrives before the letters that were typed in one go with it have been taken: they count.
        self._takes = False

    def _field(self) -> Input:
        """The field; it and its neighbours are made when it is first opened, so that no start waits for them."""
        if not self.children:
            field = Input(placeholder=self._placeholder, compact=True, select_on_focus=False)
            field.cursor_blink = False  # it would repaint an idle screen twice a second
            self.mount(Label(self._sign, classes="filter--sign"), field, Label("", classes="filter--fault"))
        return self.query_one(Input)

    @property
    def is_open(self) -> bool:
        return self.has_class("-shown")

    def open(self, text: str) -> None:
        """Show it with this text, ready to be typed on."""
        field = self._field()
        self.tell("")
        self._takes = True
        self.add_class("-shown")
        with self.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.screen.set_focus(field)  # at once: `focus` waits its turn, and what is typed meanwhile would be keys of the list

    def tell(self, fault: str) -> None:
        """Say why what is typed cannot be used, beside it; "" when it can."""
        self.query_one(".filter--fault", Label).update(Text(fault))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.is_open

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._takes:
            self.post_message(self.Edited(event.value))

    def action_keep(self) -> None:
        self._hide()

    def action_close(self, text: str) -> None:
        if self._field().value != text:
            self.post_message(self.Edited(text))
        self._takes = False
        self._hide()

    def _hide(self) -> None:
        self.remove_class("-shown")
        self.post_message(self.Closed())
