"""Options of the whole test suite: how much simulation and chaos, and which world to play again. Figures of a run, shown at its end."""

from typing import Any

import pytest
from hypothesis import settings

GENERATED = 400  # texts that each test with the profile `generated` is held to; `--full` makes thirty times as many
FULL_WORLDS = 25_000

_figures = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("simulation")
    group.addoption("--sim-seed", type=int, default=None, help="play this one world again, with its last events on failure")
    group.addoption("--chaos-seed", type=int, default=None, help="the chaos tests: do what they did with this seed")
    group.addoption(
        "--full",
        type=int,
        nargs="?",
        const=FULL_WORLDS,
        default=None,
        help=f"the full size of every test that has two; of the simulation this many worlds ({FULL_WORLDS} without a number)",
    )


def pytest_configure(config: pytest.Config) -> None:
    is_full = config.getoption("--full") is not None
    # The small size makes the same texts at every run: what it finds is a defect, never luck.
    settings.register_profile(
        "generated", max_examples=GENERATED * (30 if is_full else 1), deadline=None, derandomize=not is_full, database=None
    )


def figure(config: pytest.Config, text: str) -> None:
    """One figure that a test has measured, to be shown when all have run."""
    config.stash.setdefault(_figures, []).append(text)


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:  # in a process of pytest-xdist: the figures go with what it reports
        output["figures"] = session.config.stash.get(_figures, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process of pytest-xdist has ended (`node`: its `WorkerController`); one that crashed reports nothing."""
    for text in getattr(node, "workeroutput", {}).get("figures", []):
        figure(node.config, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash.get(_figures, [])
    if figures:
        terminalreporter.section("figures")
        for text in figures:
            terminalreporter.line(text)
