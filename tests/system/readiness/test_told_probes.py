"""Probes that are told: a newline on a descriptor (s6's way), a line of output. Each is of one run, and outlives the manager."""

import pytest

from tests.system.readiness.conftest import StartTold
from tests.system.readiness.told import TICK, service

FD = "[service]\n" + service("web") + "[service.ready]\nfd = {}\n"
LOG = "[service]\n" + service("web") + "[service.ready]\nlog = 'server (ready|up)$'\n"


@pytest.mark.parametrize("number", [3, 9])
def test_a_unit_is_up_when_it_writes_a_newline_on_its_descriptor(start_told: StartTold, number: int) -> None:
    told = start_told({"web": FD.format(number)})
    assert told.ask("web", "open", "opened") == f"open 0 1 2 {number}"  # gaps are closed
    assert told.ask("web", "given", "counted") == "given 0 -"
    assert told.supd.show("web")["active_state"] == "activating"
    told.tell("web", f"write {number} ")
    told.supd.wait_until("web", "active")


def test_the_newline_of_the_last_run_does_not_count(start_told: StartTold) -> None:
    told = start_told({"web": FD.format(3)})
    told.tell("web", "write 3 now")
    told.tell("web", "write 3 and again")
    told.supd.wait_until("web", "active")
    told.supd.supctl("restart", "--no-block", "web")
    assert told.ask("web", "given", "second run") == "given 0 -"
    assert told.supd.show("web")["active_state"] == "activating"
    told.tell("web", "write 3 now")
    told.supd.wait_until("web", "active")


def test_the_newline_counts_when_the_manager_died_before_it_and_after_it(start_told: StartTold) -> None:
    told = start_told({"web": FD.format(3), "late": "[service]\n" + service("late") + "[service.ready]\nfd = 5\ninitial_delay_sec = 1\n"})
    told.ask("web", "open", "is running")
    told.tell("late", "write 5 before anybody listens")
    told.tell("late", "print written")
    told.supd.wait_for_line("late", "written")
    told.kill_manager()
    told.tell("web", "write 3 now")
    told.supd.wait_until("web", "active")
    told.supd.wait_until("late", "active")


def test_a_service_may_go_on_writing_there_whoever_is_gone(start_told: StartTold) -> None:
    told = start_told({"web": FD.format(4)})
    told.tell("web", "write 4 now")
    told.supd.wait_until("web", "active")
    told.kill_manager()
    told.tell("web", "write 4 nobody reads this")
    assert told.ask("web", "open", "still there") == "open 0 1 2 4"


def test_stored_descriptors_and_a_ready_pipe_do_not_meet(start_told: StartTold) -> None:
    unit = "[service]\nfile_descriptor_store_max = 2\n" + service("web") + "[service.ready]\nfd = 5\n"
    told = start_told({"web": unit})
    told.tell("web", "store one 1")
    told.tell("web", "store two 2")
    told.tell("web", "write 5 now")
    told.stored("web", 2)
    told.supd.supctl("restart", "--no-block", "web")
    assert told.ask("web", "given", "second run") == "given 2 True one=1 two=2"
    assert told.ask("web", "open", "opened") == "open 0 1 2 3 4 5"
    told.tell("web", "write 5 now")
    told.supd.wait_until("web", "active")


def test_a_ready_pipe_goes_with_its_unit(start_told: StartTold) -> None:
    told = start_told({"web": FD.format(3), "tick": TICK})
    told.supd.wait_for("web", "running", lambda shown: shown["main_pid"])
    told.supd.supctl("stop", "web")
    before = told.descriptors_of_the_keeper()
    told.tell("web", "write 3 now")
    told.supd.supctl("start", "web")
    assert told.descriptors_of_the_keeper() == before + 1
    told.supd.supctl("stop", "web")
    assert told.descriptors_of_the_keeper() == before


def test_a_unit_is_up_when_a_line_of_its_output_matches(start_told: StartTold) -> None:
    told = start_told({"web": LOG})
    told.ask("web", "print server ready soon", "no match")
    assert told.supd.show("web")["active_state"] == "activating"
    told.tell("web", "print \x1b[32mserver up\x1b[0m")  # colour is no part of it
    told.supd.wait_until("web", "active")


def test_the_line_of_the_last_run_does_not_count(start_told: StartTold) -> None:
    told = start_told({"web": LOG})
    told.tell("web", "print server ready")
    told.supd.wait_until("web", "active")
    told.tell("web", "print server ready")
    told.supd.supctl("restart", "--no-block", "web")
    told.ask("web", "given", "second run")
    assert told.supd.show("web")["active_state"] == "activating"
    told.tell("web", "print server ready")
    told.supd.wait_until("web", "active")


def test_a_line_that_came_before_the_manager_died_counts_with_the_next_one(start_told: StartTold) -> None:
    told = start_told({"web": LOG + "initial_delay_sec = 1\n"})
    told.tell("web", "print server ready")
    told.supd.wait_for_line("web", "server ready")
    told.kill_manager()
    told.supd.wait_until("web", "active")


def test_lines_before_and_after_the_death_of_the_manager_are_counted_once(start_told: StartTold) -> None:
    told = start_told({"web": LOG + "success_threshold = 2\n"})
    told.ask("web", "print server ready", "first")
    told.kill_manager()
    told.ask("web", "print nothing to see", "later")
    assert told.supd.show("web")["active_state"] == "activating"
    told.tell("web", "print server up")
    told.supd.wait_until("web", "active")
