"""`python -m tests.planted`: plant faults, print how many are caught, and which are not.

--full          every fault, with more worlds for each that the tables let pass (about two hours on two cores)
--count N       so many faults, the same ones each time
--seed N        other ones than those of seed 0
--worlds N      so many worlds for each
--only TEXT     only faults whose description contains it
--list          print the faults that would be planted, and plant none
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.planted.faults import Fault, every_fault
from tests.planted.run import Trial, try_fault

SAMPLE = 12
WORLDS, WORLDS_FULL = 20, 300
CAUGHT_AT_LEAST = 0.9


def chosen(options: argparse.Namespace) -> list[Fault]:
    faults = [fault for fault in every_fault() if not options.only or options.only in str(fault)]
    if options.full or options.only:
        return faults
    return sorted(faults, key=lambda fault: fault.rank(options.seed))[: options.count]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.planted")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", metavar="TEXT")
    parser.add_argument("--count", type=int, default=SAMPLE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worlds", type=int)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    faults = chosen(options)
    if options.list:
        print("\n".join(map(str, faults)))
        return 0
    worlds = options.worlds or (WORLDS_FULL if options.full else WORLDS)
    trials = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as pool:
        for trial in pool.map(try_fault, faults, [worlds] * len(faults)):
            trials.append(trial)
            if not trial.caught_by:
                print(f"not caught: {trial.fault}", flush=True)
    print(summary(trials))
    caught = sum(bool(trial.caught_by) for trial in trials)
    return caught < CAUGHT_AT_LEAST * len(trials)


def summary(trials: list[Trial]) -> str:
    by = {who: sum(trial.caught_by == who for trial in trials) for who in ("tables", "simulation")}
    caught = sum(by.values())
    return (
        f"planted faults: {caught} of {len(trials)} caught ({100 * caught / max(len(trials), 1):.1f} %), "
        f"{by['tables']} by the specification tables, {by['simulation']} by the simulation alone"
    )


if __name__ == "__main__":
    sys.exit(main())
