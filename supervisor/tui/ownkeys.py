"""A person's own keys: what `keys.toml` says, what it then means for the keys that were there before, and what is wrong with it. Pure.

The file is `"unit.stop" = "ctrl+x"` or a list of keys, at the top or below [keys]. Laws:
- A mistake costs the line it is in, never the screen: the other lines hold, and each mistake is told with file and key.
- A key that a person gave to one action is taken from any other that it reaches at the same time; that is told too, with what is left
  to the other. Where two actions are never reached together (a log's and a list's), one key may do both.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

NO_KEY = "<ignore>"  # what an action is bound to that has no key any more: no terminal sends it

Place = Mapping[str, Sequence[str]]  # the names of actions whose keys are reached at the same time, each with its keys
KeyName = Callable[[str], tuple[str, str]]  # (the name under which a key is known, "" if there is none; the one that may be meant)


def read_keys(path: str, places: Collection[Place], key_name: KeyName) -> tuple[dict[str, str], list[str]]:
    """(keys by the names of actions, "key,other", for all that are not as they were; what is wrong, one sentence each).

    No file is no mistake.
    """
    import tomllib  # not for the many who have no such file

    try:
        with open(path, "rb") as file:
            table: Mapping[str, Any] = tomllib.load(file)
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError) as error:
        return {}, [f"cannot read {path}: {error}"]
    actions = {action for place in places for action in place}
    own: dict[str, list[str]] = {}
    faults: list[str] = []
    section = table.get("keys")
    entries = _flat({**{name: value for name, value in table.items() if name != "keys"}, **(section if isinstance(section, dict) else {})})
    for action, value in entries.items():
        chosen = [value] if isinstance(value, str) else value
        if action not in actions:
            faults.append(f"{path}: there is no action {action!r}{_meant(action, actions)}")
        elif not isinstance(chosen, list) or not chosen or not all(isinstance(key, str) and key for key in chosen):
            faults.append(f'{path}: {action} needs a key or a list of keys, as in "ctrl+x"')
        else:
            keys, strangers = _known(chosen, key_name)
            faults += [f"{path}: {action}: there is no key {key!r}{_guess(near)}" for key, near in strangers]
            if keys:
                own[action] = keys
    changed, clashes = _settled(own, places)
    return {action: ",".join(keys) or NO_KEY for action, keys in changed.items()}, [*faults, *[f"{path}: {one}" for one in clashes]]


def _known(chosen: Iterable[str], key_name: KeyName) -> tuple[list[str], list[tuple[str, str]]]:
    """(the names of keys that there are, those that there are not, each with the one that may be meant)."""
    keys: list[str] = []
    strangers: list[tuple[str, str]] = []
    for key in chosen:
        name, near = key_name(key)
        if name:
            keys.append(name)
        else:
            strangers.append((key, near))
    return list(dict.fromkeys(keys)), strangers


def _settled(own: Mapping[str, list[str]], places: Collection[Place]) -> tuple[dict[str, list[str]], list[str]]:
    """(the keys of every action that has others now, what is to be told of it): no key is left to two actions in one place."""
    changed = {action: list(keys) for action, keys in own.items()}
    told: list[str] = []
    for place in places:
        for action in [action for action in place if action in own]:
            for key in own[action]:
                told += [f"{key} is both {first} and {second}" for first, second in _twins(place, own, action, key)]
                for other in [other for other in place if other not in own and key in changed.get(other, place[other])]:
                    left = changed[other] = [one for one in changed.get(other, place[other]) if one != key]
                    told.append(f"{key} is {action} now; {other} {'keeps ' + ' and '.join(left) if left else 'has no key any more'}")
    return changed, list(dict.fromkeys(told))


def _twins(place: Place, own: Mapping[str, list[str]], action: str, key: str) -> Iterable[tuple[str, str]]:
    """Pairs of this action and another to which the person gave the same key; each pair once."""
    names = list(own)
    return [(action, other) for other in names[names.index(action) + 1 :] if other in place and key in own[other]]


def _flat(table: Mapping[str, Any], lead: str = "") -> dict[str, Any]:
    """TOML reads an unquoted `unit.stop` as a table in a table: the same is meant."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        found.update(_flat(value, f"{lead}{name}.") if isinstance(value, dict) else {lead + name: value})
    return found


def _meant(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(word, list(known), 1, 0.6)
    return _guess(found[0] if found else "")


def _guess(word: str) -> str:
    return f" (did you mean {word!r}?)" if word else ""
