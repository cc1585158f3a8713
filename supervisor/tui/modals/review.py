"""What a person is shown before an edited file takes its place: mistakes, the difference, or the plan, with the keys that go on."""

from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from supervisor.tui.model.wrap import Line
from supervisor.tui.widgets.bar import Bar, Piece
from supervisor.tui.widgets.host import host_of
from supervisor.tui.widgets.textlines import TextLines

Answer = tuple[str, str, str]  # the key, the words beside it, and what is answered


class Review(ModalScreen[str]):
    """Answers with the third of the chosen answer; Esc is the last of them."""

    BINDINGS = [Binding("escape", "last", "leave", show=False, id="review.leave")]

    def __init__(
        self, title: str, lines: Sequence[Line], answers: Sequence[Answer], notes: Sequence[str] = (), is_fault: bool = False
    ) -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._answers = answers
        self._notes = notes
        self._is_fault = is_fault

    def compose(self) -> ComposeResult:
        host = host_of(self)
        with Vertical(classes="dialogue review -danger" if self._is_fault else "dialogue review"):
            yield Static(Text(host.drawn(self._title)), classes="dialogue--title")
            yield TextLines()
            for note in self._notes:
                yield Static(Text(host.drawn(note), host.look_styles["dim"]))
            yield Bar()

    def on_mount(self) -> None:
        self.query_one(TextLines).show(self._lines)
        pieces = []
        for key, words, value in self._answers:
            action = f"screen.answer('{value}')"
            pieces += [Piece(key, "key", action=action), Piece(f" {words}", glued=True, action=action)]
        self.query_one(Bar).show(pieces)
        self.query_one(TextLines).focus()

    def on_key(self, event: events.Key) -> None:
        for letter, _, value in self._answers:
            if event.key == letter:
                event.stop()  # or the view below would take it for its own, once this is gone
                self.dismiss(value)
                return

    def action_answer(self, value: str) -> None:
        self.dismiss(value)

    def action_last(self) -> None:
        self.dismiss(self._answers[-1][2])
