"""B5 control latency: wall time of the peer's own client, from spawn to exit.

All peers run with n services; a few runs of one command of one peer at a time, in rounds, so that the peers interleave.
restart is preceded by a pause, since peers may hold back services younger than one second.
"""

import argparse
import os
import time

from .fleet import fleet
from .measure import Results, Sample, await_quiet, median, rounds


def options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--n", type=int, default=200)
    p.add_argument("--runs", type=int, default=5, help="runs of each command in each round")


def timed(argv: list[str]) -> tuple[float, float, int]:
    """Wall ms, CPU ms and exit status of one run with its output discarded."""
    discard = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0), (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]
    t = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=discard)
    _, status, used = os.wait4(pid, 0)
    return (time.monotonic() - t) * 1000, (used.ru_utime + used.ru_stime) * 1000, os.waitstatus_to_exitcode(status)


def several(argv: list[str], runs: int, pause_s: float) -> Sample:
    walls, cpus = [], []
    if not pause_s:
        timed(argv)  # the first run warms the page cache
    for _ in range(runs):
        time.sleep(pause_s)
        wall_ms, cpu_ms, status = timed(argv)
        if status:
            return {"ok": False, "why": f"exit status {status}"}
        walls.append(wall_ms)
        cpus.append(cpu_ms)
    return {"ok": True, "ms": median(walls), "min_ms": min(walls), "cli_cpu_ms": median(cpus)}


def run(args: argparse.Namespace, peers: list[str]) -> None:
    res = Results("b5", vars(args), args.tag)
    with fleet(peers, args.n) as live:
        time.sleep(5)
        commands = [
            (p, case, cmd)
            for p, (a, _) in live.items()
            for case, cmd in (("status-one", a.status_cmd("s0007")), ("status-all", a.status_cmd()), ("restart", a.restart_cmd("s0007")))
            if cmd
        ]
        for rep, (p, case, cmd) in rounds(commands, args.reps):
            await_quiet()
            sample = several(cmd, 2, 1.3) if case == "restart" else several(cmd, args.runs, 0)
            res.add(peer=p, n=args.n, case=case, rep=rep, **sample)
