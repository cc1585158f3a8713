"""Unit files read by a process of its own: the same set, and nothing of the parsers in who asked."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.config.projects import SERVICE, write_units

# The set as another process tells it, in one that has a single thread; then what was loaded there, and what reading it here gives.
PROGRAM = """
import sys
from supervisor.config import aside, mode
where = mode.project([sys.argv[1]])
if sys.argv[2] == "no process":
    import os
    def fork():
        raise BlockingIOError(11, "no process to be had")
    os.fork = fork
elif sys.argv[2] == "killed":
    import os, signal
    fork = os.fork
    def fork_and_kill():
        pid = fork()
        os.kill(pid or os.getpid(), signal.SIGKILL)
        return pid
    os.fork = fork_and_kill
told = aside.Loading(where).result()
loaded = sorted({"pydantic", "tomllib"} & set(sys.modules))
from supervisor.config.load import load
fresh = load(where)
for name in ("mode", "units", "errors", "warnings", "aliases", "templates", "files", "origins", "facts", "overrides", "is_stored"):
    assert getattr(told, name) == getattr(fresh, name), (name, getattr(told, name), getattr(fresh, name))
print(len(told.units), len(told.errors), *loaded)
"""
FILES = {
    "web.toml": SERVICE,
    "web.toml.d/10.toml": '[unit]\ndescription = "%H"\naliases = ["front"]\n',
    "worker@.toml": "[unit]\ninstances = 2\n" + SERVICE,
}


def _ran(directory: Path, what: str = "") -> list[str]:
    ran = subprocess.run([sys.executable, "-c", PROGRAM, str(directory / "units"), what], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_what_another_process_tells_is_what_the_files_say_and_the_parsers_stay_there(tmp_path: Path) -> None:
    write_units(tmp_path, FILES)
    assert _ran(tmp_path) == ["3", "0"]


def test_errors_and_warnings_come_along(tmp_path: Path) -> None:
    write_units(tmp_path, {**FILES, "bad.toml": '[service]\nexec_start = "x"\nrestart = "allways"\n', "half.toml": "[service]\n"})
    count, errors, *loaded = _ran(tmp_path)
    assert (count, loaded) == ("5", [])
    assert int(errors) >= 2


@pytest.mark.parametrize("what", ["no process", "killed"])
def test_who_gets_no_answer_reads_the_files_himself(tmp_path: Path, what: str) -> None:
    write_units(tmp_path, FILES)
    assert _ran(tmp_path, what) == ["3", "0", "pydantic", "tomllib"]
