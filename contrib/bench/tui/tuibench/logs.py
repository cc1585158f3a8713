"""The log views under load: what a person feels (a key, a filter) and what it costs (CPU, memory, bytes to the terminal)."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tuibench.terminal import Terminal
from tuibench.world import World

_SETTLE_S = 3.0
_FULL_S = 10.0  # until a ring is full of what was written before
_KEYS = 30
_BETWEEN_KEYS_S = 0.13

Figures = dict[str, float]


def full_screen(supctl: str, seconds: float, lines_a_second: int, first_lines: int = 0) -> Figures:
    """One chatty unit's log over the whole screen, followed; then paused."""
    with _log_on_screen(supctl, first_lines, lines_a_second) as terminal:
        terminal.read(_SETTLE_S)
        figures = _load(terminal, seconds)
        figures |= _keys(terminal, lambda turn: ("k", "paused") if turn % 2 == 0 else ("f", "follow"))
        wrapping = _keys(terminal, lambda turn: ("w", "wrap on" if turn % 2 == 0 else "wrap off"), 10)
        figures |= {f"wrap {name}": value for name, value in wrapping.items()}
        terminal.type("k")
        terminal.read(1)
        figures |= {f"paused {name}": value for name, value in _load(terminal, seconds).items() if name != "RSS MB"}
        return figures


def memory(supctl: str, lines_a_second: int, seconds: float) -> Figures:
    """A ring that is full: what it takes, and that it takes no more while lines go through it."""
    with _log_on_screen(supctl, 150_000, lines_a_second) as terminal:
        terminal.read(_FULL_S)
        before = terminal.rss_mb()
        figures = _load(terminal, seconds)
        return {"RSS at 100k MB": before, "RSS later MB": terminal.rss_mb(), "CPU %": figures["CPU %"]}


def filtering(supctl: str, lines_a_second: int) -> Figures:
    """From the last key of a filter over 100,000 lines to its matches on the screen; the keys before it are typed already."""
    with _log_on_screen(supctl, 150_000, lines_a_second) as terminal:
        terminal.read(_FULL_S)
        terminal.type("&timeout waiting for the cach")
        terminal.read(1)
        first = terminal.key("e", "&timeout waiting for the cache")
        return {"first page ms": first * 1000, **_keys(terminal, lambda turn: ("\r" if turn == 0 else "t", "\x1b["), 5)}


def first_paint(supctl: str) -> Figures:
    """From exec to the first bytes, to the unit's name in the table, and from the key to the open log."""
    with (
        tempfile.TemporaryDirectory() as directory,
        World(directory, {"chatty": (1000, 0)}, 20) as world,
        Terminal([supctl, "--socket", world.socket, "tui"], environ=world.environ) as terminal,
    ):
        first = terminal.until("\x1b[")
        units = first + terminal.until("chatty")
        terminal.read(1)
        return {"first paint ms": first * 1000, "units ms": units * 1000, "log ms": terminal.key("2", "request handled") * 1000}


@contextmanager
def _log_on_screen(supctl: str, first_lines: int, lines_a_second: int) -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory() as directory, World(directory, {"chatty": (first_lines, lines_a_second)}) as world:
        while first_lines and world.log_bytes("chatty") < first_lines * 80:
            time.sleep(0.1)
        with Terminal([supctl, "--socket", world.socket, "tui", "chatty"], environ=world.environ) as terminal:
            terminal.until("chatty")
            terminal.read(1)
            terminal.key("2", "request handled")
            yield terminal


def _load(terminal: Terminal, seconds: float) -> Figures:
    cpu_s = terminal.cpu_s()
    sent = terminal.read(seconds)
    return {"CPU %": (terminal.cpu_s() - cpu_s) / seconds * 100, "kB/s": sent / seconds / 1000, "RSS MB": terminal.rss_mb()}


def _keys(terminal: Terminal, what: Callable[[int], tuple[str, str]], count: int = _KEYS) -> Figures:
    took = []
    for turn in range(count):
        terminal.read(_BETWEEN_KEYS_S)
        keys, text = what(turn)
        took.append(terminal.key(keys, text) * 1000)
    return {"key p50 ms": statistics.median(took), "key max ms": max(took)}
