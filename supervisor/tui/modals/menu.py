"""A list of choices over the screen, each with a letter: actions, signals, states, sort keys, what to copy.

One key chooses; arrows and Enter, and the mouse, do the same. A list of switches (`is_multiple`) is changed with Space or the letter and
taken with Enter. Choices that cannot be made now are shown dim with the reason, so that nobody looks for them elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from supervisor.tui.widgets.host import host_of

_HINT_CELLS = 40  # the longest hint at the foot
_FRAME_CELLS = 5  # border, padding, and a blank for the list's scroll bar
_LINES_AROUND = 6  # frame, title, hint, and the blank lines beside the list


@dataclass(frozen=True, slots=True)
class Choice:
    """`value` is what the menu answers with; `why_not` not empty: it cannot be chosen now."""

    value: str
    key: str
    text: str
    note: str = ""
    why_not: str = ""
    symbol: str = ""
    style: str = ""


class Menu(ModalScreen[tuple[str, ...] | None]):
    """Answers with the values chosen, or None for Esc."""

    BINDINGS = [
        Binding("escape,q", "dismiss(None)", "back", id="menu.back"),
        Binding("j", "down", "down", show=False),
        Binding("k", "up", "up", show=False),
    ]
    AUTO_FOCUS = "OptionList"

    def __init__(
        self, title: str, choices: Sequence[Choice], is_multiple: bool = False, chosen: Sequence[str] = (), start: str = ""
    ) -> None:
        super().__init__()
        self._title = title
        self._choices = tuple(choices)
        self._is_multiple = is_multiple
        self._chosen = set(chosen)
        self._start = start

    def compose(self) -> ComposeResult:
        prompts = [self._prompt(choice) for choice in self._choices]
        widest = max([_HINT_CELLS, cell_len(self._title), *[prompt.cell_len for prompt in prompts]])
        with Vertical(classes="dialogue") as dialogue:
            dialogue.styles.width = widest + _FRAME_CELLS
            yield Static(Text(host_of(self).drawn(self._title), no_wrap=True, overflow="crop"), classes="dialogue--title")
            yield OptionList(
                *[Option(prompt, choice.value, bool(choice.why_not)) for prompt, choice in zip(prompts, self._choices, strict=True)]
            )
            hint = "Space switches, Enter takes, Esc leaves" if self._is_multiple else "a letter or Enter chooses, Esc leaves"
            yield Static(Text(hint), classes="dialogue--hint")

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.styles.max_height = max(3, self.size.height - _LINES_AROUND)
        free = [index for index, choice in enumerate(self._choices) if not choice.why_not]
        wanted = [index for index in free if self._choices[index].value == self._start]
        options.highlighted = next(iter(wanted or free), None)

    def _prompt(self, choice: Choice) -> Text:
        host = host_of(self)
        looks = host.look_styles
        text = Text(no_wrap=True, overflow="crop" if host.ascii else "ellipsis")
        if self._is_multiple:
            text.append("[x] " if choice.value in self._chosen else "[ ] ")
        text.append(f"{choice.key:<2}", looks["dim"] if choice.why_not else looks["key"])
        if choice.symbol:
            text.append(f"{host.drawn(choice.symbol)} ", looks[choice.style])
        text.append(host.drawn(choice.text), looks["dim"] if choice.why_not else looks[choice.style])
        if choice.why_not or choice.note:
            text.append(f"  {host.drawn(choice.why_not or choice.note)}", looks["dim"])
        return text

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self._is_multiple:
            self.dismiss(tuple(choice.value for choice in self._choices if choice.value in self._chosen))
        else:
            self.dismiss((self._choices[event.option_index].value,))

    def on_key(self, event: events.Key) -> None:
        if event.key == "space" and self._is_multiple:
            index = self.query_one(OptionList).highlighted
            if index is not None:
                event.stop()
                self._switch(index)
            return
        for index, choice in enumerate(self._choices):
            if event.character is not None and event.character == choice.key and not choice.why_not:
                event.stop()
                event.prevent_default()
                if self._is_multiple:
                    self._switch(index)
                else:
                    self.dismiss((choice.value,))
                return

    def _switch(self, index: int) -> None:
        self._chosen ^= {self._choices[index].value}
        self.query_one(OptionList).replace_option_prompt_at_index(index, self._prompt(self._choices[index]))

    def action_down(self) -> None:
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        self.query_one(OptionList).action_cursor_up()
