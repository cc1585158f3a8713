"""Has children that end, and never asks how; some of them leave orphans that end as well."""

import os
import signal

from tests.hostile.children.word import in_place

for number in range(300):
    if os.fork() == 0:
        if number % 3 == 0:
            os.fork()
        os._exit(number % 256)
in_place()
while True:
    signal.pause()
