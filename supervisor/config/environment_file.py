"""Reads an EnvironmentFile: text to pairs, exactly as systemd's load_env_file() (`systemd.exec(5)`, SEMANTICS 5.8).

Unquoted values lose blanks at both ends; a backslash quotes the next character and joins lines; single quotes are verbatim; in
double quotes only `\\" \\\\ \\` \\$` and backslash-newline are escapes; both may span lines. No variable is expanded and no shell is
asked. Assignments whose name is not a valid variable name are dropped and reported.
Imports nothing: the manager calls this before each exec.
"""

_NEWLINES = "\n\r"
_BLANKS = " \t\n\r"
_COMMENTS = "#;"
_ESCAPED_IN_DOUBLE_QUOTES = '"\\`$'


class EnvironmentFileError(ValueError):
    """The text is none that systemd would read; the message is the end of a sentence."""


def is_name(name: str) -> bool:
    """Whether a variable may have this name: ASCII letters, digits and _, no digit first (systemd's env_name_is_valid())."""
    return name.isascii() and name.isidentifier()


def decode(raw: bytes) -> str:
    """The file's bytes as text. Raises EnvironmentFileError for what is not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise EnvironmentFileError(f"line {line} is not UTF-8") from None


def parse(text: str, rejected: list[str] | None = None) -> list[tuple[str, str]]:
    """The assignments in order, the last value of a name only. `rejected` receives the names that cannot be variables.

    Raises EnvironmentFileError for a NUL character, with which systemd refuses the whole file.
    """
    if "\0" in text:
        raise EnvironmentFileError(f"line {text.count(chr(10), 0, text.index(chr(0))) + 1} contains a NUL character")
    pairs: dict[str, str] = {}
    for name, value in _assignments(text):
        if is_name(name):
            pairs.pop(name, None)
            pairs[name] = value
        elif rejected is not None:
            rejected.append(name)
    return list(pairs.items())


def _assignments(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char in _BLANKS:
            position += 1
        elif char in _COMMENTS:
            position = _after_comment(text, position)
        else:
            end = position + 1  # systemd takes the first character for the name's, even if it is "="
            while end < len(text) and text[end] != "=" and text[end] not in _NEWLINES:
                end += 1
            if end == len(text) or text[end] != "=":
                position = end
                continue
            value, after = _value(text, end + 1)
            found.append((text[position:end].rstrip(_BLANKS), value))
            position = after
    return found


def _after_comment(text: str, position: int) -> int:
    """Where the comment ends. A backslash does not join the next line to it (systemd since 254)."""
    while position < len(text) and text[position] not in _NEWLINES:
        position += 1
    return position


def _value(text: str, position: int) -> tuple[str, int]:
    """The value that begins at `position`, and where it ends: quoted pieces first, then a bare rest in which quotes mean nothing."""
    out: list[str] = []
    while position < len(text):
        char = text[position]
        if char in _NEWLINES:
            return "".join(out), position
        if char == "'":
            close = text.find("'", position + 1)
            close = len(text) if close < 0 else close
            out.append(text[position + 1 : close])
            position = close + 1
        elif char == '"':
            piece, position = _double_quoted(text, position + 1)
            out.append(piece)
        elif char in _BLANKS:
            position += 1
        else:
            bare, position = _bare(text, position)
            return "".join(out) + bare, position
    return "".join(out), position


def _double_quoted(text: str, position: int) -> tuple[str, int]:
    out: list[str] = []
    while position < len(text):
        char = text[position]
        position += 1
        if char == '"':
            break
        if char == "\\" and position < len(text):
            following = text[position]
            position += 1
            if following in _ESCAPED_IN_DOUBLE_QUOTES:
                out.append(following)
            elif following != "\n":
                out.append(char + following)
        elif char != "\\":
            out.append(char)
    return "".join(out), position


def _bare(text: str, position: int) -> tuple[str, int]:
    """The unquoted rest of a value: blanks at its end are dropped unless a backslash stands before them."""
    out: list[str] = []
    kept = 0
    while position < len(text) and text[position] not in _NEWLINES:
        char = text[position]
        position += 1
        if char == "\\":
            if position < len(text) and text[position] not in _NEWLINES:
                out.append(text[position])
            position += 1
            kept = len(out)
        else:
            out.append(char)
            if char not in _BLANKS:
                kept = len(out)
    return "".join(out[:kept]), position
