"""The keeper spawns the first service before the manager has imported what the first service does not need (DESIGN, Budgets)."""

import os
import subprocess
import sys

import supervisor

# What the manager has loaded when it hands over the first spawn of a boot whose unit files have not changed.
BEFORE_THE_FIRST_SPAWN = """
import supervisor.daemon.main, supervisor.daemon.environment, supervisor.daemon.notifydirectory, supervisor.daemon.intents
import supervisor.daemon.logs, supervisor.daemon.notify, supervisor.daemon.prepare, supervisor.daemon.processes
import supervisor.engine, supervisor.config.store
import sys
print(*sorted(name for name in sys.argv[1:] if name in sys.modules))
"""
NOT_NEEDED = ("asyncio", "h11", "http", "logging", "pydantic", "sqlite3", "ssl", "subprocess", "threading", "tomllib", "watchdog")


def test_the_first_spawn_waits_for_no_module_it_does_not_need() -> None:
    ran = subprocess.run([sys.executable, "-c", BEFORE_THE_FIRST_SPAWN, *NOT_NEEDED], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_the_keeper_loads_next_to_nothing_before_the_manager_is_started() -> None:
    program = "import supervisor.keeper.main, sys; print(*sorted(name for name in sys.argv[1:] if name in sys.modules))"
    names = (*NOT_NEEDED, "ctypes", "dataclasses", "json", "re", "socket", "typing")
    root = os.path.dirname(os.path.dirname(supervisor.__file__))
    program = f"import sys; sys.path.insert(0, {root!r}); {program}"
    ran = subprocess.run([sys.executable, "-S", "-E", "-c", program, *names], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
