"""A program in a tmux of its own: what a person sees and types, with a deadline for whatever is to appear.

tmux is asked for the screen whenever the program has written something, never by the clock: all its output goes through a pipe too.
"""

import os
import re
import select
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping

DEADLINE_S = 60.0


class Tmux:
    """`command` in a window of `size` (columns, rows), in `directory`, with nothing of the tests' own environment but PATH and HOME."""

    def __init__(
        self, command: list[str], directory: str, size: tuple[int, int] = (100, 30), environment: Mapping[str, str] | None = None
    ) -> None:
        assert shutil.which("tmux"), "tmux is missing: .ci/packages installs it"
        self._socket = os.path.join(directory, "tmux")
        self._output = os.path.join(directory, "tmux.output")
        os.mkfifo(self._output)
        self._fifo = os.open(self._output, os.O_RDWR | os.O_NONBLOCK)  # its writer may come and go
        kept = {"PATH": os.environ["PATH"], "HOME": directory, "LANG": "C.UTF-8", "TERM": "tmux-256color", "COLORTERM": "truecolor"}
        # The program begins when its output is watched, and its window stays to be read when it has ended.
        go = os.path.join(directory, "tmux.go")
        os.mkfifo(go)
        line = f"read _ < {shlex.quote(go)}; exec {shlex.join(command)}"
        assigned = [f"{name}={value}" for name, value in {**kept, **(environment or {})}.items()]
        self._tmux(
            "new-session",
            "-d",
            "-x",
            str(size[0]),
            "-y",
            str(size[1]),
            "-c",
            directory,
            shlex.join(["env", "-i", *assigned, "sh", "-c", line]),
        )
        self._tmux("set-option", "-g", "remain-on-exit", "on")
        self._tmux("pipe-pane", f"exec cat > {shlex.quote(self._output)}")
        with open(go, "w", encoding="utf-8") as begin:
            begin.write("\n")

    def type(self, text: str) -> None:
        """Letters, as they are."""
        self._tmux("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: Enter, Escape, C-r, Down."""
        self._tmux("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    @property
    def coloured(self) -> str:
        """The screen with its escape sequences."""
        return self._tmux("capture-pane", "-e", "-p")

    @property
    def modes(self) -> dict[str, str]:
        """How the terminal stands now: its other screen, the mouse, the cursor, as tmux's formats name it; "1" is on."""
        names = ("alternate_on", "mouse_any_flag", "cursor_flag", "keypad_flag")
        return dict(zip(names, self._tmux("display-message", "-p", " ".join(f"#{{{name}}}" for name in names)).split(), strict=True))

    @property
    def pid(self) -> int:
        """Of the program."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def until(self, pattern: str, without: str = "") -> str:
        """Wait until the screen matches `pattern` (and not `without`); the screen. Lines are matched each by itself with (?m)."""
        return self.until_so(lambda: bool(re.search(pattern, self.screen)) and not (without and re.search(without, self.screen)), pattern)

    def until_so(self, is_so: Callable[[], bool], what: str) -> str:
        """Wait for a thing that comes with something on the screen: it is looked at again whenever the program writes."""
        at_s = time.monotonic() + DEADLINE_S
        while not is_so():
            left_s = at_s - time.monotonic()
            assert left_s > 0, f"never on the screen: {what}\n{self.screen}"
            select.select([self._fifo], [], [], left_s)
            try:
                os.read(self._fifo, 1 << 20)
            except BlockingIOError:
                pass
        return self.screen

    def end(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)
        os.close(self._fifo)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-S", self._socket, "-f", "/dev/null", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"tmux {' '.join(words)}: {done.stderr}"
        return done.stdout
