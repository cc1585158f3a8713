"""A short soak: after a few seconds of crashing, flapping, logging, reloading and changing, supd at rest holds what it held before."""

import json
import subprocess
import sys
from pathlib import Path

from supervisor.daemon.workers import THREADS_MAX

SOAK = Path(__file__).parents[2] / "contrib" / "bench" / "soak.py"
GROWTH_MAX_KB = 8 << 10  # histories and caches fill up to their bounds; a leak of a run's record in such traffic is more


def test_a_busy_supd_stays_as_it_was() -> None:
    command = [sys.executable, str(SOAK), "--units", "30", "--seconds", "6", "--acts", "30", "--json"]
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)
    before, after = figures["before"], figures["after"]
    assert after["manager_pid"] == before["manager_pid"]
    assert after["restarts"] > 0, "nothing crashed since the units were started anew"
    assert after["fds"] <= before["fds"]
    assert after["threads"] - before["threads"] < THREADS_MAX  # workers come when they are needed, up to so many; nothing else may
    assert after["jobs"] == 0
    assert after["anon_kb"] - before["anon_kb"] < GROWTH_MAX_KB
