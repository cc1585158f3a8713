"""Run as a program: `python -I -S tether.py PARENT COMMAND...` becomes COMMAND, which ends when PARENT does, however that ends.

The kernel sends SIGTERM when the thread that started us ends (PR_SET_PDEATHSIG outlives exec). Done in a program of its own and not
between fork and exec of the caller, who may have threads. The terminal's keys (Ctrl-C, Ctrl-\\) are PARENT's alone: what he shows there,
an editor or a pager, must not cost him COMMAND.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_NOT_FOUND = 127  # as shells have it


def main(argv: list[str]) -> int:
    """Never returns when COMMAND could be run; else its errno is said and the status is 127."""
    parent, command = int(argv[1]), argv[2:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    if os.getppid() != parent:
        return 0  # it had ended before we asked to be told
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {os.strerror(error.errno or 0)}\n")
    return _NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv))
