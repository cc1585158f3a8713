"""A fork bomb with a bound: each process forks and ends, the next one leaves the session, until a good many have lived."""

import os
import signal

from tests.hostile.children.word import in_place

LIVES = 3000
AT_ONCE = 40

signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(AT_ONCE):
    if os.fork() == 0:
        for life in range(LIVES // AT_ONCE):
            if os.fork():
                os._exit(0)
            if life % 2:
                os.setsid()
        in_place()
        while True:
            signal.pause()
while True:
    signal.pause()
