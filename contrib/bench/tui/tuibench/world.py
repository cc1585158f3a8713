"""A real supd in a directory of its own, with units that talk as fast as they are told to."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping

# Writes so many lines first, then so many a second, in twenty parts; every 997th says something else.
_TALKER = """
import sys, time
first, rate = int(sys.argv[1]), int(sys.argv[2])
n = 0
def say(count):
    global n
    lines = []
    for _ in range(count):
        n += 1
        level, word = ("ERROR", "timeout waiting for the cache") if n % 997 == 0 else ("INFO", "agent=curl/8.1 worker=3 pool=main id=9f1c")
        lines.append(f"2026-01-01 12:03:44 {level} request handled n={n} path=/api/v1/items status=200 dur=12ms {word}\\n")
    sys.stdout.write("".join(lines))
    sys.stdout.flush()
for _ in range(first // 1000):
    say(1000)
due = time.monotonic()
while rate:
    say(rate // 20)
    due += 0.05
    time.sleep(max(0, due - time.monotonic()))
time.sleep(1 << 20)
"""


class World:
    """supd with the units of `talkers` (name: (lines at first, lines a second)) and `quiet` others. A context."""

    def __init__(self, directory: str, talkers: Mapping[str, tuple[int, int]], quiet: int = 0) -> None:
        self.directory = directory
        self.environ = {"XDG_STATE_HOME": directory, "XDG_CONFIG_HOME": directory}  # the screen begins as it does for the first time
        self.socket = os.path.join(directory, ".supd", "supd.sock")
        units = os.path.join(directory, "units")
        os.makedirs(units)
        program = os.path.join(directory, "talker.py")
        with open(program, "w", encoding="utf-8") as file:
            file.write(_TALKER)
        for name, (first, rate) in talkers.items():
            self._unit(name, f"{sys.executable} {program} {first} {rate}", '[log]\nmax_size = "64M"\n')
        for number in range(quiet):
            self._unit(f"quiet-{number:04d}", "sleep infinity", "")
        command = [sys.executable, "-m", "supervisor.keeper.main", "--units", units]
        self._supd = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._await_socket()

    def _unit(self, name: str, command: str, more: str) -> None:
        with open(os.path.join(self.directory, "units", f"{name}.toml"), "w", encoding="utf-8") as file:
            file.write(f'[service]\nexec_start = "{command}"\n{more}')

    def _await_socket(self) -> None:
        deadline_s = time.monotonic() + 30
        while not os.path.exists(self.socket):
            if time.monotonic() > deadline_s or self._supd.poll() is not None:
                raise RuntimeError("supd did not come up")
            time.sleep(0.05)

    def log_bytes(self, unit: str) -> int:
        directory = os.path.join(self.directory, ".supd", "logs", unit)
        try:
            return sum(entry.stat().st_size for entry in os.scandir(directory) if entry.name.endswith(".log"))
        except FileNotFoundError:
            return 0  # it has not said a word yet

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        self._supd.terminate()
        self._supd.wait(30)
