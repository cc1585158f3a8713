"""Running a program as another user, so that the tests of who may do what are about real users.

The interpreter may lie where only root can go (a checkout or a pyenv below /root). Then the other user gets CAP_DAC_READ_SEARCH,
which lets him read and search what he otherwise could not, and nothing more: what supd and supctl decide by owner and mode, and
who may write or connect, stays as it is.
"""

import functools
import os
import subprocess
import sys

import pytest

PROGRAMS = os.path.dirname(sys.executable)  # `supd` and `supctl` are installed beside the interpreter that runs the tests
NOBODY = 65534
OTHER = 65533  # a second user, without a name

_READ_EVERYTHING = ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")


def command_as(uid: int | None, command: list[str]) -> list[str]:
    """`command` as that user would run it; None is the user who runs the tests. The process keeps its pid."""
    return command if uid is None else [*_prefix(uid), *command]


@functools.cache
def _prefix(uid: int) -> tuple[str, ...]:
    """setpriv(1) with what that user needs to reach the interpreter. Skips the test where nothing helps."""
    plain = ("setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups")
    for capabilities in ((), _READ_EVERYTHING):
        prefix = (*plain, *capabilities, "--")
        tried = subprocess.run([*prefix, os.path.join(PROGRAMS, "supd"), "--version"], cwd="/", capture_output=True, check=False)
        if tried.returncode == 0:
            return prefix
    pytest.skip(f"uid {uid} cannot run {PROGRAMS}/supd: run the tests from a directory that others can read")
