"""What is wrong with unit files, as values: collected, never raised one by one, so that a person sees all of it at once."""

from dataclasses import dataclass

_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error or warning. `key` is "service.restart", or "" for the file as a whole; `line` is 0 where no line can be named."""

    file: str
    line: int
    key: str
    message: str
    hint: str = ""

    def text(self, directory: str = "") -> str:
        """`web.toml:12: service.restart: expected ..., got "allways" (did you mean "always"?)`, one line that no terminal obeys.

        Paths below `directory` are shortened.
        """
        file = self.file.removeprefix(f"{directory.rstrip('/')}/") if directory else self.file
        place = ":".join(part for part in (file, str(self.line) if self.line else "") if part)
        body = f"{self.key}: {self.message}" if self.key else self.message
        hint = f" ({self.hint})" if self.hint else ""
        return printable(f"{place}: {body}{hint}" if place else body + hint)

    def json(self) -> dict[str, str | int]:
        """The object of `supctl verify --json`."""
        return {"file": self.file, "line": self.line, "key": self.key, "message": self.message, "hint": self.hint}


class Mistake(ValueError):
    """A value that a key cannot have. `str()` goes behind the key's name; `hint` ends in parentheses behind it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def printable(text: str) -> str:
    """The text with whatever is no printable character written as TOML writes it."""
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else _ESCAPES.get(char) or f"\\u{ord(char):04x}" for char in text])


def shown(value: object) -> str:
    """A value as a person wrote it in TOML, shortened: strings in double quotes, true and false in lower case."""
    if isinstance(value, str):
        text = value if len(value) <= 60 else f"{value[:57]}..."
        return '"' + printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an empty list" if not value else "a list"
    return str(value)


def did_you_mean(word: str, known: list[str]) -> str:
    """'did you mean "always"?' for the nearest known word, "" when none is near."""
    from difflib import get_close_matches  # only ever needed when something is wrong

    near = get_close_matches(word, known, n=1, cutoff=0.6) or get_close_matches(word.lower(), known, n=1, cutoff=0.7)
    return f'did you mean "{near[0]}"?' if near else ""
