"""Plant one fault and see whether anything notices.

Nothing on the disk is changed: each trial is a process of its own in which the import of one engine module gives the faulty text.
The specification tables look first, those that are about the module before the others, then the simulation. A trial that ends
badly in any way (a failed test, a world that breaks a law, an endless loop) has caught its fault.
"""

import importlib.abc
import importlib.machinery
import os
import re
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from tests.planted.faults import ENGINE, Fault, source_of

SPEC = Path(__file__).parents[1] / "spec"
# A trial that has not ended by then goes round for ever: the tables that are near take a few seconds each, and all others fifty.
NEAR_CPU_MAX_S, OTHERS_CPU_MAX_S, WORLD_CPU_MAX_S = 20, 150, 2
MEMORY_MAX_BYTES = 2 << 30

# The tables that know most about a module, the best first: they look first, and mostly that is enough.
NEAREST: dict[str, tuple[str, ...]] = {
    "lifecycle": ("service_steps", "new_lives", "forks_and_reloads", "times", "service_types", "total_table", "restart_table"),
    "phases": ("service_steps", "service_types", "kill_modes", "timeouts"),
    "killing": ("signals_sent", "service_steps", "kill_modes", "timeouts"),
    "exits": ("service_steps", "forks_and_reloads", "exit_status", "service_types", "unasked", "kill_modes"),
    "spawned": ("signals_sent", "forks_and_reloads", "exit_status", "service_types", "recovery"),
    "timeouts": ("service_steps", "timeouts", "watchdog", "total_table"),
    "notifications": ("words_by_rule", "notify", "watchdog", "words_in_every_state"),
    "verbs": ("turns", "conditions_and_asserts", "start_limit", "hooks_and_leaving"),
    "restart": ("turns", "backoff", "start_limit", "restart_table"),
    "transaction": ("job_corners", "job_merging", "transaction_laws", "dependency_atoms"),
    "cycles": ("job_corners", "job_merging", "transaction_laws"),
    "jobs": ("changes_and_jobs", "queue_laws", "job_merging", "job_corners", "dependency_atoms"),
    "jobtypes": ("changes_and_jobs", "job_merging"),
    "reactions": ("changes_and_jobs", "settling", "turns", "signals_sent", "forks_and_reloads", "unasked", "dependency_atoms"),
    "graph": ("graph", "dependency_atoms", "dependencies_recorded"),
}


_PLAYS = re.compile(r"^from (tests\.spec\.(world|bench|shell|reloads|lives)|supervisor\.engine)\b", re.MULTILINE)


def tables() -> list[Path]:
    """Every specification table that plays the engine."""
    found = [path for path in sorted(SPEC.glob("test_*.py")) if _PLAYS.search(path.read_text(encoding="utf-8"))]
    return sorted(found, key=lambda path: path.stem == "test_products")  # it takes as long as all others


@dataclass(frozen=True)
class Trial:
    fault: Fault
    caught_by: str  # "tables", "simulation" or ""


class _Faulty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the faulty text when its module is imported."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._name = f"supervisor.engine.{fault.module}"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        text = self._fault.applied(source_of(self._fault.module))
        exec(compile(text, ENGINE / f"{self._fault.module}.py", "exec"), module.__dict__)  # noqa: S102  # our own text with one change


def try_fault(fault: Fault, worlds: int) -> Trial:
    """What catches it first. The tables look in turns, for the first of the near ones sees most, and alone it is begun soonest."""
    near = [SPEC / f"test_{name}.py" for name in (*NEAREST[fault.module], "lives")]
    others = [path for path in tables() if path not in near]
    for paths in (near[:1], near[1:3], near[3:], others):
        cpu_max_s = OTHERS_CPU_MAX_S if paths is others else NEAR_CPU_MAX_S
        if paths and not _passes(fault, partial(_tables_hold, paths), cpu_max_s):
            return Trial(fault, "tables")
    return Trial(fault, "" if _passes(fault, partial(_worlds_hold, worlds), 10 + worlds * WORLD_CPU_MAX_S) else "simulation")


def _tables_hold(paths: list[Path]) -> bool:
    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", *map(str, paths)]) == 0


def _worlds_hold(worlds: int) -> bool:
    from tests.sim.traffic import play  # imports the engine, which is to be the faulty one

    for seed in range(worlds):
        play(seed)
    return True


def _passes(fault: Fault, holds: Callable[[], bool], cpu_max_s: int) -> bool:
    """Whether it holds with the fault in place, judged in a process of its own."""
    assert not any(name.startswith("supervisor.engine") for name in sys.modules), "the engine was imported before the fault was planted"
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_max_s, cpu_max_s))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            sys.meta_path.insert(0, _Faulty(fault))
            status = 0 if holds() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
