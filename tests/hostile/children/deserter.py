"""Its child forks twice, leaves session, directory and environment behind, and writes on and on."""

import os
import signal
import time

from tests.hostile.children.word import in_place

WRITER = "import os, time\nwhile True: os.write(1, b'still here\\n'); time.sleep(0.01)"

reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.close(reader)
        # Seen once before it drops what it could be known by: the weaker way of tracking needs that.
        in_place()
        time.sleep(0.5)
        os.execve("/proc/self/exe", ["[kworker/0:1]", "-I", "-S", "-c", WRITER], {})
    os._exit(0)
os.wait()
os.close(writer)
os.read(reader, 1)  # until the other has become what it is
while True:
    signal.pause()
