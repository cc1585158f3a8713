"""systemd-notify itself, which shell scripts call, against a real supd.

Run by root it sends with its parent's pid; it then passes a descriptor with BARRIER=1 and waits until that is closed, five seconds at
most, and fails when it is not: so its exit status says whether supd closed it.
"""

import pytest

from tests.system.conftest import StartSupd
from tests.system.users import NOBODY

SCRIPT = """
[service]
type = "notify"
timeout_start_sec = 20
exec_start = "/bin/sh -c '%s'"
"""


@pytest.mark.usefixtures("as_root")
def test_a_script_of_root_speaks_for_itself(start_supd: StartSupd) -> None:
    supd = start_supd({"web": SCRIPT % "systemd-notify --ready --status=up; echo left with $?; exec sleep 1000"})
    shown = supd.wait_until("web", "active")
    assert shown["status_text"] == "up"
    supd.wait_for_line("web", "left with 0")


@pytest.mark.usefixtures("as_root")
def test_as_the_program_of_a_unit_it_does_not_speak_for_its_parent(start_supd: StartSupd) -> None:
    """It takes its parent's pid, unless that is pid 1 or $MANAGERPID: then its own."""
    unit = '[service]\ntype = "notify"\nremain_after_exit = true\nexec_start = "systemd-notify --ready --status=hi"\n'
    supd = start_supd({"web": unit + "timeout_start_sec = 20\n"})
    shown = supd.wait_until("web", "active")
    assert shown["status_text"] == "hi"


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(("access", "is_heard"), [("main", False), ("all", True)])
def test_a_script_of_another_user_is_heard_with_access_and_its_barrier_without(start_supd: StartSupd, access: str, is_heard: bool) -> None:
    script = "systemd-notify --ready --status=up; echo left with $?; exec sleep 1000"
    unit = SCRIPT % script + f'user = "{NOBODY}"\nnotify_access = "{access}"\n'
    supd = start_supd({"web": unit.replace("type", "timeout_stop_sec = 1\ntype")})
    supd.wait_for_line("web", "left with 0")
    assert supd.show("web")["active_state"] == ("active" if is_heard else "activating")


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("tracking", ["cgroup", "scan"])
def test_a_program_that_names_supd_as_its_main_process_is_not_believed(start_supd: StartSupd, tracking: str) -> None:
    # --pid names the parent, and after exec that is supd; by root it is sent in supd's name as well
    unit = SCRIPT % "systemd-notify --ready; exec env -u MANAGERPID systemd-notify --status=down --pid" + "remain_after_exit = true\n"
    supd = start_supd({"web": unit}, tracking=tracking)
    shown = supd.wait_until("web", "exited")
    assert (shown["main_pid"] or 0, shown["status_text"]) == (0, "")
    assert f"from pid {supd.keeper_pid}, which is no process of web" in supd.supctl("events", "-n", "20").stdout
    supd.supctl("stop", "web")
    assert supd.is_running
