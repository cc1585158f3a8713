"""B1 boot: from launching the supervisor to n services running, and what it then costs.

boot_s      launch to the start stamp of the last service (the service stamps in main())
first_s     launch to the first
sup_cpu_s   CPU of the supervisor and its helpers, one second after the last start
tree_cpu_s  the same plus the services' own share: fork, exec, dynamic linking
pss_mb      proportional set size of the supervisor and its helpers
"""

import argparse
import time
from functools import partial

from .adapter import Adapter
from .cage import SVC, busy_s
from .measure import Results, Sample, quietly, rounds, workspace
from .peers import PEERS


def options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--n", default="50,200,1000")
    p.add_argument("--log", action="store_true", help="with captured logs")
    p.add_argument("--warm", action="store_true", help="the second boot from the same directory, with what the first one kept")


def one(cls: type[Adapter], n: int, log: bool, warm: bool) -> Sample:
    with workspace(f"b1-{cls.name}") as (directory, stamps):
        a = cls(directory)
        a.prepare(n, lambda i: [SVC, "idle", f"s{i:04d}", str(stamps.path)], log)
        try:
            if warm:
                a.start()
                if not a.booted(stamps):
                    return {"ok": False, "why": a.complaint()}
                time.sleep(1)
                a.stop()
                stamps.clear()
            b0, t0_ns = busy_s(), time.monotonic_ns()
            a.start()
            if not a.booted(stamps):
                return {"ok": False, "why": a.complaint()}
            starts_ns = sorted(stamps.read("start"))
            time.sleep(1)
            u = a.usage()
            wall_s = time.monotonic() - t0_ns / 1e9
            return {
                "ok": u.svc_procs == n,
                "boot_s": (starts_ns[-1] - t0_ns) / 1e9,
                "first_s": (starts_ns[0] - t0_ns) / 1e9,
                "sup_cpu_s": u.sup_cpu_s,
                "tree_cpu_s": u.sup_cpu_s + u.svc_cpu_s,
                "sup_procs": u.sup_procs,
                "rss_mb": u.sup_rss_mb,
                "pss_mb": u.sup_pss_mb,
                "other_busy_cores": max(0.0, (u.machine_busy_s - b0 - u.sup_cpu_s - u.svc_cpu_s) / wall_s),
            }
        finally:
            a.stop()


def run(args: argparse.Namespace, peers: list[str]) -> None:
    res = Results("b1", vars(args), args.tag)
    for n in map(int, args.n.split(",")):
        for rep, name in rounds(peers, args.reps):
            sample = quietly(partial(one, PEERS[name], n, args.log, args.warm))
            res.add(peer=name, n=n, rep=rep, **sample)
