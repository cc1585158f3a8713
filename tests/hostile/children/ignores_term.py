"""Ignores every signal that can be ignored, and so does its child."""

import os
import signal

from tests.hostile.children.word import in_place

for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
if os.fork():
    in_place()
while True:
    signal.pause()
