"""B2 restart latency: SIGKILL of a service to the start stamp of its successor.

All peers run at the same time, each with --n services; every round kills one service of each peer, in a fresh order and at
a random moment, and waits for the successor before it goes on. A service is at least --up seconds old when it is killed
(peers may hold back services younger than one second).
"""

import argparse
import os
import random
import signal
import time

from .adapter import Adapter
from .fleet import fleet
from .measure import Results, Stamps, await_quiet, rounds


def options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--n", type=int, default=1)
    p.add_argument("--kills", type=int, default=30)
    p.add_argument("--up", type=float, default=1.5)
    p.add_argument("--log", action="store_true")


def kill_one(a: Adapter, stamps: Stamps, timeout_s: float = 15.0) -> float | None:
    """Milliseconds from SIGKILL to the successor's stamp; None if there is none."""
    pids = a.pids()
    if not pids:
        return None
    before = stamps.count()
    victim = random.choice(pids)
    t_ns = time.monotonic_ns()
    os.kill(victim, signal.SIGKILL)
    if not stamps.wait(before + 1, timeout_s, 0.0005):
        return None
    return (stamps.read("start")[before] - t_ns) / 1e6


def run(args: argparse.Namespace, peers: list[str]) -> None:
    res = Results("b2", vars(args), args.tag)
    with fleet(peers, args.n, args.log) as live:
        time.sleep(3)
        last_s = dict.fromkeys(live, time.monotonic())
        for rep, name in rounds(list(live), args.kills):
            time.sleep(max(0.0, last_s[name] + args.up - time.monotonic()) + random.random())
            await_quiet(0.6, 10)
            res.add(peer=name, n=args.n, rep=rep, ms=kill_one(*live[name]))
            last_s[name] = time.monotonic()
