"""The keys that there are: every binding of ours, with the places in which they are reached together, and the names of keys.

Only `keys.toml` needs this; it loads every view and dialogue, which a start without that file does not.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar
from unicodedata import lookup

from textual.dom import DOMNode
from textual.keys import KEY_TO_UNICODE_NAME, REPLACED_KEYS, Keys, _character_to_key
from textual.screen import ModalScreen, Screen

from supervisor.tui import modals, screens
from supervisor.tui.ownkeys import Place
from supervisor.tui.screens.view import ViewScreen
from supervisor.tui.widgets.detail import DetailPane
from supervisor.tui.widgets.filterbar import FilterBar
from supervisor.tui.widgets.logpane import LogPane
from supervisor.tui.widgets.logview import LogView
from supervisor.tui.widgets.rows import RowList
from supervisor.tui.widgets.table import UnitTable
from supervisor.tui.widgets.textlines import TextLines

# What has the focus in a view, by the name that the view gives it, and what stands around that.
_FOCUS: dict[str, tuple[type[DOMNode], ...]] = {
    "UnitTable": (UnitTable,),
    "RowList": (RowList,),
    "LogView": (LogView, LogPane),
    "TextLines": (TextLines, DetailPane),
}
AnyScreen = TypeVar("AnyScreen", bound=Screen[Any])
_MODIFIERS = frozenset({"ctrl", "shift", "alt", "meta", "super", "hyper"})
_ALL = [str(key.value) for key in Keys if not str(key.value).startswith("<") and key is not Keys.ControlSpace]
_NAMED = frozenset(name.rpartition("+")[2] for name in _ALL if len(name.rpartition("+")[2]) > 1)
_ARRIVES_AS = {"ctrl+m": "enter", "ctrl+i": "tab", "ctrl+h": "backspace", "ctrl+left_square_bracket": "escape"}


def places(app: type[DOMNode]) -> list[Place]:
    """The bindings that can be reached at the same time, place by place: a view with what it is about, a pane of it, a dialogue."""
    for package in (screens, modals):
        for module in iter_modules(package.__path__):
            import_module(f"{package.__name__}.{module.name}")
    found = [_keys([*_FOCUS[str(view.AUTO_FOCUS)], view, app]) for view in _below(ViewScreen) if view.AUTO_FOCUS in _FOCUS]
    found += [_keys(nodes) for nodes in ((LogView, LogPane), (TextLines, DetailPane), (FilterBar,))]
    return [place for place in (*found, *[_keys([modal]) for modal in _below(ModalScreen)]) if place]


def key_name(text: str) -> tuple[str, str]:
    """(the name under which this key arrives, "" when none does; a key that may be meant, "" if there is no guess)."""
    *modifiers, base = [text] if len(text) == 1 else text.split("+")
    base = _character_to_key(base) if len(base) == 1 else base
    name = "+".join((*modifiers, base))
    if name in _ARRIVES_AS:
        return "", _ARRIVES_AS[name]
    if modifiers == ["shift"] and base not in _NAMED:
        return "", base.upper() if len(base) == 1 else ""  # a terminal sends the other character
    if (base in _NAMED or _is_character(base)) and len(set(modifiers) & _MODIFIERS) == len(modifiers):
        return name, ""
    near = get_close_matches(text.lower(), _ALL, 1, 0.6)
    return "", near[0] if near else ""


def _is_character(name: str) -> bool:
    """Whether a key is named so for the character that it types."""
    if len(name) == 1:
        return True
    known = REPLACED_KEYS.get(name, name)
    try:
        return bool(lookup(KEY_TO_UNICODE_NAME.get(known, known.replace("_", " ").upper())))
    except KeyError:
        return False


def _keys(nodes: Sequence[type[DOMNode]]) -> Place:
    """The keys of these, but for those that a binding with priority takes away from the others."""
    bound = [
        (key, binding)
        for node in nodes
        for key, bindings in (node._merged_bindings.key_to_bindings if node._merged_bindings is not None else {}).items()
        for binding in bindings
        if binding.id and "." in binding.id  # Textual's own have none of ours
    ]
    first = {key: binding.id for key, binding in bound if binding.priority}
    found: dict[str, list[str]] = {}
    for key, binding in bound:
        if binding.id and first.get(key, binding.id) == binding.id:
            found.setdefault(binding.id, []).append(key)
    return found


def _below(base: type[AnyScreen]) -> Iterable[type[AnyScreen]]:
    """Every class of ours below this one."""
    for each in base.__subclasses__():
        if each.__module__.startswith("supervisor."):
            yield each
        yield from _below(each)
