"""`ssh HOST -t supctl tui`: the whole screen by OpenSSH itself, in a terminal that must be fit for its shell again afterwards."""

import tempfile
from collections.abc import Iterator

import pytest

from tests.system.sshd import Sshd
from tests.system.supd import Supd
from tests.system.users import PROGRAMS
from tests.tui.tmux import Tmux

UNITS = {"mail": '[service]\nexec_start = "sleep 1000"\n'}

# What is said before and after on the shell's own screen, and how it finds its terminal: with echo, in lines, with Ctrl-C as a signal.
STATE = r"stty -a | tr ' ' '\n' | grep -xE -- '-?(echo|icanon|isig);?' | tr '\n' ' '"
SHELL = f"ssh -t other supctl tui; echo left $?; {STATE}; read _"

LANGUAGES = [
    pytest.param({"LANG": "C.UTF-8"}, "●", "▸", id="a language with symbols"),
    pytest.param({"LC_ALL": "C"}, "\\*", ">", id="a language of plain characters"),
]


@pytest.fixture(scope="module")
def supd() -> Iterator[Supd]:
    made = Supd(UNITS)
    try:
        made.start()
        yield made
        made.stop()
    finally:
        made.remove()


@pytest.mark.parametrize(("language", "running", "arrow"), LANGUAGES)
def test_the_list_is_seen_a_key_obeyed_and_a_clean_terminal_left(supd: Supd, language: dict[str, str], running: str, arrow: str) -> None:
    with tempfile.TemporaryDirectory(prefix="sshd-", dir="/tmp") as directory:
        sshd = Sshd(directory, {"PATH": f"{PROGRAMS}:/usr/bin:/bin", "SUPD_SOCKET": supd.socket_path, **language})
        sshd.start()
        tui = Tmux(["sh", "-c", SHELL], directory, environment={"PATH": sshd.path})
        try:
            tui.until(rf"(?s)supd {arrow}.*{running} +mail +run")
            tui.type("x")
            tui.until(r"mail +off")
            assert supd.show("mail")["active_state"] == "inactive"
            tui.resize(70, 20)
            tui.until_so(lambda: _hints_end(tui) == 69, "a screen of 70 columns")
            tui.type("s")
            tui.until(r"mail +run")
            tui.type("q")
            screen = tui.until(r"(?s)Left the screen.*run on.*left 0.*icanon")
            assert "-echo" not in screen
            assert "-icanon" not in screen
            assert "-isig" not in screen
            assert "SINCE" not in screen, "the shell's own screen is back"
            assert tui.modes == {"alternate_on": "0", "mouse_any_flag": "0", "cursor_flag": "1", "keypad_flag": "0"}
        finally:
            tui.end()
            sshd.stop()
    assert supd.show("mail")["active_state"] == "active"


def _hints_end(tui: Tmux) -> int:
    """Where the line of keys ends, with what the person may do."""
    lines = tui.screen.rstrip("\n").split("\n")
    return len(lines[-1]) if lines[-1].endswith("admin") else 0
