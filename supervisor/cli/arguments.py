"""The command line, read by the verb table: no argparse, which alone would cost more than a whole `supctl status`.

A mistake is one line that names the nearest match, and exit status 2.
"""

from supervisor.cli.verbs import BY_NAME, GLOBAL, Flag, Verb
from supervisor.model.errors import SupdError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from typing import Any


class UsageError(SupdError):
    """The command line cannot be understood. `str()` is the one line to print."""


class Arguments:
    """What was asked: the verb, its operands, and its options by the keys of the table."""

    __slots__ = ("operands", "options", "verb")

    def __init__(self, verb: Verb | None) -> None:
        self.verb = verb
        self.operands: list[str] = []
        self.options: dict[str, Any] = {}

    def has(self, key: str) -> bool:
        """Whether a switch is on."""
        return bool(self.options.get(key))

    def text(self, key: str, default: str = "") -> str:
        return str(self.options.get(key, default))

    def number(self, key: str, default: int) -> int:
        return int(self.options.get(key, default))

    def many(self, key: str) -> list[str]:
        return list(self.options.get(key, ()))

    @property
    def is_json(self) -> bool:
        return self.has("json")


def read(argv: list[str]) -> Arguments:
    """Options may stand before or after operands; `--` ends them. Raises UsageError."""
    arguments = Arguments(None)
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            arguments.operands += words
            break
        if len(word) > 1 and word[0] == "-":
            _option(arguments, word, words)
        elif arguments.verb is None:
            if word not in BY_NAME:
                raise UsageError(f"there is no verb {word!r}{_nearest(word, BY_NAME)}; `supctl help` lists the verbs")
            arguments.verb = BY_NAME[word]
        else:
            arguments.operands.append(word)
    if arguments.verb is not None and not arguments.has("help"):
        _check_count(arguments, arguments.verb)
    return arguments


def words(arguments: Arguments, without: "Container[str]" = ()) -> list[str]:
    """The command line once more, as `read` would read the same from it; `without` the options of these keys."""
    verb = arguments.verb
    assert verb is not None
    made = [verb.name]
    for flag in (*verb.flags, *GLOBAL):
        if flag.key in without or flag.key not in arguments.options:
            continue
        name = max(flag.names, key=len)
        if flag.many:
            made += [f"{name}={value}" for value in arguments.many(flag.key)]
        else:
            made.append(f"{name}={arguments.text(flag.key)}" if flag.value else name)
    return [*made, *(["--", *arguments.operands] if arguments.operands else [])]


def _option(arguments: Arguments, word: str, rest: list[str]) -> None:
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        flag = _flag(arguments.verb, name)
        if flag.value:
            _keep(arguments, flag, name, value if equals else _value(flag, name, rest))
        elif equals:
            raise UsageError(f"{name} takes no value")
        else:
            arguments.options[flag.key] = True
        return
    letters = word[1:]
    while letters:
        name, letters = "-" + letters[0], letters[1:]
        flag = _flag(arguments.verb, name)
        if flag.value:
            _keep(arguments, flag, name, letters or _value(flag, name, rest))
            return
        arguments.options[flag.key] = True


def _value(flag: Flag, name: str, rest: list[str]) -> str:
    if not rest:
        raise UsageError(f"{name} needs a value: {name} {flag.value}")
    return rest.pop(0)


def _flag(verb: Verb | None, name: str) -> Flag:
    flags = GLOBAL if verb is None else (*verb.flags, *GLOBAL)
    for flag in flags:
        if name in flag.names:
            return flag
    known = [other for flag in flags for other in flag.names]
    if verb is None:
        raise UsageError(f"there is no option {name}{_nearest(name, known)}; a verb's own options stand after the verb")
    raise UsageError(f"{verb.name} has no option {name}{_nearest(name, known)}; `supctl help {verb.name}` lists them")


def _keep(arguments: Arguments, flag: Flag, name: str, value: str) -> None:
    if flag.choices and value not in flag.choices:
        raise UsageError(f"{name} must be one of {', '.join(flag.choices)}, not {value!r}{_nearest(value, flag.choices)}")
    if flag.is_number and not (value.isascii() and value.isdigit() and len(value) < 10):
        raise UsageError(f"{name} needs a number, not {value!r}")
    if flag.many:
        arguments.options.setdefault(flag.key, []).extend(value.split(",") if flag.value in ("STATE", "NAME") else [value])
    else:
        arguments.options[flag.key] = int(value) if flag.is_number else value


def _check_count(arguments: Arguments, verb: Verb) -> None:
    count = len(arguments.operands)
    if verb.most is not None and count > verb.most:
        extra = arguments.operands[verb.most]
        raise UsageError(f"{verb.name} takes no argument {extra!r}; usage: {usage(verb)}")
    if verb.takes in ("unit", "template") and "" in (*arguments.operands, *arguments.many("unit")):
        raise UsageError(f"{verb.name} was given an empty name (a variable that is not set?); usage: {usage(verb)}")
    least = 1 if verb.operands.startswith("UNIT") and not arguments.many("state") and verb.least == 0 else verb.least
    if count < least:
        raise UsageError(f"{verb.name} needs {verb.operands}; usage: {usage(verb)}")


def usage(verb: Verb) -> str:
    """ "supctl start [OPTIONS] UNIT..." """
    return " ".join(["supctl", verb.name, *(["[OPTIONS]"] if verb.flags else []), *([verb.operands] if verb.operands else [])])


def _nearest(word: str, known: "Iterable[str]") -> str:
    from difflib import get_close_matches  # an error has the time

    by_letters = {name.lstrip("-"): name for name in known}  # that both begin with dashes makes them no more alike
    found = get_close_matches(word.lstrip("-"), list(by_letters), 1, 0.5) if len(word) > 2 else []  # a wrong letter is near to nothing
    return f" (did you mean {by_letters[found[0]]!r}?)" if found else ""
