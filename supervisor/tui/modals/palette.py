"""The command palette: everything that can be done here, and every unit, found by a few letters.

`web` goes to a unit of that name, `stop web` stops it (asked first as ever), and each key's action, each view and each theme is there by
its words. Found and painted with each letter, without waiting for anything.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from supervisor.tui.model.actions import ACTIONS, why_not
from supervisor.tui.model.choose import fuzzy_score
from supervisor.tui.model.states import state_text
from supervisor.tui.model.units import Unit
from supervisor.tui.widgets.host import Host, host_of

SHOWN_MAX = 50


@dataclass(frozen=True, slots=True)
class Command:
    """`text` is what is searched; `note` stands beside it; `run` does it. `style` and `symbol` are of a unit's state."""

    text: str
    note: str
    run: Callable[[], object]
    symbol: str = ""
    style: str = ""


def find(query: str, commands: Iterable[Command], units: Callable[[str], Iterable[Command]]) -> list[Command]:
    """The commands that fit, best first; what has no score of its own keeps its order. `units` makes those that depend on the query."""
    letters = query.replace(" ", "")
    if not letters:
        return list(commands)[:SHOWN_MAX]
    scored = [(score, command) for command in (*units(query), *commands) if (score := fuzzy_score(letters, command.text)) is not None]
    scored.sort(key=lambda pair: (-pair[0], len(pair[1].text)))
    return [command for _, command in scored[:SHOWN_MAX]]


def unit_commands(host: Host, select: Callable[[str], None], query: str) -> Iterable[Command]:
    """ "web": go there; with a verb before it, do that, where it makes sense."""
    now_s = host.seen_time_s
    verb, _, rest = query.strip().lower().partition(" ")
    wanted = [action for action in ACTIONS if rest and action.title.startswith(verb) and action.verb != "kill"]
    for unit in host.store:
        symbol = unit.look.ascii if host.ascii else unit.look.symbol
        yield Command(unit.name, state_text(unit.look, unit.brief, now_s), lambda name=unit.name: select(name), symbol, unit.look.style)  # type: ignore[misc]  # a lambda's default
        for action in wanted:
            if not why_not(action.verb, unit.brief):
                yield Command(f"{action.title} {unit.name}", "", _doer(host, action.verb, unit), symbol, unit.look.style)


def _doer(host: Host, verb: str, unit: Unit) -> Callable[[], None]:
    return lambda: host.act(verb, [unit.name])


class Palette(ModalScreen[Command | None]):
    """Answers with the command to run."""

    BINDINGS = [
        Binding("escape", "dismiss(None)", "back", priority=True, id="palette.back"),
        Binding("enter", "choose", "do it", priority=True, id="palette.choose"),
        Binding("down,ctrl+n", "move(1)", "down", priority=True, show=False),
        Binding("up,ctrl+p", "move(-1)", "up", priority=True, show=False),
    ]
    AUTO_FOCUS = "Input"

    def __init__(self, commands: Sequence[Command], units: Callable[[str], Iterable[Command]]) -> None:
        super().__init__()
        self._commands = tuple(commands)
        self._units = units
        self._found: list[Command] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialogue palette"):
            field = Input(placeholder='a unit, an action, "stop web", a theme', compact=True)
            field.cursor_blink = False
            yield field
            yield OptionList()

    def on_mount(self) -> None:
        self._show("")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)

    def _show(self, query: str) -> None:
        options = self.query_one(OptionList)
        self._found = find(query, self._commands, self._units)
        options.clear_options()
        options.add_options([Option(self._prompt(command)) for command in self._found])
        options.highlighted = 0 if self._found else None

    def _prompt(self, command: Command) -> Text:
        host = host_of(self)
        looks = host.look_styles
        text = Text(no_wrap=True, overflow="crop" if host.ascii else "ellipsis")
        text.append(f"{command.symbol or ' '} ", looks[command.style])
        text.append(host.drawn(command.text))
        text.append(f"  {host.drawn(command.note)}", looks["dim"])
        return text

    def action_move(self, rows: int) -> None:
        options = self.query_one(OptionList)
        if self._found:
            options.highlighted = ((options.highlighted or 0) + rows) % len(self._found)

    def action_choose(self) -> None:
        index = self.query_one(OptionList).highlighted
        self.dismiss(self._found[index] if index is not None and index < len(self._found) else None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._found[event.option_index])

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:  # beside the list
            self.dismiss(None)
