"""mosquitto: notifies at its start, and re-reads its access list on SIGHUP without a word."""

import pytest

from tests.system.conftest import StartSupd
from tests.system.daemons import ask
from tests.system.daemons.life import Daemon, is_started_again_after_kill, stops_without_a_trace

pytestmark = pytest.mark.usefixtures("as_root")


@pytest.fixture
def mosquitto(make_supd: StartSupd) -> Daemon:
    return Daemon(make_supd, "mosquitto", "mosquitto.conf", "mosquitto.acl", user="mosquitto")


def test_mosquitto_passes_a_message_on_as_soon_as_it_has_notified(mosquitto: Daemon) -> None:
    mosquitto.start()
    assert ask.mqtt_echo(mosquitto.port, "greeting", "hello") == "hello"


def test_mosquitto_reloads_its_access_list_and_keeps_its_process(mosquitto: Daemon) -> None:
    before = mosquitto.start()
    assert ask.mqtt_echo(mosquitto.port, "farewell", "bye") is None
    mosquitto.configure("mosquitto.acl", "greeting", "farewell")
    mosquitto.supd.supctl("reload", "mosquitto")
    mosquitto.supd.wait_for_line("mosquitto", "Reloading config.")
    assert ask.mqtt_echo(mosquitto.port, "farewell", "bye") == "bye"
    assert mosquitto.supd.show("mosquitto")["main_pid"] == before["main_pid"]


def test_mosquitto_killed_comes_back(mosquitto: Daemon) -> None:
    is_started_again_after_kill(mosquitto, mosquitto.start())
    assert ask.mqtt_echo(mosquitto.port, "greeting", "hello") == "hello"


def test_mosquitto_stopped_leaves_no_process(mosquitto: Daemon) -> None:
    mosquitto.start()
    stops_without_a_trace(mosquitto)
