"""`supctl __complete WORD... CURRENT`: what may stand where the cursor is, for the shells' completion.

Decides by the verb table alone what kind of word comes next: a verb, an option, a value of an option, a unit, a file. Units are asked of
supd by the way every fast verb takes, with a second of patience. It never prints an error and never fails: whoever presses the tab key
wants candidates or nothing.

What is printed: one candidate a line, a tab, and what it means; or a line that is FILES alone, when the shell's own file names belong here.
"""

import os
import sys

from supervisor.cli.verbs import BY_NAME, GLOBAL, THEMES, VERBS, Flag, Verb
from supervisor.model.errors import SupdError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.client.api import Client

    Candidates = list[tuple[str, str]]

FILES = ":files"
PATIENCE_S = 1.0

# The units that a verb can do something to, by active state; every unit for a verb that is not named here.
_ON_WHAT_RUNS = ("active", "activating", "reloading", "deactivating")
_STATES = {
    "start": ("inactive", "failed"),
    "stop": _ON_WHAT_RUNS,
    "try-restart": _ON_WHAT_RUNS,
    "reload": ("active", "reloading"),
    "kill": _ON_WHAT_RUNS,
}
_UNIT_STATES = ("active", "inactive", "failed", "activating", "deactivating", "reloading", "running", "dead", "masked", "bad-setting")


def main(words: list[str]) -> int:
    """Print the candidates for the last of `words` (those after `supctl`); the exit status, always 0."""
    import signal

    usual = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        lines = [candidate + ("\t" + meaning if meaning else "") for candidate, meaning in candidates(words)]
    except (SupdError, OSError, ValueError):
        return 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
    sys.stdout.write("".join([line + "\n" for line in lines]))
    return 0


class _Impatience(OSError):
    """supd did not answer while a person would wait for a key."""


def _give_up(number: int, frame: object) -> None:
    raise _Impatience


def candidates(words: list[str]) -> "Candidates":
    """The candidates for the last word, which may be empty or begun, with their meanings. Raises SupdError when supd does not answer."""
    *before, current = words or [""]
    line = _Line(before)
    if line.open_flag is not None:
        found = _values(line, line.open_flag)
    elif line.is_ended or not current.startswith("-"):
        found = _operands(line) if line.has_verb else _verbs()
    elif current.startswith("--") and "=" in current:
        name = current.partition("=")[0]
        flag = _flag(line.verb, name)
        found = [(f"{name}={value}", meaning) for value, meaning in _values(line, flag) if value != FILES] if flag else []
    else:
        found = [(name, flag.help) for flag in _flags(line.verb) for name in flag.names if flag.many or flag.key not in line.given]
    return [(text, meaning) for text, meaning in found if text == FILES or text.startswith(current)]


class _Line:
    """The finished words, as far as completion must understand them; what is wrong in them is left for `supctl` to say."""

    def __init__(self, words: list[str]) -> None:
        self.verb: Verb | None = None
        self.has_verb = False  # a verb was written, if perhaps one that does not exist
        self.operands: list[str] = []
        self.given: dict[str, str] = {}
        self.open_flag: Flag | None = None  # an option that still waits for its value
        self.is_ended = False  # "--" was there
        for word in words:
            self._take(word)

    def _take(self, word: str) -> None:
        if self.open_flag is not None:
            self.given[self.open_flag.key] = word
            self.open_flag = None
        elif word == "--" and not self.is_ended:
            self.is_ended = True
        elif word.startswith("-") and word != "-" and not self.is_ended:
            name, equals, value = word.partition("=")
            flag = _flag(self.verb, name)
            if flag is not None:
                self.given[flag.key] = value
                self.open_flag = flag if flag.value and not equals else None
        elif self.has_verb:
            self.operands.append(word)
        else:
            self.has_verb = True
            self.verb = BY_NAME.get(word)


def _flags(verb: Verb | None) -> tuple[Flag, ...]:
    return GLOBAL if verb is None else (*verb.flags, *GLOBAL)


def _flag(verb: Verb | None, name: str) -> Flag | None:
    return next((flag for flag in _flags(verb) if name in flag.names), None)


def _verbs() -> "Candidates":
    return [(verb.name, verb.summary) for verb in VERBS]


def _values(line: _Line, flag: Flag) -> "Candidates":
    """What may stand as the value of an option."""
    if flag.choices:
        return [(choice, "") for choice in flag.choices]
    if flag.value == "UNIT":
        return _units(line, ())
    if flag.value == "STATE":
        return [(state, "") for state in _UNIT_STATES]
    if flag.value == "SIGNAL":
        from supervisor.model.exitstatus import SIGNAL_NUMBERS

        return [(name, "") for name in SIGNAL_NUMBERS]
    if flag.value == "THEME":
        return [(theme, "") for theme in THEMES]
    return [(FILES, "")] if flag.value == "PATH" else []


def _operands(line: _Line) -> "Candidates":
    verb = line.verb
    if verb is None or (verb.most is not None and len(line.operands) >= verb.most):
        return []
    if verb.takes == "unit":
        return _units(line, _STATES.get(verb.name, ()))
    if verb.takes == "template":
        return [] if line.operands else _templates(line)
    if verb.takes == "job":
        return [(str(job["id"]), f"{job['type']} {job['unit']}") for job in _client(line).jobs() if str(job["id"]) not in line.operands]
    if verb.takes == "verb":
        return _verbs()
    if verb.takes == "shell":
        from supervisor.cli.completion import SCRIPTS

        return [(shell, "") for shell in SCRIPTS]
    return [(FILES, "")] if verb.takes == "file" else []


def _client(line: _Line) -> "Client":
    from supervisor.client import discovery
    from supervisor.client.api import Client
    from supervisor.client.errors import NoDaemon

    if "host" in line.given:
        raise NoDaemon("a key is not worth a connection to another host")
    search = discovery.find(line.given.get("socket") or None, os.environ)
    if search.place is None:
        raise NoDaemon("no supd was found")
    return Client(search.place)


def _units(line: _Line, states: tuple[str, ...]) -> "Candidates":
    """Units not named yet, each with its state and description. A line feed in a description would make a candidate of the rest."""
    from supervisor.client.terminal import neutralise

    found = []
    for unit in _client(line).units(states=states):
        if unit["id"] not in line.operands:
            meaning = f"{unit['active_state']}  {unit['description']}".rstrip()
            found.append((str(unit["id"]), neutralise(" ".join(meaning.split("\n"))).replace("\t", " ")))
    return found


def _templates(line: _Line) -> "Candidates":
    names = [str(unit["id"]) for unit in _client(line).units(["*@*"])]
    return [(name, "") for name in dict.fromkeys(name.partition("@")[0] for name in names)]
