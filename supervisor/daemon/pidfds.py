"""Signals that cannot hit the wrong process.

A pid may be given to another process between the moment we learned it and the moment we signal it. So: take a pidfd, make
sure that what it holds is still the process we mean, and signal through the pidfd (`pidfd_send_signal(2)`).
"""

import os
import signal

from supervisor.daemon.proctable import read_process


def open_process(pid: int, start_time_ticks: int) -> int | None:
    """A pidfd that certainly holds this very process, or None when it is gone. The caller closes it."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    now = read_process(pid)
    if now is None or now.start_time_ticks != start_time_ticks:
        os.close(pidfd)
        return None
    return pidfd


def send(pid: int, start_time_ticks: int, signals: tuple[int, ...]) -> bool:
    """Send `signals` in order; False when the process is gone. PermissionError passes: the caller says whom it could not reach."""
    pidfd = open_process(pid, start_time_ticks)
    if pidfd is None:
        return False
    try:
        for number in signals:
            signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True
