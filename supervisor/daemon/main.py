"""The manager's start: from the command line to a manager that comes up (`boot`), and from there to its loop.

Unit files that must be read are read by another process while this one imports what it needs. A start that cannot be (bad arguments,
another supd here) leaves with EX_CONFIG, and the keeper with it.
"""

import os
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from supervisor import __version__
from supervisor.config.aside import Loading
from supervisor.daemon import options as opts
from supervisor.daemon import place, recovery
from supervisor.daemon.link import KeeperLink, LinkClosed
from supervisor.model.errors import SupdError

if TYPE_CHECKING:
    from supervisor.config.mode import Mode

TRIAL_VARIABLE = "SUPD_MANAGER_TRIAL"  # as in keeper.reexec, which a boot does not load
EX_CONFIG = 78  # sysexits.h: the keeper does not start us again
EX_USAGE = 64  # sysexits.h: nor with these arguments
USAGE_STATUS = 2  # what a person's shell sees of it
LEAVE_FLUSH_S = 5.0


def main() -> None:
    """Entry point of the manager."""
    try:
        options = opts.parse(sys.argv[1:])
    except opts.UsageError as error:
        _die(str(error), EX_USAGE if _has_keeper() else USAGE_STATUS)
    if options.help:
        sys.stdout.write(opts.USAGE)
        return
    if options.version:
        sys.stdout.write(f"supd {__version__}\n")
        return
    try:
        mode = place.choose(options, os.environ, os.getcwd())
        if options.check:
            sys.exit(_check(mode))
        if TRIAL_VARIABLE in os.environ:
            from supervisor.daemon import trial

            sys.exit(trial.run(mode))
        link = KeeperLink.from_environment()
        if link is None:
            _die("the manager is started by the keeper: run `supd`", USAGE_STATUS)
        sys.exit(_manage(options, mode, link))
    except SupdError as error:
        _die(str(error), EX_CONFIG if not options.check else 1)
    except LinkClosed:
        os._exit(1)  # the keeper is gone; what runs, runs on, and the next supd finds it


def _has_keeper() -> bool:
    return "SUPD_KEEPER_FDS" in os.environ


def _die(text: str, status: int) -> NoReturn:
    try:
        os.write(2, f"supd: {text}\n".encode("utf-8", "replace"))
    except OSError:
        pass  # whoever read it is gone; the status must still reach the keeper, or it would start us again for ever
    os._exit(status)


def _check(mode: "Mode") -> int:
    from supervisor.config.check import check

    result = check(mode)
    sys.stdout.write(result.text(os.getcwd()) + "\n")
    return 0 if result.is_good else 1


def _manage(options: opts.Options, mode: "Mode", link: KeeperLink) -> int:
    """Boot or take over, then serve until there is nothing left to manage. Returns the exit status."""
    started_s = time.time()
    has_booted = recovery.BOOTED_KEY in link.table["remembered"]  # else a manager before this one died while it booted, or there was none
    loading = None
    if not has_booted:
        place.prepare(mode)
        loading = Loading(mode)
    from supervisor.daemon import boot
    from supervisor.daemon.announce import Announcer

    announcer = Announcer(options.log_level)
    try:
        shell, definitions = boot.come_up(options, mode, link, announcer, loading)
    except Exception as error:
        if not has_booted or isinstance(error, LinkClosed):
            raise
        return boot.come_up_reduced(mode, link, announcer, error, started_s)
    from supervisor.daemon import service  # asyncio and all that is not needed before the first spawn

    status = service.run(shell, definitions, announcer, options, mode, started_s)
    link.flush_all(LEAVE_FLUSH_S)
    return status
