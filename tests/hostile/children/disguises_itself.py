"""Calls itself by another name, one that no terminal and no parser likes, and executes another program without its environment."""

import ctypes
import os

from tests.hostile.children.word import in_place

ctypes.CDLL(None).prctl(15, b"x) R 1 1\n\x1b[2J(", 0, 0, 0)  # PR_SET_NAME: a process's name stands in /proc/PID/stat, in brackets
if os.fork() == 0:
    os.setsid()
    ctypes.CDLL(None).prctl(15, b"\x1b]0;pwned\x07", 0, 0, 0)
    in_place()
    while True:
        os.read(os.pipe()[0], 1)
os.execve("/bin/sleep", ["\x1b[31msupd: [keeper]", "1000"], {})
