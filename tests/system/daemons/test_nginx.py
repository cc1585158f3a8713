"""nginx: ready by an HTTP probe, reloads by SIGHUP, and leaves workers behind that hold the port when its master is killed."""

import pytest

from tests.system.conftest import StartSupd
from tests.system.daemons import ask
from tests.system.daemons.life import Daemon, are_gone, is_started_again_after_kill, old_workers, stops_without_a_trace

pytestmark = pytest.mark.usefixtures("as_root")


@pytest.fixture
def nginx(make_supd: StartSupd) -> Daemon:
    daemon = Daemon(make_supd, "nginx", "nginx.conf")
    daemon.supd.write("run/tmp/.keep", "")
    return daemon


def test_nginx_answers_as_soon_as_it_is_active(nginx: Daemon) -> None:
    nginx.start()
    assert ask.http_body(nginx.port) == "first greeting"


def test_nginx_reloads_its_configuration_and_keeps_its_master(nginx: Daemon) -> None:
    before = nginx.start()
    replaced = old_workers(nginx, before)
    nginx.configure("nginx.conf", "first greeting", "second greeting")
    nginx.supd.supctl("reload", "nginx")
    are_gone(replaced)
    assert ask.http_body(nginx.port) == "second greeting"
    after = nginx.supd.show("nginx")
    assert (after["active_state"], after["main_pid"], after["n_restarts"]) == ("active", before["main_pid"], 0)


def test_nginx_killed_comes_back_although_its_workers_held_the_port(nginx: Daemon) -> None:
    is_started_again_after_kill(nginx, nginx.start())
    assert ask.http_body(nginx.port) == "first greeting"


def test_nginx_stopped_leaves_no_process(nginx: Daemon) -> None:
    nginx.start()
    stops_without_a_trace(nginx)


def test_a_broken_configuration_fails_the_check_and_shows_nginxs_own_words(nginx: Daemon) -> None:
    nginx.start()
    nginx.supd.supctl("stop", "nginx")
    nginx.configure("nginx.conf", "location", "lokation")
    said = nginx.supd.supctl("start", "nginx", expect=1)
    text = said.stdout + said.stderr
    assert "exec_start_pre" in text
    assert 'unknown directive "lokation"' in text
