"""haproxy in master-worker mode: RELOADING=1 before its first READY=1, and a reload that executes itself anew under the same pid."""

import pytest

from tests.system.conftest import StartSupd
from tests.system.daemons import ask
from tests.system.daemons.life import Daemon, are_gone, is_started_again_after_kill, old_workers, stops_without_a_trace

pytestmark = pytest.mark.usefixtures("as_root")


@pytest.fixture
def haproxy(make_supd: StartSupd) -> Daemon:
    return Daemon(make_supd, "haproxy", "haproxy.cfg")


def test_haproxy_answers_as_soon_as_it_has_notified(haproxy: Daemon) -> None:
    haproxy.start()
    assert ask.http_body(haproxy.port) == "first greeting"


def test_haproxy_reloads_and_its_new_workers_answer_under_the_same_master(haproxy: Daemon) -> None:
    before = haproxy.start()
    replaced = old_workers(haproxy, before)
    haproxy.configure("haproxy.cfg", "first greeting", "second greeting")
    haproxy.supd.supctl("reload", "haproxy")
    are_gone(replaced)
    assert ask.http_body(haproxy.port) == "second greeting"
    after = haproxy.supd.wait_until("haproxy", "active")
    assert (after["main_pid"], after["n_restarts"]) == (before["main_pid"], 0)


def test_haproxy_refuses_to_reload_a_broken_configuration_and_goes_on_serving(haproxy: Daemon) -> None:
    before = haproxy.start()
    haproxy.configure("haproxy.cfg", "http-request return", "http-request retrun")
    haproxy.supd.supctl("reload", "haproxy", expect=1)
    assert ask.http_body(haproxy.port) == "first greeting"
    assert haproxy.supd.wait_until("haproxy", "active")["main_pid"] == before["main_pid"]


def test_haproxy_killed_comes_back_although_its_worker_held_the_port(haproxy: Daemon) -> None:
    is_started_again_after_kill(haproxy, haproxy.start())
    assert ask.http_body(haproxy.port) == "first greeting"


def test_haproxy_stopped_leaves_no_process(haproxy: Daemon) -> None:
    haproxy.start()
    stops_without_a_trace(haproxy)
