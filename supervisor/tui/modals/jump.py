"""Jump mode: a letter on everything that can be gone to; pressing it goes there, any other key goes nowhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Label

LETTERS = "asdfghjklqwertyuiopzxcvbnm"


@dataclass(frozen=True, slots=True)
class Target:
    """A place on the screen, and what going there does."""

    x: int
    y: int
    go: Callable[[], object]


class Jump(ModalScreen[Target | None]):
    """Answers with the target."""

    DEFAULT_CSS = """
    Jump { background: $background 30%; layers: letters; }
    Jump > Label { layer: letters; position: absolute; width: 3; text-align: center; text-style: bold; }
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        super().__init__()
        self._targets = dict(zip(LETTERS, targets, strict=False))

    def compose(self) -> ComposeResult:
        for letter, target in self._targets.items():
            label = Label(letter, classes="jump--letter")
            label.styles.offset = (target.x, target.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self.dismiss(self._targets.get(event.character or ""))

    def on_click(self) -> None:
        self.dismiss(None)
