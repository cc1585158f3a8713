"""What outlives supd's own death: the manager's, answered by the keeper; the keeper's, answered by the next supd."""

import os
import signal

from tests.system.arrival import Deadline, ends_in_time
from tests.system.conftest import StartSupd
from tests.system.supd import Supd

TICKING = """
[service]
exec_start = "sh -c 'trap \\"exit 7\\" USR1; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done'"
restart = "on-failure"
"""
UNITS = {
    "ticking": TICKING,
    "leaning": '[unit]\ndepends_on = ["ticking"]\n[service]\nexec_start = "sleep 1000"\n',
    "speaking": """
[service]
type = "notify"
exec_start = "sh -c 'systemd-notify --ready --status=awake; trap \\"systemd-notify --status=asked\\" USR1; while :; do sleep 0.05; done'"
notify_access = "all"
""",
}


def _managers(supd: Supd) -> tuple[int, int]:
    version = supd.json("version")
    return version["keeper_pid"], version["manager_pid"]


def _kill_manager(supd: Supd) -> None:
    _, manager = _managers(supd)
    os.kill(manager, signal.SIGKILL)
    assert ends_in_time(manager, 10)
    deadline = Deadline(20)
    while _managers(supd)[1] == manager:
        assert deadline.remaining_s(), "no new manager came"


def _kill_keeper(supd: Supd) -> None:
    keeper, manager = _managers(supd)
    os.kill(keeper, signal.SIGKILL)
    supd.wait_for_end(10)
    assert ends_in_time(manager, 10), "the manager leaves at once when the keeper is gone"


def _pids(supd: Supd) -> dict[str, int]:
    return {name: supd.show(name)["main_pid"] for name in ("ticking", "leaning")}


def test_a_manager_that_is_killed_is_replaced_and_no_service_notices(start_supd: StartSupd) -> None:
    supd = start_supd({name: UNITS[name] for name in ("ticking", "leaning")})
    supd.wait_until("leaning", "active")
    before = _pids(supd)
    _kill_manager(supd)
    assert _pids(supd) == before
    assert supd.show("ticking")["active_state"] == "active"


def test_what_a_service_wrote_while_there_was_no_manager_is_in_its_log(start_supd: StartSupd) -> None:
    supd = start_supd({"ticking": UNITS["ticking"]})
    supd.wait_for_line("ticking", "line 3\n")
    _kill_manager(supd)
    supd.wait_for_line("ticking", "line 30\n")
    lines = [line for line in supd.log("ticking").splitlines() if line.startswith("line ")]
    assert lines[:30] == [f"line {i}" for i in range(1, 31)]


def test_a_service_that_ended_while_there_was_no_manager_is_known_by_its_true_status(start_supd: StartSupd) -> None:
    supd = start_supd({"ticking": UNITS["ticking"].replace('restart = "on-failure"', 'restart = "no"')})
    pid = supd.wait_until("ticking", "active")["main_pid"]
    _, manager = _managers(supd)
    os.kill(manager, signal.SIGSTOP)
    os.kill(pid, signal.SIGUSR1)
    os.kill(manager, signal.SIGKILL)
    shown = supd.wait_until("ticking", "failed")
    assert (shown["exec_main_code"], shown["exec_main_status"]) == ("exited", 7)


def test_a_keeper_that_is_killed_leaves_its_services_to_the_next_supd(start_supd: StartSupd) -> None:
    supd = start_supd({name: UNITS[name] for name in ("ticking", "leaning")})
    supd.wait_until("leaning", "active")
    before = _pids(supd)
    _kill_keeper(supd)
    supd.start()
    assert _pids(supd) == before
    assert supd.show("ticking")["n_restarts"] == 0


def test_the_end_of_an_adopted_service_is_unknown_and_counts_as_a_failure(start_supd: StartSupd) -> None:
    supd = start_supd({"leaning": '[service]\nexec_start = "sleep 1000"\n'})
    pid = supd.wait_until("leaning", "active")["main_pid"]
    _kill_keeper(supd)
    supd.start()
    os.kill(pid, signal.SIGKILL)
    shown = supd.wait_until("leaning", "failed")
    assert shown["exec_main_code"] == "unknown"


def test_a_service_that_died_with_the_keeper_is_seen_to_be_gone(start_supd: StartSupd) -> None:
    supd = start_supd({"ticking": UNITS["ticking"]})
    pid = supd.wait_until("ticking", "active")["main_pid"]
    _kill_keeper(supd)
    os.kill(pid, signal.SIGKILL)
    supd.start()
    supd.wait_for("ticking", "restarted", lambda shown: shown["main_pid"] not in (0, pid) and shown["active_state"] == "active")


def test_an_adopted_service_is_stopped_for_good_and_its_log_goes_on(start_supd: StartSupd) -> None:
    supd = start_supd({"ticking": UNITS["ticking"]})
    supd.wait_for_line("ticking", "line 3\n")
    _kill_keeper(supd)
    supd.start()
    supd.wait_for_line("ticking", "line 40\n")
    lines = [line for line in supd.log("ticking").splitlines() if line.startswith("line ")]
    assert lines[:40] == [f"line {i}" for i in range(1, 41)]
    supd.supctl("stop", "ticking")
    assert supd.show("ticking")["active_state"] == "inactive"
    supd.stop()


def test_an_adopted_service_outlives_the_next_manager_and_the_next_keeper_too(start_supd: StartSupd) -> None:
    supd = start_supd({name: UNITS[name] for name in ("ticking", "leaning")})
    supd.wait_until("leaning", "active")
    before = _pids(supd)
    _kill_keeper(supd)
    supd.start()
    _kill_manager(supd)
    assert _pids(supd) == before
    _kill_keeper(supd)
    supd.start()
    assert _pids(supd) == before


def test_an_adopted_service_is_heard_on_the_notify_socket_it_knows(start_supd: StartSupd) -> None:
    supd = start_supd({"speaking": UNITS["speaking"]})
    pid = supd.wait_until("speaking", "active")["main_pid"]
    _kill_keeper(supd)
    supd.start()
    os.kill(pid, signal.SIGUSR1)
    supd.wait_for("speaking", "heard", lambda shown: shown["status_text"] == "asked")


def test_two_supd_on_one_state_directory_are_one_too_many(start_supd: StartSupd) -> None:
    supd = start_supd({"leaning": '[service]\nexec_start = "sleep 1000"\n'})
    said = supd.run("supd", "--units", "units")
    assert said.returncode == 1
    assert "another supd already runs" in said.stderr
    assert supd.show("leaning")["active_state"] == "active"


def test_after_an_orderly_end_nothing_is_adopted(start_supd: StartSupd) -> None:
    supd = start_supd({"leaning": '[service]\nexec_start = "sleep 1000"\n'})
    supd.wait_until("leaning", "active")
    supd.stop()
    assert not os.path.exists(supd.path(".supd", "journal"))
    supd.start()
    supd.wait_until("leaning", "active")
    assert "taken over" not in supd.said()
