"""The question before something that hurts: what is done, to what, what it takes along, and the supctl line that would do the same.

It always names its target. `y` does it, `d` does it to the target alone (where others would be taken along), `n` and Esc do nothing;
Enter does nothing either, so that no habit answers the question.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from supervisor.tui.model.impact import affected_text
from supervisor.tui.widgets.bar import Bar, Piece
from supervisor.tui.widgets.host import host_of

_NAMES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Question:
    """`title` asks ("Stop db?"), `also` says in which way which others are taken along ("also stops", names), `line` is supctl's.

    `names` are those that the title only counts; `notes` are warnings.
    """

    title: str
    verb: str
    also: Sequence[tuple[str, Sequence[str]]] = ()
    line: str = ""
    names: str = ""
    notes: Sequence[str] = ()
    may_spare: bool = False


class Confirm(ModalScreen[str]):
    """Answers "all", "only" or ""."""

    BINDINGS = [
        Binding("y", "answer('all')", "yes", id="confirm.yes"),
        Binding("d", "answer('only')", "only it", id="confirm.only"),
        Binding("n,escape,q", "answer('')", "no", id="confirm.no"),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        host, question = host_of(self), self.question
        with Vertical(classes="dialogue -danger"):
            yield Static(Text(host.drawn(question.title)), classes="dialogue--title")
            if question.names:
                yield Static(Text(question.names))
            for note in question.notes:
                yield Static(Text(host.drawn(note), host.look_styles["warning"]))
            for how, names in question.also:
                yield Static(Text(host.drawn(_taken_along(how, names))))
            if question.line:
                yield Static(Text(f"= {question.line}", host.look_styles["dim"]))
            keys = Bar(classes="dialogue--keys")
            keys.margin = 0
            yield keys

    def on_mount(self) -> None:
        pieces = [
            Piece("y", "key", action="screen.answer('all')"),
            Piece(f" {self.question.verb}", glued=True, action="screen.answer('all')"),
        ]
        if self.question.may_spare:
            pieces += [Piece("d", "key", action="screen.answer('only')"), Piece(" only it", glued=True, action="screen.answer('only')")]
        pieces += [Piece("n", "key", action="screen.answer('')"), Piece(" no", glued=True, action="screen.answer('')")]
        self.query_one(Bar).show(pieces)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (action == "answer" and parameters == ("only",) and not self.question.may_spare)

    def action_answer(self, answer: str) -> None:
        self.dismiss(answer)


def _taken_along(how: str, names: Sequence[str]) -> str:
    return f"{how} {len(names)} {'other unit' if len(names) == 1 else 'other units'}: {affected_text(tuple(names), _NAMES_SHOWN)}"
