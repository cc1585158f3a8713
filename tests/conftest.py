"""Options of the whole test suite: how much simulation, and which world to play again."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("simulation")
    group.addoption("--sim-seed", type=int, default=None, help="play this one world again, with its last events on failure")
    group.addoption("--full", type=int, nargs="?", const=20_000, default=None, help="play this many worlds (20000 without a number)")
