"""`python -m tests.agreement`: play the scenarios, compare, print.

--record        play them on the reference too, and keep its answers
--defaults      with supd's own defaults where they are unlike systemd's: which answers change
--products      the whole products of products.py instead of the written scenarios
--datagrams     those of datagrams.py
NAME...         only scenarios whose name contains one of these
"""

import argparse
import sys

from tests.agreement import compare, datagrams, products, scenario
from tests.agreement.scenario import Scenario
from tests.agreement.steps import play
from tests.agreement.worlds import Ours, Reference


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.agreement")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--defaults", action="store_true")
    parser.add_argument("--products", action="store_true")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--datagrams", action="store_true")
    options = parser.parse_args()
    if options.datagrams:
        return _datagrams(options)
    every = products.every_product() if options.products else scenario.load()
    chosen = [each for each in every if not options.names or any(name in each.name for name in options.names)]
    if options.record:
        _record(chosen, options)
    ours = Ours(chosen, has_own_defaults=options.defaults)
    try:
        given = play(ours, chosen)
    finally:
        ours.close()
    if options.products:
        known = compare.recorded(compare.PRODUCTS)
        verdicts = [compare.judge_product(each, given[each.name], known) for each in chosen]
    else:
        verdicts = [compare.judge(each, given[each.name]) for each in chosen]
    for verdict in verdicts:
        if verdict.differences and (options.defaults or not verdict.reason):
            print(f"{verdict.name}:")
            for line in verdict.differences:
                print(f"    {line}")
    print(compare.summary(verdicts))
    return any(verdict.is_defect for verdict in verdicts)


def _datagrams(options: argparse.Namespace) -> int:
    chosen = {said: row for said, row in datagrams.rows().items() if not options.names or any(name in said for name in options.names)}
    scenarios, names = list(chosen.values()), {row.name: said for said, row in chosen.items()}
    known = compare.recorded(compare.DATAGRAMS)
    if options.record:
        reference = Reference(scenarios)
        try:
            answers = play(reference, scenarios, datagrams.answer)
        finally:
            reference.close()
        compare.keep({names[name]: answer for name, answer in answers.items()}, whole=not options.names, path=compare.DATAGRAMS)
        known = compare.recorded(compare.DATAGRAMS)
    ours = Ours(scenarios)
    try:
        given = play(ours, scenarios, datagrams.answer)
    finally:
        ours.close()
    differing = [(said, known.get(said), given[row.name]) for said, row in chosen.items() if given[row.name] != known.get(said)]
    for said, theirs, answer in differing:
        print(f"{said}:\n    systemd {theirs}\n    supd    {answer}")
    print(f"datagrams: {len(chosen) - len(differing)} of {len(chosen)}")
    return bool(differing)


def _record(chosen: list[Scenario], options: argparse.Namespace) -> None:
    known = [each for each in chosen if each.since <= compare.REFERENCE_VERSION]
    world = Reference(known)
    try:
        answers = play(world, known)
    finally:
        world.close()
    if options.products:
        short = {name: compare.in_short(answer) for name, answer in answers.items()}
        compare.keep(short, whole=not options.names, path=compare.PRODUCTS)
    else:
        compare.keep(answers, whole=not options.names)


if __name__ == "__main__":
    sys.exit(main())
