"""`supctl tui` in a terminal, on a real supd: what a person does on a bad day, and that nothing he watches dies of it."""

import functools
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.arrival import ends_in_time
from tests.system.supd import Supd
from tests.tui.tmux import DEADLINE_S, Tmux

SUPCTL = os.path.join(os.path.dirname(sys.executable), "supctl")
LINES = 100_000

UNITS = {
    "db": '[service]\nexec_start = "sleep 1000"\n',
    "web": '[unit]\nrequires = ["db"]\nafter = ["db"]\n[service]\nexec_start = "sleep 1000"\n',
    "mail": '[service]\nexec_start = "sleep 1000"\n',
    "notes": '[service]\nexec_start = "sleep 1111"\n',
    "flop": '[service]\nexec_start = "false"\n',
    "wordy": f"[unit]\nenabled = true\n[task]\nexec_start = \"seq -f 'line %%.0f of many' {LINES}\"\n",
}

Open = Callable[..., Tmux]


@pytest.fixture(scope="module")
def supd() -> Iterator[Supd]:
    """One for all: each test leaves the units as it found them."""
    made = Supd(UNITS)
    try:
        made.start()
        made.wait_for("wordy", "its end", lambda shown: shown["inactive_enter_time_s"])
        made.wait_for("flop", "its failure", lambda shown: shown["active_state"] == "failed")
        yield made
        made.stop()
    finally:
        made.remove()


@pytest.fixture
def open_tui(supd: Supd) -> Iterator[Open]:
    """`open_tui(*options, size=..., **environment)`: the screen, in a tmux of its own."""
    made: list[Tmux] = []
    with tempfile.TemporaryDirectory(prefix="tmux-", dir="/tmp") as directory:

        def open_one(*options: str, size: tuple[int, int] = (100, 30), **environment: str) -> Tmux:
            command = [SUPCTL, "--socket", supd.socket_path, "tui", *options]
            made.append(Tmux(command, directory, size, environment))
            return made[-1]

        yield open_one
        for tmux in made:
            tmux.end()


def row(state: str, unit: str) -> str:
    """A line of the table."""
    return rf"(?m)^.?. *{unit} +{state}"


def test_a_unit_is_stopped_and_started_and_leaving_leaves_it_alone(supd: Supd, open_tui: Open) -> None:
    tui = open_tui("mail")
    tui.until(row("run", "mail"))
    tui.type("x")
    tui.until(row("off", "mail"))
    assert supd.show("mail")["active_state"] == "inactive"
    tui.type("s")
    tui.until(row("run", "mail"))
    pid = supd.show("mail")["main_pid"]
    screen = tui.pid
    tui.type("q")
    tui.until("run on")
    assert ends_in_time(screen, DEADLINE_S)
    assert supd.show("mail")["main_pid"] == pid
    assert os.path.exists(f"/proc/{pid}")


def test_what_takes_others_along_is_asked_first(supd: Supd, open_tui: Open) -> None:
    tui = open_tui("db")
    tui.until(row("run", "db"))
    tui.type("x")
    tui.until(r"(?s)Stop db.*web")
    tui.press("Escape")
    tui.until(row("run", "web"), without="Stop db")
    assert supd.show("db")["active_state"] == "active"
    tui.type("x")
    tui.until("Stop db")
    tui.type("y")
    tui.until(row("off", "db"))
    tui.until(row("off", "web"))
    supd.supctl("start", "web")
    tui.until(row("run", "web"))


def test_a_killed_manager_is_survived_with_the_screen_open(supd: Supd, open_tui: Open) -> None:
    tui = open_tui("mail")
    tui.until(row("run", "mail"))
    service, manager = supd.show("mail")["main_pid"], supd.get("/v1/version")["manager_pid"]
    os.kill(manager, signal.SIGKILL)
    tui.until_so(lambda: supd.get("/v1/version")["manager_pid"] != manager, "another manager")
    tui.until(r"● \d+ms", without="lost|stale")
    assert supd.show("mail")["main_pid"] == service
    supd.supctl("stop", "mail")  # the new manager's events arrive
    tui.until(row("off", "mail"))
    tui.type("s")  # and it is obeyed
    tui.until(row("run", "mail"))


