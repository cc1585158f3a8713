"""supd plays every scenario, all at once, and does what systemd did. What systemd did is in `answers.json`, so no systemd is needed."""

import os
from collections.abc import Iterator

import pytest

from supervisor.config.differences import BEHAVIOURS
from tests.agreement import compare, products, scenario
from tests.agreement.scenario import Json, Scenario
from tests.agreement.steps import play
from tests.agreement.worlds import Ours
from tests.conftest import figure

SCENARIOS = scenario.load()


def _rows(config: pytest.Config) -> list[Scenario]:
    """The rows of the products that are played: a sample, or all of them with `--full`."""
    return products.every_product() if config.getoption("--full") is not None else products.sample()


@pytest.fixture(scope="module")
def played(pytestconfig: pytest.Config) -> Iterator[dict[str, Json]]:
    if os.getuid() != 0:
        pytest.skip("the answers are root's: users, nice levels and directories below /run")
    every = [*SCENARIOS, *_rows(pytestconfig)]
    world = Ours(every)
    try:
        yield play(world, every)
    finally:
        world.close()


@pytest.mark.parametrize("each", SCENARIOS, ids=lambda each: each.name)
def test_supd_does_what_systemd_does(each: Scenario, played: dict[str, Json]) -> None:
    verdict = compare.judge(each, played[each.name])
    if verdict.reason:
        assert verdict.differences, f"{each.name} agrees now: take it out of the table of differences"
    else:
        assert not verdict.differences, "\n".join(verdict.differences)


def test_supd_does_what_systemd_does_in_the_rows_of_the_products(played: dict[str, Json], pytestconfig: pytest.Config) -> None:
    known = compare.recorded(compare.PRODUCTS)
    verdicts = [compare.judge_product(row, played[row.name], known) for row in _rows(pytestconfig)]
    wrong = [f"{verdict.name}: {'; '.join(verdict.differences) or 'it agrees now'}" for verdict in verdicts if verdict.is_defect]
    assert not wrong, "\n".join(wrong)


def test_the_figure_is_shown(played: dict[str, Json], pytestconfig: pytest.Config) -> None:
    known = compare.recorded(compare.PRODUCTS)
    verdicts = [compare.judge(each, played[each.name]) for each in SCENARIOS]
    rows = [compare.judge_product(row, played[row.name], known) for row in _rows(pytestconfig)]
    figure(pytestconfig, compare.summary([*verdicts, *rows]))
    assert len(verdicts) >= 150
    assert sum(verdict.is_by_source for verdict in verdicts) >= 10


def test_what_252_does_not_know_has_its_answer_from_the_rules_and_nothing_else_has() -> None:
    later = {each.name for each in SCENARIOS if each.since > compare.REFERENCE_VERSION}
    assert set(compare.recorded(compare.BY_SOURCE)) == later
    assert not later & set(compare.recorded())


def test_a_product_meets_each_of_its_factors_in_the_sample() -> None:
    met = {word for row in products.sample() for word in products.factors(row)}
    assert met == {word for row in products.every_product() for word in products.factors(row)}
    assert len(products.sample()) < len(products.every_product()) / 10


def test_every_answer_and_every_reason_belongs_to_a_scenario() -> None:
    names = {each.name for each in SCENARIOS}
    answers = {*compare.recorded(), *compare.recorded(compare.BY_SOURCE)}
    assert answers == names
    assert set(BEHAVIOURS) <= names


@pytest.mark.parametrize(
    "key, directive",
    [
        ("exec_start_pre", "ExecStartPre"),
        ("restart_sec", "RestartSec"),
        ("pid_file", "PIDFile"),
        ("umask", "UMask"),
        ("cpu_affinity", "CPUAffinity"),
        ("send_sigkill", "SendSIGKILL"),
        ("limit_nofile", "LimitNOFILE"),
    ],
)
def test_a_key_is_the_directive_in_snake_case(key: str, directive: str) -> None:
    assert scenario.directive(key) == directive


def test_the_units_of_both_worlds_follow_from_one_text() -> None:
    units: dict[str, dict[str, Json]] = {
        "a": {"unit": {"after": ["b"]}, "service": {"exec_start": "@say main", "type": "exec"}},
        "b": {"service": {}},
    }
    given = Scenario("x/y", ["start a"], units)
    texts = scenario.Texts(given, "/d")
    assert texts.systemds("a") == (
        "[Unit]\nAfter=agr-x-y-b.service\n[Service]\nWorkingDirectory=/\nType=exec\nExecStart=/d/say /d/agr-x-y-log a main\n"
    )
    assert texts.ours("a") == (
        '[unit]\nenabled = false\nrecover_dependents = false\nafter = ["agr-x-y-b"]\n[service]\nworking_directory = "/"\n'
        'type = "exec"\nrestart_reset_sec = 0\nexec_start = "/d/say /d/agr-x-y-log a main"\n'
    )
