"""Tests of the terminal UI that are coroutines run in a loop of their own; nothing here waits for time, and nothing animates."""

import asyncio
import inspect
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.tui.logscreen import Logs

os.environ["TEXTUAL_ANIMATIONS"] = "none"  # read when textual is imported


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(autouse=True)
def the_same_place_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clock times on the screen are those of one zone, and the number of cores is the same on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def logs(tmp_path: Path) -> "Logs":
    from tests.tui.logscreen import Logs  # textual may read the environment only now

    return Logs(tmp_path)