def editor(directory: str, replacement: str) -> str:
    """A program that stands for a person at an editor, who puts `replacement` where "sleep 1111" was."""
    path = os.path.join(directory, "editor")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nsed -i "s/sleep 1111/{replacement}/" "$1"\n')
    os.chmod(path, 0o755)
    return path


def test_an_edited_unit_is_checked_shown_saved_and_restarted(supd: Supd, open_tui: Open, tmp_path: Path) -> None:
    before = supd.show("notes")["main_pid"]
    tui = open_tui("notes", EDITOR=editor(str(tmp_path), "sleep 2222"))
    tui.until(row("run", "notes"))
    tui.type("e")
    tui.until(r"(?s)Save notes.toml.*\+exec_start = .sleep 2222")
    assert "1111" in Path(supd.path("units/notes.toml")).read_text()
    tui.type("y")
    supd.wait_for(
        "notes", "restarted with it", lambda shown: shown["main_pid"] != before and _command(shown["main_pid"]) == b"sleep\x002222\x00"
    )
    tui.until("saved .*notes.toml")
    tui.until(row("run", "notes"))


def test_a_file_that_would_not_load_is_not_saved(supd: Supd, open_tui: Open, tmp_path: Path) -> None:
    supd.write("units/notes.toml", UNITS["notes"])
    supd.wait_for("notes", "as it was", lambda shown: b"1111" in _command(shown["main_pid"]))
    tui = open_tui("notes", EDITOR=editor(str(tmp_path), "true\\\\nrestart = perhaps"), TMPDIR=str(tmp_path))
    tui.until(row("run", "notes"))
    tui.type("e")
    tui.until("notes.toml would not load")
    tui.type("n")
    tui.until("what you wrote is kept in")
    assert Path(supd.path("units/notes.toml")).read_text() == UNITS["notes"]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_window_may_become_any_size(open_tui: Open) -> None:
    tui = open_tui("mail", size=(160, 48))
    tui.until(row("run", "mail"))
    for columns, rows in ((60, 16), (80, 24), (100, 30), (160, 48)):
        tui.resize(columns, rows)
        screen = tui.until_so(functools.partial(fits, tui, columns, rows), f"a screen of {columns}x{rows}")
        assert re.search(row("run", "mail"), screen)


def fits(tui: Tmux, columns: int, rows: int) -> bool:
    """The hints stand in the last line, and reach the right edge."""
    lines = tui.screen.rstrip("\n").split("\n")
    return len(lines) == rows and lines[-1].endswith("admin") and len(lines[-1]) == columns - 1


COLOUR = re.compile(r"\x1b\[[0-9;:]*\b(3[0-7]|38|4[0-7]|48|9[0-7]|10[0-7])\b[0-9;:]*m")


def test_no_colour_is_sent_where_none_is_wanted(open_tui: Open) -> None:
    tui = open_tui("mail", NO_COLOR="1")
    tui.until(row("run", "mail"))
    assert COLOUR.findall(tui.coloured) == []


def test_colours_are_there_where_they_are_wanted(open_tui: Open) -> None:
    tui = open_tui("mail")
    tui.until(row("run", "mail"))
    assert COLOUR.search(tui.coloured)


def test_one_line_in_a_hundred_thousand_is_found(open_tui: Open) -> None:
    tui = open_tui("wordy")
    tui.until(row("done", "wordy"))
    tui.type("2")
    tui.until(f"line {LINES} of many")
    tui.type("/")
    tui.type("line 50007 ")
    tui.press("Enter")
    tui.until("(?s)line 50006 of.*line 50007 of.*line 50008 of")
    tui.until("1/1 ")  # all others are looked at by and by
