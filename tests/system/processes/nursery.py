"""A parent of processes for tests, as the keeper is: subreaper, forks what it is told to, reaps, and says so.

One JSON object a line. In: {"run", "program", "cgroup", "environment"}; `program` is Python source. Out: {"forked", "pid",
"start_time_ticks"}, {"exited", "pid"} (`exited` is null for an orphan that came here). It ends with its standard input and
leaves everything else to the test. Its argument is the descriptor that the children get as standard output.
"""

import ctypes
import json
import os
import select
import signal
import sys

PR_SET_CHILD_SUBREAPER = 36


def start_time_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def say(**words: object) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def spawn(order: dict[str, object]) -> int:
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if order["cgroup"] is not None:
            with open(f"{order['cgroup']}/cgroup.procs", "w") as file:
                file.write("0")
        os.dup2(int(sys.argv[1]), 1)
        os.closerange(3, 64)
        os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", str(order["program"])], order["environment"])  # type: ignore[arg-type]  # an order is JSON
    return pid


def reap(runs: dict[int, int]) -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        say(exited=runs.pop(pid, None), pid=pid)


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake_reader, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake_writer)
    runs: dict[int, int] = {}
    buffer = b""
    while True:
        readable, _, _ = select.select([0, wake_reader], [], [])
        if wake_reader in readable:
            os.read(wake_reader, 4096)
            reap(runs)
        if 0 in readable:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                order = json.loads(line)
                pid = spawn(order)
                runs[pid] = order["run"]
                say(forked=order["run"], pid=pid, start_time_ticks=start_time_ticks(pid))


if __name__ == "__main__":
    main()
