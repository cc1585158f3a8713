"""The command line of `supd`: a table of flags, parsed by hand because argparse would delay the first spawn.

supd [--units DIR]... [--state DIR] [--runtime DIR] [--socket PATH] [--socket-group G]
     [--target NAME] [--on-change apply|load] [--check] [--log-level L] [--version]
"""

from dataclasses import dataclass, field

USAGE = """\
supd - supervise what the unit files say

usage: supd [options]

  --units DIR          read unit files from DIR (may be repeated; the first wins); this is project mode
  --state DIR          keep state and logs in DIR
  --runtime DIR        keep sockets in DIR
  --socket PATH        the control socket
  --socket-group G     members of group G may use the control socket
  --target NAME        start NAME instead of everything that is enabled
  --on-change WHAT     apply or load: what a changed unit file does by default
  --check              check the unit files, print every error, and leave with 0 or 1
  --log-level LEVEL    error, warning, info or debug
  --version            print the version

Without --units: ./units if it is yours (never as root), else your own or the system's unit directories.
`supctl help` shows how to talk to a running supd.
"""
VALUED = ("--units", "--state", "--runtime", "--socket", "--socket-group", "--target", "--on-change", "--log-level")
CHOICES = {"--on-change": ("apply", "load"), "--log-level": ("error", "warning", "info", "debug")}
PLAIN = ("--check", "--version", "--help")


class UsageError(Exception):
    """The command line is not understood; the text says what and what would be."""


@dataclass(slots=True)
class Options:
    units: list[str] = field(default_factory=list)
    state: str = ""
    runtime: str = ""
    socket: str = ""
    socket_group: str = ""
    target: str = ""
    on_change: str = ""
    log_level: str = "info"
    check: bool = False
    version: bool = False
    help: bool = False


def parse(arguments: list[str]) -> Options:
    """The options; raises UsageError with a sentence."""
    options = Options()
    waiting = arguments[::-1]
    while waiting:
        word = waiting.pop()
        flag, equals, value = word.partition("=")
        if word == "-h":
            flag = "--help"
        if flag in PLAIN and not equals:
            _set(options, flag, True)
        elif flag in VALUED:
            if not equals:
                if not waiting:
                    raise UsageError(f"{flag} needs a value")
                value = waiting.pop()
            if flag in CHOICES and value not in CHOICES[flag]:
                raise UsageError(f'{flag}: expected one of {", ".join(CHOICES[flag])}, got "{value}"')
            if not value:
                raise UsageError(f"{flag} needs a value that is not empty")
            _set(options, flag, value)
        else:
            raise UsageError(_unknown(word))
    return options


def _set(options: Options, flag: str, value: str | bool) -> None:
    if flag == "--units":
        options.units.append(str(value))
    else:
        setattr(options, flag[2:].replace("-", "_"), value)


def _unknown(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word.partition("=")[0], (*VALUED, *PLAIN), 1)
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    return f'supd knows no "{word}"{hint}; `supd --help` shows what it knows'
