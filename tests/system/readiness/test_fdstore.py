"""FDSTORE: what a service hands over is kept through restarts and the manager's death, and given back (sd_notify(3))."""

from tests.system.readiness.conftest import StartTold
from tests.system.readiness.told import Told, service

KEEPER = "[service]\ntype = 'notify'\nfile_descriptor_store_max = 4\nrestart_sec = 0\n" + service("web", "ready", "greet")


def greetings(told: Told, unit: str) -> list[str]:
    return [line for line in told.supd.log(unit).splitlines() if line.startswith("given")]


def test_a_service_without_stored_descriptors_is_given_none(start_told: StartTold) -> None:
    told = start_told({"web": KEEPER})
    told.supd.wait_until("web", "active")
    assert greetings(told, "web") == ["given 0 -"]
    assert told.supd.show("web")["n_file_descriptor_store"] == 0


def test_stored_descriptors_come_back_after_a_restart_with_their_names(start_told: StartTold) -> None:
    told = start_told({"web": KEEPER})
    told.tell("web", "store state first")
    told.tell("web", "store state second")
    told.tell("web", "store cache third")
    told.stored("web", 3)
    told.supd.supctl("restart", "web")
    assert greetings(told, "web")[1:] == ["given 3 True state=first state=second cache=third"]
    assert told.supd.show("web")["n_file_descriptor_store"] == 3


def test_they_outlive_a_crash_of_the_service_and_a_failed_exec_start_post_is_not_given_them(start_told: StartTold) -> None:
    told = start_told({"web": KEEPER + "restart = 'on-failure'\n"})
    told.tell("web", "store state kept")
    told.stored("web", 1)
    told.tell("web", "exit 3")
    told.supd.wait_for("web", "restarted", lambda shown: shown["n_restarts"] == 1 and shown["sub_state"] == "running")
    assert greetings(told, "web")[1:] == ["given 1 True state=kept"]
