"""Measures `supctl tui` in a pseudo-terminal against a real supd: `python3 -m tuibench [--quick] [PART...]`, from contrib/bench/tui.

Prints each figure with its budget; leaves with 1 if one is over twice its budget, which noise alone does not explain on a quiet machine.
"""

import argparse
import os
import sys
from collections.abc import Callable

from tuibench import logs
from tuibench.logs import Figures

Part = Callable[[str, float], Figures]

PARTS: dict[str, tuple[Part, dict[str, float]]] = {
    "start": (lambda supctl, seconds: logs.first_paint(supctl), {"first paint ms": 300, "units ms": 600, "log ms": 100}),
    "log-2000": (
        lambda supctl, seconds: logs.full_screen(supctl, seconds, 2000),
        {"CPU %": 15, "kB/s": 200, "key p50 ms": 20, "key max ms": 60},
    ),
    "log-10000": (lambda supctl, seconds: logs.full_screen(supctl, seconds, 10_000), {"CPU %": 15, "kB/s": 200, "key p50 ms": 20}),
    "memory": (
        lambda supctl, seconds: logs.memory(supctl, 10_000, seconds * 2),
        {"RSS at 100k MB": 85, "RSS later MB": 85},
    ),
    "filter": (lambda supctl, seconds: logs.filtering(supctl, 0), {"first page ms": 50}),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="tuibench", description="Measures supctl tui against a real supd.")
    parser.add_argument("--quick", action="store_true", help="two seconds a figure")
    parser.add_argument("--supctl", default=os.path.join(os.path.dirname(sys.executable), "supctl"))
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without")
    chosen = parser.parse_args()
    is_over = False
    for name in chosen.parts or PARTS:
        if name not in PARTS:
            parser.error(f"no part {name}; there are {', '.join(PARTS)}")
        measure, budgets = PARTS[name]
        print(f"{name}  (load of the machine {os.getloadavg()[0]:.1f})", flush=True)
        for what, value in measure(chosen.supctl, 2 if chosen.quick else 6).items():
            budget = budgets.get(what)
            is_over |= budget is not None and value > 2 * budget
            print(f"    {what:<18} {value:8.1f}" + (f"   of {budget:g}" if budget is not None else ""), flush=True)
    return int(is_over)


if __name__ == "__main__":
    sys.exit(main())
