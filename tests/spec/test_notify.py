"""What a datagram on the notify socket does, and whose is heard (sd_notify(3); SEMANTICS 5.9)."""

import pytest

from tests.spec.behaviour import Process, exits, runs, says_ready
from tests.spec.build import SECOND, unit
from tests.spec.world import World

# notify access -> whose READY=1 is heard
HEARD = {"none": set(), "main": {"main"}, "exec": {"main"}, "all": {"main", "child"}}


@pytest.mark.parametrize("sender", ["main", "child"])
@pytest.mark.parametrize("access", HEARD)
def test_notify_access_says_whose_messages_count(access: str, sender: str) -> None:
    world = World(unit("a", type="simple", notify_access=access))
    world.behave("a", runs(leaves=(Process(),)))
    world.start("a")
    pids = {"child" if p.run is None else "main": p.pid for p in world.processes("a")}
    world.notify("a", pids[sender], STATUS="hello")
    assert world.show("a")["status_text"] == ("hello" if sender in HEARD[access] else "")


@pytest.mark.parametrize(("access", "heard"), [("main", False), ("exec", True), ("all", True)])
def test_a_control_process_is_heard_with_exec_and_all(access: str, heard: bool) -> None:
    world = World(unit("a", type="simple", notify_access=access, exec_start_post="post"))
    from supervisor.model.states import Phase

    world.behave("a", runs(), phase=Phase.START_POST)
    world.start("a")
    control = next(p.pid for p in world.processes("a") if p.phase is Phase.START_POST)
    world.notify("a", control, STATUS="hello")
    assert world.show("a")["status_text"] == ("hello" if heard else "")


def test_ready_in_the_first_microsecond_is_not_lost() -> None:
    world = World(unit("a", type="notify"))
    world.behave("a", says_ready(after_us=0))
    assert world.job_result(world.start("a")) == "done"


def test_ready_and_exit_at_once_are_a_start_and_an_end() -> None:
    world = World(unit("a", type="notify"))
    world.behave("a", exits(0, says=((0, {"READY": "1"}),)))
    answer = world.start("a")
    assert world.job_result(answer) == "done"
    assert world.state("a") == ("inactive", "dead", "success")


def test_a_second_ready_changes_nothing() -> None:
    world = World(unit("a", type="notify"))
    world.start("a")
    world.notify("a", READY="1")
    assert world.state("a") == ("active", "running", "success")


@pytest.mark.parametrize("value", ["0", "", "yes"])
def test_only_ready_1_is_ready(value: str) -> None:
    world = World(unit("a", type="notify"))
    world.behave("a", runs())
    world.start("a")
    world.notify("a", READY=value)
    assert world.sub("a") == "start"


def test_reloading_and_ready_show_as_reloading() -> None:
    world = World(unit("a", type="notify"))
    world.start("a")
    world.notify("a", RELOADING="1")
    assert world.active("a") == "reloading"
    world.notify("a", READY="1")
    assert world.state("a") == ("active", "running", "success")


def test_stopping_shows_as_deactivating_and_a_clean_exit_after_it_is_clean() -> None:
    world = World(unit("a", type="notify", restart="on-failure"))
    world.behave("a", exits(0, after_us=2 * SECOND, says=((0, {"READY": "1"}), (SECOND, {"STOPPING": "1"}))))
    world.start("a")
    world.advance(SECOND)
    assert world.active("a") == "deactivating"
    world.advance(SECOND)
    assert world.state("a") == ("inactive", "dead", "success")


def test_a_service_that_says_stopping_and_hangs_is_ended_by_the_stop_time_out() -> None:
    world = World(unit("a", type="notify", timeout_stop_us=10 * SECOND))
    world.start("a")
    world.notify("a", STOPPING="1")
    world.advance(30 * SECOND)
    assert world.processes("a") == []
    assert world.active("a") in ("failed", "inactive")


def test_status_and_errno_are_shown_and_a_new_start_forgets_them() -> None:
    world = World(unit("a", type="notify"))
    world.start("a")
    world.notify("a", STATUS="ready for 3 clients")
    assert world.show("a")["status_text"] == "ready for 3 clients"
    world.restart("a")
    assert world.show("a")["status_text"] == ""


def test_mainpid_moves_the_main_process_within_the_unit_only() -> None:
    world = World(unit("a", type="notify"), unit("b"))
    world.behave("a", runs(says=((0, {"READY": "1"}),), leaves=(Process(),)))
    world.start("b")
    world.start("a")
    child = next(p.pid for p in world.processes("a") if p.run is None)
    foreign = world.processes("b")[0].pid
    main = world.show("a")["main_pid"]
    world.notify("a", MAINPID=str(foreign))
    assert world.show("a")["main_pid"] == main
    world.notify("a", MAINPID="nonsense")
    assert world.show("a")["main_pid"] == main
    world.notify("a", MAINPID=str(child))
    assert world.show("a")["main_pid"] == child


