"""python3 -m supbench BENCH [--peers a,b] [--reps N] [options of that benchmark]"""

import argparse

from . import b1_boot, b2_restart, b3_flood, b4_idle, b5_control, b7_chatty, b8_reading, cage, measure, peers_list, report
from .peers import PEERS

BENCHES = {
    "b1": b1_boot,
    "b2": b2_restart,
    "b3": b3_flood,
    "b4": b4_idle,
    "b5": b5_control,
    "b7": b7_chatty,
    "b8": b8_reading,
    "report": report,
    "peers": peers_list,
}


def chosen(names: str, skip: str, bench: str) -> list[str]:
    """The peers that are asked for and installed; unless named, those that are for this benchmark."""
    default = [p for p, cls in PEERS.items() if not cls.only_in or bench in (*cls.only_in, "peers")]
    out = []
    for name in names.split(",") if names else default:
        if name in skip.split(","):
            continue
        if why := PEERS[name].missing():
            print(f"{name}: skipped, {why}")
        else:
            out.append(name)
    return out


def main() -> None:
    p = argparse.ArgumentParser(prog="supbench", description=__doc__)
    sub = p.add_subparsers(dest="bench", required=True)
    for name, module in BENCHES.items():
        q = sub.add_parser(name, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        q.add_argument("--peers", default="", help=f"of {','.join(PEERS)}; default: all that fit")
        q.add_argument("--skip", default="")
        q.add_argument("--reps", type=int, default=5)
        q.add_argument("--tag", default="", help="suffix of the result file")
        module.options(q)
    args = p.parse_args()
    cage.build()
    measure.raise_limits()
    BENCHES[args.bench].run(args, chosen(args.peers, args.skip, args.bench))


main()
