"""FDSTORE: what a service hands over is kept through restarts and the manager's death, and given back (sd_notify(3))."""

import os

import pytest

from tests.system.readiness.conftest import StartTold
from tests.system.readiness.told import TICK, Told, service

KEEPER = "[service]\ntype = 'notify'\nfile_descriptor_store_max = 4\n" + service("web", "ready", "greet")


def greetings(told: Told, unit: str = "web") -> list[str]:
    """What each run of it was given."""
    return [line for line in told.supd.log(unit).splitlines() if line.startswith("given")]


def started(start_told: StartTold, more: str = "") -> Told:
    told = start_told({"web": KEEPER + more})
    told.supd.wait_until("web", "active")
    return told


def test_a_service_that_stored_nothing_is_given_nothing(start_told: StartTold) -> None:
    told = started(start_told)
    assert greetings(told) == ["given 0 -"]
    assert told.supd.show("web")["n_file_descriptor_store"] == 0


def test_stored_descriptors_come_back_after_a_restart_with_their_names(start_told: StartTold) -> None:
    told = started(start_told)
    told.tell("web", "store state first")
    told.tell("web", "store state second")
    told.tell("web", "store cache third")
    told.stored("web", 3)
    told.supd.supctl("restart", "web")
    assert greetings(told)[1:] == ["given 3 True state=first state=second cache=third"]
    assert told.supd.show("web")["n_file_descriptor_store"] == 3
    assert told.ask("web", "open", "opened") == "open 0 1 2 3 4 5"


def test_they_outlive_a_crash_of_the_service(start_told: StartTold) -> None:
    told = started(start_told, "restart = 'on-failure'\nrestart_sec = 0\n")
    told.tell("web", "store state kept")
    told.stored("web", 1)
    told.tell("web", "exit 3")
    told.supd.wait_for("web", "restarted", lambda shown: shown["n_restarts"] == 1 and shown["sub_state"] == "running")
    assert greetings(told)[1:] == ["given 1 True state=kept"]


def test_they_outlive_the_death_of_the_manager(start_told: StartTold) -> None:
    told = started(start_told)
    told.tell("web", "store state kept")
    told.tell("web", "send pipe 1")
    told.tell("web", "store-twice same")
    told.stored("web", 3)
    told.kill_manager()
    assert told.supd.show("web")["n_file_descriptor_store"] == 3
    # It is known again, not merely held: another datagram with the same open file stores nothing, a hang-up is seen.
    told.tell("web", "store-twice same")
    told.tell("web", "close")
    told.stored("web", 2)
    told.tell("web", "store state later")
    told.stored("web", 3)
    told.supd.supctl("restart", "web")
    assert greetings(told)[1:] == ["given 3 True state=kept same=twice state=later"]


def test_one_open_file_is_stored_once(start_told: StartTold) -> None:
    told = started(start_told)
    told.tell("web", "store-twice same")
    told.tell("web", "store-twice other-name")
    told.tell("web", "store state x")
    told.stored("web", 2)
    told.supd.supctl("restart", "web")
    assert greetings(told)[1:] == ["given 2 True same=twice state=x"]


def test_what_is_sent_beyond_the_maximum_is_closed_and_said_once(start_told: StartTold) -> None:
    told = started(start_told)
    told.tell("web", "send pipe 6")
    assert told.ask("web", "readers 4", "counted") == "readers 4"
    told.tell("web", "send pipe 1")
    assert told.ask("web", "readers 4", "counted again") == "readers 4"
    assert told.supd.show("web")["n_file_descriptor_store"] == 4
    assert told.supd.supctl("events", "-n", "100").stdout.count("descriptor store is full") == 1


def test_descriptors_of_a_unit_without_a_store_are_closed(start_told: StartTold) -> None:
    told = start_told({"web": "[service]\ntype = 'notify'\n" + service("web", "ready")})
    told.supd.wait_until("web", "active")
    told.tell("web", "send pipe 3")
    assert told.ask("web", "readers 0", "counted") == "readers 0"
    assert told.supd.show("web")["n_file_descriptor_store"] == 0


def test_a_removal_takes_all_of_one_name(start_told: StartTold) -> None:
    told = started(start_told)
    told.tell("web", "send gone 2")
    told.tell("web", "send kept 1")
    told.stored("web", 3)
    told.tell("web", "notify FDSTOREREMOVE=1 FDNAME=gone")
    assert told.ask("web", "readers 1", "counted") == "readers 1"
    told.tell("web", "notify FDSTOREREMOVE=1")  # names nothing: ignored
    assert told.ask("web", "readers 1", "counted again") == "readers 1"
    assert told.supd.show("web")["n_file_descriptor_store"] == 1


def test_a_descriptor_that_hangs_up_is_dropped_unless_it_is_not_to_be_polled(start_told: StartTold) -> None:
    told = started(start_told)
    told.tell("web", "send unwatched 1 FDPOLL=0")
    told.tell("web", "send watched 1")
    told.tell("web", "store file x")
    told.stored("web", 3)
    told.tell("web", "close")
    told.stored("web", 2)
    told.kill_manager()
    told.supd.supctl("restart", "web")
    assert greetings(told)[1:] == ["given 2 True unwatched=(no file) file=x"]


@pytest.mark.parametrize(
    ("preserve", "after_restart", "after_stop"),
    [("no", 0, 0), ("restart", 1, 0), ("yes", 1, 1)],
)
def test_how_long_the_store_is_preserved(start_told: StartTold, preserve: str, after_restart: int, after_stop: int) -> None:
    told = started(start_told, f"file_descriptor_store_preserve = '{preserve}'\n")
    told.tell("web", "store state x")
    told.stored("web", 1)
    told.supd.supctl("restart", "web")
    assert told.supd.show("web")["n_file_descriptor_store"] == after_restart
    told.tell("web", "notify FDSTOREREMOVE=1 FDNAME=state")
    told.tell("web", "store state y")
    told.stored("web", 1)
    told.supd.supctl("stop", "web")
    shown = told.supd.show("web")
    assert shown["n_file_descriptor_store"] == after_stop
    assert (shown["active_state"], shown["sub_state"]) == ("inactive", "dead-resources-pinned" if after_stop else "dead")
    assert [unit["sub_state"] for unit in told.supd.json("list", "web")] == [shown["sub_state"]]
    told.supd.supctl("start", "web")
    assert greetings(told)[-1] == ("given 1 True state=y" if after_stop else "given 0 -")


def test_the_store_of_a_unit_whose_file_is_gone_is_dropped(start_told: StartTold) -> None:
    told = start_told({"web": KEEPER + "file_descriptor_store_preserve = 'yes'\n", "tick": TICK})
    told.supd.wait_until("web", "active")
    told.tell("web", "store state x")
    told.stored("web", 1)
    told.supd.supctl("stop", "web")
    before = told.descriptors_of_the_keeper()
    os.unlink(told.supd.path("units", "web.toml"))
    told.supd.supctl("daemon-reload")
    assert told.descriptors_of_the_keeper() == before - 1


def test_nothing_but_exec_start_is_given_them(start_told: StartTold) -> None:
    post = 'exec_start_post = "python3 -S -c \'import os; print(\\"post\\", os.environ.get(\\"LISTEN_FDS\\"), flush=True)\'"\n'
    told = started(start_told, post)
    told.tell("web", "store state x")
    told.stored("web", 1)
    told.supd.supctl("restart", "web")
    assert told.supd.log("web").splitlines().count("post None") == 2
