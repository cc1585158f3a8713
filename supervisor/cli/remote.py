"""`supctl -H HOST VERB`: the supctl of the other host is run there by ssh, so its files, its editor and its exit status are those.

Only `tui` is carried out here, over the forwarded socket. ssh takes our place: signals, terminal and exit status are its own, and
255 means that ssh itself failed, as it does everywhere.
"""

import os
import sys

from supervisor.cli.arguments import Arguments, UsageError
from supervisor.cli.verbs import GLOBAL
from supervisor.client.errors import Unreachable


def run(arguments: Arguments) -> int:
    """Never returns where ssh can be run. Raises UsageError, Unreachable."""
    import shlex

    host = arguments.text("host")
    if not host or host.startswith("-"):
        raise UsageError(f"-H needs the name of a host, not {host!r}")
    is_seen = os.isatty(0) and os.isatty(1)
    # The shell of the other host reads one line: each word is quoted for it.
    command = ["ssh", *(["-t"] if is_seen else []), "--", host, shlex.join(words(arguments))]
    sys.stdout.flush()
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        raise Unreachable(f"cannot reach {host}: there is no ssh here; install the OpenSSH client") from None


def words(arguments: Arguments) -> list[str]:
    """The command line once more, without `-H`: what was understood is what is said there."""
    verb = arguments.verb
    assert verb is not None
    made = ["supctl", verb.name]
    for flag in (*verb.flags, *GLOBAL):
        if flag.key == "host" or flag.key not in arguments.options:
            continue
        name = max(flag.names, key=len)
        if flag.many:
            made += [f"{name}={value}" for value in arguments.many(flag.key)]
        else:
            made.append(f"{name}={arguments.text(flag.key)}" if flag.value else name)
    return [*made, *(["--", *arguments.operands] if arguments.operands else [])]
