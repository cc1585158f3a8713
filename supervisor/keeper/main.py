"""The command `supd`: becomes the keeper, and starts the manager before it does anything else.

It knows no options: the manager parses all of them. Those that are answered and done with need no keeper.
"""

import _signal  # type: ignore[import-not-found]  # signal.py, with enum, would cost milliseconds before the manager is started
import os
import sys

from supervisor.keeper.manager import ENVIRONMENT_VARIABLE, Manager, command

TABLE_VARIABLE = "SUPD_KEEPER_TABLE"  # as in reexec, which is not loaded at an ordinary start
ANSWERED_WITHOUT_KEEPER = frozenset(("--check", "--version", "--help", "-h"))


def _open_standard_descriptors() -> None:
    """A descriptor below 3 that is not open would become a socket of ours, and every service's standard output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open("/dev/null", os.O_RDWR)  # takes the lowest free number, which is this one


def run_keeper(manager_argv: list[str]) -> int:
    """Keep this manager (a whole command line) running until it says leave. Returns supd's exit status."""
    _open_standard_descriptors()
    # Until the loop's handlers stand, signals wait: none of them may end a supd that has just started.
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    manager = Manager(manager_argv)
    manager.start_first()
    # While it boots, the rest is loaded: nothing can be asked of the keeper before.
    from supervisor.keeper.loop import Keeper

    return Keeper(manager).run()


def _go_on(arguments: list[str]) -> int:
    """This process was a keeper already and has exec'd the code now on disk; or it is the trial of that code."""
    from supervisor.keeper import reexec
    from supervisor.keeper.loop import Keeper

    if arguments[:1] == [reexec.TRIAL_ARGUMENT]:
        reexec.run_trial(arguments[1:])
    content = reexec.decode(reexec.read_table())
    soft, hard = content["nofile"]
    return Keeper(Manager(command(arguments), (soft, hard), content["starts"]), content).run()


def main() -> None:
    """Entry point of `supd`."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # Ctrl-C before anything was started ends it without a traceback
    arguments = sys.argv[1:]
    if TABLE_VARIABLE in os.environ:
        sys.exit(_go_on(arguments))
    os.environ.pop(ENVIRONMENT_VARIABLE, None)  # that of another supd, which started this one as a service
    argv = command(arguments)
    if ANSWERED_WITHOUT_KEEPER.intersection(arguments):
        os.execv(argv[0], argv)
    sys.exit(run_keeper(argv))


if __name__ == "__main__":
    main()
