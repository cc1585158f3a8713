"""Stops itself and its child, as if a debugger had."""

import os
import signal

from tests.hostile.children.word import in_place

if os.fork() == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
in_place()
os.kill(os.getpid(), signal.SIGSTOP)
signal.pause()
