"""`supctl -H HOST VERB`: the supctl of the other host is run there by ssh, so its files, its editor and its exit status are those.

Only `tui` is carried out here, over the forwarded socket. ssh takes our place: signals, terminal and exit status are its own, and
255 means that ssh itself failed, as it does everywhere.
"""

import os
import sys

from supervisor.cli.arguments import Arguments, UsageError, words
from supervisor.client.errors import Unreachable


def run(arguments: Arguments) -> int:
    """Never returns where ssh can be run. Raises UsageError, Unreachable."""
    import shlex

    host = arguments.text("host")
    if not host or host.startswith("-"):
        raise UsageError(f"-H needs the name of a host, not {host!r}")
    is_seen = os.isatty(0) and os.isatty(1)
    # The shell of the other host reads one line: each word is quoted for it.
    command = ["ssh", *(["-t"] if is_seen else []), "--", host, shlex.join(["supctl", *words(arguments, without=("host",))])]
    sys.stdout.flush()
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        raise Unreachable(f"cannot reach {host}: there is no ssh here; install the OpenSSH client") from None
