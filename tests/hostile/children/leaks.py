"""Closes the descriptors that it was given, opens as many as it may, and sends descriptors that nobody asked for."""

import os
import signal

from tests.hostile.children.word import send

opened: list[int] = []
try:
    while len(opened) < 3000:
        opened.append(os.dup(0))
except OSError:
    pass
for descriptor in opened[-10:]:
    os.close(descriptor)
for _ in range(40):
    send(b"STATUS=leaking", *opened[:100])
    send(b"FDSTORE=1\nFDNAME=leak", *opened[:100])
send(b"READY=1")
os.closerange(0, 3)
while True:
    signal.pause()
