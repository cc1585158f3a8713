"""Exec probes: commands in the unit's context, run by the keeper, that leave nothing behind however they end."""

import os

import pytest

from tests.system.arrival import ends_in_time
from tests.system.readiness.conftest import StartTold
from tests.system.readiness.told import Told, service

# Tells its own pid and that of a child, then waits for ever.
HANGING = """#!/bin/sh
sleep 1000 &
echo "$$ $!" > asked
wait
"""


class Asked:
    """A FIFO in which a hanging probe tells of itself, each time it is asked."""

    def __init__(self, told: Told) -> None:
        path = told.supd.path("asked")
        os.mkfifo(path)
        self._file = os.fdopen(os.open(path, os.O_RDWR))

    def next(self) -> list[int]:
        """The pids of the next question."""
        return [int(word) for word in self._file.readline().split()]

    def close(self) -> None:
        self._file.close()


def test_a_command_that_leaves_with_0_is_a_good_answer(start_told: StartTold) -> None:
    unit = "[service]\nenvironment = { WORD = 'told' }\n" + service("web")
    unit += "[service.ready]\ninterval_sec = '50ms'\nexec = \"sh -c 'test $$WORD = told && kill -0 $$MAINPID && test -e ready'\"\n"
    told = start_told({"web": unit})
    told.supd.wait_for("web", "asked", lambda shown: shown["main_pid"])
    told.wait_for_why("web", "ready probe exec fails: the command was exited with 1")
    assert told.supd.show("web")["active_state"] == "activating"
    told.supd.write("ready", "")
    told.supd.wait_until("web", "active")


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("/bin/false", "health probe exec failed 2 times in a row: the command was exited with 1"),
        ("sh -c 'kill -9 $$$$'", "health probe exec failed 2 times in a row: the command was killed with 9"),
        ("/nonexistent/probe", "health probe exec failed 2 times in a row: cannot run it (EXEC): no such file or directory"),
        ("sleep 1000", "did not end within 0.05 s"),
    ],
    ids=["it leaves with 1", "it is killed", "it cannot be run", "it hangs"],
)
def test_a_command_that_fails_ends_the_unit_as_a_watchdog_does(start_told: StartTold, command: str, text: str) -> None:
    unit = "[service]\n" + service("web")
    unit += f'[service.health]\nexec = "{command}"\ninterval_sec = "20ms"\ntimeout_sec = "50ms"\nfailure_threshold = 2\n'
    told = start_told({"web": unit})
    shown = told.supd.wait_until("web", "failed")
    assert shown["result"] == "watchdog"
    assert text in told.supd.supctl("why", "web").stdout


def hanging(start_told: StartTold, more: str) -> tuple[Told, Asked]:
    told = start_told({"web": "[unit]\nenabled = false\n[service]\n" + service("web") + f"[service.ready]\nexec = 'sh hanging.sh'\n{more}"})
    told.supd.write("hanging.sh", HANGING)
    asked = Asked(told)
    told.supd.supctl("start", "--no-block", "web")
    return told, asked


def test_a_command_that_hangs_is_killed_with_its_children_before_it_is_asked_again(start_told: StartTold) -> None:
    _, asked = hanging(start_told, "interval_sec = '50ms'\ntimeout_sec = '100ms'\n")
    for _ in range(3):
        pids = asked.next()
        assert [ends_in_time(pid, 20) for pid in pids] == [True, True]
    asked.close()


def test_a_command_that_hangs_is_killed_with_its_children_when_the_unit_is_stopped(start_told: StartTold) -> None:
    told, asked = hanging(start_told, "timeout_sec = '1h'\n")
    pids = asked.next()
    told.supd.supctl("stop", "web")
    assert told.supd.show("web")["pids"] == []
    assert [ends_in_time(pid, 20) for pid in pids] == [True, True]
    asked.close()


def test_a_command_that_hangs_when_the_manager_dies_is_killed_and_asked_anew(start_told: StartTold) -> None:
    told, asked = hanging(start_told, "timeout_sec = '1h'\n")
    old = asked.next()
    main_pid = told.supd.show("web")["main_pid"]
    told.kill_manager()
    new = asked.next()
    assert [ends_in_time(pid, 20) for pid in old] == [True, True]
    assert [ends_in_time(pid, 0) for pid in new] == [False, False]
    assert told.supd.show("web")["main_pid"] == main_pid
    asked.close()
