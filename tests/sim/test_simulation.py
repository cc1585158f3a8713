"""Thousands of random worlds in virtual time (DESIGN, Simulation).

`pytest tests/sim --sim-seed=N` plays world N alone; `--full` or `--full=COUNT` plays more of them.
"""

from collections import Counter

import pytest

from tests.conftest import figure
from tests.sim import cells
from tests.sim.traffic import MIXES, play

WORLDS = 1_000  # about 30 s on one core
BATCH = 25
CRASH_POINTS_PER_WORLD = 4  # on an average: 4,000 in the daily run, 100,000 with --full


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" not in metafunc.fixturenames:
        return
    one, count = metafunc.config.getoption("--sim-seed"), metafunc.config.getoption("--full")
    if one is not None:
        batches = [range(one, one + 1)]
    else:
        total = count or WORLDS
        batches = [range(first, min(first + BATCH, total)) for first in range(0, total, BATCH)]
    metafunc.parametrize("seeds", batches, ids=lambda seeds: f"worlds {seeds.start} to {seeds.stop - 1}")


@pytest.fixture(scope="module")
def visited() -> set[tuple[str, str]]:
    return set()


@pytest.fixture(scope="module")
def crash_points() -> Counter[str]:
    return Counter()


def test_in_every_world_all_laws_hold(seeds: range, visited: set[tuple[str, str]], crash_points: Counter[str]) -> None:
    for seed in seeds:
        world = play(seed)
        visited |= world.cells
        crash_points["worlds"] += 1
        crash_points += world.crash_points


def test_a_recovered_engine_equals_one_that_never_crashed_at_thousands_of_crash_points(
    crash_points: Counter[str], request: pytest.FixtureRequest
) -> None:
    """Held at each by `RandomWorld` itself; here it is counted, so that nobody mistakes a world without crashes for one that survived."""
    if request.config.getoption("--sim-seed") is not None:
        pytest.skip("one world alone has few crash points")
    points = crash_points["shadow"] + crash_points["successor"]
    figure(request.config, f"simulation: {points} crash points in {crash_points['worlds']} worlds")
    assert crash_points["shadow"] > crash_points["worlds"] and crash_points["successor"] > crash_points["worlds"] / 2
    assert points >= CRASH_POINTS_PER_WORLD * crash_points["worlds"]


def test_every_cell_of_the_life_cycle_table_was_visited(visited: set[tuple[str, str]], request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--sim-seed") is not None:
        pytest.skip("one world alone does not visit every cell")
    missing = cells.expected() - visited
    assert not missing, f"{len(missing)} cells were never visited: {sorted(missing)}"


def test_a_cell_that_is_listed_as_impossible_is_never_visited(visited: set[tuple[str, str]]) -> None:
    assert not visited & set(cells.IMPOSSIBLE)
    assert not {sub for sub, _ in visited} & {str(sub) for sub in cells.UNSEEN_STATES}


def test_a_world_is_wholly_determined_by_its_seed() -> None:
    for seed in range(len(MIXES)):
        assert play(seed).history == play(seed).history