def test_the_end_of_a_main_process_learned_by_mainpid_ends_the_service() -> None:
    world = World(unit("a", type="notify"))
    world.behave("a", runs(says=((0, {"READY": "1"}),), leaves=(exits(7, after_us=5 * SECOND),)))
    world.start("a")
    child = next(p.pid for p in world.processes("a") if p.run is None)
    world.notify("a", MAINPID=str(child))
    world.advance(5 * SECOND)
    assert world.state("a") == ("failed", "failed", "exit-code")
    assert world.show("a")["exec_main_status"] == 7
    assert world.processes("a") == []


def test_unknown_keys_are_ignored() -> None:
    world = World(unit("a", type="notify"))
    world.start("a")
    before = world.state("a")
    world.notify("a", X_WHATEVER="1", BARRIER="1", FDSTORE="1", NONSENSE="")
    assert world.state("a") == before


def test_a_message_for_a_unit_that_is_down_changes_nothing() -> None:
    world = World(unit("a", type="notify"))
    world.start("a")
    pid = world.show("a")["main_pid"]
    world.stop("a")
    world.notify("a", pid, READY="1", STATUS="still here", MAINPID=str(pid))
    assert world.state("a") == ("inactive", "dead", "success")
    assert world.show("a")["main_pid"] in (0, None)


def test_notify_access_can_be_changed_by_the_service() -> None:
    world = World(unit("a", type="notify"))
    world.behave("a", runs(says=((0, {"READY": "1"}),), leaves=(Process(),)))
    world.start("a")
    child = next(p.pid for p in world.processes("a") if p.run is None)
    world.notify("a", child, STATUS="first")
    assert world.show("a")["status_text"] == ""
    world.notify("a", NOTIFYACCESS="all")
    world.notify("a", child, STATUS="second")
    assert world.show("a")["status_text"] == "second"


# What real programs send, and when.


def test_a_reloading_before_the_first_ready_changes_nothing() -> None:
    # haproxy does so at every start
    world = World(unit("a", type="notify"))
    world.behave("a", Process(says=((0, {"RELOADING": "1"}), (SECOND, {"READY": "1"}))))
    answer = world.start("a")
    assert world.sub("a") == "start"
    world.advance(SECOND)
    assert world.job_result(answer) == "done"
    assert world.state("a") == ("active", "running", "success")


@pytest.mark.parametrize("type_", ["notify", "notify-reload"])
@pytest.mark.parametrize(("words", "sub"), [(("RELOADING", "READY"), "running"), (("READY", "RELOADING"), "start")])
def test_of_a_whole_reload_told_of_in_one_message_the_last_word_counts_also_while_it_starts(
    words: tuple[str, ...], sub: str, type_: str
) -> None:
    world = World(unit("a", type=type_))
    world.behave("a", Process())
    answer = world.start("a")
    world.notify("a", None, **dict.fromkeys(words, "1"))
    assert (world.sub("a"), world.job_result(answer)) == (sub, "done" if sub == "running" else None)


def test_a_status_after_stopping_is_shown_and_the_stop_goes_on() -> None:
    # dovecot and mariadb do so
    world = World(unit("a", type="notify"))
    world.start("a")
    world.notify("a", STOPPING="1")
    world.notify("a", STATUS="closing tables")
    assert world.active("a") == "deactivating"
    assert world.show("a")["status_text"] == "closing tables"
    world.notify("a", STATUS="")
    assert world.show("a")["status_text"] == ""


def test_a_ready_with_every_status_starts_nothing_anew() -> None:
    # php-fpm does so every ten seconds, with its own pid as MAINPID
    world = World(unit("a", type="notify", watchdog_us=10 * SECOND), unit("b", after=["a"], requires=["a"]))
    world.start("b")
    before = world.show("a")
    for second in range(20):
        world.advance(SECOND)
        world.notify("a", READY="1", STATUS=f"{second} requests", MAINPID=str(before["main_pid"]), WATCHDOG="1")
    after = world.show("a")
    assert {**after, "status_text": ""} == {**before, "status_text": ""}
    assert world.active("b") == "active"


def test_a_reload_of_a_service_that_sends_no_reloading_is_over_with_its_command() -> None:
    # postgres, mosquitto, gunicorn
    world = World(unit("a", type="notify", exec_reload="hup"))
    world.start("a")
    answer = world.reload("a")
    assert world.job_result(answer) == "done"
    assert world.active("a") == "active"


def test_a_stop_is_extended_again_and_again() -> None:
    # mariadb sends the same extension with every step of its shutdown
    world = World(unit("a", type="notify", timeout_stop_us=10 * SECOND))
    world.behave("a", says_ready(dies_in_us=60 * SECOND))
    world.start("a")
    world.stop("a")
    for _ in range(7):
        world.advance(8 * SECOND)
        world.notify("a", EXTEND_TIMEOUT_USEC=str(10 * SECOND))
    world.advance(4 * SECOND)
    assert world.state("a") == ("inactive", "dead", "success")
