"""The budgets of the terminal UI, measured: `contrib/bench/tui/run [PART...]`; parts are units, idle, load, link.

A real `supctl tui` in a pseudo-terminal of 160x48, with the log pane and the detail pane, against `fake`. Every figure stands beside its
budget; the best of `ROUNDS` is taken where a busy machine can only make it worse.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from tuibench.terminal import Terminal

UNITS = 1000
ALL_SHOWN = "1,000/1,000"
CHANGES_S, LINES_S = 500, 2000
SECONDS = 8.0
SETTLE_S = 4.0
KEYS = 40
ROUNDS = 3
LINK_BYTES_S = 60_000
KEY_PAUSE_S = 0.2
CURSOR = "48;2;32;54;73m"  # what the background of the cursor's row is in the dark theme


@contextlib.contextmanager
def daemon(units: int = UNITS, changes_s: int = 0, lines_s: int = 0) -> Iterator[str]:
    """The directory of a fake supd at this load."""
    with tempfile.TemporaryDirectory(prefix="tuibench-", dir="/tmp") as directory:
        command = [sys.executable, "-m", "tuibench.fake", directory, str(units), str(changes_s), str(lines_s)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield directory
        finally:
            process.terminate()
            process.wait()


def tui(directory: str, limit_bytes_s: float | None = None) -> Terminal:
    home = os.path.join(directory, f"home-{time.monotonic_ns()}")
    supctl = os.path.join(os.path.dirname(sys.executable), "supctl")
    argv = [supctl, "--socket", os.path.join(directory, "supd.sock"), "tui", "svc-0000"]
    places = {"HOME": home, "XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home, "PYTHONPATH": ""}
    return Terminal(argv, environ=places, limit_bytes_s=limit_bytes_s)


def tell(what: str, value: float, unit: str, budget: float) -> None:
    verdict = "ok" if value <= budget else "OVER" if value > 2 * budget else "over, within twice"
    print(f"  {what:<46} {value:8.1f} {unit:<7} budget {budget:g} {unit}: {verdict}", flush=True)


def start() -> None:
    print(f"start, {UNITS} units, best of {ROUNDS}")
    first, whole, used = [], [], []
    with daemon() as directory:
        for _ in range(ROUNDS):
            with tui(directory) as terminal:
                first.append(terminal.until("supd ▸", since=0))
                used.append((terminal.cpu_s(), 0.0))
                whole.append(first[-1] + terminal.until(ALL_SHOWN, since=0))
                used[-1] = (used[-1][0], terminal.cpu_s())
    tell("first paint", min(first) * 1000, "ms", 300)
    tell("first paint, CPU until then", min(one for one, _ in used) * 1000, "ms", 300)
    tell("all units shown", min(whole) * 1000, "ms", 600)
    tell("all units shown, CPU until then", min(both for _, both in used) * 1000, "ms", 600)


def keys(terminal: Terminal) -> tuple[float, float]:
    """Median and maximum of the milliseconds from `j` or `k` to the cursor on the other row; the detail and the log change with it."""
    times = []
    for number in range(KEYS):
        terminal.read(KEY_PAUSE_S)
        key, name = ("j", "svc-0001") if number % 2 == 0 else ("k", "svc-0000")
        times.append(terminal.key(key, CURSOR + name) * 1000)
    return statistics.median(times), max(times)


def watched(terminal: Terminal, seconds: float = SECONDS) -> tuple[float, float]:
    """Percent of a core, and kB a second to the terminal."""
    before_s, since_s = terminal.cpu_s(), time.monotonic()
    written = terminal.read(seconds)
    passed_s = time.monotonic() - since_s
    return (terminal.cpu_s() - before_s) / passed_s * 100, written / passed_s / 1000


def idle() -> None:
    print(f"idle, {UNITS} units")
    with daemon() as directory, tui(directory) as terminal:
        terminal.until(ALL_SHOWN, since=0)
        terminal.read(SETTLE_S)
        cpu, _ = min(watched(terminal) for _ in range(ROUNDS))
        tell("CPU", cpu, "%", 1.5)
        tell("RSS", terminal.rss_mb(), "MB", 60)
        median, longest = keys(terminal)
        tell("key to screen, median", median, "ms", 20)
        tell("key to screen, longest", longest, "ms", 60)


def load() -> None:
    print(f"{UNITS} units, {CHANGES_S} changes/s, {LINES_S} lines/s")
    with daemon(UNITS, CHANGES_S, LINES_S) as directory, tui(directory) as terminal:
        terminal.until(ALL_SHOWN, since=0)
        terminal.read(SETTLE_S)
        cpu, kilobytes = min(watched(terminal) for _ in range(ROUNDS))
        tell("CPU", cpu, "%", 12)
        tell("to the terminal", kilobytes, "kB/s", 100)
        median, longest = keys(terminal)
        tell("key to screen, median", median, "ms", 20)
        tell("key to screen, longest", longest, "ms", 60)
        tell("RSS", terminal.rss_mb(), "MB", 85)
        terminal.key("2", "LOG")
        terminal.read(SETTLE_S)
        cpu, kilobytes = min(watched(terminal) for _ in range(ROUNDS))
        tell("log on the whole screen: CPU", cpu, "%", 15)
        tell("log on the whole screen: to the terminal", kilobytes, "kB/s", 200)


def link() -> None:
    print(f"the same, a line of {LINK_BYTES_S // 1000} kB/s")
    with daemon(UNITS, CHANGES_S, LINES_S) as directory, tui(directory, LINK_BYTES_S) as terminal:
        terminal.until(ALL_SHOWN, since=0)
        terminal.read(SETTLE_S)
        median, _ = keys(terminal)
        tell("key to screen, median", median, "ms", 300)


PARTS = {"units": start, "idle": idle, "load": load, "link": link}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        if part not in PARTS:
            sys.exit(f"no part {part}; there are {', '.join(PARTS)}, and logs")
        PARTS[part]()
