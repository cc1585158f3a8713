"""B4 idle cost: CPU and context switches of the supervisor while n services sleep.

All peers run at the same time, so that every window is the same for all.
"""

import argparse
import time

from .fleet import fleet
from .measure import Results


def options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--n", type=int, default=200)
    p.add_argument("--seconds", type=float, default=30)
    p.add_argument("--log", action="store_true")


def run(args: argparse.Namespace, peers: list[str]) -> None:
    res = Results("b4", vars(args), args.tag)
    with fleet(peers, args.n, args.log) as live:
        time.sleep(10)
        for rep in range(args.reps):
            before = {p: a.usage() for p, (a, _) in live.items()}
            time.sleep(args.seconds)
            for p, (a, _) in live.items():
                u = a.usage()
                spent = u.since(before[p])
                res.add(
                    peer=p,
                    n=args.n,
                    rep=rep,
                    cpu_ms_per_s=1000 * spent["sup_cpu_s"] / spent["wall_s"],
                    switches_per_s=spent["sup_switches"] / spent["wall_s"],
                    sup_procs=u.sup_procs,
                    rss_mb=u.sup_rss_mb,
                    pss_mb=u.sup_pss_mb,
                )
