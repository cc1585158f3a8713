"""Says how large its environment is."""

import os
import signal

from tests.hostile.children.word import send

send(b"READY=1\nSTATUS=%d bytes" % sum(len(value) for name, value in os.environ.items() if name.startswith("HUGE")))
while True:
    signal.pause()
