"""An `ssh` of the tests' own, to stand first on PATH: it obeys -L between two sockets of this machine, and runs commands here.

What it is told by its host's name: `away` cannot be reached, `bare` has no supctl, `idle` has no supd, `old` has one that does not say
where its socket is, `chatty` prints things at login. It speaks of what it does in a file, one line of JSON an invocation: {"argv", "pid"}.
"""

import json
import os
import sys

PROGRAM = """#!{python} -I
import json, os, select, socket, sys

def last(name):
    return sys.argv[len(sys.argv) - 1 - sys.argv[::-1].index(name) + 1]

with open({journal!r}, "a") as journal:
    journal.write(json.dumps({{"argv": sys.argv[1:], "pid": os.getpid()}}) + "\\n")
words = sys.argv[sys.argv.index("--") + 1:]
host, command = words[0], words[1:]
if host == "away" or os.path.exists({journal!r} + ".cut"):
    sys.exit(sys.stderr.write("ssh: connect to host away port 22: No route to host\\r\\n") and 255)
if command:
    if host == "bare":
        sys.exit(sys.stderr.write("bash: line 1: supctl: command not found\\n") and 127)
    if host == "idle":
        sys.exit(sys.stderr.write("supctl: no supd was found. Looked at:\\n  /run/supd/supd.sock: there is no socket\\n") and 69)
    if host == "chatty":
        print("Welcome! You have mail.")
    print(json.dumps({{"version": "1"}} if host == "old" else {{"version": "1", "socket": {socket!r}}}), flush=True)
    sys.exit(0)

here, there = last("-L").split(":")
listener = socket.socket(socket.AF_UNIX)
listener.bind(here)
listener.listen()
pairs = {{}}
while True:
    for ready in select.select([listener, *pairs], [], [])[0]:
        if ready is listener:
            near, far = listener.accept()[0], socket.socket(socket.AF_UNIX)
            try:
                far.connect(there)
            except OSError:
                near.close()
            else:
                pairs[near], pairs[far] = far, near
        elif ready in pairs:
            try:
                piece = ready.recv(65536)
                pairs[ready].sendall(piece)
            except OSError:
                piece = b""
            if not piece:
                other = pairs.pop(ready)
                pairs.pop(other, None)
                ready.close()
                other.close()
"""


class FakeSsh:
    """The program in `directory`, which leads to the supd at `socket_path`."""

    def __init__(self, directory: str, socket_path: str) -> None:
        self.directory = directory
        self._journal = os.path.join(directory, "ssh.journal")
        program = os.path.join(directory, "ssh")
        with open(program, "w", encoding="utf-8") as file:
            file.write(PROGRAM.format(python=sys.executable, journal=self._journal, socket=socket_path))
        os.chmod(program, 0o755)

    @property
    def path_variable(self) -> str:
        return f"{self.directory}:{os.environ['PATH']}"

    def runs(self) -> "list[dict[str, object]]":
        """Every invocation so far."""
        if not os.path.exists(self._journal):
            return []
        with open(self._journal, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def pid(self) -> int:
        """Of the last one."""
        return int(str(self.runs()[-1]["pid"]))

    def cut(self) -> None:
        """From now on no host can be reached."""
        with open(self._journal + ".cut", "w", encoding="utf-8"):
            pass

    def mend(self) -> None:
        os.unlink(self._journal + ".cut")
