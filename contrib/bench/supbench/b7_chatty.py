"""B7 chatty fleet: n services each write some lines a second, one write() each.

All services wait on a FIFO and start writing together, spread over one step.
sup_cpu_pct   CPU of the supervisor and its loggers, % of one core, in the steady state
us_per_line   the same, a line
lines_lost    written minus captured
"""

import argparse
import os
import time
from functools import partial

from .adapter import Adapter
from .cage import SVC
from .measure import Results, Sample, quietly, rounds, workspace
from .peers import PEERS


def options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--n", type=int, default=200)
    p.add_argument("--rate", type=int, default=100)
    p.add_argument("--seconds", type=int, default=20)


def one(cls: type[Adapter], n: int, rate: int, seconds: int) -> Sample:
    want = n * rate * seconds
    with workspace(f"b7-{cls.name}") as (directory, stamps):
        gate = directory / "gate"
        os.mkfifo(gate)
        a = cls(directory)
        a.prepare(n, lambda i: [SVC, "chat", f"s{i:04d}", str(stamps.path), str(rate), str(seconds), str(gate)], True)
        try:
            a.start()
            if not a.booted(stamps, 0.01):
                return {"ok": False, "why": a.complaint()}
            time.sleep(3)  # all are in open() now
            fd = os.open(gate, os.O_WRONLY)
            time.sleep(2)
            u0 = a.usage()
            time.sleep(seconds - 5)
            u1 = a.usage()
            os.close(fd)
            ok = stamps.wait(2 * n, 60, 0.05)
            spent = u1.since(u0)
            a.wait_log(want * 100, 2.0)
            return {
                "ok": ok,
                "sup_cpu_pct": 100 * spent["sup_cpu_s"] / spent["wall_s"],
                "us_per_line": 1e6 * spent["sup_cpu_s"] / spent["wall_s"] / (n * rate),
                "switches_per_s": spent["sup_switches"] / spent["wall_s"],
                "svc_cpu_pct": 100 * spent["svc_cpu_s"] / spent["wall_s"],
                "lines_lost": want - a.log_lines(),
                "rss_mb": u1.sup_rss_mb,
                "other_busy_cores": spent["other_busy_cores"],
            }
        finally:
            a.stop()


def run(args: argparse.Namespace, peers: list[str]) -> None:
    res = Results("b7", vars(args), args.tag)
    for rep, name in rounds(peers, args.reps):
        sample = quietly(partial(one, PEERS[name], args.n, args.rate, args.seconds))
        res.add(peer=name, n=args.n, rep=rep, **sample)
