"""Splits an Exec* line into words exactly as systemd does; no shell is involved and nothing is expanded here.

The rules are those of `systemd.service(5)` ("COMMAND LINES") and of systemd's extract_first_word() with unquoting and C escapes:
blanks separate, both kinds of quote group, a backslash begins a C escape inside and outside of quotes, an unknown escape is kept
as it stands (systemd warns and so do we), `\\;` alone is a semicolon and `;` alone ends a command. A backslash at a line's end joins
the lines with a blank, as in a unit file. `$X` is left for `expansion`, which runs at each spawn; specifiers are given in as a function.
"""

from collections.abc import Callable
from typing import NamedTuple

from supervisor.model.specification import Command

_BLANKS = " \t\n\r"
_SIMPLE_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " ", "\\": "\\", '"': '"', "'": "'"}
_NUMERIC_ESCAPES = {"x": (2, 16), "u": (4, 16), "U": (8, 16)}
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_OCTAL_DIGITS = frozenset("01234567")


class CommandLineError(ValueError):
    """An Exec* line that systemd would refuse; the text is the end of a sentence."""


class SplitCommands(NamedTuple):
    commands: tuple[Command, ...]
    warnings: tuple[str, ...]


class _Word(NamedTuple):
    text: str
    end: int  # where the next word begins
    unknown_escape: str  # "" or the first escape that was kept as it stands


def _no_specifiers(text: str) -> str:
    return text


def _escape(line: str, position: int) -> tuple[bytes, int] | None:
    """The bytes of the C escape whose first character (after the backslash) is at `position`, and where it ends."""
    char = line[position]
    if char in _SIMPLE_ESCAPES:
        return _SIMPLE_ESCAPES[char].encode(), position + 1
    if char in _NUMERIC_ESCAPES:
        length, base = _NUMERIC_ESCAPES[char]
        digits = line[position + 1 : position + 1 + length]
        end = position + 1 + length
    else:
        length, base, digits, end = 3, 8, line[position : position + 3], position + 3
    allowed = _HEX_DIGITS if base == 16 else _OCTAL_DIGITS
    if len(digits) != length or not allowed.issuperset(digits):
        return None
    number = int(digits, base)
    if number == 0 or number > (0xFF if char not in "uU" else 0x10FFFF) or 0xD800 <= number <= 0xDFFF:
        return None
    return (chr(number).encode() if char in "uU" else bytes([number])), end


def _next_word(line: str, position: int) -> _Word | None:
    """The word at or after `position`, None when only blanks are left. Raises CommandLineError for an open quote."""
    while position < len(line) and line[position] in _BLANKS:
        position += 1
    if position >= len(line):
        return None
    out = bytearray()
    quote = ""
    unknown = ""
    while position < len(line):
        char = line[position]
        if char == "\\":
            escape = _escape(line, position + 1) if position + 1 < len(line) else None
            if escape:
                out += escape[0]
                position = escape[1]
            else:
                unknown = unknown or line[position : position + 2]
                out += line[position : position + 2].encode("utf-8", "surrogateescape")
                position = min(position + 2, len(line))
            continue
        if quote:
            if char == quote:
                quote = ""
            else:
                out += char.encode("utf-8", "surrogateescape")
        elif char in "'\"":
            quote = char
        elif char in _BLANKS:
            break
        else:
            out += char.encode("utf-8", "surrogateescape")
        position += 1
    if quote:
        raise CommandLineError(f"the quote {quote} is opened and never closed")
    while position < len(line) and line[position] in _BLANKS:
        position += 1
    return _Word(out.decode("utf-8", "surrogateescape"), position, unknown)


def split_words(text: str) -> list[str]:
    """Words of a string by the same rules, unknown escapes kept. Raises CommandLineError."""
    words = []
    word = _next_word(text, 0)
    while word:
        words.append(word.text)
        word = _next_word(text, word.end)
    return words


class _Program(NamedTuple):
    path: str
    has_own_argv0: bool
    ignores_failure: bool
    is_verbatim: bool
    privilege: str


def _program(word: str, expand: Callable[[str], str], *, allows_relative: bool) -> _Program:
    """Read the prefixes and the program's path from the first word of a command."""
    position = 0
    seen: set[str] = set()
    privilege = ""
    for char in word:
        if char in "-@:" and char not in seen:
            seen.add(char)
        elif char == "+" and not privilege:
            privilege = "+"
        elif char == "!" and privilege in ("", "!"):
            privilege += "!"
        else:
            break
        position += 1
    path = expand(word[position:])
    if not path:
        raise CommandLineError("no program is named")
    if any(ord(char) < 32 or char in "\x7f\\'\"" for char in path):
        raise CommandLineError("the program's name contains quotes, backslashes or control characters")
    if path.endswith("/"):
        raise CommandLineError(f'"{path}" is a directory, not a program')
    is_relative = "/" in path and not path.startswith("/")
    if path in (".", "..") or (is_relative and (not allows_relative or path[0] in "-@:+!")):
        raise CommandLineError(f'"{path}" is neither a bare program name nor an absolute path')
    # "!!" lifts user and group only where the kernel has no ambient capabilities; every kernel since 4.3 has them.
    return _Program(path, "@" in seen, "-" in seen, ":" in seen, "" if privilege == "!!" else privilege)


def simplified(path: str) -> str:
    """The path without empty and "." parts, as systemd's path_simplify(); a leading "./" of a relative path stays."""
    if "/" not in path:
        return path
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/"):
        return "/" + "/".join(parts)
    return "./" + "/".join(parts)


def split_commands(line: str, expand: Callable[[str], str] = _no_specifiers, *, allows_relative: bool = False) -> SplitCommands:
    """The commands of one Exec* value, in order; none for an empty one.

    `expand` resolves specifiers in one word and may raise ValueError; `allows_relative` admits "./program" (project mode). Raises
    CommandLineError (or what `expand` raises) for what systemd would refuse.
    """
    line = line.replace("\\\n", " ")
    if "\0" in line:
        raise CommandLineError("it contains a NUL character")
    commands: list[Command] = []
    warnings: list[str] = []
    position = 0
    while first := _next_word(line, position):
        position = first.end
        if first.text == ";":
            continue
        program = _program(first.text, expand, allows_relative=allows_relative)
        argv = [] if program.has_own_argv0 else [program.path]
        unknown = first.unknown_escape
        while position < len(line):
            word_end = position + 1
            if line[position] == ";" and (word_end == len(line) or line[word_end] in _BLANKS):
                position = word_end
                break
            if line.startswith("\\;", position) and (position + 2 == len(line) or line[position + 2] in _BLANKS):
                argv.append(";")
                position += 2
                while position < len(line) and line[position] in _BLANKS:
                    position += 1
                continue
            word = _next_word(line, position)
            if word is None:
                break
            argv.append(expand(word.text))
            unknown = unknown or word.unknown_escape
            position = word.end
        if not argv or not argv[0]:
            raise CommandLineError("the prefix @ needs a word after the program: the name the program is to see")
        if unknown:
            warnings.append(f"the escape {unknown} is unknown and kept as it stands; write the backslash twice to mean one")
        commands.append(Command(simplified(program.path), tuple(argv), program.ignores_failure, program.is_verbatim, program.privilege))
    return SplitCommands(tuple(commands), tuple(warnings))
