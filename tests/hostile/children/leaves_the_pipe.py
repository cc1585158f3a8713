"""Ends at once and leaves a grandchild that holds the pipe and writes."""

import os
import time

from tests.hostile.children.word import in_place

if os.fork() == 0:
    os.setsid()
    in_place()
    while True:
        os.write(1, b"the pipe is mine\n")
        time.sleep(0.01)
time.sleep(0.2)
