"""Which units are shown, and in which order: the filter's text, the state filter, and the sort key.

A filter is words, all of which must fit: `web` is in the name or the description, `/^web-\\d+$` is a regular expression, `~wb1` has
these letters in this order in the name, and `!` before any of them turns it round. A word without a capital letter does not care
for case. Nothing is ever hidden silently: who asks for a choice is told how many of how many remain.

`Choice` keeps the order from change to change: a unit that changed is judged again, the others are not.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from supervisor.tui.model.figures import Figures
from supervisor.tui.model.units import Changes, Unit, UnitStore

SORT_KEYS = ("state", "name", "cpu", "memory", "uptime", "restarts", "pid")
_PATTERN_CHARS_MAX = 200


class BadFilter(ValueError):
    """The filter cannot be understood. `str()` says why in a few words."""


Test = Callable[[Unit], bool]


@dataclass(frozen=True)
class Filter:
    """A filter's text, made ready. Raises BadFilter when the text has a wrong regular expression."""

    text: str = ""

    def __post_init__(self) -> None:
        _ = self.tests

    @cached_property
    def tests(self) -> tuple[Test, ...]:
        # A sign with nothing behind it yet is on its way to be a word: it hides nothing meanwhile.
        return tuple(_test(word) for word in self.text.split() if word.lstrip("!") not in ("", "~", "/"))

    def fits(self, unit: Unit) -> bool:
        return all(test(unit) for test in self.tests)


def _test(word: str) -> Test:
    if word.startswith("!"):
        inner = _test(word[1:])
        return lambda unit: not inner(unit)
    if word.startswith("/"):
        return _matches(word[1:].removesuffix("/"))  # which many a hand puts at the end of a pattern
    if word.startswith("~"):
        letters = word[1:]
        return lambda unit: fuzzy_score(letters, unit.name) is not None
    return _contains(word)


def _matches(pattern: str) -> Test:
    if len(pattern) > _PATTERN_CHARS_MAX:
        raise BadFilter(f"a pattern has at most {_PATTERN_CHARS_MAX} characters")
    try:
        compiled = re.compile(pattern, 0 if _has_capital(pattern) else re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadFilter(str(error)) from None
    return lambda unit: compiled.search(unit.name) is not None or compiled.search(str(unit.brief.get("description", ""))) is not None


def _contains(word: str) -> Test:
    if _has_capital(word):
        return lambda unit: word in unit.name or word in str(unit.brief.get("description", ""))
    return lambda unit: word in unit.name.lower() or word in str(unit.brief.get("description", "")).lower()


def _has_capital(text: str) -> bool:
    return text != text.lower()


def fuzzy_score(letters: str, name: str) -> int | None:
    """How well `letters` stand in `name` in this order, higher is better; None when they do not.

    Letters side by side, and letters at the beginning of a word, count for more.
    """
    wanted = letters if _has_capital(letters) else letters.lower()
    text = name if _has_capital(letters) else name.lower()
    score, at, last = 0, 0, -2
    for letter in wanted:
        found = text.find(letter, at)
        if found < 0:
            return None
        score += 3 if found == last + 1 else 0
        score += 2 if found == 0 or not text[found - 1].isalnum() else 0
        score -= min(found - at, 3)
        last, at = found, found + 1
    return score


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that decides a choice. `groups` empty: every state."""

    filter: Filter = Filter()
    groups: frozenset[str] = frozenset()
    faults_only: bool = False
    sort: str = "state"
    descending: bool = False

    def fits(self, unit: Unit) -> bool:
        if self.faults_only and not unit.is_fault:
            return False
        if self.groups and unit.look.group not in self.groups:
            return False
        return self.filter.fits(unit)

    @property
    def is_narrowed(self) -> bool:
        return bool(self.filter.text or self.groups or self.faults_only)


Key = tuple[float, str]


def sort_key(unit: Unit, terms: Terms, figures: Figures) -> Key:
    """Where the unit stands. Figures go highest first, a unit without one comes last in either direction; names settle the rest."""
    if terms.sort == "name":
        return (0.0, unit.name)  # turning it round is done on the whole
    if terms.sort == "state":
        return (float(-unit.look.rank if terms.descending else unit.look.rank), unit.name)
    value = _figure(unit, terms.sort, figures)
    if value is None:
        return (float("inf"), unit.name)
    return (value if terms.descending else -value, unit.name)


def _figure(unit: Unit, sort: str, figures: Figures) -> float | None:
    brief = unit.brief
    if sort == "restarts":
        return float(brief.get("n_restarts") or 0)
    if sort == "pid":
        return float(brief.get("main_pid") or 0) or None
    if sort == "uptime":
        # The longest up first: the earliest start has the highest figure.
        since_s = brief.get("active_enter_time_s") if brief.get("active_state") in ("active", "reloading") else None
        return None if since_s is None else -float(since_s)
    usage = figures.get(unit.name)
    if usage is None:
        return None
    return usage.cpu_percent if sort == "cpu" else None if usage.memory_bytes is None else float(usage.memory_bytes)


class Choice:
    """The units that are shown, in order, kept up to date from change to change."""

    def __init__(self, store: UnitStore, figures: Figures) -> None:
        self._store = store
        self._figures = figures
        self._keys: dict[str, Key] = {}
        self.terms = Terms()
        self.names: Sequence[str] = ()

    def set_terms(self, terms: Terms) -> None:
        self.terms = terms
        self.refresh()

    def refresh(self) -> None:
        """Judge every unit anew."""
        self._keys = {unit.name: self._key(unit) for unit in self._store if self.terms.fits(unit)}
        self._order()

    def update(self, changes: Changes, measured: Iterable[str] = ()) -> bool:
        """Judge again what changed, and what was `measured` if the order depends on figures; whether the list is another one now."""
        if changes.is_all:
            before = self.names
            self.refresh()
            return self.names != before
        touched = set(changes.names)
        if self.terms.sort in ("cpu", "memory"):
            touched.update(measured)
        is_other = False
        for name in touched:
            unit = self._store.get(name)
            key = self._key(unit) if unit is not None and self.terms.fits(unit) else None
            if key == self._keys.get(name):
                continue
            is_other = True
            if key is None:
                del self._keys[name]
            else:
                self._keys[name] = key
        if is_other:
            self._order()
        return is_other

    def _key(self, unit: Unit) -> Key:
        return sort_key(unit, self.terms, self._figures)

    def _order(self) -> None:
        keys = self._keys
        reverse = self.terms.sort == "name" and self.terms.descending
        self.names = sorted(keys, key=keys.__getitem__, reverse=reverse)
