"""B3 log throughput: one service floods stdout, the supervisor captures it to a file.

mb_s            bytes over the time from the service's start to the last growth of the log
cpu_s_per_gib   CPU of the supervisor and its loggers
lines_lost      written minus captured
"""

import argparse
from functools import partial

from .adapter import Adapter
from .cage import SVC
from .measure import Results, Sample, quietly, rounds, workspace
from .peers import PEERS

LINE_BYTES = 100


def options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--mib", type=int, default=1024)


def one(cls: type[Adapter], mib: int) -> Sample:
    lines = (mib << 20) // LINE_BYTES
    size_bytes = lines * LINE_BYTES
    with workspace(f"b3-{cls.name}") as (directory, stamps):
        a = cls(directory)
        a.prepare(1, lambda i: [SVC, "flood", f"s{i:04d}", str(stamps.path), str(size_bytes)], True)
        try:
            a.start()
            if not a.booted(stamps):
                return {"ok": False, "why": a.complaint()}
            begin_s = stamps.read("start")[0] / 1e9
            u0 = a.usage()
            _, end_s = a.wait_log(size_bytes)
            u1 = a.usage()
            spent = u1.since(u0)
            return {
                "ok": bool(stamps.read("done")),
                "mib": mib,
                "mb_s": size_bytes / 1e6 / (end_s - begin_s),
                "cpu_s_per_gib": spent["sup_cpu_s"] / (size_bytes / 2**30),
                "lines_lost": lines - a.log_lines(),
                "rss_mb": u1.sup_rss_mb,
                "other_busy_cores": spent["other_busy_cores"],
            }
        finally:
            a.stop()


def run(args: argparse.Namespace, peers: list[str]) -> None:
    res = Results("b3", vars(args), args.tag)
    for rep, name in rounds(peers, args.reps):
        sample = quietly(partial(one, PEERS[name], args.mib))
        res.add(peer=name, rep=rep, **sample)
