"""A fixed small sample of planted faults is caught by the specification tables and the simulation, at least nine of ten."""

import subprocess
import sys
from pathlib import Path

from tests.planted import faults


def test_nine_of_ten_faults_of_the_sample_are_caught() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.planted"], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=600, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_fault_changes_one_place_and_what_comes_of_it_is_python() -> None:
    every = faults.every_fault()
    assert len(every) > 1500
    for fault in every:
        source = faults.source_of(fault.module)
        assert source[fault.begin : fault.end] == fault.old != fault.new
        compile(fault.applied(source), fault.module, "exec")


def test_the_faults_are_the_same_each_time() -> None:
    assert faults.every_fault() == faults.every_fault()
    ranks = [fault.rank() for fault in faults.every_fault()]
    assert len(set(ranks)) == len(ranks)
    assert ranks == [fault.rank() for fault in faults.every_fault()]
    assert not set(ranks) & {fault.rank(seed=1) for fault in faults.every_fault()}
