"""Replaces `$X`, `${X}` and `$$` in the words of a command, at each spawn, with the environment of that very process.

The rules are those of `systemd.service(5)` ("COMMAND LINES") and of systemd's replace_env_argv(): a word that is `$X` as a whole is
split at blanks into any number of words, none included; `${X}` inside a word is one piece; `$$` is `$`; what is not set is empty;
any other `$` stands for itself. No shell, no default values, no nesting. Imports nothing heavy: the manager calls this at every spawn.
"""

from collections.abc import Mapping

from supervisor.model.specification import Command

_BLANKS = " \t\n\r"


def expand(command: Command, environment: Mapping[str, str]) -> list[str]:
    """The argv of `command`. It may be empty when every word was a variable that is not set."""
    if command.is_verbatim:
        return list(command.argv)
    argv: list[str] = []
    for word in command.argv:
        if "$" not in word:
            argv.append(word)
        elif word[0] == "$" and word[1:2] not in ("{", "$"):
            argv.extend(_relaxed_words(environment.get(word[1:], "")))
        else:
            argv.append(_replace(word, environment))
    return argv


def _replace(word: str, environment: Mapping[str, str]) -> str:
    """`word` with `${X}` and `$$` replaced; a brace that holds a colon, or never closes, stands as it is."""
    out: list[str] = []
    position = 0
    while position < len(word):
        dollar = word.find("$", position)
        if dollar < 0:
            break
        out.append(word[position:dollar])
        following = word[dollar + 1 : dollar + 2]
        if following == "$":
            out.append("$")
            position = dollar + 2
        elif following == "{":
            close = word.find("}", dollar)
            colon = word.find(":", dollar, close if close >= 0 else len(word))
            if close >= 0 and colon < 0:
                out.append(environment.get(word[dollar + 2 : close], ""))
                position = close + 1
            else:
                # systemd goes on after the colon: a variable further on in the word is still replaced.
                position = colon + 1 if colon >= 0 else len(word)
                out.append(word[dollar:position])
        else:
            out.append(word[dollar : dollar + 2])
            position = dollar + 2
    out.append(word[position:])
    return "".join(out)


def _relaxed_words(text: str) -> list[str]:
    """A variable's value split at blanks: quotes group, a backslash quotes the next character, an open quote ends with the text."""
    words: list[str] = []
    position = 0
    while True:
        while position < len(text) and text[position] in _BLANKS:
            position += 1
        if position >= len(text):
            return words
        out: list[str] = []
        quote = ""
        while position < len(text):
            char = text[position]
            position += 1
            if char == "\\":
                out.append(text[position : position + 1])
                position += 1
            elif quote:
                if char == quote:
                    quote = ""
                else:
                    out.append(char)
            elif char in "'\"":
                quote = char
            elif char in _BLANKS:
                break
            else:
                out.append(char)
        words.append("".join(out))
