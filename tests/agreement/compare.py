"""Whether supd's answer to a scenario is the reference's: recorded answers, and the verdict.

`answers.json` holds what systemd 252 answered (`python -m tests.agreement --record`). A scenario that needs a later systemd brings
the answer that follows from SEMANTICS.md, in `by_source.json`, and is counted apart. A difference that is meant stands in
`supervisor.config.differences.BEHAVIOURS` with its reason, by the scenario's name. Anything else is a defect.
"""

import json
import os
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

from supervisor.config.differences import BEHAVIOURS, PRODUCT_BEHAVIOURS
from tests.agreement.scenario import HERE, Json, Scenario

REFERENCE_VERSION = 252
RECORDED = os.path.join(HERE, "answers.json")
BY_SOURCE = os.path.join(HERE, "by_source.json")
PRODUCTS = os.path.join(HERE, "products.json")
DATAGRAMS = os.path.join(HERE, "datagrams.json")
DEFAULTS = os.path.join(HERE, "defaults.json")  # rows of the products that go otherwise with supd's own defaults


@dataclass(frozen=True)
class Verdict:
    name: str
    is_by_source: bool
    reason: str  # why it differs, where that is meant
    differences: list[str] = field(default_factory=list)

    @property
    def is_defect(self) -> bool:
        return bool(self.differences) != bool(self.reason)


def recorded(path: str = RECORDED) -> dict[str, Json]:
    """Answers by the scenario's name."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        answers: dict[str, Json] = json.load(file)
    return answers


def keep(answers: dict[str, Json], whole: bool, path: str = RECORDED) -> None:
    """Write the reference's answers; `whole`: those of scenarios that are gone are dropped."""
    kept = answers if whole else {**recorded(path), **answers}
    lines = [f"{json.dumps(name)}: {json.dumps(kept[name])}" for name in sorted(kept)]
    with open(path, "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


def judge(scenario: Scenario, given: Json) -> Verdict:
    """Compare what supd answered with what is known."""
    is_by_source = scenario.since > REFERENCE_VERSION
    expected = recorded(BY_SOURCE if is_by_source else RECORDED)
    name = scenario.name
    if name not in expected:
        return Verdict(name, is_by_source, "", ["there is no answer to compare with: record it"])
    return Verdict(name, is_by_source, BEHAVIOURS.get(name, ""), list(_unequal("", expected[name], given)))


def in_short(answer: Json) -> Json:
    """An answer of a product, fit to be kept by the thousand: one line a unit."""
    units = {
        name: " ".join(str(each) for each in (*shown.values(), *answer["lines"].get(name, ()))) for name, shown in answer["units"].items()
    }
    return {"jobs": " ".join(job.rpartition(" ")[2] for job in answer["jobs"]), **units, **({"late": True} if answer["late"] else {})}


def reason_for(name: str) -> str:
    """Why a row of a product differs, where that is meant."""
    return next((why for pattern, why in PRODUCT_BEHAVIOURS.items() if fnmatch(name, pattern)), "")


def judge_product(scenario: Scenario, given: Json, expected: dict[str, Json]) -> Verdict:
    """As `judge`, for a row of a product."""
    differences = list(_unequal("", expected.get(scenario.name), in_short(given)))
    return Verdict(scenario.name, False, reason_for(scenario.name), differences)


def _unequal(where: str, expected: Any, given: Any) -> list[str]:
    if isinstance(expected, dict) and isinstance(given, dict):
        found = []
        for key in sorted({*expected, *given}):
            found += _unequal(f"{where}.{key}".strip("."), expected.get(key), given.get(key))
        return found
    return [] if expected == given else [f"{where}: systemd {json.dumps(expected)}, supd {json.dumps(given)}"]


def summary(verdicts: list[Verdict]) -> str:
    agreed = sum(not verdict.differences and not verdict.is_by_source for verdict in verdicts)
    deliberate = sum(bool(verdict.reason) for verdict in verdicts)
    by_source = sum(verdict.is_by_source and not verdict.differences for verdict in verdicts)
    return f"agreement: {agreed} of {len(verdicts) - sum(v.is_by_source for v in verdicts)}, {deliberate} deliberate, {by_source} by source"
